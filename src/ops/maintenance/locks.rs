//! Object locks: those of what is still needed are extended before they end, and what is locked is left alone.
//!
//! An object that was put so lately that much of its lock must be left is not asked about. Of all others that backups need
//! the lock is asked for (a GET), and extended (a PUT) where little is left. Nothing is remembered between two runs: the
//! storage alone knows.

use super::Job;
use super::look::Look;
use super::marks::{Bits, Marks};
use crate::error::{Error, Kind, Result};
use crate::format::lock::ObjectLock;
use crate::repo::protocol::View;
use crate::repo::threads::each_at_once;
use crate::repo::{Repository, pack_key};
use crate::report::{Event, Observer, Stop};
use crate::storage::{Retained, Storage};
use crate::units::Time;
use serde::Serialize;
use std::time::Duration;

/// A lock that ends sooner is extended, whatever its length: maintenance may not run again for a day and a half.
const UNTIL_NEXT_RUN: Duration = Duration::from_secs(36 * 3600);
/// Objects between two looks at the stop.
const BATCH: usize = 1000;
/// Refused deletions that are asked about one by one in a run; of more the same is taken to be true.
const ASKED: u64 = 64;

/// What became of locks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Extended {
    /// Objects whose lock was asked for: a GET each.
    pub locks_looked_at: u64,
    /// Locks that were extended, or would be: a PUT each.
    pub locks_extended: u64,
    /// The storage keys may not ask for locks or extend them: those that are left will end.
    pub locks_not_extended: bool,
}

/// What is left of a lock that is extended: less than half, or less than to the next run.
pub fn margin(lock: &ObjectLock) -> Duration {
    (lock.duration / 2).max(UNTIL_NEXT_RUN).min(lock.duration)
}

impl Job<'_> {
    /// Extends the locks of what `marks` say is needed, and of what is small and always needed.
    pub(super) fn extend_locks(&mut self, look: &Look, marks: &Marks) -> Result<()> {
        let Some(lock) = self.repo.config.lock else {
            return Ok(());
        };
        if !(lock.extend || self.options.extend_locks) {
            return Ok(());
        }
        self.observer.event(Event::Phase("extending locks"));
        // What this run buried, and what it put, shows only now.
        let view = self.viewer.take(&self.repo.keyring, self.observer)?;
        let extender = Extender {
            repo: self.repo,
            lock,
            now: self.repo.storage.now(),
            dry_run: self.options.dry_run,
        };
        let due = extender.due(look, marks, &view)?;
        self.report.extended = extender.run(&due, self.observer, self.stop)?;
        Ok(())
    }
}

struct Extender<'a> {
    repo: &'a Repository,
    lock: ObjectLock,
    now: Time,
    dry_run: bool,
}

/// What became of one object.
enum Outcome {
    /// Enough is left, or it is gone.
    Left,
    Extended,
}

impl Extender<'_> {
    /// May so little be left of the lock of an object that was put then?
    fn is_old(&self, modified: Time) -> bool {
        modified.plus(self.lock.duration) < self.now.plus(margin(&self.lock))
    }

    /// The keys of all that is needed and old.
    fn due(&self, look: &Look, marks: &Marks, view: &View) -> Result<Vec<String>> {
        let mut due = self.packs(look, marks, view)?;
        for id in &view.index {
            if view
                .index_info
                .get(id)
                .is_some_and(|(m, _)| self.is_old(*m))
            {
                due.push(format!("index/{id}"));
            }
        }
        let snapshots = look.snapshots.iter().filter(|s| self.is_old(s.modified));
        due.extend(snapshots.map(|s| format!("snapshots/{}", s.id)));
        let storage = &*self.repo.storage;
        for prefix in ["keys/", "records/"] {
            storage.list(prefix, &mut |object| {
                if self.is_old(object.modified) {
                    due.push(object.key);
                }
                Ok(())
            })?;
        }
        if self.is_old(storage.head("config")?.modified) {
            due.push("config".to_owned());
        }
        Ok(due)
    }

    fn packs(&self, look: &Look, marks: &Marks, view: &View) -> Result<Vec<String>> {
        let mut needed = Bits::new(look.table.len() as u64);
        look.base.scan(&mut |at, row| {
            if marks.needed.get(at) {
                needed.set(row.pack.into());
            }
            Ok(())
        })?;
        let numbers = 0..look.table.len() as u32;
        // What a frozen domain needs is not known: all of it may be.
        let wanted = |n: &u32| needed.get((*n).into()) || look.is_frozen(*n);
        let stays = |n: &u32| wanted(n) && look.table.good(*n);
        let old = numbers.filter(|n| stays(n) && self.is_old(look.table.modified(*n)));
        Ok(old
            .filter_map(|n| look.table.pack(n))
            .filter(|pack| !view.dead_packs.contains(&pack.name))
            .map(|pack| pack_key(&pack.name))
            .collect())
    }

    fn run(&self, keys: &[String], observer: &dyn Observer, stop: &Stop) -> Result<Extended> {
        let mut done = Extended::default();
        for batch in keys.chunks(BATCH) {
            stop.check()?;
            let one = |key: &String| self.one(key);
            for result in each_at_once(self.repo.threads.fetchers, batch, &one) {
                done.locks_looked_at += 1;
                match result {
                    Ok(Outcome::Left) => {}
                    Ok(Outcome::Extended) => done.locks_extended += 1,
                    Err(e) if e.kind() == Kind::PermissionDenied => {
                        observer.event(Event::Warning(&format!(
                            "locks are not extended, and will end: {e}"
                        )));
                        done.locks_not_extended = true;
                        return Ok(done);
                    }
                    // A copy of the repository in a folder, or in a bucket without object lock.
                    Err(e) if e.kind() == Kind::Usage => {
                        let told = format!("locks are not extended: {e}");
                        observer.event(Event::Debug(&told));
                        return Ok(Extended::default());
                    }
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(done)
    }

    fn one(&self, key: &str) -> Result<Outcome> {
        let storage = &*self.repo.storage;
        match self.extend(storage, key) {
            Err(e) if e.kind() == Kind::ObjectMissing => Ok(Outcome::Left),
            other => other,
        }
    }

    fn extend(&self, storage: &dyn Storage, key: &str) -> Result<Outcome> {
        let there = storage.retention(key)?;
        if there.is_some_and(|lock| lock.until >= self.now.plus(margin(&self.lock))) {
            return Ok(Outcome::Left);
        }
        let longer = Retained {
            // A lock can be made stronger, and not weaker.
            mode: there.map_or(self.lock.mode, |lock| lock.mode.max(self.lock.mode)),
            until: self.now.plus(self.lock.duration),
        };
        if !self.dry_run {
            storage.retain(key, &longer)?;
        }
        Ok(Outcome::Extended)
    }
}

/// Deletions that the storage refused because of a lock. With versions, as object lock has them everywhere on S3, a deletion
/// only hides an object and is not refused; other storages keep what is locked in place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kept {
    /// How many.
    pub count: u64,
    /// When the first of the locks ends.
    pub until: Option<Time>,
    asked: u64,
}

impl Kept {
    /// Was the deletion of `key` refused with `error` because it is locked? Then it is counted: it goes when the lock ends.
    pub fn explains(&mut self, repo: &Repository, key: &str, error: &Error) -> bool {
        if repo.config.lock.is_none() || error.kind() != Kind::PermissionDenied {
            return false;
        }
        if self.asked >= ASKED {
            let others = self.count > 0;
            self.count += u64::from(others);
            return others;
        }
        self.asked += 1;
        match repo.storage.retention(key) {
            Ok(Some(lock)) if lock.until > repo.storage.now() => {
                self.count += 1;
                let first = self.until.map_or(lock.until, |u| u.min(lock.until));
                self.until = Some(first);
                true
            }
            _ => false,
        }
    }
}
