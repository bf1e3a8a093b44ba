//! Deleting backups: those that are named, or those that no rule of retention keeps.
//!
//! A record with the snapshot in it goes first, the snapshot second. Data goes with maintenance, not before the grace
//! period is over; until then the record brings the backup back.

#[cfg(test)]
pub(crate) mod tests;

use crate::error::{Context, Error, Kind, Result};
use crate::format::record::Change;
use crate::id::Id;
use crate::policy::{GroupBy, GroupKey, Item, Policy};
use crate::repo::Repository;
use crate::repo::records::{Deletions, Records};
use crate::repo::snapshots::{Snapshot, SnapshotFilter};
use crate::repo::threads::each_at_once;
use crate::report::{Event, Observer, Stop};
use crate::storage::Storage;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// Backups whose records are written before the first of them is deleted.
const BATCH: usize = 100;

/// What is forgotten, and what is not.
#[derive(Debug, Default)]
pub struct Plan {
    /// The groups, in the order of their keys.
    pub groups: Vec<Group>,
    /// Backups that cannot be read: they stay.
    pub unreadable: usize,
}

/// The backups of one group, oldest first.
#[derive(Debug)]
pub struct Group {
    /// What they share.
    pub key: GroupKey,
    /// Those that stay, and why.
    pub keep: Vec<(Snapshot, Vec<String>)>,
    /// Those that go.
    pub remove: Vec<Snapshot>,
    /// No rule keeps any of this group, so all of it stays.
    pub spared: bool,
}

impl Plan {
    /// The backups that go.
    pub fn removed(&self) -> Vec<Id> {
        let groups = self.groups.iter();
        groups.flat_map(|g| g.remove.iter().map(|s| s.id)).collect()
    }
}

/// The policy that is in force where none is given: the repository's, as its records or its config say.
///
/// # Errors
/// `Usage` if it has none; `NewerFormat` if it has rules that this version does not know.
pub fn policy_in_force(repo: &Repository, records: &Records) -> Result<Policy> {
    let rules = records.retention.unwrap_or(repo.config().retention);
    if rules.unknown {
        return Err(Error::new(
            Kind::NewerFormat,
            "the repository's retention has rules that this version does not know",
        )
        .hint("use the newest version of corso"));
    }
    Ok(Policy::from(&rules))
}

/// Decides what goes, and changes nothing. An empty `policy` stands for the repository's own.
///
/// Pinned backups stay, and so do those of writer keys whose age is not known ([`Snapshot::misdated`]), which take no
/// other's place, unless `trust_dates` says to go by the dates in them; and so does a whole group of which no rule keeps any: that is what a mistyped tag would look
/// like.
pub fn plan(
    repo: &Repository,
    policy: &Policy,
    group_by: GroupBy,
    filter: &SnapshotFilter,
    trust_dates: bool,
    observer: &dyn Observer,
) -> Result<Plan> {
    repo.require_full("forgetting backups")?;
    let records = repo.records(Deletions::None, observer)?.whole()?;
    let in_force = policy_in_force(repo, &records)?;
    let policy = if policy.is_empty() { &in_force } else { policy };
    if policy.is_empty() {
        return Err(
            Error::usage("there is no rule that says which backups to keep")
                .hint("give one or more, such as --keep-daily 7 --keep-monthly 12"),
        );
    }
    let (snapshots, unreadable) = repo.snapshots(filter, observer)?;
    let mut groups: BTreeMap<GroupKey, Vec<Snapshot>> = BTreeMap::new();
    for snapshot in snapshots {
        let key = group_by.key(&snapshot.manifest);
        groups.entry(key).or_default().push(snapshot);
    }
    let judge = Judge {
        trust_dates,
        policy,
        records: &records,
        repo,
    };
    let groups: Vec<Group> = groups
        .into_iter()
        .map(|(key, group)| judge.group(key, group))
        .collect();
    for group in groups.iter().filter(|g| g.spared) {
        let text = format!(
            "no rule keeps any backup of {}; all of them stay",
            describe(&group.key)
        );
        observer.event(Event::Warning(&text));
    }
    Ok(Plan { groups, unreadable })
}

/// Why a backup of unknown age stays.
const MISDATED: &str = "its date and the storage's differ";

struct Judge<'a> {
    trust_dates: bool,
    policy: &'a Policy,
    records: &'a Records,
    repo: &'a Repository,
}

impl Judge<'_> {
    fn group(&self, key: GroupKey, group: Vec<Snapshot>) -> Group {
        let unsure = |s: &Snapshot| s.misdated() && !self.trust_dates;
        let (misdated, mut group): (Vec<_>, Vec<_>) = group.into_iter().partition(unsure);
        let age = |s: &Snapshot| {
            if self.trust_dates {
                s.time()
            } else {
                s.age_time()
            }
        };
        group.sort_by_key(|s| (age(s), s.manifest.counter, s.id));
        let items: Vec<Item> = group
            .iter()
            .map(|s| Item {
                time: age(s),
                id: s.id,
                tags: &s.manifest.tags,
            })
            .collect();
        let now = self.repo.storage().now();
        let reasons = self.policy.reasons(&items, &TimeZone::system(), now);
        let spared = !reasons.is_empty() && reasons.iter().all(Vec::is_empty);
        let (mut keep, mut remove) = (Vec::new(), Vec::new());
        keep.extend(misdated.into_iter().map(|s| (s, vec![MISDATED.to_owned()])));
        for (snapshot, mut why) in group.into_iter().zip(reasons) {
            if self.records.pins.contains(&snapshot.id) {
                why.push("pinned".to_owned());
            }
            if spared {
                why.push("no rule keeps any of its group".to_owned());
            }
            match why.is_empty() {
                true => remove.push(snapshot),
                false => keep.push((snapshot, why)),
            }
        }
        Group {
            key,
            keep,
            remove,
            spared,
        }
    }
}

/// A group for people: `host web1, paths /etc /home, tags a,b, writer 12345678`.
pub fn describe(key: &GroupKey) -> String {
    let mut parts = Vec::new();
    if let Some(host) = &key.host {
        parts.push(format!("host {host}"));
    }
    if let Some(paths) = &key.paths {
        let paths: Vec<String> = paths.iter().map(|p| crate::report::printable(p)).collect();
        parts.push(format!("paths {}", paths.join(" ")));
    }
    if let Some(tags) = &key.tags {
        parts.push(match tags.is_empty() {
            true => "no tags".to_owned(),
            false => format!("tags {}", tags.join(",")),
        });
    }
    if key.writer != crate::id::Id16::ZERO {
        parts.push(format!("writer {}", key.writer.short()));
    }
    match parts.is_empty() {
        true => "all hosts and paths".to_owned(),
        false => parts.join(", "),
    }
}

/// Refuses if one of `ids` is pinned.
pub fn refuse_pinned(repo: &Repository, ids: &[Id], observer: &dyn Observer) -> Result<()> {
    let records = repo.records(Deletions::None, observer)?.whole()?;
    match ids.iter().find(|id| records.pins.contains(id)) {
        None => Ok(()),
        Some(id) => Err(Error::failed(format!("backup {} is pinned", id.short()))
            .hint("take the pin off first with `corso backup unpin`; nothing was deleted")),
    }
}

/// Pins backups, or takes their pins off. Gives those for which that is a change.
///
/// # Errors
/// `Changed` if a backup was deleted while it was pinned.
pub fn set_pinned(
    repo: &Repository,
    ids: &[Id],
    pinned: bool,
    observer: &dyn Observer,
) -> Result<Vec<Id>> {
    let records = repo.records(Deletions::None, observer)?;
    let change = |id: &&Id| records.pins.contains(id) != pinned;
    let changed: Vec<Id> = ids.iter().filter(change).copied().collect();
    let change = match pinned {
        true => Change::Pin,
        false => Change::Unpin,
    };
    repo.put_records(changed.iter().map(|id| change(*id)).collect(), observer)?;
    // Somebody else may have forgotten it before the pin was there to see.
    let there = repo.snapshot_names()?;
    match changed.iter().find(|id| pinned && !there.contains(id)) {
        None => Ok(changed),
        Some(id) => Err(Error::new(
            Kind::Changed,
            format!("backup {} was deleted while it was pinned", id.short()),
        )
        .hint("bring it back with `corso backup undelete`, and pin it then")),
    }
}

/// Deletes backups, whatever retention and pins say. One that is gone already is fine; one whose object is damaged
/// goes without a record and cannot be brought back. Gives how many have a record.
///
/// # Errors
/// `RoleNeeded`, the stop, and what the storage fails with, above all `PermissionDenied`; the message says how many
/// were deleted before.
pub fn delete(
    repo: &Repository,
    ids: &[Id],
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<usize> {
    repo.require_full("deleting backups")?;
    let (mut done, mut records) = (0, 0);
    for batch in ids.chunks(BATCH) {
        stop.check()?;
        let record = |id: &Id| record(repo, id, observer);
        let recorded = each_at_once(repo.threads.loaders, batch, &record);
        let recorded = recorded.into_iter().collect::<Result<Vec<bool>>>()?;
        records += recorded.into_iter().filter(|r| *r).count();
        let keys: Vec<String> = batch.iter().map(|id| format!("snapshots/{id}")).collect();
        let results = repo.storage.delete_many(&keys);
        done += results.iter().filter(|r| r.is_ok()).count();
        for (id, result) in batch.iter().zip(results) {
            result.map_err(|e| explain(e, id, done, ids.len()))?;
        }
    }
    Ok(records)
}

/// Puts the record that a backup is deleted; `false` where there is nothing to keep in it.
fn record(repo: &Repository, id: &Id, observer: &dyn Observer) -> Result<bool> {
    let object = match repo.snapshot_object(id) {
        Ok(object) => object,
        Err(e) if e.kind() == Kind::ObjectMissing => return Ok(false),
        Err(e) if e.kind() == Kind::Damaged => {
            observer.event(Event::Warning(&format!(
                "backup {} is damaged: once deleted it cannot be brought back; other hosts that have seen it will miss it until `corso backup list --accept-missing` there",
                id.short()
            )));
            return Ok(false);
        }
        Err(e) => return Err(e),
    };
    repo.put_deletion(*id, object)
        .context(|| format!("deleting backup {}", id.short()))?;
    Ok(true)
}

fn explain(error: Error, id: &Id, done: usize, all: usize) -> Error {
    let why = match error.kind() {
        Kind::PermissionDenied => "these storage keys may not delete, so it stays as it is; ",
        _ => "",
    };
    error.context(format!(
        "deleting backup {}: {why}{done} of {all} were deleted",
        id.short()
    ))
}
