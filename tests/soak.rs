//! Several hosts at once, for a while: backups with full and writer keys on trees that change meanwhile, forgets,
//! undeletes, maintenances and restores, some of them killed; on a folder, and on a real S3 server behind a proxy that
//! injects faults. Every restore is compared with what the source was.
//!
//! Rounds of work take turns with jumps of the storage's clock, so that what one round marks for deletion a later one
//! deletes, beside backups. A round is shorter than the grace period by far; nothing runs while the clock jumps.
//!
//! `CORSO_SOAK_SECONDS` says how long (45), `CORSO_SOAK_SEED` repeats the choices, though not their timing.
#![cfg(unix)]

mod support;

#[path = "soak/host.rs"]
mod host;
#[path = "soak/storage.rs"]
mod storage;
#[path = "soak/tree.rs"]
mod tree;
#[path = "soak/world.rs"]
mod world;

use storage::Storage;
use world::World;

#[test]
fn on_a_folder() {
    World::new(Storage::folder()).soak();
}

#[test]
fn on_s3_with_faults() {
    if let Some(storage) = Storage::s3() {
        World::new(storage).soak();
    }
}
