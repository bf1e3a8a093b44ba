//! Deleted backups that can be brought back.

use crate::error::{Error, Kind, Result};
use crate::format::snapshot::Manifest;
use crate::id::{Id, Prefix};
use crate::repo::Repository;
use crate::repo::records::{Deletion, Deletions};
use crate::repo::snapshots::{Snapshot, SnapshotFilter};
use crate::report::{Event, Observer};
use crate::units::Time;
use std::collections::{BTreeMap, BTreeSet};

/// A deleted backup.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// As it was; `modified` is the deletion's time.
    pub snapshot: Snapshot,
    /// When it was deleted, by the storage's clock.
    pub deleted: Time,
    /// Until then its data is there for certain.
    pub until: Time,
}

/// Is one the same backup as the other, brought back?
pub(super) fn same(one: &Manifest, other: &Manifest) -> bool {
    let id = |m: &Manifest| (m.writer, m.counter, m.time, m.root);
    id(one) == id(other)
        && *one
            == Manifest {
                run: one.run,
                ..other.clone()
            }
}

/// The deleted backups that `filter` takes, that are within the grace period, and that were not brought back. In the
/// order of their deletion.
pub fn deleted(
    repo: &Repository,
    filter: &SnapshotFilter,
    observer: &dyn Observer,
) -> Result<Vec<Deleted>> {
    let (there, _) = repo.snapshots(&SnapshotFilter::default(), observer)?;
    let grace = repo.grace(observer)?;
    let since = repo.storage().now().minus(grace);
    let mut found = Vec::new();
    for deletion in present(repo, Deletions::Since(since), observer)? {
        let manifest = match repo.deleted_manifest(&deletion) {
            Err(e) if e.kind() == Kind::Damaged => {
                let text = format!("deleted backup {}: {e}", deletion.snapshot.short());
                observer.event(Event::Warning(&text));
                continue;
            }
            other => other?,
        };
        if filter.matches(&manifest) && !there.iter().any(|s| same(&s.manifest, &manifest)) {
            found.push(Deleted {
                snapshot: Snapshot {
                    id: deletion.snapshot,
                    manifest,
                    modified: deletion.modified,
                },
                deleted: deletion.modified,
                until: deletion.modified.plus(grace),
            });
        }
    }
    Ok(found)
}

/// Deletions of snapshots that are gone, of each the last, oldest first.
fn present(repo: &Repository, which: Deletions, observer: &dyn Observer) -> Result<Vec<Deletion>> {
    let all = repo.records(which, observer)?.deletions;
    let there: BTreeSet<Id> = repo.snapshot_names()?.into_iter().collect();
    let mut last: BTreeMap<Id, Deletion> = BTreeMap::new();
    for deletion in all.into_iter().filter(|d| !there.contains(&d.snapshot)) {
        last.insert(deletion.snapshot, deletion);
    }
    let mut found: Vec<Deletion> = last.into_values().collect();
    found.sort_by_key(|d| (d.modified, d.snapshot));
    Ok(found)
}

/// The deletion that `text` names: the id of the deleted backup or a unique beginning of it. Also those beyond the
/// grace period: their data may still be there.
pub fn find(repo: &Repository, text: &str, observer: &dyn Observer) -> Result<Deletion> {
    let wanted = Prefix::parse(text).ok_or_else(|| {
        Error::usage(format!(
            "{text:?} is not a deleted backup: give 4 to 64 digits of its id"
        ))
    })?;
    let matching = |which| -> Result<Vec<Deletion>> {
        let mut all = present(repo, which, observer)?;
        all.retain(|d| wanted.begins(&d.snapshot));
        Ok(all)
    };
    // There may be very many old records, and hardly ever is one of them meant.
    let recent = repo.storage().now().minus(repo.grace(observer)?);
    let mut matching = match matching(Deletions::Since(recent))? {
        none if none.is_empty() => matching(Deletions::All)?,
        some => some,
    };
    match matching.len() {
        0 => Err(
            Error::failed(format!("there is no deleted backup with the id {text}"))
                .hint("`corso backup list --deleted` shows those that can be brought back"),
        ),
        1 => Ok(matching.remove(0)),
        n => Err(Error::usage(format!(
            "{n} deleted backups have ids that begin with {text}"
        ))),
    }
}
