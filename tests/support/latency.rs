//! A line that is long and not narrow: what is written into one end comes out of the other after a while, in both
//! directions, at any speed.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that may be on the way in one direction of a connection, as in a window of TCP: 50 ms at 2.5 Gbit/s.
const PIECES: usize = 256;
const PIECE: usize = 64 * 1024;

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

fn carry(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let (sender, receiver) = mpsc::sync_channel::<(Instant, Vec<u8>)>(PIECES);
    thread::spawn(move || {
        let mut piece = vec![0; PIECE];
        while let Ok(got) = from.read(&mut piece) {
            if got == 0
                || sender
                    .send((Instant::now() + delay, piece[..got].to_vec()))
                    .is_err()
            {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (due, bytes) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
