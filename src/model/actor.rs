//! Who acts: real runs of the engine, each on a thread and a plan of its own.

use super::whole::read_whole;
use super::world::{Start, World};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::ops::maintenance::{MaintenanceOptions, Mode, Prices, maintain};
use crate::ops::{forget, undelete};
use crate::repo::Repository;
use crate::repo::records::Deletions;
use crate::report::{Silent, Stop};
use std::sync::Arc;

/// What an actor says that it did.
#[derive(Clone, Debug, Default)]
pub struct Gain {
    /// Snapshots that are there from now on.
    pub made: Vec<Id>,
}

/// A run.
#[derive(Clone, Copy)]
pub struct Actor {
    /// For people.
    pub name: &'static str,
    /// Does it have a writer key?
    pub writer: bool,
    /// Does it look at how old objects are?
    pub minds_age: bool,
    /// Below which prefixes it may put and delete. The explorer relies on it, and fails where an actor does more.
    pub puts: &'static [&'static str],
    /// See `puts`.
    pub deletes: &'static [&'static str],
    /// Which snapshot it is asked to remove.
    pub removes: fn(&World, Start) -> Option<Id>,
    /// What it does.
    pub run: fn(&World, Start, &Arc<Repository>) -> Result<Gain>,
}

/// What a backup writes.
const WRITES: &[&str] = &["packs/", "index/", "snapshots/"];

fn nothing(_: &World, _: Start) -> Option<Id> {
    None
}

fn backup(world: &World, _: Start, repo: &Arc<Repository>) -> Result<Gain> {
    let report = world.backup(repo.clone())?;
    let name = report.snapshot.and_then(|name| name.parse().ok());
    Ok(Gain {
        made: name.into_iter().collect(),
    })
}

/// A backup with a full key.
pub const BACKUP: Actor = Actor {
    name: "backup",
    writer: false,
    minds_age: false,
    puts: WRITES,
    deletes: &["snapshots/"],
    removes: nothing,
    run: backup,
};

/// A backup with a writer key.
pub const WRITER: Actor = Actor {
    name: "writer's backup",
    writer: true,
    ..BACKUP
};

/// Reads the snapshot that is kept, whole.
pub const READER: Actor = Actor {
    name: "reader",
    writer: false,
    minds_age: false,
    puts: &[],
    deletes: &[],
    removes: nothing,
    run: |world, start, repo| {
        let snapshot = repo.snapshot(&world.history(start).kept)?;
        read_whole(repo, &snapshot)?;
        Ok(Gain::default())
    },
};

/// Maintenance, as eager to move as it can be.
pub const MAINTENANCE: Actor = Actor {
    name: "maintenance",
    writer: false,
    minds_age: true,
    puts: &["packs/", "index/", "tombstones/"],
    deletes: &["packs/", "index/", "tombstones/", "records/"],
    removes: nothing,
    run: |_, _, repo| maintained(repo, Mode::Complete, 1),
};

/// Maintenance, and once more.
pub const MAINTENANCE_TWICE: Actor = Actor {
    name: "maintenance, twice",
    run: |_, _, repo| maintained(repo, Mode::Complete, 2),
    ..MAINTENANCE
};

/// Merges index objects.
pub const MERGE: Actor = Actor {
    name: "index merge",
    run: |_, _, repo| maintained(repo, Mode::Metadata, 1),
    ..MAINTENANCE
};

/// Maintenance, so many times.
pub fn maintained(repo: &Arc<Repository>, mode: Mode, times: usize) -> Result<Gain> {
    let options = MaintenanceOptions {
        mode,
        prices: Prices::FREE,
        // Worlds without any backup are looked into as well.
        accept_missing: true,
        ..MaintenanceOptions::default()
    };
    for _ in 0..times {
        let report = maintain(repo, &options, &Silent, &Stop::default())?;
        if let Some(frozen) = report.frozen.first() {
            return Err(Error::new(frozen.kind, frozen.describe()));
        }
    }
    Ok(Gain::default())
}

/// Deletes the snapshot that is kept.
pub const FORGET: Actor = Actor {
    name: "forget",
    writer: false,
    minds_age: false,
    puts: &["records/"],
    deletes: &["snapshots/"],
    removes: |world, start| Some(world.history(start).kept),
    run: |world, start, repo| {
        let kept = world.history(start).kept;
        forget::delete(repo, &[kept], &Silent, &Stop::default())?;
        Ok(Gain::default())
    },
};

/// Deletes the snapshot that is kept, then backs up.
pub const FORGET_AND_BACKUP: Actor = Actor {
    name: "forget, then backup",
    puts: &["records/", "packs/", "index/", "snapshots/"],
    run: |world, start, repo| {
        (FORGET.run)(world, start, repo)?;
        backup(world, start, repo)
    },
    ..FORGET
};

/// Brings the snapshot back that was deleted.
pub const UNDELETE: Actor = Actor {
    name: "undelete",
    writer: false,
    minds_age: false,
    puts: WRITES,
    deletes: &["snapshots/"],
    removes: nothing,
    run: |world, start, repo| {
        let gone = world.history(start).gone;
        let records = repo.records(Deletions::All, &Silent)?;
        let deletion = records.deletions.iter().find(|d| d.snapshot == gone);
        let deletion = deletion.ok_or_else(|| Error::failed("there is no record"))?;
        let report =
            undelete::undelete(repo.clone(), deletion, Arc::new(Silent), &Stop::default())?;
        Ok(Gain {
            made: report.snapshot.parse().into_iter().collect(),
        })
    },
};
