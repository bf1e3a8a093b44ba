//! Every kind of damage is seen, told with the files that it touches, and nothing else is.

mod unreadable;

use super::*;
use crate::format::tombstone::{self, Tombstone};
use crate::id::{Id, Id16};
use crate::ops::testing::World;
use crate::report::Silent;
use crate::storage::{PutOptions, Storage};

fn checked(world: &World, read: Option<Subset>) -> CheckReport {
    let options = CheckOptions {
        read,
        checksums: false,
    };
    check(&world.repo, &options, &Silent, &Stop::default()).unwrap()
}

fn kinds(report: &CheckReport) -> Vec<What> {
    let mut kinds: Vec<What> = report.findings.iter().map(|f| f.what).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

#[test]
fn a_whole_repository_is_clean() {
    let world = World::backed_up();
    let report = checked(&world, Some(Subset::All));
    assert!(report.is_clean(), "{:?}", report.findings);
    assert_eq!((report.snapshots, report.unindexed_packs), (2, 0));
    assert_eq!(report.packs, report.packs_read);
    assert!(report.next_steps().is_empty());
    let part = checked(&world, Some(Subset::Percent(1.0)));
    assert_eq!(part.packs_read, 1);
}

#[test]
fn a_missing_pack_is_told_with_its_files_in_each_backup() {
    let world = World::backed_up();
    let before = world.storage.save();
    for key in world.packs() {
        world.remove(&key);
        let report = checked(&world, None);
        assert!(kinds(&report).contains(&What::PackMissing), "{key}");
        assert!(!report.next_steps().is_empty() && report.next_steps()[0].contains("repair packs"));
        for id in world.snapshots() {
            // What restore cannot give is what the check names.
            let (files, errors) = world.restore_or_nothing(&id);
            let named = report.files.iter().filter(|f| f.snapshot == id).count();
            assert_eq!(errors > 0, named > 0, "{key}: {:?}", report.files);
            assert_eq!(report.damaged_snapshots.contains(&id), named > 0);
            if report.findings.iter().all(|f| f.what != What::Node) {
                assert_eq!(files + named, 23, "{key}");
            }
        }
        world.storage.load(&before);
    }
}

impl World {
    /// How many files come out, and how many errors.
    fn restore_or_nothing(&self, id: &Id) -> (usize, u64) {
        let (files, errors) = self.restore(id);
        (files.len(), errors)
    }
}

#[test]
fn a_flipped_byte_is_found_by_reading_and_costs_one_chunk() {
    let world = World::backed_up();
    let before = world.storage.save();
    for key in world.packs() {
        let len = world.storage.contents()[&key].len();
        for at in [20, 1300, len - 50] {
            assert!(world.storage.tamper(&key, |b| b[at] ^= 1));
            let report = checked(&world, Some(Subset::All));
            let pack: Vec<_> = report
                .findings
                .iter()
                .filter(|f| f.what == What::Pack)
                .collect();
            assert_eq!(pack.len(), 1, "{key} {at}: {:?}", report.findings);
            assert_eq!(pack[0].object, key);
            if at == len - 50 {
                // The trailer: every chunk still opens by the index, though a reader of metadata wants whole packs.
                assert!(
                    pack[0].message.contains("; 0 of its"),
                    "{}",
                    pack[0].message
                );
            }
            world.storage.load(&before);
        }
    }
}

#[test]
fn small_objects_are_checked() {
    let world = World::backed_up();
    let cases = [
        ("config", What::Config),
        ("keys/", What::KeySlot),
        ("snapshots/", What::Snapshot),
        ("index/", What::Index),
    ];
    let before = world.storage.save();
    for (prefix, what) in cases {
        let key = world.keys(prefix)[0].clone();
        for change in [0, 1, 2] {
            world.storage.tamper(&key, |b| match change {
                0 => b.truncate(b.len() / 2),
                1 => b.fill(0),
                _ => *b.last_mut().unwrap() ^= 1,
            });
            assert!(
                kinds(&checked(&world, None)).contains(&what),
                "{key} {change}"
            );
            world.storage.load(&before);
        }
    }
}

#[test]
fn tombstones_are_checked_and_what_they_name_is_no_error() {
    let world = World::backed_up();
    let bury = |keyring: &crate::crypto::Keyring, packs: Vec<Id>| {
        let stone = Tombstone {
            packs,
            index: vec![],
            nonce: Id16::random().unwrap(),
        };
        let bytes = tombstone::encode(&stone, keyring).unwrap();
        let key = format!("tombstones/{}", Id::sha256(&bytes));
        world
            .storage
            .put(&key, &bytes, &PutOptions::default())
            .unwrap();
        key
    };
    let pack: Id = world.packs()[0]
        .rsplit('/')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let key = bury(&world.repo.keyring, vec![pack]);
    let report = checked(&world, None);
    assert!(report.is_clean() && report.dying_chunks > 0);
    world.storage.tamper(&key, |b| b[30] ^= 1);
    assert_eq!(kinds(&checked(&world, None)), [What::Tombstone]);
    world.remove(&key);
    let stranger = crate::crypto::Keyring::generate(world.repo.id()).unwrap();
    bury(&stranger, vec![pack]);
    assert_eq!(kinds(&checked(&world, None)), [What::ForgedTombstone]);
}
