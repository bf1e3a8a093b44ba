//! A line that is long and not narrow: what is written into one end comes out of the other after a while, in both
//! directions, at any speed.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that may be on the way in one direction of a connection, as in a window of TCP: 50 ms at 2.5 Gbit/s.
const WINDOW: usize = 16 << 20;
const PIECE: usize = 256 << 10;
/// What is due within so much of each other is written together: to wake up for every packet would cost the programs
/// that are measured their processor.
const GRAIN: Duration = Duration::from_millis(1);

/// Starts one in front of `upstream`, with `one_way` for each direction. Gives its `127.0.0.1:PORT`; it lives as long as
/// the tests.
pub fn long_line(upstream: &str, one_way: Duration) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let upstream: SocketAddr = upstream.parse().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // The handshake takes a round trip, too; whoever goes away only ends this connection.
            thread::spawn(move || {
                thread::sleep(one_way * 2);
                let Ok(server) = TcpStream::connect(upstream) else {
                    return;
                };
                for socket in [&client, &server] {
                    let _ = socket.set_nodelay(true);
                }
                let (Ok(from), Ok(to)) = (client.try_clone(), server.try_clone()) else {
                    return;
                };
                carry(from, to, one_way);
                carry(server, client, one_way);
            });
        }
    });
    address
}

/// What is on the way in one direction.
#[derive(Default)]
struct Way {
    line: Mutex<Line>,
    changed: Condvar,
}

#[derive(Default)]
struct Line {
    pieces: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    ended: bool,
}

impl Way {
    /// Reads until the end, or until nobody writes any more.
    fn read(&self, mut from: TcpStream, delay: Duration) {
        let mut piece = vec![0; PIECE];
        loop {
            let got = from.read(&mut piece).unwrap_or(0);
            let mut line = self.line.lock().unwrap();
            while line.bytes >= WINDOW && !line.ended {
                line = self.changed.wait(line).unwrap();
            }
            if got == 0 || line.ended {
                line.ended = true;
                return self.changed.notify_all();
            }
            let (due, some) = (Instant::now() + delay, &piece[..got]);
            match line.pieces.back_mut() {
                Some((last, bytes)) if due <= *last => bytes.extend_from_slice(some),
                _ => line
                    .pieces
                    .push_back((due + GRAIN.min(delay), some.to_vec())),
            }
            line.bytes += got;
            self.changed.notify_all();
        }
    }

    /// Writes what is due.
    fn write(&self, mut to: TcpStream) {
        loop {
            let mut line = self.line.lock().unwrap();
            while line.pieces.is_empty() && !line.ended {
                line = self.changed.wait(line).unwrap();
            }
            let Some(due) = line.pieces.front().map(|(due, _)| *due) else {
                break;
            };
            drop(line);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let mut line = self.line.lock().unwrap();
            let (_, bytes) = line.pieces.pop_front().unwrap();
            line.bytes -= bytes.len();
            self.changed.notify_all();
            drop(line);
            if to.write_all(&bytes).is_err() {
                self.line.lock().unwrap().ended = true;
                break self.changed.notify_all();
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }
}

fn carry(from: TcpStream, to: TcpStream, delay: Duration) {
    let way = Arc::new(Way::default());
    let entry = way.clone();
    thread::spawn(move || entry.read(from, delay));
    thread::spawn(move || way.write(to));
}
