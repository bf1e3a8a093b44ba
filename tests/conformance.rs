//! The storage contract on every backend, S3 against real servers.

mod support;

use corso::storage::conformance::{Options, Report, run};
use corso::storage::fault::{Fault, FaultStorage, Rule};
use corso::storage::filesystem::FilesystemStorage;
use corso::storage::memory::MemoryStorage;
use std::time::Duration;
use support::{Moto, Rclone, S3Options, S3Server, temp_dir};

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

/// Else the suites below would prove nothing about signing.
#[test]
fn servers_refuse_unsigned_requests() {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let status = |endpoint: String| {
        let url = format!("http://{endpoint}/corso-test?list-type=2");
        agent.get(url).call().unwrap().status().as_u16()
    };
    let s3s = S3Server::start(S3Options::default());
    assert_eq!(status(s3s.endpoint()), 403);
    assert_eq!(s3s.count("GET", "corso-test"), 1);
    if let Some(rclone) = Rclone::start(&["corso-test"]) {
        // It finds the header's absence before the signature's.
        assert_eq!(status(rclone.endpoint()), 400);
    }
    if let Some(moto) = Moto::start(&["corso-test"]) {
        assert_eq!(status(moto.endpoint()), 403);
    }
}
