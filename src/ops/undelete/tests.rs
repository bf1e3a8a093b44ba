//! Undeleting beside maintenance, on the memory storage with its own clock.

use super::*;
use crate::crypto::{Passphrase, Role};
use crate::ops::maintenance::{MaintenanceOptions, Prices, maintain};
use crate::ops::opened::OpenSnapshot;
use crate::ops::restore::RestoreOptions;
use crate::ops::testing::{G, World, noise};
use crate::report::Silent;
use crate::storage::fault::Op;
use crate::storage::memory::{Phase, Request};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(25 * 3600);

impl World {
    fn maintain(&self) {
        let options = MaintenanceOptions {
            prices: Prices::FREE,
            ..MaintenanceOptions::default()
        };
        maintain(&self.repo, &options, &Silent, &Stop::default()).unwrap();
    }

    fn undelete(&self, id: &Id) -> Result<UndeleteReport> {
        let deletion = find(&self.repo, &id.hex(), &Silent)?;
        undelete(
            self.repo.clone(),
            &deletion,
            Arc::new(Silent),
            &Stop::default(),
        )
    }

    /// A backup of a large file that goes again before the next one.
    fn deleted_backup(&self, repo: &Arc<Repository>) -> Id {
        self.write("large", &noise(3 << 20, 1));
        let first = self.backup_as(repo, Arc::new(Silent));
        self.write("large", &noise(2 << 20, 2));
        self.backup_as(repo, Arc::new(Silent));
        self.delete(&first);
        first
    }

    /// The backup restores from a machine without a cache, and its large file is the first one.
    fn assert_whole(&self, report: &UndeleteReport) {
        let repo = self.open("elsewhere", "full");
        let id = report.snapshot.parse().unwrap();
        let opened = OpenSnapshot::new(&repo, repo.snapshot(&id).unwrap(), &Silent).unwrap();
        let out = self.work.path().join("out");
        let options = RestoreOptions {
            destination: out.clone(),
            ..RestoreOptions::default()
        };
        let restored = opened.restore(&options, &Silent, &Stop::default()).unwrap();
        assert_eq!(restored.errors, 0);
        let landed = out.join(self.source().strip_prefix("/").unwrap());
        assert!(std::fs::read(landed.join("large")).unwrap() == noise(3 << 20, 1));
        std::fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn what_nothing_has_buried_is_used_as_it_is() {
    let world = World::small();
    let first = world.deleted_backup(&world.repo);
    let report = world.undelete(&first).unwrap();
    assert_eq!((report.copied_chunks, report.written.data_packs), (0, 0));
    assert_ne!(report.snapshot, first.hex());
    world.assert_whole(&report);
    let again = world.undelete(&first).unwrap_err().to_string();
    assert!(again.contains("brought back already"), "{again}");
    let there = world.undelete(&report.snapshot.parse().unwrap());
    assert!(there.is_err());
    let all = SnapshotFilter::default();
    assert!(deleted(&world.repo, &all, &Silent).unwrap().is_empty());
}

#[test]
fn what_was_pinned_comes_back_pinned() {
    let world = World::small();
    let first = world.backup_as(&world.repo, Arc::new(Silent));
    world
        .repo
        .put_records(vec![Change::Pin(first)], &Silent)
        .unwrap();
    world.write("other", b"other");
    world.backup();
    world.delete(&first);
    let report = world.undelete(&first).unwrap();
    assert!(report.pinned);
    let pins = world.repo.records(Deletions::None, &Silent).unwrap().pins;
    assert!(pins.contains(&report.snapshot.parse().unwrap()));
    // One that was not pinned is not.
    world.delete(
        &world
            .snapshots()
            .into_iter()
            .find(|id| id.hex() != report.snapshot)
            .unwrap(),
    );
    let other = deleted(&world.repo, &SnapshotFilter::default(), &Silent).unwrap();
    assert!(!world.undelete(&other[0].snapshot.id).unwrap().pinned);
}

/// The grace period may have been made longer since: then this deletion is one of the recent ones.
#[test]
fn the_grace_period_in_force_is_the_one_that_counts() {
    let world = World::small();
    let longer = Change::Settings {
        retention: Default::default(),
        grace: Some(4 * G),
    };
    world.repo.put_records(vec![longer], &Silent).unwrap();
    let first = world.deleted_backup(&world.repo);
    world.storage.advance(2 * G);
    let reads = |world: &World| {
        let before = world.storage.usage();
        find(&world.repo, &first.hex(), &Silent).unwrap();
        world.storage.usage().since(&before).list
    };
    let listed = reads(&world);
    world.storage.advance(4 * G);
    assert!(
        reads(&world) > listed,
        "beyond it, all records are asked for"
    );
}

#[test]
fn what_is_buried_is_stored_anew_and_stays() {
    for writer in [false, true] {
        let world = World::small();
        let key = Passphrase::new("writer");
        world.repo.add_key(&key, Role::Writer, "w").unwrap();
        let host = match writer {
            true => world.open("laptop", "writer"),
            false => world.repo.clone(),
        };
        let first = world.deleted_backup(&host);
        world.storage.advance(DAY);
        world.maintain();
        let report = world.undelete(&first).unwrap();
        assert!(report.copied_chunks >= 2, "{report:?}");
        world.assert_whole(&report);
        for _ in 0..3 {
            world.storage.advance(DAY);
            world.maintain();
            world.assert_whole(&report);
        }
        let there = world
            .repo
            .snapshot(&report.snapshot.parse().unwrap())
            .unwrap();
        assert_eq!(there.manifest.writer, host.writer());
    }
}

#[test]
fn what_was_swept_is_too_late() {
    let world = World::small();
    let first = world.deleted_backup(&world.repo);
    for _ in 0..3 {
        world.storage.advance(DAY);
        world.maintain();
    }
    let late = world.undelete(&first).unwrap_err().to_string();
    assert!(late.contains("too late"), "{late}");
    assert_eq!(world.repo.snapshot_names().unwrap().len(), 1);
}

impl World {
    /// Does `act` once, when the snapshot's put reaches `phase`.
    fn at_snapshot(self: &Arc<Self>, phase: Phase, act: impl Fn(&World) + Send + Sync + 'static) {
        let (done, world) = (AtomicBool::new(false), Arc::downgrade(self));
        let hook = move |r: &Request<'_>| {
            let here = r.op == Op::Put && r.phase == phase && r.key.starts_with("snapshots/");
            if here && !done.swap(true, Ordering::SeqCst) {
                act(&world.upgrade().unwrap());
            }
            Ok(())
        };
        self.storage.set_hook(Some(Arc::new(hook)));
    }

    fn assert_stays_whole(&self, report: &UndeleteReport) {
        self.storage.set_hook(None);
        for _ in 0..2 {
            self.storage.advance(DAY);
            self.maintain();
        }
        self.assert_whole(report);
    }
}

#[test]
fn what_a_renewal_takes_away_is_stored_anew() {
    let world = Arc::new(World::small());
    let first = world.deleted_backup(&world.repo);
    world.storage.advance(DAY);
    world.at_snapshot(Phase::Ready, |w| {
        w.maintain();
        w.storage.advance(G / 2 + Duration::from_secs(1));
    });
    let report = world.undelete(&first).unwrap();
    assert!(report.copied_chunks >= 2, "{report:?}");
    world.assert_stays_whole(&report);
}

/// The storage does not enforce the window of 15 minutes: the put is under way for longer than the grace period.
#[test]
fn a_snapshot_that_arrives_too_late_is_mended_or_withdrawn() {
    let world = Arc::new(World::small());
    let first = world.deleted_backup(&world.repo);
    world.storage.advance(DAY);
    world.at_snapshot(Phase::Sent, |w| {
        w.maintain();
        w.storage.advance(G * 2);
    });
    let report = world.undelete(&first).unwrap();
    assert!(report.copied_chunks >= 2, "{report:?}");
    world.assert_stays_whole(&report);

    let world = Arc::new(World::small());
    let first = world.deleted_backup(&world.repo);
    world.storage.advance(DAY);
    world.at_snapshot(Phase::Sent, |w| {
        w.maintain();
        w.storage.advance(G * 2);
        w.maintain();
    });
    let late = world.undelete(&first).unwrap_err().to_string();
    assert!(late.contains("too late"), "{late}");
    assert_eq!(world.repo.snapshot_names().unwrap().len(), 1);
}
