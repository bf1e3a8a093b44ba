//! `rclone serve s3` on a folder: real signatures, ETags without quotes, conditions ignored.

use super::{Keys, find_program, process, temp_dir};
use std::path::PathBuf;
use std::process::Command;

/// A running `rclone serve s3`.
pub struct Rclone {
    server: process::Server,
    keys: Keys,
    directory: tempfile::TempDir,
}

impl Rclone {
    /// With these buckets; None if the program is missing (see [`find_program`]; suite `rclone`).
    pub fn start(buckets: &[&str]) -> Option<Rclone> {
        let program = find_program("rclone", "CORSO_TEST_RCLONE", "rclone")?;
        let directory = temp_dir();
        for bucket in buckets {
            std::fs::create_dir_all(directory.path().join("buckets").join(bucket)).unwrap();
        }
        let keys = Keys::fixed();
        let address = process::free_port();
        let mut command = Command::new(program);
        command
            .env_clear()
            .args(["serve", "s3", "--config", ""])
            .args(["--auth-key", &format!("{},{}", keys.access, keys.secret)])
            .args(["--addr", &address.to_string()])
            .arg("--cache-dir")
            .arg(directory.path().join("cache"))
            .arg(directory.path().join("buckets"));
        let server = process::Server::start(command, address, &directory.path().join("log"));
        Some(Rclone {
            server,
            keys,
            directory,
        })
    }

    /// `127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        self.server.address.to_string()
    }

    /// Whose requests are accepted.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The folder that holds the buckets.
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("buckets")
    }
}
