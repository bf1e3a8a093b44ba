//! The small objects: config, key slots, records, tombstones, index objects, snapshots.

use super::report::{CheckReport, What};
use crate::error::{Context, Kind, Result};
use crate::format::config::MAX_CONFIG;
use crate::format::keyslot::{MAX_SLOT, Slot};
use crate::format::{record, snapshot};
use crate::id::Id16;
use crate::ops::survey::{Survey, read_object};
use crate::repo::Repository;
use crate::repo::patience::opened;
use crate::repo::protocol::list_names;
use crate::repo::snapshots::{Listing, Snapshot};
use crate::report::Stop;

/// The config is still what was opened, and every key slot decodes. Their secrets need their passphrases.
pub fn config_and_keys(repo: &Repository, report: &mut CheckReport) -> Result<()> {
    let storage = repo.storage();
    match storage.get("config", MAX_CONFIG as u64) {
        Ok(bytes) if bytes == repo.config_bytes => {}
        Ok(_) => report.add(
            What::Config,
            "config",
            "it is not what it was when the repository was opened",
        ),
        Err(e) if e.is_of_one_object() => report.add_failure(What::Config, "config", &e),
        Err(e) => return Err(e),
    }
    let mut keys = Vec::new();
    storage
        .list("keys/", &mut |object| {
            keys.push(object.key);
            Ok(())
        })
        .context(|| "listing key slots")?;
    for key in keys {
        let slot = repo
            .ask(&key, MAX_SLOT as u64)
            .and_then(|bytes| Slot::decode(&bytes));
        let named: Option<Id16> = key.strip_prefix("keys/").and_then(|n| n.parse().ok());
        match slot {
            Ok(slot) if Some(slot.id) == named => {}
            Ok(slot) => report.add(
                What::KeySlot,
                key,
                format!("it is the slot of key {}", slot.id),
            ),
            Err(e) if e.kind() == Kind::ObjectMissing => {}
            Err(e) if matches!(e.kind(), Kind::Damaged | Kind::NotRepository) => {
                report.add(What::KeySlot, key, e.message());
            }
            Err(e) if e.is_of_one_object() => report.add_failure(What::KeySlot, key, &e),
            Err(e) => return Err(e.context(format!("reading {key}"))),
        }
    }
    Ok(())
}

/// Every record is whole, and made by a full key.
pub fn records(repo: &Repository, report: &mut CheckReport) -> Result<()> {
    let mut names = Vec::new();
    list_names(&**repo.storage(), "records/", &mut |id| names.push(id))
        .context(|| "listing records")?;
    for name in names {
        let key = format!("records/{name}");
        let bytes = match read_object(repo, &key, &name, record::MAX_LEN as u64) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == Kind::ObjectMissing => continue,
            Err(e) if e.is_of_one_object() => {
                report.add_failure(What::Record, key, &e);
                continue;
            }
            Err(e) => return Err(e),
        };
        match record::decode(&bytes) {
            Ok(_) if record::verify(&bytes, &repo.keyring) == Some(false) => report.add(
                What::Record,
                key,
                "it does not carry this repository's seal, and nobody follows it",
            ),
            Ok(_) => {}
            Err(e) if e.kind() == Kind::Damaged => report.add(What::Record, key, e.message()),
            Err(e) => return Err(e.context(key)),
        }
    }
    Ok(())
}

/// What the survey saw of tombstones and index objects.
pub fn index_and_tombstones(survey: &Survey, report: &mut CheckReport) {
    for buried in &survey.view.tombstones {
        let key = format!("tombstones/{}", buried.name);
        match (&buried.stone, buried.authentic) {
            (Some(_), true) => {}
            (Some(_), false) => report.add(
                What::ForgedTombstone,
                key,
                "it does not carry this repository's seal; backups avoid what it names, and nothing is deleted because of it",
            ),
            (None, _) => report.add(What::Tombstone, key, "it is damaged, and names nothing"),
        }
    }
    report.index_objects = (survey.index_objects.len() - survey.damaged_index.len()) as u64;
    for (name, error) in &survey.damaged_index {
        report.add_failure(What::Index, format!("index/{name}"), error);
    }
}

/// Reads the snapshots `listed` from the storage, oldest first. One that was deleted meanwhile is passed over.
pub fn snapshots(
    repo: &Repository,
    listed: &[Listing],
    report: &mut CheckReport,
    stop: &Stop,
) -> Result<Vec<Snapshot>> {
    let mut found = Vec::new();
    for listing in listed {
        stop.check()?;
        match read_snapshot(repo, listing) {
            Ok(snapshot) => found.push(snapshot),
            Err(e) if e.kind() == Kind::ObjectMissing => {}
            Err(e) if e.is_of_one_object() => {
                report.add_failure(What::Snapshot, format!("snapshots/{}", listing.id), &e);
            }
            Err(e) => return Err(e),
        }
    }
    found.sort_by_key(|s| (s.manifest.time, s.id));
    Ok(found)
}

/// One snapshot, from the storage and not from the cache.
pub fn read_snapshot(repo: &Repository, listed: &Listing) -> Result<Snapshot> {
    let Listing { id, modified } = *listed;
    let key = format!("snapshots/{id}");
    let bytes = read_object(repo, &key, &id, snapshot::MAX_OBJECT)?;
    let manifest = opened(snapshot::open(&bytes, &repo.keyring))?;
    Ok(Snapshot {
        id,
        manifest,
        modified,
    })
}
