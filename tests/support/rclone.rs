//! `rclone serve s3` on a folder: real signatures, ETags without quotes, conditions ignored.

use super::{Keys, find_program, process, temp_dir};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A running `rclone serve s3`.
pub struct Rclone {
    program: PathBuf,
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
        let server = serve(&program, directory.path(), &keys);
        Some(Rclone {
            program,
            server,
            keys,
            directory,
        })
    }

    /// Ends it and starts it on the same folder, at another address: what it had in memory of the folder is gone.
    pub fn restart(&mut self) {
        self.server = serve(&self.program, self.directory.path(), &self.keys);
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

fn serve(program: &Path, directory: &Path, keys: &Keys) -> process::Server {
    let address = process::free_port();
    let mut command = Command::new(program);
    command
        .env_clear()
        .args(["serve", "s3", "--config", ""])
        .args(["--auth-key", &format!("{},{}", keys.access, keys.secret)])
        .args(["--addr", &address.to_string()])
        .arg("--cache-dir")
        .arg(directory.join("cache"))
        .arg(directory.join("buckets"));
    process::Server::start(command, address, &directory.join("log"))
}
