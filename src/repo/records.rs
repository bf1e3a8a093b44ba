//! Records: what full keys leave for each other. Deletions, pins, later settings.
//!
//! Anyone who may put objects can put something under `records/`; only what carries the repository's seal counts.

use super::Repository;
use super::protocol::list_objects;
use super::threads::each_at_once;
use crate::error::{Context, Error, Kind, Result};
use crate::format::config::Retention;
use crate::format::record::{self, Change, Record};
use crate::format::snapshot::{self, Manifest};
use crate::id::{Id, Id16};
use crate::report::{Event, Observer};
use crate::units::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A deletion's record is kept for so long after the grace period: it tells other hosts that what they miss was deleted.
pub(crate) const KEEP_RECORDS: Duration = Duration::from_secs(30 * 24 * 3600);
/// A record of this length or less is no deletion: that holds a sealed snapshot, whose header alone is longer.
const SMALL: u64 = 1024;

/// That a snapshot was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// The record.
    pub record: Id,
    /// The snapshot that it names, and holds.
    pub snapshot: Id,
    /// When the record was put, by the storage's clock: not later than the deletion.
    pub modified: Time,
}

/// What the records say, all of them with the repository's seal.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Deletions, oldest first.
    pub deletions: Vec<Deletion>,
    /// Snapshots that are pinned; some may be gone.
    pub pins: BTreeSet<Id>,
    /// Retention, where it was changed after the repository was made.
    pub retention: Option<Retention>,
    /// The grace period, where it was changed.
    pub grace: Option<Duration>,
    /// The highest number of a record.
    pub last: u64,
    /// A record whose bytes are not those that were put: what it said is not known.
    pub damaged: Option<Id>,
}

impl Records {
    /// For who goes by pins and settings: one that cannot be read may be a pin.
    ///
    /// # Errors
    /// `Damaged`.
    pub fn whole(self) -> Result<Records> {
        match self.damaged {
            None => Ok(self),
            Some(name) => Err(Error::damaged(format!(
                "records/{name} is damaged, and may be the pin of a backup or a longer grace period, so nothing was changed"
            ))
            .hint("put it back from another copy of the repository or the bucket's versions; else remove that object by hand, pin again what was pinned, and look at `corso backup list`")),
        }
    }
}

/// Which deletions are wanted. The other records are read in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletions {
    /// None: saves reading them.
    None,
    /// Those put at this time or later.
    Since(Time),
    /// All.
    All,
}

/// A record with what orders it among others: its number, the storage's clock, then the writing host's.
struct Found {
    name: Id,
    modified: Time,
    record: Record,
}

impl Deletions {
    fn wants(self, size: u64, modified: Time) -> bool {
        match self {
            _ if size <= SMALL => true,
            Deletions::None => false,
            Deletions::Since(time) => modified >= time,
            Deletions::All => true,
        }
    }
}

impl Repository {
    /// The grace period in force: the one that the repository was made with, or a longer one recorded since.
    pub fn grace(&self, observer: &dyn Observer) -> Result<Duration> {
        let recorded = self.records(Deletions::None, observer)?.whole()?.grace;
        Ok(self.config.grace.max(recorded.unwrap_or_default()))
    }

    /// Reads the records. One that is damaged or lacks the repository's seal is reported and passed over; of the damaged
    /// ones [`Records::damaged`] tells. Full keys only.
    ///
    /// # Errors
    /// `RoleNeeded`; `NewerFormat` for a sealed record of a type that this version does not know.
    pub fn records(&self, deletions: Deletions, observer: &dyn Observer) -> Result<Records> {
        self.require_full("reading records")?;
        let mut listed = Vec::new();
        list_objects(&*self.storage, "records/", &mut |id, object| {
            if deletions.wants(object.size, object.modified) {
                listed.push((id, object.modified));
            }
        })
        .context(|| "listing records")?;
        let (mut found, mut damaged) = (Vec::new(), None);
        let read = |(name, _): &(Id, Time)| self.record(name);
        let all = each_at_once(self.threads.loaders, &listed, &read);
        for ((name, modified), record) in listed.into_iter().zip(all) {
            let record = match record {
                Ok(Some(record)) => record,
                Ok(None) => {
                    let text = format!(
                        "records/{name} is damaged: its bytes do not have the hash of its name"
                    );
                    observer.event(Event::Warning(&text));
                    damaged = Some(name);
                    continue;
                }
                // Gone since it was listed.
                Err(e) if e.kind() == Kind::ObjectMissing => continue,
                Err(e) if e.kind() == Kind::Damaged => {
                    observer.event(Event::Warning(&format!("a record is ignored: {e}")));
                    continue;
                }
                Err(e) => return Err(e),
            };
            found.push(Found {
                name,
                modified,
                record,
            });
        }
        Ok(Records {
            damaged,
            ..gather(found)
        })
    }

    /// One record with the repository's seal; `None` if its bytes are not those of its name. `Damaged` if it lacks the
    /// seal: then it is a stranger's.
    fn record(&self, name: &Id) -> Result<Option<Record>> {
        let key = format!("records/{name}");
        let Some(bytes) = self.cached_object(&key, name, record::MAX_LEN as u64)? else {
            return Ok(None);
        };
        if record::verify(&bytes, &self.keyring) != Some(true) {
            return Err(
                Error::damaged(format!("{key} does not carry this repository's seal"))
                    .hint("somebody else writes to this place: check who has its keys"),
            );
        }
        let record = record::decode(&bytes).context(|| format!("reading {key}"))?;
        Ok(Some(record))
    }

    /// The snapshot that a deletion holds: its manifest.
    pub fn deleted_manifest(&self, deletion: &Deletion) -> Result<Manifest> {
        match self.record(&deletion.record)?.map(|r| r.change) {
            Some(Change::Deletion { object, .. }) => snapshot::open(&object, &self.keyring)
                .context(|| format!("reading the deleted backup {}", deletion.snapshot.short())),
            _ => Err(Error::damaged("a record changed")),
        }
    }

    /// Deletions whose records were put before `time`. Nothing can be brought back through them any more.
    pub(crate) fn deletions_before(&self, time: Time) -> Result<Vec<Id>> {
        let mut names = Vec::new();
        list_objects(&*self.storage, "records/", &mut |id, object| {
            if object.size > SMALL && object.modified < time {
                names.push(id);
            }
        })
        .context(|| "listing records")?;
        let deletion = |name: &Id| match self.record(name) {
            Ok(record) => Ok(record.is_some_and(|r| matches!(r.change, Change::Deletion { .. }))),
            Err(e) if e.is_damage() => Ok(false),
            Err(e) => Err(e),
        };
        let mut old = Vec::new();
        for name in names {
            if deletion(&name)? {
                old.push(name);
            }
        }
        Ok(old)
    }

    /// Puts records of pins, unpins or settings, which count in this order and after all that are there.
    pub(crate) fn put_records(&self, changes: Vec<Change>, observer: &dyn Observer) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let last = self.records(Deletions::None, observer)?.last;
        for (nth, change) in (1..).zip(changes) {
            self.put_record(change, last.saturating_add(nth))?;
        }
        Ok(())
    }

    /// Puts a record of a deletion. The others need a number ([`Repository::put_records`]).
    pub(crate) fn put_deletion(&self, snapshot: Id, object: Vec<u8>) -> Result<()> {
        self.put_record(Change::Deletion { snapshot, object }, 0)
    }

    fn put_record(&self, change: Change, number: u64) -> Result<()> {
        let record = Record {
            change,
            number,
            time: Time::local_now(),
            nonce: Id16::random()?,
        };
        let bytes = record::encode(&record, &self.keyring)?;
        let name = Id::sha256(&bytes);
        self.put_new(&format!("records/{name}"), &bytes, &name, None)?;
        Ok(())
    }

    /// Is there a record that says it is the deletion of `snapshot`? For a writer key, which cannot tell whether a
    /// full key made it.
    pub fn claimed_deleted(&self, snapshot: &Id) -> Result<bool> {
        let mut names = Vec::new();
        list_objects(&*self.storage, "records/", &mut |id, object| {
            if object.size > SMALL {
                names.push(id);
            }
        })
        .context(|| "listing records")?;
        for name in names {
            let key = format!("records/{name}");
            let bytes = match self.cached_object(&key, &name, record::MAX_LEN as u64) {
                Err(e) if e.is_damage() => continue,
                other => other?,
            };
            let record = bytes.and_then(|b| record::decode(&b).ok());
            if let Some(Change::Deletion {
                snapshot: named, ..
            }) = record.map(|r| r.change)
                && named == *snapshot
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Later records win: by their number; of hosts that wrote at once, by the storage's clock, then by that of the host; a
/// pin wins against an unpin of the same moment.
fn gather(mut found: Vec<Found>) -> Records {
    found.sort_by_key(|f| {
        let pin = matches!(f.record.change, Change::Pin(_));
        (f.record.number, f.modified, f.record.time, pin, f.name)
    });
    let mut records = Records {
        last: found.last().map_or(0, |f| f.record.number),
        ..Records::default()
    };
    let mut pinned: BTreeMap<Id, bool> = BTreeMap::new();
    for Found {
        name,
        modified,
        record,
    } in found
    {
        match record.change {
            Change::Deletion { snapshot, .. } => records.deletions.push(Deletion {
                record: name,
                snapshot,
                modified,
            }),
            Change::Pin(snapshot) => drop(pinned.insert(snapshot, true)),
            Change::Unpin(snapshot) => drop(pinned.insert(snapshot, false)),
            Change::Settings { retention, grace } => {
                records.retention = Some(retention);
                records.grace = grace.or(records.grace);
            }
            Change::Revocation(_) => {}
        }
    }
    records.pins = pinned
        .into_iter()
        .filter_map(|(id, pinned)| pinned.then_some(id))
        .collect();
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(modified: i64, time: i64, change: Change) -> Found {
        numbered(0, modified, time, change)
    }

    fn numbered(number: u64, modified: i64, time: i64, change: Change) -> Found {
        Found {
            name: Id([modified as u8; 32]),
            modified: Time(modified),
            record: Record {
                change,
                number,
                time: Time(time),
                nonce: Id16::ZERO,
            },
        }
    }

    #[test]
    fn the_later_of_pin_and_unpin_wins() {
        let id = |n| Id([n; 32]);
        let pins = |list: Vec<Found>| gather(list).pins.into_iter().collect::<Vec<_>>();
        let (pin, unpin) = (|| Change::Pin(id(1)), || Change::Unpin(id(1)));
        assert_eq!(
            pins(vec![found(2, 0, pin()), found(1, 9, unpin())]),
            [id(1)]
        );
        assert_eq!(pins(vec![found(1, 9, pin()), found(2, 0, unpin())]), []);
        // Within one second of the storage's clock the host's decides, and then caution.
        assert_eq!(pins(vec![found(1, 2, unpin()), found(1, 1, pin())]), []);
        assert_eq!(
            pins(vec![found(1, 1, unpin()), found(1, 1, pin())]),
            [id(1)]
        );
        // A copy of the repository may have put the old one last.
        assert_eq!(
            pins(vec![numbered(1, 9, 0, unpin()), numbered(2, 5, 0, pin())]),
            [id(1)]
        );
    }

    #[test]
    fn the_last_settings_count() {
        let settings = |last, grace: Option<u64>| Change::Settings {
            retention: Retention {
                last,
                ..Retention::default()
            },
            grace: grace.map(Duration::from_secs),
        };
        let records = gather(vec![
            found(2, 0, settings(2, None)),
            found(1, 0, settings(1, Some(7200))),
        ]);
        assert_eq!(records.retention.map(|r| r.last), Some(2));
        assert_eq!(records.grace, Some(Duration::from_secs(7200)));
    }
}
