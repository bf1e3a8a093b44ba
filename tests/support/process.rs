//! A server program: started on a free port, waited for, killed when dropped.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Python servers take their time on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

/// A port that was free a moment ago.
pub fn free_port() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
}

impl Server {
    /// Runs `command`, which listens on `address`, until it accepts connections. Its output goes to the file `log`,
    /// which is printed when it does not come up.
    pub fn start(command: Command, address: SocketAddr, log: &Path) -> Server {
        Server::start_slow(command, address, log, PATIENCE)
    }

    /// As [`Server::start`], and waits longer.
    pub fn start_slow(
        mut command: Command,
        address: SocketAddr,
        log: &Path,
        patience: Duration,
    ) -> Server {
        let output = std::fs::File::create(log).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        let child = command
            .spawn()
            .unwrap_or_else(|e| panic!("starting {command:?}: {e}"));
        let mut server = Server { child, address };
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = server.child.try_wait().unwrap();
            let said = || std::fs::read_to_string(log).unwrap_or_default();
            assert!(
                ended.is_none(),
                "{command:?} ended with {ended:?}: {}",
                said()
            );
            assert!(
                begin.elapsed() < patience,
                "{command:?} does not listen on {address}: {}",
                said()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
