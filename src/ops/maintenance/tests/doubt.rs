//! Backups that are missing, and data that nothing accounts for.

use super::*;

/// What `repo` answers to maintenance; and what it would do if backups may be missing.
fn doubted(world: &World, repo: &Arc<Repository>) -> Error {
    let maintain = |options| maintain(repo, &options, &Silent, &Stop::default());
    let before = world.storage.contents();
    let refused = maintain(MaintenanceOptions::default()).unwrap_err();
    assert_eq!(world.storage.contents(), before, "nothing is changed");
    maintain(MaintenanceOptions {
        dry_run: true,
        ..MaintenanceOptions::default()
    })
    .unwrap();
    refused
}

fn accepting() -> MaintenanceOptions {
    MaintenanceOptions {
        accept_missing: true,
        ..MaintenanceOptions::default()
    }
}

#[test]
fn data_of_backups_that_vanished_is_left_alone() {
    let world = World::new(G);
    world.write("a", 3_000_000, 1);
    let first = world.backup();
    world.write("a", 3_000_000, 2);
    world.backup();
    world.storage.advance(DAY);
    world.repo.list_snapshots().unwrap();
    world.remove(&format!("snapshots/{first}"));
    let refused = doubted(&world, &world.repo);
    assert_eq!(refused.kind(), Kind::Changed);
    assert!(refused.to_string().contains("1 backup"), "{refused}");
    let done = world.try_maintain(&accepting()).unwrap();
    assert!(done.buried.packs_buried > 0);
}

#[test]
fn data_without_any_backup_is_left_alone() {
    let world = World::new(G);
    world.write("a", 3_000_000, 1);
    let only = world.backup();
    // Young data may be that of a first backup which runs.
    world.remove(&format!("snapshots/{only}"));
    let other = world.open("there", "full");
    let maintain =
        |options: &MaintenanceOptions| maintain(&other, options, &Silent, &Stop::default());
    maintain(&MaintenanceOptions::default()).unwrap();
    world.storage.advance(DAY);
    let refused = doubted(&world, &other);
    assert_eq!(refused.kind(), Kind::Changed);
    assert!(refused.to_string().contains("no backup"), "{refused}");
    let done = maintain(&accepting()).unwrap();
    assert!(done.buried.packs_buried > 0);
    // What is marked goes without further questions.
    world.storage.advance(DAY);
    let done = maintain(&MaintenanceOptions::default()).unwrap();
    assert!(done.swept.packs_deleted > 0);
}

/// That one backup was deleted says nothing of what others needed, whose snapshots somebody took away.
#[test]
fn a_deletion_accounts_for_its_own_data_only() {
    let world = World::new(G);
    world.write("a", 3_000_000, 1);
    let first = world.backup();
    world.write("a", 3_000_000, 2);
    let second = world.backup();
    world.forget(&first);
    world.storage.advance(DAY);
    let well = world.storage.save();
    world.remove(&format!("snapshots/{second}"));
    let other = world.open("there", "full");
    let refused = doubted(&world, &other);
    assert_eq!(refused.kind(), Kind::Changed);
    assert!(refused.to_string().contains("on record"), "{refused}");
    // Deleted with a record, it all goes.
    world.storage.load(&well);
    world.forget(&second);
    let done = maintain(
        &other,
        &MaintenanceOptions::default(),
        &Silent,
        &Stop::default(),
    );
    assert!(done.unwrap().buried.packs_buried > 0);
}
