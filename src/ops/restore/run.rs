//! What all parts of one restore share: the target, the options, counters, and what ends the run.

use super::{Collisions, Owner, RestoreOptions, RestoreReport, Source};
use crate::error::{Error, Kind, Result};
use crate::format::{Blob, TreePath};
use crate::fs::restore::{Applied, Policy, Target};
use crate::id::Id16;
use crate::report::{Event, Observer, Progress, Stop};
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Different remarks that are made once per run.
const NOTED: usize = 64;

/// One restore.
pub struct Run<'a> {
    pub from: &'a Source<'a>,
    pub target: Target,
    pub options: &'a RestoreOptions,
    pub observer: &'a dyn Observer,
    pub stop: &'a Stop,
    pub policy: Policy,
    /// Running with the rights of the superuser.
    pub root: bool,
    pub counts: Counts,
    /// New files may inherit ACLs from a directory that was there before.
    pub inherits_acl: AtomicBool,
    /// Temporary files open between writes.
    pub open_files: AtomicU64,
    temp_prefix: String,
    temps: AtomicU64,
    fatal: Mutex<Option<Error>>,
    noted: Mutex<HashSet<String>>,
}

/// Totals, added to from any thread. See [`RestoreReport`] for their meaning.
#[derive(Default)]
pub struct Counts {
    pub files: AtomicU64,
    pub unchanged: AtomicU64,
    pub dirs: AtomicU64,
    pub symlinks: AtomicU64,
    pub hardlinks: AtomicU64,
    pub specials: AtomicU64,
    pub bytes: AtomicU64,
    pub bytes_reused: AtomicU64,
    pub skipped: AtomicU64,
    pub notes: AtomicU64,
    pub errors: AtomicU64,
    pub verified: AtomicU64,
    /// Raw bytes of chunks that were fetched.
    pub fetched: AtomicU64,
    /// Content bytes written so far, unfinished files included.
    pub written: AtomicU64,
}

/// Adds to a counter.
pub fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Relaxed);
}

impl<'a> Run<'a> {
    pub fn new(
        from: &'a Source<'a>,
        target: Target,
        options: &'a RestoreOptions,
        observer: &'a dyn Observer,
        stop: &'a Stop,
        root: bool,
    ) -> Result<Self> {
        let owner = root && options.owner == Owner::Auto;
        Ok(Run {
            from,
            target,
            options,
            observer,
            stop,
            policy: Policy {
                owner,
                set_id: owner && !options.no_special,
            },
            root,
            counts: Counts::default(),
            inherits_acl: AtomicBool::new(false),
            open_files: AtomicU64::new(0),
            temp_prefix: format!(".corso-restore-{}", Id16::random()?.short()),
            temps: AtomicU64::new(0),
            fatal: Mutex::new(None),
            noted: Mutex::default(),
        })
    }

    /// Are existing directories to keep their metadata?
    pub fn keeps_dirs(&self) -> bool {
        self.options.collisions != Collisions::Replace
    }

    /// A name for a temporary file, new in this run and unlike any other run's.
    pub fn temp_name(&self) -> Vec<u8> {
        format!("{}-{}", self.temp_prefix, self.temps.fetch_add(1, Relaxed)).into_bytes()
    }

    /// Errors when the run must end: a stop was asked for, or [`Self::end`] was called.
    pub fn check(&self) -> Result<()> {
        self.stop.check()?;
        match &*lock(&self.fatal) {
            Some(e) => Err(e.again()),
            None => Ok(()),
        }
    }

    /// Ends the run; the first reason wins.
    pub fn end(&self, error: Error) {
        lock(&self.fatal).get_or_insert(error);
    }

    /// Reports that the entry at `path` is not restored. Errors that will meet every other file too end the run.
    pub fn error(&self, path: &[u8], error: Error) {
        if self.stop.requested() {
            return;
        }
        self.observer.event(Event::FileError {
            path,
            error: &error,
        });
        add(&self.counts.errors, 1);
        if ends_run(&error) {
            self.end(error.context(format!("restoring {}", crate::report::printable(path))));
        }
    }

    /// Makes a remark about an entry.
    pub fn note(&self, path: &[u8], note: &str) {
        self.observer.event(Event::FileNote { path, note });
        add(&self.counts.notes, 1);
    }

    /// Makes a remark the first time that `about` comes up.
    pub fn note_once(&self, about: &str, path: &[u8], note: &str) {
        let mut noted = lock(&self.noted);
        if noted.len() < NOTED && noted.insert(about.to_owned()) {
            drop(noted);
            self.note(path, note);
        }
    }

    /// Leaves an entry out, saying why.
    pub fn skip(&self, path: &[u8], why: &str) {
        add(&self.counts.skipped, 1);
        self.note(path, why);
    }

    /// In a dry run, says what would happen.
    pub fn would(&self, path: &[u8], what: &str) {
        self.observer.event(Event::FileNote { path, note: what });
    }

    /// Passes on what could not be applied to a file.
    pub fn remark(&self, path: &[u8], applied: Applied) {
        if let Some(e) = &applied.owner {
            let about = format!("owner {:?}", e.kind());
            let note = format!("its owner could not be set: {e} (said once)");
            self.note_once(&about, path, &note);
        }
        if applied.set_id_dropped {
            self.note(path, "its set-user-id and set-group-id bits were left out");
        }
        for (name, e) in &applied.xattrs {
            self.remark_xattr(path, name, e);
        }
    }

    /// What this file system or user cannot have at all is said once; anything else makes the file incomplete.
    fn remark_xattr(&self, path: &[u8], name: &[u8], error: &std::io::Error) {
        let shown = crate::report::printable(name);
        let text = format!("its extended attribute {shown} could not be set: {error}");
        if crate::fs::restore::is_unsupported(error) {
            let namespace = shown.split('.').next().unwrap_or_default();
            let about = format!("xattr {namespace} {:?}", error.kind());
            self.note_once(&about, path, &format!("{text} (said once)"));
        } else {
            self.error(path, Error::failed(text));
        }
    }

    /// Extended attributes, fetched if they are kept apart.
    pub fn xattrs(&self, blob: Option<&Blob>) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        blob.map_or(Ok(Vec::new()), |blob| {
            super::content::xattrs(blob, self.from.chunks)
        })
    }

    /// Sends the totals.
    pub fn show_progress(&self) {
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        let c = &self.counts;
        let done = [
            &c.files,
            &c.dirs,
            &c.symlinks,
            &c.hardlinks,
            &c.specials,
            &c.skipped,
        ];
        self.observer.event(Event::Progress(Progress {
            files: done.iter().map(|n| get(n)).sum(),
            bytes: get(&c.written),
            files_total: self.options.expected.0,
            bytes_total: self.options.expected.1,
            transferred: get(&c.fetched),
            errors: get(&c.errors),
        }));
    }

    /// The totals so far.
    pub fn report(&self) -> RestoreReport {
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        let c = &self.counts;
        RestoreReport {
            files: get(&c.files),
            unchanged: get(&c.unchanged),
            dirs: get(&c.dirs),
            symlinks: get(&c.symlinks),
            hardlinks: get(&c.hardlinks),
            specials: get(&c.specials),
            bytes: get(&c.bytes),
            bytes_reused: get(&c.bytes_reused),
            skipped: get(&c.skipped),
            notes: get(&c.notes),
            errors: get(&c.errors),
            verified: get(&c.verified),
            dry_run: self.options.dry_run,
        }
    }
}

/// Will this meet every other file too?
fn ends_run(error: &Error) -> bool {
    use Kind::*;
    let reaches_far = matches!(
        error.kind(),
        NoSpace
            | Interrupted
            | Terminated
            | Network
            | NameLookup
            | Tls
            | ConnectionRefused
            | CredentialsMissing
            | CredentialsRefused
            | WrongRegion
            | ClockSkew
            | BucketMissing
            | RoleNeeded
    );
    error.is_of_all() || (reaches_far && !error.is_of_one_object())
}

/// A lock that outlives a panic elsewhere: what it guards is valid after every step.
pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

/// A full path as raw bytes, for events.
pub fn full_path(parent: &TreePath, name: &[u8]) -> Vec<u8> {
    parent.join(name).to_bytes()
}
