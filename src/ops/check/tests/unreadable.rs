//! An object that is there and cannot be read is its own failure: the rest is restored, checked and repaired, and nothing
//! is concluded from it.

use super::*;
use crate::error::{Error, Kind};
use crate::ops::opened::OpenSnapshot;
use crate::ops::repair::{
    IndexOptions, PacksOptions, SnapshotsOptions, repair_index, repair_packs, repair_snapshots,
};
use crate::ops::restore::{RestoreOptions, RestoreReport};
use crate::ops::testing::{Warnings, bury, noise};
use crate::storage::fault::Op;
use crate::storage::memory::{Hook, Request};

/// What a storage may say of one object.
fn refusals() -> [Error; 4] {
    [
        Error::failed("input/output error"),
        Error::new(Kind::PermissionDenied, "permission denied"),
        Error::new(Kind::Archived, "archived").hint("bring it back first"),
        Error::new(Kind::Network, "status 500, InternalError").of_one(),
    ]
}

/// Reads of keys that `shut` takes fail with `error` from now on.
fn refuse(world: &World, error: &Error, shut: impl Fn(&str) -> bool + Send + Sync + 'static) {
    let error = error.again();
    let hook = move |request: &Request<'_>| match request.op {
        Op::Get | Op::GetRange | Op::Head if shut(request.key) => Err(error.again()),
        _ => Ok(()),
    };
    let hook: Arc<Hook> = Arc::new(hook);
    world.storage.set_hook(Some(hook));
}

fn refuse_one(world: &World, error: &Error, key: &str) {
    let key = key.to_owned();
    refuse(world, error, move |k| k == key);
}

fn restored(world: &World, id: &Id) -> (Result<RestoreReport>, usize) {
    let out = tempfile::tempdir().unwrap();
    let options = RestoreOptions {
        destination: out.path().to_owned(),
        ..RestoreOptions::default()
    };
    let report = world.repo.snapshot(id).and_then(|snapshot| {
        let opened = OpenSnapshot::new(&world.repo, snapshot, &Silent)?;
        opened.restore(&options, &Silent, &Stop::default())
    });
    let landed = out.path().join(world.source().strip_prefix("/").unwrap());
    (report, crate::ops::testing::read_files(&landed).len())
}

/// A snapshot, and its packs whose loss costs some of its files and not all.
fn parts(world: &World) -> (Id, Vec<String>) {
    let id = world.snapshots()[0];
    let before = world.storage.save();
    let costs = |key: &String| {
        world.storage.load(&before);
        world.remove(key);
        let (files, errors) = world.restore_or_nothing(&id);
        world.storage.load(&before);
        errors > 0 && files > 0
    };
    (id, world.packs().into_iter().filter(costs).collect())
}

#[test]
fn restore_gives_all_that_does_not_need_it() {
    let world = World::backed_up();
    let (id, packs) = parts(&world);
    for error in refusals() {
        for key in &packs {
            refuse_one(&world, &error, key);
            let (report, landed) = restored(&world, &id);
            let report = report.unwrap();
            assert!(report.errors > 0, "{error}");
            assert_eq!(landed as u64, 23 - report.errors, "{error}");
        }
    }
}

#[test]
fn other_places_of_a_chunk_are_tried() {
    let world = World::backed_up();
    let (id, packs) = parts(&world);
    let named: Vec<Id> = packs
        .iter()
        .map(|k| k.rsplit('/').next().unwrap().parse().unwrap())
        .collect();
    bury(&world.storage, &world.repo.keyring, named, vec![]);
    // What the tombstone names is stored anew where the source still has it.
    world.write("large0", &noise(2 << 20, 100));
    world.backup();
    world.write("large0", &noise(2 << 20, 200));
    world.backup();
    for error in refusals() {
        let shut = packs.clone();
        refuse(&world, &error, move |k| shut.iter().any(|s| s == k));
        assert_eq!(restored(&world, &id).0.unwrap().errors, 0, "{error}");
    }
}

#[test]
fn a_storage_that_gives_nothing_any_more_ends_the_restore() {
    let world = World::new();
    for n in 0..12 {
        world.write(&format!("more{n}"), &noise(1 << 20, 50 + n));
    }
    world.backup();
    let id = world.snapshots()[0];
    for error in refusals() {
        let again = error.again();
        // Metadata packs are read whole.
        let hook = move |request: &Request<'_>| match request.op {
            Op::GetRange if request.key.starts_with("packs/") => Err(again.again()),
            _ => Ok(()),
        };
        let hook: Arc<Hook> = Arc::new(hook);
        world.storage.set_hook(Some(hook));
        let ended = restored(&world, &id).0.unwrap_err();
        assert_eq!(ended.kind(), error.kind());
        assert!(ended.to_string().contains("in a row"), "{ended}");
        world.storage.set_hook(None);
        assert_eq!(restored(&world, &id).0.unwrap().errors, 0);
    }
}

#[test]
fn an_index_object_that_cannot_be_read_costs_what_only_it_names() {
    let world = World::backed_up();
    let objects = world.keys("index/");
    assert!(objects.len() > 1);
    for error in refusals() {
        for key in &objects {
            refuse_one(&world, &error, key);
            for id in world.snapshots() {
                assert!(restored(&world, &id).0.is_ok(), "{error}");
            }
            let found = checked(&world, None);
            assert!(kinds(&found).contains(&What::Unreadable));
            // Nothing is repaired on the strength of it.
            let before = world.storage.contents();
            let report = repair_index(
                &world.repo,
                &IndexOptions::default(),
                &Silent,
                &Stop::default(),
            );
            let report = report.unwrap();
            assert!(report.index_deleted.is_empty());
            assert_eq!(report.unread, std::slice::from_ref(key));
            assert!(
                before
                    .keys()
                    .all(|k| world.storage.contents().contains_key(k))
            );
        }
        refuse(&world, &error, |k| k.starts_with("index/"));
        let id = world.snapshots()[0];
        let ended = restored(&world, &id).0.unwrap_err();
        assert_eq!(ended.kind(), error.kind(), "none of the index can be read");
    }
}

#[test]
fn check_tells_it_and_goes_on() {
    let world = World::backed_up();
    let all = world.storage.contents().into_keys();
    let keys: Vec<String> = all.filter(|k| k != "config").collect();
    for error in refusals() {
        for key in &keys {
            refuse_one(&world, &error, key);
            let report = checked(&world, Some(Subset::All));
            let found: Vec<_> = report
                .findings
                .iter()
                .map(|f| (f.what, &f.message))
                .collect();
            assert!(
                !found.is_empty() && found.iter().all(|(what, _)| *what == What::Unreadable),
                "{key}: {found:?}"
            );
            assert!(found[0].1.contains(&error.message()), "{found:?}");
            let steps = report.next_steps();
            assert!(
                steps[0].contains("run `corso repo check` again"),
                "{steps:?}"
            );
            assert!(
                !steps.iter().any(|s| s.contains("repair packs")),
                "{steps:?}"
            );
            assert!(
                !steps.iter().any(|s| s.contains("--holes")),
                "{key} {steps:?}"
            );
        }
    }
}

#[test]
fn repair_leaves_it_and_mends_the_rest() {
    for error in refusals() {
        let world = World::backed_up();
        let packs = world.packs();
        let (shut, damaged) = (packs[1].clone(), packs[2].clone());
        world.storage.tamper(&damaged, |b| b[5000] ^= 1);
        refuse_one(&world, &error, &shut);
        let options = PacksOptions {
            read_data: true,
            ..PacksOptions::default()
        };
        let warnings = Warnings::default();
        let report = repair_packs(&world.repo, &options, &warnings, &Stop::default()).unwrap();
        let name = |key: &str| key.rsplit('/').next().unwrap().to_owned();
        assert_eq!(report.unread, std::slice::from_ref(&shut));
        assert_eq!(report.packs_damaged, [name(&damaged)]);
        assert!(warnings.take().contains(&error.message()));
        let named = PacksOptions {
            packs: vec![name(&shut)],
            ..PacksOptions::default()
        };
        let report = repair_packs(&world.repo, &named, &Silent, &Stop::default()).unwrap();
        assert_eq!((report.unread, report.packs_damaged.len()), (vec![shut], 0));
    }
}

#[test]
fn nothing_is_cut_out_of_a_backup_that_cannot_be_read_now() {
    let world = World::backed_up();
    let before = world.storage.contents();
    let metadata = |key: &String| {
        let saved = world.storage.save();
        world.remove(key);
        let broken = !kinds(&checked(&world, None)).is_empty()
            && checked(&world, None)
                .findings
                .iter()
                .any(|f| f.what == What::Node);
        world.storage.load(&saved);
        broken
    };
    let nodes: Vec<String> = world.packs().into_iter().filter(metadata).collect();
    assert!(!nodes.is_empty());
    for error in refusals() {
        for key in &nodes {
            refuse_one(&world, &error, key);
            let options = SnapshotsOptions {
                snapshots: vec![],
                holes: true,
            };
            let observer: Arc<dyn Observer> = Arc::new(Silent);
            let report =
                repair_snapshots(&world.repo, &options, &observer, &Stop::default()).unwrap();
            assert!(!report.damaged.is_empty());
            assert!(
                report
                    .damaged
                    .iter()
                    .all(|m| m.new.is_none() && m.unreadable > 0)
            );
            assert_eq!(world.storage.contents(), before);
        }
    }
}
