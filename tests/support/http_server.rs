//! A small HTTP server for protocols that are easier spoken than simulated: one thread a connection, one request each.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    /// `GET /path`, for matching.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// What is done about it.
pub enum HttpReply {
    /// Status and body.
    Send(u16, String),
    /// The body comes a byte at a time, with this pause after each.
    Drip(Duration, String),
    /// The connection stays open, and nothing comes.
    Silence,
    /// The connection is closed.
    Close,
}

/// 200 with a body.
pub fn ok(body: impl Into<String>) -> HttpReply {
    HttpReply::Send(200, body.into())
}

/// A status without a body.
pub fn status(status: u16) -> HttpReply {
    HttpReply::Send(status, String::new())
}

type Handler = dyn Fn(&HttpRequest) -> HttpReply + Send + Sync;

/// A running server, stopped when dropped.
pub struct HttpServer {
    address: SocketAddr,
    log: Arc<Mutex<Vec<HttpRequest>>>,
    closed: Arc<AtomicBool>,
}

impl HttpServer {
    /// Answers every request by `handler`.
    pub fn start(
        handler: impl Fn(&HttpRequest) -> HttpReply + Send + Sync + 'static,
    ) -> HttpServer {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = HttpServer {
            address: listener.local_addr().unwrap(),
            log: Arc::default(),
            closed: Arc::default(),
        };
        let (log, closed) = (server.log.clone(), server.closed.clone());
        let handler: Arc<Handler> = Arc::new(handler);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if closed.load(Ordering::SeqCst) {
                    return;
                }
                let (log, handler) = (log.clone(), handler.clone());
                // Whoever goes away in the middle only ends this connection.
                thread::spawn(move || stream.and_then(|stream| serve(stream, &log, &*handler)));
            }
        });
        server
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far.
    pub fn log(&self) -> Vec<HttpRequest> {
        self.log.lock().unwrap().clone()
    }

    /// How many requests had a line that begins like this.
    pub fn count(&self, line: &str) -> usize {
        self.log()
            .iter()
            .filter(|r| r.line().starts_with(line))
            .count()
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(
    mut stream: TcpStream,
    log: &Mutex<Vec<HttpRequest>>,
    handler: &Handler,
) -> std::io::Result<()> {
    let Some(request) = read(&mut stream)? else {
        return Ok(());
    };
    log.lock().unwrap().push(request.clone());
    let head = |status: u16, body: &str| {
        format!(
            "HTTP/1.1 {status} Status\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        )
    };
    match handler(&request) {
        HttpReply::Send(status, body) => stream.write_all((head(status, &body) + &body).as_bytes()),
        HttpReply::Drip(pause, body) => {
            stream.write_all(head(200, &body).as_bytes())?;
            for byte in body.bytes() {
                stream.write_all(&[byte])?;
                thread::sleep(pause);
            }
            Ok(())
        }
        HttpReply::Silence => {
            // Until the client gives up.
            let _ = stream.read(&mut [0]);
            Ok(())
        }
        HttpReply::Close => Ok(()),
    }
}

fn read(stream: &mut TcpStream) -> std::io::Result<Option<HttpRequest>> {
    let mut bytes = Vec::new();
    let mut block = [0; 4096];
    let end = loop {
        let got = stream.read(&mut block)?;
        if got == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&block[..got]);
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let mut word = || words.next().unwrap_or_default().to_string();
    let (method, target) = (word(), word());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_string()))
        .collect();
    let length = headers.iter().find(|(n, _)| n == "content-length");
    let length = length.map_or(0, |(_, v)| v.parse().unwrap());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        let got = stream.read(&mut block)?;
        if got == 0 {
            return Ok(None);
        }
        body.extend_from_slice(&block[..got]);
    }
    Ok(Some(HttpRequest {
        method,
        target,
        headers,
        body,
    }))
}
