//! What operations tell the outside while they run. Operations never print: they call an [`Observer`].

use crate::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// A running total, sent often; observers show it at their own pace. All counts are cumulative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Progress {
    /// Entries finished.
    pub files: u64,
    /// Content bytes finished (source bytes, holes not counted).
    pub bytes: u64,
    /// Entries in all, 0 while unknown.
    pub files_total: u64,
    /// Bytes in all, 0 while unknown.
    pub bytes_total: u64,
    /// Bytes sent to or fetched from the storage.
    pub transferred: u64,
    /// Problems so far.
    pub errors: u64,
}

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A phase began: `opening repository`, `reading files`, `restoring` ...
    Phase(&'a str),
    /// Totals moved.
    Progress(Progress),
    /// A file could not be handled; the run goes on (exit code 3). `path` is raw bytes.
    FileError {
        /// Raw path.
        path: &'a [u8],
        /// Why.
        error: &'a Error,
    },
    /// A remark about a file that is no error (a socket is skipped, setuid is dropped).
    FileNote {
        /// Raw path.
        path: &'a [u8],
        /// The remark.
        note: &'a str,
    },
    /// Something the user should know; the run goes on.
    Warning(&'a str),
    /// For the log file at level debug.
    Debug(&'a str),
}

/// Receives events, from any thread.
pub trait Observer: Send + Sync {
    /// Called for every event; must not block for long.
    fn event(&self, event: Event<'_>);
}

/// Ignores everything.
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: Event<'_>) {}
}

/// Asks a run to stop: set by a signal handler, looked at by every loop.
#[derive(Clone, Default)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    signal: Arc<AtomicU8>,
}

impl Stop {
    /// Requests the stop; `signal` is 2 (interrupt) or 15 (terminate).
    pub fn request(&self, signal: u8) {
        self.signal.store(signal, Ordering::SeqCst);
        self.flag.store(true, Ordering::SeqCst);
    }

    /// `Err(Interrupted | Terminated)` once a stop was asked for.
    pub fn check(&self) -> crate::error::Result<()> {
        if !self.flag.load(Ordering::Relaxed) {
            return Ok(());
        }
        use crate::error::Kind;
        Err(match self.signal.load(Ordering::SeqCst) {
            15 => Error::new(Kind::Terminated, "terminated"),
            _ => Error::new(Kind::Interrupted, "interrupted"),
        })
    }

    /// Was a stop asked for?
    pub fn requested(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }
}
