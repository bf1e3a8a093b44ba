//! The storage contract on every backend, S3 against real servers.

mod support;

use corso::storage::conformance::{Options, Report, run};
use corso::storage::fault::{Fault, FaultStorage, Rule};
use corso::storage::filesystem::FilesystemStorage;
use corso::storage::memory::MemoryStorage;
use std::time::Duration;
use support::temp_dir;

#[test]
fn filesystem() {
    let directory = temp_dir();
    let storage = FilesystemStorage::open(directory.path(), false).unwrap();
    let report = run(
        &storage,
        &Options {
            keys: 1100,
            missing: None,
        },
    )
    .unwrap();
    assert_eq!(
        report,
        Report {
            conditional_puts: true,
            race_winners: 1
        }
    );
}

#[test]
fn memory() {
    let report = run(
        &MemoryStorage::new(),
        &Options {
            keys: 2100,
            missing: None,
        },
    )
    .unwrap();
    assert_eq!(
        report,
        Report {
            conditional_puts: true,
            race_winners: 1
        }
    );
}

#[test]
fn slow_storage() {
    let delay = Rule::new(Fault::Delay(Duration::from_millis(3))).chance(20);
    let storage = FaultStorage::new(MemoryStorage::new(), 1, vec![delay]);
    run(
        &storage,
        &Options {
            keys: 100,
            missing: None,
        },
    )
    .unwrap();
    assert!(storage.struck() > 10);
}
