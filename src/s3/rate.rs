//! Bytes a second, shared by all connections.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A limit that many threads share; a copy is the same limit.
#[derive(Clone, Debug)]
pub struct Rate(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bytes_per_second: u64,
    /// When the bytes granted so far will have gone through.
    next: Mutex<Instant>,
}

impl Rate {
    /// At least one byte a second.
    pub fn new(bytes_per_second: u64) -> Rate {
        Rate(Arc::new(Shared {
            bytes_per_second: bytes_per_second.max(1),
            next: Mutex::new(Instant::now()),
        }))
    }

    /// How many bytes to move at once, so that nobody sleeps for long in one go.
    fn step(&self) -> usize {
        (self.0.bytes_per_second / 8).clamp(1, 64 * 1024) as usize
    }

    /// Grants `bytes`: gives how long to wait before moving on.
    fn grant(&self, bytes: usize, now: Instant) -> Duration {
        let mut next = self.0.next.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = (*next).max(now);
        let takes = Duration::from_secs_f64(bytes as f64 / self.0.bytes_per_second as f64);
        *next = begin + takes;
        *next - now
    }

    /// The same bytes, no faster than this.
    pub fn slow<R: Read>(&self, inner: R) -> Slow<R> {
        Slow {
            rate: self.clone(),
            inner,
        }
    }
}

/// See [`Rate::slow`].
#[derive(Debug)]
pub struct Slow<R> {
    rate: Rate,
    inner: R,
}

impl<R: Read> Read for Slow<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.rate.step());
        let read = self.inner.read(&mut buffer[..most])?;
        if read > 0 {
            std::thread::sleep(self.rate.grant(read, Instant::now()));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_readers_share_one_rate() {
        let (rate, now) = (Rate::new(1000), Instant::now());
        let first = rate.grant(500, now);
        let second = rate.grant(500, now);
        assert!(first <= Duration::from_millis(501), "{first:?}");
        assert!(second >= Duration::from_millis(990), "{second:?}");
        let later = now + Duration::from_secs(60);
        let rested = rate.grant(100, later);
        assert_eq!(
            rested,
            Duration::from_millis(100),
            "what was not used is not saved up"
        );
    }

    #[test]
    fn a_slow_reader_takes_its_time_and_changes_nothing() {
        let bytes = vec![7; 20_000];
        let begin = Instant::now();
        let mut got = Vec::new();
        Rate::new(100_000)
            .slow(&bytes[..])
            .read_to_end(&mut got)
            .unwrap();
        assert_eq!(got, bytes);
        assert!(
            begin.elapsed() >= Duration::from_millis(190),
            "{:?}",
            begin.elapsed()
        );
    }
}
