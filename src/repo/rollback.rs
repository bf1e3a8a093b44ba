//! Does the storage show less than it did? Then somebody deleted backups, or set the storage back.
//!
//! This host remembers, in its cache, the newest backup that it has seen of every writer and host. A backup that is
//! gone without the record that a deletion leaves is told of, at every look, until something newer takes its place,
//! [`Repository::accept_missing`] is called, or so long that old records may have been dropped.

use super::Repository;
use super::cache::Seen;
use super::records::{Deletions, KEEP_RECORDS};
use super::snapshots::{Listing, Snapshot};
use crate::crypto::Role;
use crate::error::{Kind, Result};
use crate::id::{Id, Id16};
use crate::report::{Event, Observer};
use crate::units::Time;
use std::collections::{BTreeMap, BTreeSet};

/// Writer and host: backups of one count on from each other.
type Source = (Id16, String);

impl Repository {
    /// What this host has seen; to be asked before the listing that it is compared with, or a backup that ends meanwhile
    /// looks like one that is missing. A writer key looks after its own backups only.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let mut seen = self.cache.as_ref().map(|c| c.seen()).unwrap_or_default();
        let all = self.role() == Role::Full;
        seen.retain(|s| all || s.writer == self.writer());
        seen
    }

    /// Compares `listed` with what was [`Repository::seen`]; `all` are the snapshots that could be read, if they were.
    /// Remembers what is newer, and warns of what is missing. Costs nothing while nothing is missing.
    pub(crate) fn notice_rollback(
        &self,
        seen: Vec<Seen>,
        listed: &[Listing],
        all: Option<&[Snapshot]>,
        observer: &dyn Observer,
    ) {
        let Some(cache) = &self.cache else { return };
        // A past moment shows less by its nature.
        if self.storage.moment().is_some() {
            return;
        }
        let (missing, mut present) = split(seen, listed);
        if !missing.is_empty() {
            match (self.role(), all) {
                (Role::Writer, _) => self.notice_own(&missing, observer),
                (Role::Full, Some(all)) => self.notice(&missing, all, observer),
                (Role::Full, None) => {
                    let read = |l| self.read_snapshot(l).ok();
                    let all: Vec<Snapshot> = listed.iter().filter_map(read).collect();
                    self.notice(&missing, &all, observer);
                }
            }
        }
        let now = self.storage.now();
        present.iter_mut().for_each(|seen| seen.at = now.0);
        present.extend(newest(all.unwrap_or_default(), now).into_values());
        cache.remember(&present);
    }

    /// Forgets the backups that are missing: they were told of, and that is well.
    pub fn accept_missing(&self) -> Result<usize> {
        let (missing, _) = split(self.seen(), &self.list_snapshots()?);
        if let Some(cache) = &self.cache {
            missing
                .iter()
                .for_each(|s| cache.forget_seen(&s.writer, &s.host));
        }
        Ok(missing.len())
    }

    fn notice(&self, missing: &[Seen], all: &[Snapshot], observer: &dyn Observer) {
        let now = self.storage.now();
        let newest = newest(all, now);
        let mut records = None;
        for seen in missing {
            let there = newest.get(&(seen.writer, seen.host.clone()));
            // A newer one took its place, or nobody has looked for too long to tell.
            let newer = there.is_some_and(|t| t.counter >= seen.counter);
            if newer || long_ago(seen, now) {
                self.replace_seen(seen, there);
                continue;
            }
            let records = match &records {
                Some(records) => records,
                None => match self.records(Deletions::All, observer) {
                    Ok(read) => records.insert(read),
                    Err(e) => {
                        let text = "backups that this host has seen are gone, and the records that may say why cannot be \
                                    read";
                        return observer.event(Event::Warning(&format!("{text}: {e}")));
                    }
                },
            };
            if records
                .deletions
                .iter()
                .any(|d| d.snapshot == seen.snapshot)
            {
                self.replace_seen(seen, there);
                continue;
            }
            let newest = match there {
                Some(t) => format!("the newest that is there is {}", t.snapshot.short()),
                None => "none of that host is there".to_owned(),
            };
            observer.event(Event::Warning(&format!(
                "the storage shows less than before: backup {} of host {} (number {}) is gone without a record of its \
                 deletion, and {newest}; somebody deleted backups or set the storage back: check who has its keys, and \
                 its versions and logs; `corso backup list --accept-missing` ends this warning",
                seen.snapshot.short(),
                crate::error::one_line(&seen.host),
                seen.counter,
            )));
        }
    }

    /// What a writer key can tell: that its newest backup is not listed any more.
    fn notice_own(&self, missing: &[Seen], observer: &dyn Observer) {
        let now = self.storage.now();
        for seen in missing.iter().filter(|s| !long_ago(s, now)) {
            match self.claimed_deleted(&seen.snapshot) {
                Ok(true) => observer.event(Event::Debug(&format!(
                    "backup {}, the newest of this key and host {}, is gone; a record, which this key cannot check, \
                     says that it was deleted",
                    seen.snapshot.short(),
                    seen.host
                ))),
                // Without permission to look there is nothing to say.
                Err(e) if e.kind() == Kind::PermissionDenied => {}
                Ok(false) => observer.event(Event::Warning(&format!(
                    "backup {}, the newest of this key and host {}, is gone, and no record says that it was deleted; \
                     look with a full key: `corso backup list --deleted`, and check who has the storage's keys",
                    seen.snapshot.short(),
                    crate::error::one_line(&seen.host),
                ))),
                Err(e) => observer.event(Event::Debug(&format!("looking for records: {e}"))),
            }
        }
    }

    /// What was seen gives way to what is there.
    fn replace_seen(&self, seen: &Seen, there: Option<&Seen>) {
        if let Some(cache) = &self.cache {
            cache.forget_seen(&seen.writer, &seen.host);
            cache.remember(there.map(std::slice::from_ref).unwrap_or_default());
        }
    }
}

/// What is not listed, and what is.
fn split(seen: Vec<Seen>, listed: &[Listing]) -> (Vec<Seen>, Vec<Seen>) {
    let names: BTreeSet<Id> = listed.iter().map(|l| l.id).collect();
    seen.into_iter().partition(|s| !names.contains(&s.snapshot))
}

/// Was it seen so long ago that the record of its deletion may be gone as well?
fn long_ago(seen: &Seen, now: Time) -> bool {
    now.since(Time(seen.at)) > KEEP_RECORDS
}

/// The newest snapshot of every source.
fn newest(all: &[Snapshot], now: Time) -> BTreeMap<Source, Seen> {
    let mut newest: BTreeMap<Source, Seen> = BTreeMap::new();
    for Snapshot { id, manifest, .. } in all {
        let source = (manifest.writer, manifest.host.clone());
        let seen = Seen {
            writer: manifest.writer,
            host: manifest.host.clone(),
            snapshot: *id,
            counter: manifest.counter,
            at: now.0,
        };
        match newest.get_mut(&source) {
            Some(old) if old.counter >= seen.counter => {}
            Some(old) => *old = seen,
            None => drop(newest.insert(source, seen)),
        }
    }
    newest
}
