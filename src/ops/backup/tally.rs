//! What a backup counts, and tells its observer.

use crate::error::Error;
use crate::format::entry::{Entry, FileKind, TreePath};
use crate::report::{Event, Observer, Progress, printable};
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// How many unreadable files a snapshot names; the count is always whole.
const MAX_NAMED: usize = 1000;

/// Counts of one backup.
#[derive(Clone, Copy, Debug, Default, Serialize, PartialEq, Eq)]
pub struct Counts {
    /// Regular files in the backup.
    pub files: u64,
    /// Directories.
    pub dirs: u64,
    /// Everything else.
    pub others: u64,
    /// Bytes of regular files, holes included.
    pub bytes: u64,
    /// Files that the parent did not have.
    pub files_new: u64,
    /// Files that differ from the parent's, or whose content had to be stored anew.
    pub files_changed: u64,
    /// Files taken over from the parent without reading them.
    pub files_unmodified: u64,
    /// Files that were opened and read.
    pub files_read: u64,
    /// Bytes that were read from files.
    pub bytes_read: u64,
    /// Files and directories that could not be read.
    pub errors: u64,
}

#[derive(Default)]
struct Cells {
    files: AtomicU64,
    dirs: AtomicU64,
    others: AtomicU64,
    bytes: AtomicU64,
    files_new: AtomicU64,
    files_changed: AtomicU64,
    files_unmodified: AtomicU64,
    bytes_read: AtomicU64,
    /// Bytes finished, for the progress shown: read, or known to be unmodified.
    done: AtomicU64,
    errors: AtomicU64,
}

/// Counts and reports, from any thread.
pub struct Tally {
    observer: Arc<dyn Observer>,
    cells: Cells,
    files_total: AtomicU64,
    bytes_total: AtomicU64,
    unreadable: Mutex<Vec<(TreePath, String)>>,
}

fn add(cell: &AtomicU64, n: u64) {
    cell.fetch_add(n, Relaxed);
}

impl Tally {
    /// Nothing counted yet.
    pub fn new(observer: Arc<dyn Observer>) -> Tally {
        Tally {
            observer,
            cells: Cells::default(),
            files_total: AtomicU64::new(0),
            bytes_total: AtomicU64::new(0),
            unreadable: Mutex::default(),
        }
    }

    /// Who listens.
    pub fn observer(&self) -> &dyn Observer {
        &*self.observer
    }

    /// Totals to measure progress against: the parent's, or those of a quick look ahead.
    pub fn expect(&self, files: u64, bytes: u64) {
        self.files_total.store(files, Relaxed);
        self.bytes_total.store(bytes, Relaxed);
    }

    /// An entry that is no regular file.
    pub fn other(&self, entry: &Entry) {
        add(
            if entry.kind == FileKind::Dir {
                &self.cells.dirs
            } else {
                &self.cells.others
            },
            1,
        );
        self.progress();
    }

    /// A file taken over from the parent.
    pub fn unmodified(&self, entry: &Entry) {
        add(&self.cells.files, 1);
        add(&self.cells.bytes, entry.size);
        add(&self.cells.done, entry.size);
        add(&self.cells.files_unmodified, 1);
        self.progress();
    }

    /// A file that was read; `known` if the parent had one there.
    pub fn read(&self, entry: &Entry, known: bool) {
        add(&self.cells.files, 1);
        add(&self.cells.bytes, entry.size);
        add(
            if known {
                &self.cells.files_changed
            } else {
                &self.cells.files_new
            },
            1,
        );
        self.progress();
    }

    /// Bytes that were read.
    pub fn bytes(&self, n: u64) {
        add(&self.cells.bytes_read, n);
        add(&self.cells.done, n);
        self.progress();
    }

    fn progress(&self) {
        self.observer.event(Event::Progress(Progress {
            files: self.cells.files.load(Relaxed)
                + self.cells.dirs.load(Relaxed)
                + self.cells.others.load(Relaxed),
            bytes: self.cells.done.load(Relaxed),
            files_total: self.files_total.load(Relaxed),
            bytes_total: self.bytes_total.load(Relaxed),
            transferred: 0,
            errors: self.cells.errors.load(Relaxed),
        }));
    }

    /// A remark on a file.
    pub fn note(&self, path: &TreePath, note: &str) {
        self.observer.event(Event::FileNote {
            path: &path.to_bytes(),
            note,
        });
    }

    /// A file that is not in the backup, and why.
    pub fn file_error(&self, path: &TreePath, error: Error) {
        add(&self.cells.errors, 1);
        self.observer.event(Event::FileError {
            path: &path.to_bytes(),
            error: &error,
        });
        let mut named = self
            .unreadable
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if named.len() < MAX_NAMED {
            named.push((path.clone(), printable(error.message().as_bytes())));
        }
    }

    /// The unreadable files, the first thousand.
    pub fn unreadable(&self) -> Vec<(TreePath, String)> {
        self.unreadable
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        let c = &self.cells;
        let (new, changed) = (c.files_new.load(Relaxed), c.files_changed.load(Relaxed));
        Counts {
            files: c.files.load(Relaxed),
            dirs: c.dirs.load(Relaxed),
            others: c.others.load(Relaxed),
            bytes: c.bytes.load(Relaxed),
            files_new: new,
            files_changed: changed,
            files_unmodified: c.files_unmodified.load(Relaxed),
            files_read: new + changed,
            bytes_read: c.bytes_read.load(Relaxed),
            errors: c.errors.load(Relaxed),
        }
    }
}
