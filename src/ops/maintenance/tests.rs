//! Maintenance on the memory storage with its own clock. How runs interleave is checked elsewhere.

mod big;
mod claims;
mod doubt;
mod frozen;
mod locks;
mod looks;

use super::{MaintenanceOptions, MaintenanceReport, Mode, Prices, maintain};
use crate::error::{Error, Kind, Result};
use crate::format::container::ObjectKind;
use crate::id::Id;
use crate::ops::forget;
use crate::ops::testing::{self, Files, G, Warnings, noise};
use crate::repo::run::Run;
use crate::repo::{InitOptions, Repository, pack_key};
use crate::report::{Silent, Stop};
use crate::storage::Storage;
use crate::storage::fault::Op;
use crate::storage::memory::{Hook, Request};
use crate::units::Time;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(25 * 3600);

/// A repository, a source that changes, and what each backup held.
struct World {
    base: testing::World,
    kept: Mutex<BTreeMap<Id, Files>>,
}

impl std::ops::Deref for World {
    type Target = testing::World;

    fn deref(&self) -> &testing::World {
        &self.base
    }
}

impl World {
    fn new(grace: Duration) -> World {
        let options = InitOptions {
            grace,
            ..testing::small_packs()
        };
        World {
            base: testing::World::empty(&options, true),
            kept: Mutex::default(),
        }
    }

    /// Of two backups the first, with a large file that the other does not have, is deleted.
    fn with_rubbish(grace: Duration) -> World {
        let world = World::new(grace);
        world.write("a", 2_000_000, 1);
        let first = world.backup();
        world.write("a", 2_000_000, 2);
        world.backup();
        world.forget(&first);
        world
    }

    fn write(&self, name: &str, len: usize, seed: u8) {
        self.base.write(name, &noise(len, seed));
    }

    fn backup(&self) -> Id {
        let id = self.base.backup().snapshot.unwrap().parse().unwrap();
        self.kept.lock().unwrap().insert(id, self.files());
        id
    }

    fn forget(&self, id: &Id) {
        self.kept.lock().unwrap().remove(id);
        forget::delete(&self.repo, &[*id], &Silent, &Stop::default()).unwrap();
    }

    fn try_maintain(&self, options: &MaintenanceOptions) -> Result<MaintenanceReport> {
        maintain(&self.repo, options, &Silent, &Stop::default())
    }

    fn maintain(&self) -> MaintenanceReport {
        let options = MaintenanceOptions {
            prices: Prices::FREE,
            accept_missing: true,
            ..MaintenanceOptions::default()
        };
        self.try_maintain(&options).unwrap()
    }

    fn pack_bytes(&self) -> usize {
        let all = self.storage.contents();
        let packs = all.iter().filter(|(k, _)| k.starts_with("packs/"));
        packs.map(|(_, bytes)| bytes.len()).sum()
    }

    fn bury(&self, packs: Vec<Id>, index: Vec<Id>) {
        testing::bury(&self.storage, &self.repo.keyring, packs, index);
    }

    /// Every snapshot restores, byte for byte as its source was; through a repository without a cache.
    fn assert_restores(&self) {
        self.storage.set_hook(None);
        let repo = Arc::new(Repository::serial(self.repo.storage.clone(), &self.repo));
        let kept = self.kept.lock().unwrap();
        let mut there = self.names("snapshots/");
        there.sort();
        assert_eq!(there, kept.keys().copied().collect::<Vec<_>>());
        for (id, files) in kept.iter() {
            let restored = testing::restore(&repo, id, &self.source());
            assert!(restored == (files.clone(), 0), "{id}");
        }
    }
}

#[test]
fn what_nothing_needs_goes_after_two_grace_periods() {
    let world = World::new(G);
    world.write("a", 3_000_000, 1);
    let first = world.backup();
    world.write("a", 3_000_000, 2);
    world.write("b", 1000, 3);
    world.backup();
    let full = world.pack_bytes();
    world.forget(&first);

    let young = world.maintain();
    assert_eq!(
        (young.buried.packs_buried, young.swept.packs_deleted),
        (0, 0)
    );
    world.storage.advance(DAY);
    let dry = MaintenanceOptions {
        dry_run: true,
        prices: Prices::FREE,
        ..MaintenanceOptions::default()
    };
    let before = world.storage.contents();
    let would = world.try_maintain(&dry).unwrap();
    assert_eq!(world.storage.contents(), before, "a dry run writes nothing");

    let marked = world.maintain();
    assert_eq!(marked.buried.packs_buried, would.buried.packs_buried);
    assert!(marked.buried.packs_buried >= 3 && marked.buried.bytes_buried > 3_000_000);
    assert!(marked.next_deletion.is_some());
    assert_eq!(marked.swept.packs_deleted, 0);
    assert!(world.pack_bytes() >= full);
    world.assert_restores();

    // Not a moment too soon.
    world.storage.advance(G - Duration::from_secs(1));
    assert_eq!(world.maintain().swept.packs_deleted, 0);
    world.storage.advance(Duration::from_secs(2));
    let swept = world.maintain();
    assert_eq!(swept.swept.packs_deleted, marked.buried.packs_buried);
    assert_eq!(swept.swept.bytes_deleted, marked.buried.bytes_buried);
    assert!(world.pack_bytes() < full - 3_000_000);
    assert_eq!(world.names("tombstones/").len(), 0);
    assert_eq!(world.names("index/").len(), 1);
    world.assert_restores();
    // And then there is nothing left to do.
    let idle = world.maintain();
    assert_eq!(
        (idle.buried.packs_buried, idle.buried.index_replaced),
        (0, 0)
    );
    assert_eq!(idle.usage.put, 0);
    world.backup();
    world.assert_restores();
}

#[test]
fn a_pack_of_which_little_is_needed_is_moved() {
    let world = World::new(G);
    // One pack holds all of these, in chunks of their own.
    for n in 0..6 {
        world.write(&format!("f{n}"), 150_000, n);
    }
    let first = world.backup();
    for n in 0..5 {
        std::fs::remove_file(world.source().join(format!("f{n}"))).unwrap();
    }
    world.backup();
    world.forget(&first);
    world.storage.advance(DAY);
    let limited = MaintenanceOptions {
        max_repack: 1000,
        prices: Prices::FREE,
        ..MaintenanceOptions::default()
    };
    let none = MaintenanceOptions {
        dry_run: true,
        ..limited
    };
    assert!(world.try_maintain(&none).unwrap().plan.bytes_moved <= 1000);
    let marked = world.maintain();
    assert!(marked.plan.packs_repacked >= 1 && marked.plan.bytes_moved >= 150_000);
    world.assert_restores();
    world.storage.advance(DAY);
    let before = world.pack_bytes();
    world.maintain();
    assert!(world.pack_bytes() + 700_000 < before);
    world.assert_restores();
}

#[test]
fn what_is_needed_after_all_is_rescued() {
    let world = World::new(G);
    world.write("a", 2_000_000, 1);
    world.write("b", 1000, 2);
    world.backup();
    let (packs, index) = (world.names("packs/"), world.names("index/"));
    // As if maintenance had not seen the snapshot: everything that it needs is named.
    world.bury(packs.clone(), index);
    world.storage.advance(DAY);
    let report = world.maintain();
    assert!(report.chunks_rescued > 2);
    assert_eq!(report.swept.packs_deleted, packs.len() as u64);
    world.assert_restores();

    // Only the index object is named: its packs are named anew, and nothing is copied.
    let (packs, index) = (world.names("packs/"), world.names("index/"));
    world.bury(vec![], index.clone());
    world.storage.advance(DAY);
    let report = world.maintain();
    assert_eq!((report.chunks_rescued, report.swept.index_deleted), (0, 1));
    assert_eq!(world.names("packs/"), packs);
    assert_ne!(world.names("index/"), index);
    world.assert_restores();
}

#[test]
fn a_copy_that_stays_is_decoded_before_the_other_goes() {
    let world = World::new(G);
    world.write("a", 300_000, 1);
    world.backup();
    let old = world.names("packs/");
    world.bury(old.clone(), world.names("index/"));
    // Backs the same up again, into new packs, of which one rots.
    world.backup();
    let new: Vec<Id> = world.names("packs/");
    let rotten = new.iter().filter(|n| !old.contains(n));
    for name in rotten {
        let key = pack_key(name);
        if world.storage.contents()[&key].len() > 200_000 {
            assert!(world.storage.tamper(&key, |bytes| bytes[100_000] ^= 1));
        }
    }
    world.storage.advance(DAY);
    let report = world.maintain();
    assert!(report.chunks_rescued >= 1);
    assert_eq!(report.swept.packs_deleted, old.len() as u64);
    world.assert_restores();
}

#[test]
fn packs_that_no_index_names_are_swept() {
    let world = World::new(G);
    world.write("a", 2_000_000, 1);
    let first = world.backup();
    let count = world.names("packs/").len() as u64;
    for id in world.names("index/") {
        world.storage.delete(&format!("index/{id}")).unwrap();
    }
    world.storage.advance(DAY);
    // A snapshot needs them: something is wrong, and nothing is touched.
    let before = world.storage.contents();
    let report = world.maintain();
    assert_eq!(report.frozen[0].kind, Kind::Damaged);
    assert_eq!(report.frozen[0].backup, first.hex());
    assert_eq!(world.storage.contents(), before);

    world.forget(&first);
    let report = world.maintain();
    assert_eq!(
        (report.buried.strays, report.buried.packs_buried),
        (count, count)
    );
    world.storage.advance(DAY);
    assert_eq!(world.maintain().swept.packs_deleted, count);
    assert_eq!(world.names("packs/").len(), 0);
}

#[test]
fn damage_stops_it() {
    for prefix in ["index/", "snapshots/"] {
        let world = World::new(G);
        world.write("a", 2_000_000, 1);
        world.backup();
        world.write("a", 2_000_000, 2);
        let second = world.backup();
        let first = world.names("snapshots/").into_iter().find(|s| *s != second);
        world.forget(&first.unwrap());
        world.storage.advance(DAY);
        let key = format!("{prefix}{}", world.names(prefix)[0]);
        world.storage.tamper(&key, |bytes| bytes[300] ^= 1);
        std::fs::remove_dir_all(world.work.path().join("here")).unwrap();
        let before = world.storage.contents();
        let refused = world.try_maintain(&MaintenanceOptions::default());
        assert_eq!(refused.unwrap_err().kind(), Kind::Damaged, "{prefix}");
        assert_eq!(world.storage.contents(), before);
    }
}

#[test]
fn without_permission_to_delete_the_rest_is_done() {
    let world = World::with_rubbish(G);
    world.storage.advance(DAY);
    world.maintain();
    world.storage.advance(DAY);
    let hook = |request: &Request<'_>| match request.op {
        Op::Delete => Err(Error::new(Kind::PermissionDenied, "no")),
        _ => Ok(()),
    };
    let hook: Arc<Hook> = Arc::new(hook);
    world.storage.set_hook(Some(hook));
    let warnings = Warnings::default();
    let options = MaintenanceOptions::default();
    let report = maintain(&world.repo, &options, &warnings, &Stop::default()).unwrap();
    assert_eq!(
        (report.swept.packs_deleted, report.swept.tombstones_deleted),
        (0, 0)
    );
    assert!(report.swept.refused >= 3);
    let told = warnings.take();
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("may not delete"));
    world.storage.set_hook(None);
    assert!(world.maintain().swept.packs_deleted >= 2);
    world.assert_restores();
}

#[test]
fn with_no_grace_everything_goes_at_once() {
    let world = World::with_rubbish(Duration::ZERO);
    let report = world.maintain();
    assert!(report.swept.packs_deleted >= 2 && report.swept.bytes_deleted > 2_000_000);
    assert_eq!(world.names("tombstones/").len(), 0);
    world.assert_restores();
}

#[test]
fn many_index_objects_become_one() {
    let world = World::new(G);
    for n in 0..9 {
        world.write("a", 10_000, n);
        world.backup();
        world.storage.advance(Duration::from_secs(60));
    }
    assert_eq!(world.names("index/").len(), 9);
    let options = MaintenanceOptions {
        mode: Mode::Metadata,
        ..MaintenanceOptions::default()
    };
    let report = world.try_maintain(&options).unwrap();
    assert_eq!(
        (report.buried.index_replaced, report.buried.index_written),
        (9, 1)
    );
    assert_eq!((report.snapshots, report.buried.packs_buried), (0, 0));
    world.assert_restores();
    world.storage.advance(DAY);
    let report = world.try_maintain(&options).unwrap();
    assert_eq!(
        (report.swept.index_deleted, report.swept.tombstones_deleted),
        (9, 1)
    );
    assert_eq!(world.names("index/").len(), 1);
    world.assert_restores();
}

#[test]
fn a_run_that_takes_longer_than_the_grace_period_keeps_what_it_stored() {
    let world = World::new(G);
    let start = || Run::start(world.repo.clone(), Arc::new(Silent), Stop::default()).unwrap();
    let store = |run: &Run, seed: u8| {
        let raw = noise(200_000, seed);
        let id = run.keys().chunk_id(&raw);
        assert!(run.chunk(ObjectKind::Data, &id, &raw).unwrap());
        run.flush().unwrap();
    };
    let (long, dead) = (start(), start());
    store(&long, 1);
    store(&dead, 2);
    for _ in 0..4 {
        world.storage.advance(G / 3);
        long.renew().unwrap();
    }
    store(&long, 3);
    let report = world.maintain();
    assert_eq!(report.buried.packs_buried, 1, "only what the dead run left");
    long.look_again().unwrap();
    assert!(long.has(&long.keys().chunk_id(&noise(200_000, 1))).unwrap());
    assert!(!long.has(&long.keys().chunk_id(&noise(200_000, 2))).unwrap());
    // It ends without a snapshot: a grace period later it counts as dead as well.
    world.storage.advance(DAY);
    assert_eq!(world.maintain().buried.packs_buried, 2);
    long.close();
    dead.close();
}

#[test]
fn records_of_deletions_go_long_after_them() {
    let world = World::new(G);
    world.write("a", 1000, 1);
    let first = world.backup();
    world.write("a", 1000, 2);
    world.backup();
    crate::ops::forget::delete(&world.repo, &[first], &Silent, &Stop::default()).unwrap();
    world.kept.lock().unwrap().remove(&first);
    world.storage.advance(super::KEEP_RECORDS);
    assert_eq!(world.maintain().records_deleted, 0);
    world.storage.advance(DAY);
    assert_eq!(world.maintain().records_deleted, 1);
    assert_eq!(world.names("records/").len(), 0);
    world.assert_restores();
}

#[test]
fn a_short_grace_period_is_refused() {
    let world = World::new(G);
    let options = |grace| MaintenanceOptions {
        grace: Some(grace),
        ..MaintenanceOptions::default()
    };
    let short = world.try_maintain(&options(Duration::from_secs(3600)));
    assert_eq!(short.unwrap_err().kind(), Kind::Usage);
    world.try_maintain(&options(Duration::ZERO)).unwrap();
    world.try_maintain(&options(G * 2)).unwrap();
}
