//! A proxy in front of an S3 server that counts requests, and does bad things to some.
//!
//! Each connection carries one request: the server is told to close after its answer. Bytes pass as they are in both
//! directions, so signatures hold, and so does `Expect: 100-continue`.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is cut before the request gets anywhere.
    Reset,
    /// This status comes back, and the server never hears of it.
    Status(u16),
    /// It takes so much longer.
    Delay(Duration),
    /// The server gets so many bytes of the body, then the connection is cut on both sides.
    CutRequest(u64),
    /// The client gets so many bytes of the answer.
    CutAnswer(u64),
    /// The server gets the request twice; the client hears the second answer.
    Duplicate,
    /// The answer's `Content-Length` is so much too large, or too small.
    Length(i64),
    /// The answer comes a few bytes at a time, with a pause after each piece.
    Drip { bytes: usize, pause: Duration },
    /// This status comes back before the body was read, and the connection is closed at once.
    Early(u16),
    /// The request arrives, and is never answered; see [`Proxy::held`].
    Hold {
        /// After the server has answered, instead of before it hears of the request.
        answered: bool,
    },
}

/// One request as the proxy saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    /// Path and query.
    pub target: String,
}

/// Says what happens to a request; the number counts from 1.
pub type Plan = dyn Fn(u64, &Seen) -> Option<Fault> + Send + Sync;

struct Shared {
    upstream: Mutex<SocketAddr>,
    plan: Mutex<Option<Arc<Plan>>>,
    requests: AtomicU64,
    faults: AtomicU64,
    held: AtomicBool,
    closed: AtomicBool,
}

/// A running proxy.
pub struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Proxy {
    /// In front of the server at `upstream`.
    pub fn start(upstream: &str) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            upstream: Mutex::new(upstream.parse().unwrap()),
            plan: Mutex::new(None),
            requests: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            held: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        });
        let accepting = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.closed.load(Ordering::SeqCst) {
                    return;
                }
                let shared = accepting.clone();
                // Whoever goes away in the middle only ends this connection.
                thread::spawn(move || client.and_then(|client| serve(&shared, client)));
            }
        });
        Proxy { shared, address }
    }

    /// `127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }

    /// The server is at `upstream` from now on.
    pub fn set_upstream(&self, upstream: &str) {
        *self.shared.upstream.lock().unwrap() = upstream.parse().unwrap();
    }

    /// From now on, with the count of requests at 0.
    pub fn set_plan(&self, plan: Option<Arc<Plan>>) {
        *self.shared.plan.lock().unwrap() = plan;
        self.shared.requests.store(0, Ordering::SeqCst);
        self.shared.held.store(false, Ordering::SeqCst);
    }

    /// Requests since the plan was set.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Faults in all.
    pub fn faults(&self) -> u64 {
        self.shared.faults.load(Ordering::SeqCst)
    }

    /// Has a request been held since the plan was set?
    pub fn held(&self) -> bool {
        self.shared.held.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(shared: &Shared, mut client: TcpStream) -> std::io::Result<()> {
    let Some((head, body)) = read_head(&mut client)? else {
        return Ok(());
    };
    let mut words = head.split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let seen = Seen {
        method: word(),
        target: word(),
    };
    let number = shared.requests.fetch_add(1, Ordering::SeqCst) + 1;
    let plan = shared.plan.lock().unwrap().clone();
    let fault = plan.and_then(|plan| plan(number, &seen));
    if fault.is_some() {
        shared.faults.fetch_add(1, Ordering::SeqCst);
    }
    match fault {
        Some(Fault::Reset) => return Ok(()),
        Some(Fault::Status(status)) => return refuse(&mut client, status),
        Some(Fault::Early(status)) => return answer_early(&mut client, status),
        Some(Fault::Duplicate) => return twice(shared, &mut client, &head, body),
        Some(Fault::Hold { answered: false }) => return hold(shared, &mut client),
        Some(Fault::Delay(time)) => thread::sleep(time),
        _ => {}
    }
    let mut server = TcpStream::connect(*shared.upstream.lock().unwrap())?;
    let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    server.write_all(head.as_bytes())?;
    let sent = match fault {
        Some(Fault::CutRequest(limit)) => limit,
        _ => u64::MAX,
    };
    let early = body.len().min(usize::try_from(sent).unwrap_or(usize::MAX));
    server.write_all(&body[..early])?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    let left = sent - early as u64;
    let upward = thread::spawn(move || {
        let _ = std::io::copy(&mut (&mut from).take(left), &mut to);
        // A client that sends no more is gone, or was cut off.
        let _ = to.shutdown(Shutdown::Write);
        if sent != u64::MAX {
            let _ = to.shutdown(Shutdown::Both);
            let _ = from.shutdown(Shutdown::Both);
        }
    });
    let answer = match fault {
        Some(Fault::CutAnswer(limit)) => limit,
        Some(Fault::Hold { .. }) => 0,
        _ => u64::MAX,
    };
    let copied = match fault {
        Some(Fault::Length(by)) => wrong_length(&mut server, &mut client, by),
        Some(Fault::Drip { bytes, pause }) => drip(&mut server, &mut client, bytes, pause),
        _ => std::io::copy(&mut (&mut server).take(answer), &mut client),
    };
    if answer != u64::MAX {
        // What the server does with the request is done before the client can tell.
        let _ = std::io::copy(&mut server, &mut std::io::sink());
    }
    if let Some(Fault::Hold { .. }) = fault {
        hold(shared, &mut client)?;
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = upward.join();
    copied.map(drop)
}

/// The length that a head announces.
fn content_length(head: &str) -> Option<usize> {
    let line = head
        .lines()
        .find(|l| l.to_ascii_lowercase().starts_with("content-length:"))?;
    line.split_once(':')?.1.trim().parse().ok()
}

/// Takes the whole request from the client and delivers it twice, one after the other.
fn twice(
    shared: &Shared,
    client: &mut TcpStream,
    head: &str,
    mut body: Vec<u8>,
) -> std::io::Result<()> {
    let waits = |line: &&str| line.to_ascii_lowercase().starts_with("expect:");
    if head.lines().any(|line| waits(&line)) {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut rest = vec![0; content_length(head).unwrap_or(0).saturating_sub(body.len())];
    client.read_exact(&mut rest)?;
    body.extend(rest);
    let kept: Vec<&str> = head.split("\r\n").filter(|line| !waits(line)).collect();
    let head = kept
        .join("\r\n")
        .replacen("\r\n", "\r\nConnection: close\r\n", 1);
    let mut answer = Vec::new();
    for _ in 0..2 {
        let mut server = TcpStream::connect(*shared.upstream.lock().unwrap())?;
        server.write_all(head.as_bytes())?;
        server.write_all(&body)?;
        answer.clear();
        server.read_to_end(&mut answer)?;
    }
    client.write_all(&answer)?;
    client.shutdown(Shutdown::Both)
}

/// Passes the answer on with another length in its head.
fn wrong_length(server: &mut TcpStream, client: &mut TcpStream, by: i64) -> std::io::Result<u64> {
    let Some((head, body)) = read_head(server)? else {
        return Ok(0);
    };
    let right = content_length(&head).unwrap_or(0) as i64;
    let lines = head
        .split("\r\n")
        .map(|line| match line.to_ascii_lowercase() {
            l if l.starts_with("content-length:") => {
                format!("Content-Length: {}", (right + by).max(0))
            }
            _ => line.to_owned(),
        });
    client.write_all(lines.collect::<Vec<_>>().join("\r\n").as_bytes())?;
    client.write_all(&body)?;
    std::io::copy(server, client)
}

fn drip(
    server: &mut TcpStream,
    client: &mut TcpStream,
    bytes: usize,
    pause: Duration,
) -> std::io::Result<u64> {
    let mut piece = vec![0; bytes.max(1)];
    loop {
        match server.read(&mut piece)? {
            0 => return Ok(0),
            got => client.write_all(&piece[..got])?,
        }
        thread::sleep(pause);
    }
}

/// Refuses without reading on, as servers do that look at the head alone.
fn answer_early(client: &mut TcpStream, status: u16) -> std::io::Result<()> {
    let body = "<Error><Code>AccessDenied</Code><Message>injected</Message></Error>";
    let head = format!(
        "HTTP/1.1 {status} Injected\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes())?;
    client.write_all(body.as_bytes())?;
    // What the client still sends meets a closed socket.
    client.shutdown(Shutdown::Write)?;
    thread::sleep(Duration::from_millis(50));
    Ok(())
}

/// Everything up to the empty line, and what came with it.
fn read_head(client: &mut TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    let mut block = [0; 4096];
    loop {
        let got = match client.read(&mut block) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            got => got?,
        };
        if got == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&block[..got]);
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let body = bytes.split_off(at + 4);
            return Ok(Some((String::from_utf8_lossy(&bytes).into_owned(), body)));
        }
    }
}

fn refuse(client: &mut TcpStream, status: u16) -> std::io::Result<()> {
    let body = "<Error><Code>InternalError</Code><Message>injected</Message></Error>";
    let answer = format!(
        "HTTP/1.1 {status} Injected\r\nConnection: close\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    client.write_all(answer.as_bytes())?;
    let _ = client.shutdown(Shutdown::Write);
    // A body on its way would turn the answer into a reset.
    client.set_read_timeout(Some(Duration::from_secs(2)))?;
    let _ = std::io::copy(client, &mut std::io::sink());
    Ok(())
}

/// Until the client is gone.
fn hold(shared: &Shared, client: &mut TcpStream) -> std::io::Result<()> {
    shared.held.store(true, Ordering::SeqCst);
    let _ = std::io::copy(client, &mut std::io::sink());
    Ok(())
}
