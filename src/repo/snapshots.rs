//! Snapshots: listing, reading, choosing, removing.

use super::Repository;
use super::patience::opened;
use super::protocol::list_objects;
use super::threads::each_at_once;
use crate::error::{Context, Error, Kind, Result};
use crate::format::entry::TreePath;
use crate::format::snapshot::{self, Manifest};
use crate::fs::path::{self, Platform};
use crate::id::{Id, Id16, Prefix};
use crate::report::{Event, Observer};
use crate::units::{DATE_LAG, Time};
use std::collections::BTreeSet;
use std::time::Duration;

/// A snapshot: its name and its manifest.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Name of the object, and the backup's id for people.
    pub id: Id,
    /// What it says.
    pub manifest: Manifest,
    /// When it was put, by the storage's clock.
    pub modified: Time,
}

/// A snapshot's object, as a listing shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Name of the object.
    pub id: Id,
    /// When it was put, by the storage's clock.
    pub modified: Time,
}

impl Snapshot {
    /// When the backup was made: what it says, unless that is later than when the storage took it. So a host whose clock
    /// ran ahead once does not stay the newest.
    pub fn time(&self) -> Time {
        // Of a short backup the storage's date is earlier than it is.
        self.manifest.time.min(self.modified.plus(DATE_LAG))
    }

    /// The time by which retention judges the backup. A host with a writer key is believed no date, as it could take the
    /// places of older backups: what it writes is as old as the storage says.
    pub fn age_time(&self) -> Time {
        match self.manifest.writer == Id16::ZERO {
            true => self.time(),
            false => self.modified,
        }
    }

    /// Does the storage say that a writer key's backup is much younger than it says itself? So it is where a backup was
    /// brought back, or the whole repository copied; or the host lies. Its age is not known then.
    pub fn misdated(&self) -> bool {
        let late = self
            .modified
            .since(self.manifest.ended.max(self.manifest.time));
        self.manifest.writer != Id16::ZERO && late > MISDATED
    }
}

/// A host's clock may be wrong by so much.
const MISDATED: Duration = Duration::from_secs(24 * 3600);

/// Which snapshots are asked for; an empty filter takes all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotFilter {
    /// Host name.
    pub host: Option<String>,
    /// A source path, as [`TreePath`].
    pub path: Option<TreePath>,
    /// Tags that must all be there.
    pub tags: Vec<String>,
    /// How the writer's id begins; it is all zeros for the full keys.
    pub writer: Option<Prefix>,
}

impl SnapshotFilter {
    /// Does `manifest` match?
    pub fn matches(&self, manifest: &Manifest) -> bool {
        let host = self.host.as_ref().is_none_or(|h| *h == manifest.host);
        let path = self.path.as_ref().is_none_or(|p| {
            let platform = Platform::of(&manifest.platform);
            manifest
                .sources
                .iter()
                .any(|s| path::to_tree(s, b"", platform).is_ok_and(|s| s == *p))
        });
        let writer = self.writer.as_ref();
        let writer = writer.is_none_or(|w| w.begins(&manifest.writer));
        host && path && writer && self.tags.iter().all(|t| manifest.tags.contains(t))
    }
}

impl Repository {
    /// Names of all snapshots, in no order that means anything.
    pub fn snapshot_names(&self) -> Result<Vec<Id>> {
        Ok(self.list_snapshots()?.iter().map(|l| l.id).collect())
    }

    /// The objects of all snapshots, in no order that means anything.
    pub fn list_snapshots(&self) -> Result<Vec<Listing>> {
        let mut found = Vec::new();
        list_objects(&*self.storage, "snapshots/", &mut |id, object| {
            let modified = object.modified;
            found.push(Listing { id, modified });
        })
        .context(|| "listing snapshots")?;
        Ok(found)
    }

    /// Reads one snapshot.
    pub fn snapshot(&self, id: &Id) -> Result<Snapshot> {
        self.require_full("reading backups")?;
        let key = format!("snapshots/{id}");
        let info = self.storage.head(&key);
        let modified = info.context(|| format!("reading {key}"))?.modified;
        self.read_snapshot(&Listing { id: *id, modified })
    }

    /// Reads a snapshot that was listed.
    pub fn read_snapshot(&self, listed: &Listing) -> Result<Snapshot> {
        self.require_full("reading backups")?;
        let Listing { id, modified } = *listed;
        let bytes = self.snapshot_object(&id)?;
        let manifest = opened(snapshot::open(&bytes, &self.keyring))
            .context(|| format!("reading backup {}", id.short()))?;
        Ok(Snapshot {
            id,
            manifest,
            modified,
        })
    }

    /// A snapshot's sealed object: from the cache if its copy there is whole, else from the storage.
    pub(crate) fn snapshot_object(&self, id: &Id) -> Result<Vec<u8>> {
        let key = format!("snapshots/{id}");
        let bytes = self.cached_object(&key, id, snapshot::MAX_OBJECT)?;
        bytes.ok_or_else(|| {
            Error::damaged(format!(
                "{key} is damaged: its bytes do not have the hash of its name"
            ))
            .hint("other backups are not affected; keep the repository as it is until it can be repaired")
        })
    }

    /// An object that is named by its hash, which the cache may hold; `None` if its bytes do not have that hash.
    pub(crate) fn cached_object(&self, key: &str, id: &Id, limit: u64) -> Result<Option<Vec<u8>>> {
        let cached = self.cache.as_ref().and_then(|c| c.node(id));
        if let Some(bytes) = cached.filter(|b| Id::sha256(b) == *id) {
            return Ok(Some(bytes));
        }
        let get = self.ask(key, limit);
        let bytes = get.context(|| format!("reading {key}"))?;
        if Id::sha256(&bytes) != *id {
            return Ok(None);
        }
        if let Some(cache) = &self.cache {
            cache.put_node(id, &bytes);
        }
        Ok(Some(bytes))
    }

    /// All snapshots that `filter` takes, oldest first. One that cannot be read is reported and passed over; the
    /// count of those is the second value.
    pub fn snapshots(
        &self,
        filter: &SnapshotFilter,
        observer: &dyn Observer,
    ) -> Result<(Vec<Snapshot>, usize)> {
        let (found, unreadable) = self.read_all(filter, observer)?;
        Ok((found, unreadable.len()))
    }

    /// The same, with those that cannot be read as they were listed.
    fn read_all(
        &self,
        filter: &SnapshotFilter,
        observer: &dyn Observer,
    ) -> Result<(Vec<Snapshot>, Vec<Listing>)> {
        self.require_full("listing backups")?;
        let mut found = Vec::new();
        let (mut unreadable, mut shut) = (Vec::new(), None);
        let seen = self.seen();
        let listed = self.list_snapshots()?;
        let read = |l: &Listing| self.read_snapshot(l);
        let all = each_at_once(self.threads.loaders, &listed, &read);
        for (listed, snapshot) in listed.iter().zip(all) {
            match snapshot {
                Ok(snapshot) => found.push(snapshot),
                // Gone since it was listed.
                Err(e) if e.kind() == Kind::ObjectMissing => {}
                Err(e) if e.is_of_one_object() => {
                    unreadable.push(*listed);
                    observer.event(Event::Warning(&format!(
                        "backup {} cannot be read: {e}",
                        listed.id.short()
                    )));
                    shut = shut.or(Some(e).filter(Error::is_unreadable));
                }
                Err(e) => return Err(e),
            }
        }
        // None at all: that is no list.
        if let (Some(e), true) = (shut, found.is_empty()) {
            return Err(e);
        }
        self.notice_rollback(seen, &listed, Some(&found), observer);
        found.retain(|s| filter.matches(&s.manifest));
        found.sort_by_key(|s| (s.time(), s.manifest.counter, s.id));
        Ok((found, unreadable))
    }

    /// The snapshot that `text` names: a whole id, a unique prefix of one (at least 4 digits), or `latest`, the
    /// newest that `filter` takes.
    ///
    /// # Errors
    /// `Usage` if `latest` could be that of several keys: a writer key names whatever host it likes.
    pub fn find_snapshot(
        &self,
        text: &str,
        filter: &SnapshotFilter,
        observer: &dyn Observer,
    ) -> Result<Snapshot> {
        if text == "latest" {
            let (mut found, unreadable) = self.read_all(filter, observer)?;
            refuse_mixed(&found)?;
            let newest = found.pop();
            let since = newest.as_ref().map(|s| s.modified);
            // By the storage's clock, the only one that is known of it.
            if let Some(other) = unreadable.iter().find(|l| Some(l.modified) >= since) {
                return Err(Error::damaged(format!(
                    "backup {} cannot be read and may be the latest",
                    other.id.short()
                ))
                .hint("`corso backup list` shows the others: name one by its id; `corso repo check` says what is damaged"));
            }
            return newest.ok_or_else(|| {
                Error::failed("there is no backup that matches")
                    .hint("`corso backup list` shows what there is")
            });
        }
        self.read_snapshot(&self.resolve_listed(text, observer)?)
    }

    /// The id that `text` (a whole id or a unique prefix) stands for.
    pub fn resolve(&self, text: &str, observer: &dyn Observer) -> Result<Id> {
        self.resolve_listed(text, observer).map(|listed| listed.id)
    }

    fn resolve_listed(&self, text: &str, observer: &dyn Observer) -> Result<Listing> {
        let wanted = Prefix::parse(text).ok_or_else(|| {
            Error::usage(format!(
                "{text:?} is not a backup: give `latest`, or 4 to 64 digits of an id"
            ))
        })?;
        let seen = self.seen();
        let mut matching = self.list_snapshots()?;
        self.notice_rollback(seen, &matching, None, observer);
        matching.retain(|listed| wanted.begins(&listed.id));
        match matching.as_slice() {
            [one] => Ok(*one),
            [] => Err(
                Error::failed(format!("there is no backup with the id {text}"))
                    .hint("`corso backup list` shows what there is"),
            ),
            several => Err(Error::usage(format!(
                "{} backups have ids that begin with {text}",
                several.len()
            ))),
        }
    }
}

/// Names a writer for people: the full keys are one, as it were.
pub fn writer_name(writer: &Id16) -> String {
    match *writer == Id16::ZERO {
        true => "full".to_owned(),
        false => writer.short(),
    }
}

/// Which of several keys' backups is the latest is for the user to say.
fn refuse_mixed(found: &[Snapshot]) -> Result<()> {
    let writers: BTreeSet<Id16> = found.iter().map(|s| s.manifest.writer).collect();
    if writers.len() < 2 {
        return Ok(());
    }
    let names: Vec<String> = writers.iter().take(5).map(writer_name).collect();
    let more = if writers.len() > 5 { ", ..." } else { "" };
    Err(Error::usage(format!(
        "backups of {} keys match ({}{more}), and a writer key may name any host: latest of which?",
        writers.len(),
        names.join(", ")
    ))
    .hint("add --writer with one of these; `corso repo key list` tells whose they are, and full stands for all full keys"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_believed_until_the_storage_had_it() {
        let taken = Time(1_000_000_000);
        let time = |claimed: Time| {
            Snapshot {
                id: Id::ZERO,
                manifest: Manifest {
                    time: claimed,
                    ..Manifest::default()
                },
                modified: taken,
            }
            .time()
        };
        let before = taken.minus(Duration::from_secs(3600));
        assert_eq!(time(before), before);
        // Of a backup of a moment, on a storage whose dates are cut to a second.
        let cut = taken.plus(Duration::from_millis(1900));
        assert_eq!(time(cut), cut);
        let ahead = taken.plus(Duration::from_secs(3600));
        assert_eq!(time(ahead), taken.plus(DATE_LAG));
    }
}
