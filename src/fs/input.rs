//! Standard input, read so that a stop is noticed while there is nothing to read.

use std::io::{self, Read};
use std::time::Duration;

/// How long a stop may go unnoticed.
const PACE: Duration = Duration::from_millis(200);

/// Standard input without a buffer. Reading fails with an error of kind `Other` once `stopped` says so.
pub fn stdin<'a>(stopped: &'a dyn Fn() -> bool) -> impl Read + 'a {
    #[cfg(unix)]
    return Polled {
        input: rustix::stdio::stdin(),
        stopped,
    };
    #[cfg(not(unix))]
    return Threaded::new(io::stdin(), stopped);
}

fn gave_up() -> io::Error {
    io::Error::other("stopped")
}

/// Asks the system, a few times a second, whether there is something to read.
#[cfg(unix)]
struct Polled<'a, F> {
    input: F,
    stopped: &'a dyn Fn() -> bool,
}

#[cfg(unix)]
impl<F: std::os::fd::AsFd> Read for Polled<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let pace = Timespec {
            tv_sec: 0,
            tv_nsec: PACE.subsec_nanos().into(),
        };
        loop {
            if (self.stopped)() {
                return Err(gave_up());
            }
            let mut inputs = [PollFd::new(&self.input, PollFlags::IN)];
            match poll(&mut inputs, Some(&pace)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                // Whatever cannot be polled is read all the same.
                _ => return Ok(rustix::io::read(&self.input, &mut *buffer)?),
            }
        }
    }
}

/// Reads in a thread of its own, which is left behind when the reader gives up.
#[cfg(any(not(unix), test))]
struct Threaded<'a> {
    blocks: std::sync::mpsc::Receiver<io::Result<Vec<u8>>>,
    block: io::Cursor<Vec<u8>>,
    stopped: &'a dyn Fn() -> bool,
}

#[cfg(any(not(unix), test))]
impl<'a> Threaded<'a> {
    fn new(mut input: impl Read + Send + 'static, stopped: &'a dyn Fn() -> bool) -> Self {
        let (sender, blocks) = std::sync::mpsc::sync_channel(2);
        std::thread::spawn(move || {
            loop {
                let mut block = vec![0; 256 << 10];
                let read = match input.read(&mut block) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                    read => read,
                };
                let last = !matches!(read, Ok(n) if n > 0);
                let block = read.map(|n| {
                    block.truncate(n);
                    block
                });
                if sender.send(block).is_err() || last {
                    return;
                }
            }
        });
        Threaded {
            blocks,
            block: io::Cursor::default(),
            stopped,
        }
    }
}

#[cfg(any(not(unix), test))]
impl Read for Threaded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use std::sync::mpsc::RecvTimeoutError;
        loop {
            if (self.stopped)() {
                return Err(gave_up());
            }
            let got = self.block.read(buffer)?;
            if got > 0 || buffer.is_empty() {
                return Ok(got);
            }
            match self.blocks.recv_timeout(PACE) {
                Ok(Ok(block)) if block.is_empty() => return Ok(0),
                Ok(block) => self.block = io::Cursor::new(block?),
                Err(RecvTimeoutError::Timeout) => {}
                // The end was told already.
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn check(make: impl for<'a> Fn(io::PipeReader, &'a dyn Fn() -> bool) -> Box<dyn Read + 'a>) {
        let (reader, mut writer) = io::pipe().unwrap();
        let body = vec![7; 1 << 20];
        let expected = body.clone();
        std::thread::spawn(move || writer.write_all(&body));
        let mut got = Vec::new();
        make(reader, &|| false).read_to_end(&mut got).unwrap();
        assert!(got == expected);

        let (reader, writer) = io::pipe().unwrap();
        let stop = AtomicBool::new(false);
        let stopped = || stop.load(Ordering::SeqCst);
        let mut idle = make(reader, &stopped);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(PACE / 2);
                stop.store(true, Ordering::SeqCst);
            });
            assert_eq!(
                idle.read(&mut [0; 10]).unwrap_err().kind(),
                io::ErrorKind::Other
            );
        });
        drop(writer);
    }

    #[test]
    fn reads_all_and_notices_a_stop() {
        #[cfg(unix)]
        check(|input, stopped| Box::new(Polled { input, stopped }));
        check(|input, stopped| Box::new(Threaded::new(input, stopped)));
    }
}
