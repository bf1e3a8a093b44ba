//! The storage contract on every backend, S3 against real servers.

mod support;

use corso::storage::conformance::{Options, Report, run};
use corso::storage::fault::{Fault, FaultStorage, Rule};
use corso::storage::filesystem::FilesystemStorage;
use corso::storage::memory::MemoryStorage;
use std::time::Duration;
use support::{Keys, Moto, Rclone, S3Options, S3Server, temp_dir};

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

/// Else the suites would prove nothing about signing.
#[test]
fn servers_refuse_wrong_signatures() {
    let s3s = S3Server::start(S3Options::default());
    assert_eq!(status_of_wrong_signature(&s3s.endpoint(), s3s.keys()), 403);
    assert_eq!(s3s.count("GET", "corso-test"), 1);
    if let Some(rclone) = Rclone::start(&["corso-test"]) {
        let status = status_of_wrong_signature(&rclone.endpoint(), rclone.keys());
        assert_eq!(status, 403);
    }
    if let Some(moto) = Moto::start(&["corso-test"]) {
        let status = status_of_wrong_signature(&moto.endpoint(), moto.keys());
        assert_eq!(status, 403);
    }
}

/// Sends a listing that is right in all but its signature.
fn status_of_wrong_signature(endpoint: &str, keys: &Keys) -> u16 {
    let now = corso::units::Time::local_now()
        .rfc3339()
        .replace(['-', ':'], "");
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{}/us-east-1/s3/aws4_request, \
         SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={}",
        keys.access,
        &now[..8],
        "0".repeat(64)
    );
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent: ureq::Agent = config.build().into();
    let request = agent
        .get(format!("http://{endpoint}/corso-test?list-type=2"))
        .header("authorization", authorization)
        .header("x-amz-content-sha256", corso::id::Id::sha256(b"").hex())
        .header("x-amz-date", now);
    request.call().unwrap().status().as_u16()
}
