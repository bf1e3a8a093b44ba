//! An HTTP proxy as companies have them: `CONNECT` only, with a password if it has one; it resolves names itself.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A running proxy; it lives as long as the tests.
pub struct Forward {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Forward {
    /// `names` says where `host:port` really is. `authorization` is what every request has to carry, if anything.
    pub fn start(names: &[(&str, &str)], authorization: Option<&str>) -> Forward {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let forward = Forward {
            address: listener.local_addr().unwrap().to_string(),
            asked: Arc::default(),
        };
        let own = |(name, place): &(&str, &str)| ((*name).to_owned(), (*place).to_owned());
        let names: Arc<BTreeMap<String, String>> = Arc::new(names.iter().map(own).collect());
        let (asked, wanted) = (forward.asked.clone(), authorization.map(str::to_owned));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (names, asked, wanted) = (names.clone(), asked.clone(), wanted.clone());
                // Whoever goes away only ends this connection.
                thread::spawn(move || serve(client, &names, &asked, wanted.as_deref()));
            }
        });
        forward
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What was asked for, as `host:port`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(
    mut client: TcpStream,
    names: &BTreeMap<String, String>,
    asked: &Mutex<Vec<String>>,
    wanted: Option<&str>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        match line.trim_end() {
            "" => break,
            text => lines.push(text.to_owned()),
        }
    }
    let target = lines[0].split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().unwrap().push(target.clone());
    let given = lines
        .iter()
        .find_map(|l| l.strip_prefix("Proxy-Authorization: "));
    if wanted.is_some() && given != wanted {
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        return client.write_all(refusal.as_bytes());
    }
    let mut server = TcpStream::connect(names.get(&target).unwrap_or(&target))?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (mut back, mut to) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut back, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    server.write_all(reader.buffer())?;
    std::io::copy(&mut client as &mut dyn Read, &mut server)?;
    server.shutdown(Shutdown::Write)
}
