//! versitygw on a folder: the strictest of the servers, with users and bucket policies that are enforced.

use super::{Asked, Keys, find_program, process, signed, temp_dir};
use std::path::PathBuf;
use std::process::Command;

/// A running `versitygw`.
pub struct Versitygw {
    program: PathBuf,
    server: process::Server,
    keys: Keys,
    directory: tempfile::TempDir,
}

impl Versitygw {
    /// With these buckets; None if the program is missing (see [`find_program`]; suite `versitygw`).
    pub fn start(buckets: &[&str]) -> Option<Versitygw> {
        let program = find_program("versitygw", "CORSO_TEST_VERSITYGW", "versitygw")?;
        let directory = temp_dir();
        for folder in ["root", "users", "versions"] {
            std::fs::create_dir(directory.path().join(folder)).unwrap();
        }
        let (keys, address) = (Keys::fixed(), process::free_port());
        let mut command = Command::new(&program);
        command
            .env_clear()
            .env("ROOT_ACCESS_KEY", &keys.access)
            .env("ROOT_SECRET_KEY", &keys.secret)
            .args(["--port", &address.to_string(), "--quiet", "--keep-alive"])
            .args(["--iam-cache-disable", "--iam-dir"])
            .arg(directory.path().join("users"))
            .args(["posix", "--versioning-dir"])
            .arg(directory.path().join("versions"))
            .arg(directory.path().join("root"));
        let server = process::Server::start(command, address, &directory.path().join("log"));
        let gateway = Versitygw {
            program,
            server,
            keys,
            directory,
        };
        for bucket in buckets {
            gateway.ask("PUT", &format!("/{bucket}"), "", "");
        }
        Some(gateway)
    }

    /// `127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        self.server.address.to_string()
    }

    /// Who may do all.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// A further user, who may do nothing yet.
    pub fn add_user(&self, name: &str) -> Keys {
        let keys = Keys {
            access: name.to_owned(),
            secret: format!("{name}-secret-key-of-some-length"),
            token: None,
        };
        let done = Command::new(&self.program)
            .env_clear()
            .args([
                "admin",
                "--access",
                &self.keys.access,
                "--secret",
                &self.keys.secret,
            ])
            .args(["--endpoint-url", &format!("http://{}", self.endpoint())])
            .args([
                "create-user",
                "--access",
                &keys.access,
                "--secret",
                &keys.secret,
            ])
            .args(["--role", "user"])
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
        keys
    }

    /// The bucket's policy is this from now on.
    pub fn set_policy(&self, bucket: &str, policy: &str) {
        self.ask("PUT", &format!("/{bucket}"), "policy", policy);
    }

    /// A further bucket, which keeps versions, and whose objects can be locked.
    pub fn make_locked_bucket(&self, bucket: &str) {
        let path = format!("/{bucket}");
        let asked = Asked {
            method: "PUT",
            path: &path,
            headers: &[("x-amz-bucket-object-lock-enabled", "true")],
            ..Asked::default()
        };
        let (status, said) = signed::ask(&self.endpoint(), &self.keys, asked);
        assert_eq!(status, 200, "{said}");
        self.keep_versions(bucket);
    }

    /// The bucket keeps versions from now on.
    pub fn keep_versions(&self, bucket: &str) {
        let body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        self.ask("PUT", &format!("/{bucket}"), "versioning", body);
    }

    fn ask(&self, method: &'static str, path: &str, query: &str, body: &str) {
        let (status, said) = signed::send(
            &self.endpoint(),
            &self.keys,
            method,
            path,
            query,
            body.as_bytes(),
        );
        assert!(
            (200..300).contains(&status),
            "{method} {path}?{query}: {status} {said}"
        );
    }
}
