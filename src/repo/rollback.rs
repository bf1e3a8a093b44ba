//! Does the storage show less than it did? Then somebody deleted backups, or set the storage back.
//!
//! This host remembers, in its cache, the backups that it has seen. One that is gone without the record that a deletion
//! leaves is told of, at every look, until [`Repository::accept_missing`] is called, or so long that the record may have
//! been dropped.

use super::Repository;
use super::cache::Seen;
use super::records::{Deletions, KEEP_RECORDS};
use super::snapshots::{Listing, Snapshot};
use crate::crypto::Role;
use crate::error::{Kind, Result, one_line};
use crate::id::{Id, Id16};
use crate::report::text::plural;
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

    /// The newest backup that this host has seen of the key that is in use, on `host`. One that is missing counts too:
    /// its number is not given again.
    pub(crate) fn newest_seen(&self, host: &str) -> Option<Seen> {
        self.newest_of(&self.seen(), host).cloned()
    }

    fn newest_of<'s>(&self, seen: &'s [Seen], host: &str) -> Option<&'s Seen> {
        let own = |s: &&Seen| s.writer == self.writer() && s.host == host;
        seen.iter().filter(own).max_by_key(|s| s.counter)
    }

    /// Compares `listed` with what was [`Repository::seen`]; `all` are the snapshots that could be read, if they were.
    /// Remembers them, and warns of what is missing: gives how many are. Costs nothing while nothing is.
    pub(crate) fn notice_rollback(
        &self,
        seen: Vec<Seen>,
        listed: &[Listing],
        all: Option<&[Snapshot]>,
        observer: &dyn Observer,
    ) -> usize {
        let Some(cache) = &self.cache else { return 0 };
        // A past moment shows less by its nature.
        if self.storage.moment().is_some() {
            return 0;
        }
        let now = self.storage.now();
        let (missing, mut present) = split(seen, listed);
        let unexplained = match (missing.is_empty(), self.role()) {
            (true, _) => 0,
            (false, Role::Writer) => self.notice_own(missing, observer),
            (false, Role::Full) => self.notice(missing, listed, all, observer),
        };
        present.iter_mut().for_each(|seen| seen.at = now.0);
        let read = all.unwrap_or_default().iter();
        present.extend(read.map(|s| Seen::of(s, now)));
        cache.remember(&present);
        unexplained
    }

    /// Lists the backups, and warns of those that are missing: gives how many are. Asks the storage for nothing if this
    /// host remembers nothing.
    pub(crate) fn look_for_missing(&self, observer: &dyn Observer) -> Result<usize> {
        let seen = self.seen();
        if seen.is_empty() {
            return Ok(0);
        }
        let listed = self.list_snapshots()?;
        Ok(self.notice_rollback(seen, &listed, None, observer))
    }

    /// Forgets the backups that are missing: they were told of, and that is well.
    pub fn accept_missing(&self) -> Result<usize> {
        let seen = self.seen();
        if seen.is_empty() || self.storage.moment().is_some() {
            return Ok(0);
        }
        let (missing, _) = split(seen, &self.list_snapshots()?);
        self.forget_seen(&missing);
        Ok(missing.len())
    }

    /// Warns of what a full key misses, a line for each host and writer, and forgets what records explain.
    fn notice(
        &self,
        mut missing: Vec<Seen>,
        listed: &[Listing],
        all: Option<&[Snapshot]>,
        observer: &dyn Observer,
    ) -> usize {
        let now = self.storage.now();
        let old: Vec<Seen> = missing.extract_if(.., |s| long_ago(s, now)).collect();
        self.forget_seen(&old);
        if missing.is_empty() {
            return 0;
        }
        let deletions = match self.records(Deletions::All, observer) {
            Ok(records) => records.deletions,
            Err(e) => {
                observer.event(Event::Warning(&format!(
                    "backups that this host has seen are gone, and the records that may say why cannot be read: {e}"
                )));
                return missing.len();
            }
        };
        let deleted: BTreeSet<Id> = deletions.iter().map(|d| d.snapshot).collect();
        let explained: Vec<Seen> = missing
            .extract_if(.., |s| deleted.contains(&s.snapshot))
            .collect();
        self.forget_seen(&explained);
        if missing.is_empty() {
            return 0;
        }
        let mut there: BTreeMap<Source, Seen> = BTreeMap::new();
        let mut add = |s: &Snapshot| newer(&mut there, Seen::of(s, now));
        match all {
            Some(all) => all.iter().for_each(&mut add),
            None => listed
                .iter()
                .filter_map(|l| self.read_snapshot(l).ok())
                .for_each(|s| add(&s)),
        }
        let count = missing.len();
        let mut sources: BTreeMap<Source, Vec<Seen>> = BTreeMap::new();
        for seen in missing {
            let source = (seen.writer, seen.host.clone());
            sources.entry(source).or_default().push(seen);
        }
        for (source, gone) in sources {
            observer.event(Event::Warning(&describe(&gone, there.get(&source))));
        }
        count
    }

    /// What a writer key can tell: that its newest backup of a host is not listed any more. Gives how many such there
    /// are. Older ones are forgotten by full keys, in its course.
    fn notice_own(&self, missing: Vec<Seen>, observer: &dyn Observer) -> usize {
        let now = self.storage.now();
        let seen = self.seen();
        let newest = |s: &Seen| {
            self.newest_of(&seen, &s.host)
                .is_some_and(|n| n.snapshot == s.snapshot)
        };
        let (newest, older): (Vec<Seen>, Vec<Seen>) = missing.into_iter().partition(newest);
        self.forget_seen(&older);
        let mut count = 0;
        for seen in newest.iter().filter(|s| !long_ago(s, now)) {
            match self.claimed_deleted(&seen.snapshot) {
                Ok(true) => observer.event(Event::Debug(&format!(
                    "backup {}, the newest of this key and host {}, is gone; a record, which this key cannot check, \
                     says that it was deleted",
                    seen.snapshot.short(),
                    seen.host
                ))),
                // Without permission to look there is nothing to say.
                Err(e) if e.kind() == Kind::PermissionDenied => {}
                Ok(false) => {
                    count += 1;
                    observer.event(Event::Warning(&format!(
                        "backup {}, the newest of this key and host {}, is gone, and no record says that it was \
                         deleted; look with a full key: `corso backup list --deleted`, and check who has the storage's \
                         keys",
                        seen.snapshot.short(),
                        one_line(&seen.host),
                    )));
                }
                Err(e) => observer.event(Event::Debug(&format!("looking for records: {e}"))),
            }
        }
        count
    }

    fn forget_seen(&self, gone: &[Seen]) {
        if let Some(cache) = self.cache.as_ref().filter(|_| !gone.is_empty()) {
            let names: Vec<Id> = gone.iter().map(|s| s.snapshot).collect();
            cache.forget_seen(&names);
        }
    }
}

impl Seen {
    fn of(snapshot: &Snapshot, now: Time) -> Seen {
        Seen {
            writer: snapshot.manifest.writer,
            host: snapshot.manifest.host.clone(),
            snapshot: snapshot.id,
            counter: snapshot.manifest.counter,
            at: now.0,
        }
    }
}

/// The warning of backups of one host and writer that are `gone`; `there` is the newest of those that are not.
fn describe(gone: &[Seen], there: Option<&Seen>) -> String {
    let Some(newest) = gone.iter().max_by_key(|s| s.counter) else {
        return String::new();
    };
    let (name, host) = (newest.snapshot.short(), one_line(&newest.host));
    let what = match gone.len() {
        1 => format!(
            "backup {name} of host {host} (number {}) is gone",
            newest.counter
        ),
        n => format!(
            "{} of host {host} (the newest is {name}, number {}) are gone",
            plural(n as u64, "backup", "backups"),
            newest.counter
        ),
    };
    let there = match there {
        Some(t) => format!("the newest that is there is {}", t.snapshot.short()),
        None => "none of that host is there".to_owned(),
    };
    format!(
        "the storage shows less than before: {what} without a record of a deletion, and {there}; somebody deleted \
         backups or set the storage back: check who has its keys, and its logs; a bucket that keeps versions still has \
         them: `corso repo connect s3 --point-in-time TIME`; `corso backup list --accept-missing` ends this warning"
    )
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

/// Keeps the newest of every source.
fn newer(all: &mut BTreeMap<Source, Seen>, seen: Seen) {
    let source = (seen.writer, seen.host.clone());
    match all.get(&source) {
        Some(old) if old.counter >= seen.counter => {}
        _ => drop(all.insert(source, seen)),
    }
}
