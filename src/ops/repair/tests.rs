//! What can be mended is, nothing gets worse, and what is lost comes back from its source.

mod holes;
mod keys;

use super::*;
use crate::id::Id;
use crate::ops::check::{CheckOptions, CheckReport, Subset, check};
use crate::ops::maintenance::{MaintenanceOptions, maintain};
use crate::ops::testing::{World, noise};
use crate::report::Silent;
use crate::storage::Storage;
use std::sync::Arc;
use std::time::Duration;

const G: Duration = Duration::from_secs(24 * 3600);

fn checked(world: &World) -> CheckReport {
    let options = CheckOptions {
        read: Some(Subset::All),
        checksums: false,
    };
    check(&world.repo, &options, &Silent, &Stop::default()).unwrap()
}

fn index(world: &World, all: bool) -> IndexReport {
    let options = IndexOptions {
        all,
        dry_run: false,
    };
    repair_index(&world.repo, &options, &Silent, &Stop::default()).unwrap()
}

fn packs(world: &World, packs: &[String], dry_run: bool) -> PacksReport {
    let options = PacksOptions {
        packs: packs.to_vec(),
        read_data: false,
        dry_run,
    };
    repair_packs(&world.repo, &options, &Silent, &Stop::default()).unwrap()
}

fn snapshots(world: &World, holes: bool) -> SnapshotsReport {
    let options = SnapshotsOptions {
        snapshots: vec![],
        holes,
    };
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    repair_snapshots(&world.repo, &options, &observer, &Stop::default()).unwrap()
}

fn maintained(world: &World) {
    for _ in 0..2 {
        maintain(
            &world.repo,
            &MaintenanceOptions::default(),
            &Silent,
            &Stop::default(),
        )
        .unwrap();
        world.storage.advance(G + Duration::from_secs(3600));
    }
}

fn name(key: &str) -> String {
    key.rsplit('/').next().unwrap().to_string()
}

#[test]
fn the_index_comes_back_from_the_packs_alone() {
    let world = World::backed_up();
    let objects = world.keys("index/");
    world.remove(&objects[0]);
    world.storage.tamper(&objects[1], |b| b[100] ^= 1);
    assert!(!checked(&world).is_clean());
    let before = world.storage.contents();
    let dry = IndexOptions {
        all: false,
        dry_run: true,
    };
    let planned = repair_index(&world.repo, &dry, &Silent, &Stop::default()).unwrap();
    assert_eq!(world.storage.contents(), before);
    let done = index(&world, false);
    assert_eq!(planned.packs_indexed, done.packs_indexed);
    assert_eq!(done.packs_indexed, world.packs().len() as u64);
    assert_eq!(done.index_deleted, [name(&objects[1])]);
    assert!(checked(&world).is_clean());
    // Nothing is uploaded again, and nothing is left to repair.
    assert_eq!(world.backup().written.data_packs, 0);
    assert_eq!(index(&world, true).packs_indexed, 0);
    maintained(&world);
    assert!(checked(&world).is_clean());
}

#[test]
fn a_damaged_chunk_heals_from_the_source_though_its_file_has_not_changed() {
    let world = World::new();
    world.backup();
    let whole: Vec<_> = world
        .snapshots()
        .iter()
        .map(|id| (*id, world.restore(id)))
        .collect();
    let key = world.packs()[1].clone();
    world.storage.tamper(&key, |b| b[5000] ^= 1);
    let found = checked(&world);
    assert!(
        found.next_steps()[0].contains(&name(&key)[..16]),
        "{:?}",
        found.next_steps()
    );
    // Unchanged files are taken over from the parent while the damage is not known.
    assert_eq!(world.backup().counts.files_read, 0);
    assert!(!packs(&world, &[name(&key)], true).packs_damaged.is_empty());
    assert!(world.keys("tombstones/").is_empty());
    let done = packs(&world, &[name(&key)[..16].to_string()], false);
    assert_eq!((done.packs_damaged.len(), done.chunks_lost), (1, 1));
    assert!(!checked(&world).files.is_empty(), "it is still lost");
    let healed = world.backup();
    assert!(healed.counts.files_read > 0 && healed.written.chunks >= 1);
    assert!(checked(&world).is_clean(), "{:?}", checked(&world));
    for (id, files) in whole {
        assert!(world.restore(&id) == files);
    }
    maintained(&world);
    assert!(
        !world.packs().contains(&key),
        "maintenance has deleted the damaged pack"
    );
    assert!(checked(&world).is_clean());
}

#[test]
fn a_vanished_pack_is_taken_out_of_the_index_and_heals() {
    for by_index in [true, false] {
        let world = World::backed_up();
        let before = world.storage.save();
        for key in world.packs() {
            let id = world.snapshots()[0];
            world.remove(&key);
            match by_index {
                true => assert_eq!(index(&world, false).packs_missing, [name(&key)]),
                false => assert_eq!(packs(&world, &[], false).packs_missing, [name(&key)]),
            }
            assert!(
                checked(&world)
                    .findings
                    .iter()
                    .all(|f| !f.object.starts_with("packs/"))
            );
            world.write("large0", &noise(2 << 20, 100));
            world.backup();
            world.write("large0", &noise(2 << 20, 200));
            world.backup();
            let after = checked(&world);
            // Nodes of a tree come back only where the same tree is made again.
            if after.is_clean() {
                assert_eq!(world.restore(&id).1, 0);
                maintained(&world);
                assert!(checked(&world).is_clean());
            } else {
                assert!(
                    after
                        .findings
                        .iter()
                        .all(|f| f.what == crate::ops::check::What::Node),
                    "{after:?}"
                );
            }
            world.storage.load(&before);
        }
    }
}

#[test]
fn undoing_the_damage_after_a_repair_is_clean() {
    let world = World::backed_up();
    for key in world.packs() {
        let before = world.storage.save();
        let body = world.storage.contents()[&key].clone();
        world.remove(&key);
        packs(&world, &[], false);
        world.storage.put(&key, &body, &Default::default()).unwrap();
        assert!(checked(&world).is_clean(), "{key}");
        maintained(&world);
        assert!(checked(&world).is_clean(), "{key}");
        world.storage.load(&before);
    }
}

#[test]
fn lost_files_become_holes_only_when_told_to() {
    let world = World::backed_up();
    let old = world.snapshots();
    let lost = noise(2 << 20, 101);
    // The source has changed meanwhile, so nothing can heal.
    let key = world.packs()[2].clone();
    world.remove(&key);
    packs(&world, &[], false);
    let shown = snapshots(&world, false);
    assert!(!shown.damaged.is_empty() && shown.damaged.iter().all(|m| m.new.is_none()));
    assert_eq!(world.snapshots(), old);
    let done = snapshots(&world, true);
    assert_eq!(done.damaged.len(), shown.damaged.len());
    assert!(checked(&world).is_clean(), "{:?}", checked(&world));
    let mut parent_hit = false;
    for mended in &done.damaged {
        let new = world.repo.snapshot(&mended.new.unwrap()).unwrap();
        parent_hit |= new.manifest.counter == 2;
        assert!(new.manifest.tags.contains(&"repaired".to_string()));
        assert!(!new.manifest.unreadable.is_empty());
        let (files, errors) = world.restore(&new.id);
        assert_eq!((files.len(), errors), (23, 0));
        for (name, bytes) in &files {
            let source: Vec<u8> = match name.as_str() {
                "large1" => lost.clone(),
                // The first backup has an older one.
                "large0" if new.manifest.counter == 1 => continue,
                _ => world.files()[name].clone(),
            };
            assert_eq!(bytes.len(), source.len(), "{name}");
            assert!(
                bytes.iter().zip(&source).all(|(a, b)| a == b || *a == 0),
                "{name}"
            );
        }
        assert!(!world.snapshots().contains(&mended.old));
    }
    assert_eq!(world.keys("records/").len(), done.damaged.len());
    // A file with holes is read again whatever its times say. The pack may be one that only the first backup needed.
    assert_eq!(world.backup().counts.files_read > 0, parent_hit);
    let newest: Vec<Id> = world.snapshots();
    assert!(newest.iter().any(|id| world.restore(id).0 == world.files()));
    maintained(&world);
    assert!(checked(&world).is_clean());
}
