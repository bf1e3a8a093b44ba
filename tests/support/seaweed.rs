//! SeaweedFS on a folder: master, volume server, filer and S3 gateway in one process.

use super::{Asked, Keys, find_program, process, signed, temp_dir};
use std::process::Command;
use std::time::{Duration, Instant};

/// It takes its parts half a minute to find each other.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running `weed server -s3`.
pub struct Seaweed {
    server: process::Server,
    keys: Keys,
    _directory: tempfile::TempDir,
}

impl Seaweed {
    /// With these buckets; None if the program is missing (see [`find_program`]; suite `seaweedfs`).
    pub fn start(buckets: &[&str]) -> Option<Seaweed> {
        let program = find_program("seaweedfs", "CORSO_TEST_WEED", "weed")?;
        let directory = temp_dir();
        let (keys, address) = (Keys::fixed(), process::free_port());
        let users = directory.path().join("users.json");
        let text = serde_json::json!({ "identities": [{
            "name": "corso",
            "credentials": [{ "accessKey": keys.access, "secretKey": keys.secret }],
            "actions": ["Admin", "Read", "List", "Tagging", "Write"],
        }] });
        std::fs::write(&users, text.to_string()).unwrap();
        let data = directory.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", directory.path())
            .args(["server", "-ip=127.0.0.1", "-filer", "-s3"])
            .args(["-master.volumeSizeLimitMB=64", "-volume.max=100"])
            .arg(format!("-dir={}", data.display()))
            .arg(format!("-s3.config={}", users.display()))
            .arg(format!("-s3.port={}", address.port()));
        for part in ["master.port", "volume.port", "filer.port"] {
            command.arg(format!("-{part}={}", process::free_port().port()));
        }
        for part in ["master", "volume", "filer", "s3"] {
            let port = process::free_port().port();
            command.arg(format!("-{part}.port.grpc={port}"));
        }
        let log = directory.path().join("log");
        let server = process::Server::start_slow(command, address, &log, PATIENCE);
        let seaweed = Seaweed {
            server,
            keys,
            _directory: directory,
        };
        for bucket in buckets {
            seaweed.make_bucket(bucket);
        }
        Some(seaweed)
    }

    /// `127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        self.server.address.to_string()
    }

    /// Who may do all.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    fn make_bucket(&self, bucket: &str) {
        let asked = Asked {
            method: "PUT",
            path: &format!("/{bucket}"),
            ..Asked::default()
        };
        signed::until_up(&self.endpoint(), &self.keys, asked);
    }
}
