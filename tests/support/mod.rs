//! What integration tests share: real servers, a clean run of the program, trees of files.
//!
//! Other servers than the one in process are programs found in the environment or on the PATH. A suite whose program
//! is missing says so loudly and is skipped; `CORSO_TEST_REQUIRE=rclone,moto` makes that a failure.
#![allow(dead_code, unused_imports)]

mod certificates;
mod dice;
mod forward;
mod http_server;
mod latency;
mod minio;
mod moto;
mod process;
mod program;
mod proxy;
mod rclone;
mod s3s_server;
mod seaweed;
mod signed;
mod temporary;
mod tree;
mod versitygw;

pub use dice::Dice;
pub use forward::Forward;
pub use http_server::{HttpReply, HttpRequest, HttpServer, ok, status};
pub use latency::long_line;
pub use minio::Minio;
pub use moto::Moto;
pub use program::{Corso, Finished, PROGRAM, finish_watched, init_s3, stop};
pub use proxy::{Fault, Plan, Proxy, Seen};
pub use rclone::Rclone;
pub use s3s_server::{Answer, Logged, S3Options, S3Server};
pub use seaweed::Seaweed;
pub use signed::{Asked, ask as signed_ask, send as signed_send};
pub use temporary::Temporary;
pub use tree::{
    Print, assert_same_tree, files_below, fingerprint, make_tree, random_bytes, read_tree,
};
pub use versitygw::Versitygw;

use std::path::PathBuf;

/// An access key of a test server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    pub access: String,
    pub secret: String,
    /// Of temporary keys.
    pub token: Option<String>,
}

impl Keys {
    /// Long enough for servers that refuse short ones.
    pub fn fixed() -> Keys {
        Keys {
            access: "CORSOTESTACCESSKEY01".into(),
            secret: "corso-test-secret-key-of-forty-letters01".into(),
            token: None,
        }
    }
}

/// A fresh directory, removed with its contents when dropped.
pub fn temp_dir() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("corso-test-")
        .tempdir()
        .expect("a temporary directory")
}

/// The program of the suite `name`: the path in `variable`, else `program` on the PATH.
///
/// Without one prints a `SKIPPED` line and gives None, or panics if `CORSO_TEST_REQUIRE` names the suite.
pub fn find_program(name: &str, variable: &str, program: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(variable).filter(|v| !v.is_empty()) {
        return Some(path.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|p| p.is_file());
    if found.is_none() {
        skip(
            name,
            &format!("{program} is not on the PATH and {variable} is not set"),
        );
    }
    found
}

/// Says that the suite `name` cannot run, or panics if it must.
pub fn skip(name: &str, reason: &str) {
    let required = std::env::var("CORSO_TEST_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|r| r.trim() == name),
        "suite {name} is required: {reason}"
    );
    // Past the capture of the test harness, so that a skipped suite is seen.
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "SKIPPED suite {name}: {reason}");
}
