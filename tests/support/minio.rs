//! MinIO on a folder: versions, object lock, and temporary users whose policies are enforced.

use super::signed::{self, text_of};
use super::{Asked, Keys, find_program, process, temp_dir};
use std::process::Command;

/// A running `minio server`.
pub struct Minio {
    server: process::Server,
    keys: Keys,
    _directory: tempfile::TempDir,
}

impl Minio {
    /// With these buckets; None if the program is missing (see [`find_program`]; suite `minio`).
    pub fn start(buckets: &[&str]) -> Option<Minio> {
        let program = find_program("minio", "CORSO_TEST_MINIO", "minio")?;
        let directory = temp_dir();
        let (keys, address) = (Keys::fixed(), process::free_port());
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", directory.path())
            .env("MINIO_ROOT_USER", &keys.access)
            .env("MINIO_ROOT_PASSWORD", &keys.secret)
            .env("MINIO_BROWSER", "off")
            .env("MINIO_UPDATE", "off")
            // Nothing but S3 and its users: no rounds over the folder while tests are timed.
            .env("MINIO_SCANNER_SPEED", "slowest")
            .args(["server", "--quiet", "--address", &address.to_string()])
            .arg(directory.path().join("drive"));
        let server = process::Server::start(command, address, &directory.path().join("log"));
        let minio = Minio {
            server,
            keys,
            _directory: directory,
        };
        for bucket in buckets {
            minio.make_bucket(bucket, &[]);
        }
        Some(minio)
    }

    /// `127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        self.server.address.to_string()
    }

    /// Who may do all.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Temporary keys that may do what `policy` says and no more.
    pub fn add_user(&self, policy: &str) -> Keys {
        let form = [
            ("Action", "AssumeRole"),
            ("Version", "2011-06-15"),
            ("DurationSeconds", "3600"),
            ("Policy", policy),
        ];
        let encoded = |text: &str| corso::s3::canonical::uri_encode(text, false);
        let body: Vec<String> = form
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        let body = body.join("&");
        let asked = Asked {
            method: "POST",
            path: "/",
            headers: &[("content-type", "application/x-www-form-urlencoded")],
            body: body.as_bytes(),
            service: "sts",
            ..Asked::default()
        };
        let said = signed::until_up(&self.endpoint(), &self.keys, asked);
        Keys {
            access: text_of(&said, "AccessKeyId"),
            secret: text_of(&said, "SecretAccessKey"),
            token: Some(text_of(&said, "SessionToken")),
        }
    }

    /// A further bucket, which keeps versions, and whose objects can be locked.
    pub fn make_locked_bucket(&self, bucket: &str) {
        self.make_bucket(bucket, &[("x-amz-bucket-object-lock-enabled", "true")]);
    }

    /// The bucket keeps versions from now on.
    pub fn keep_versions(&self, bucket: &str) {
        let body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        let path = format!("/{bucket}");
        let (status, said) = signed::send(
            &self.endpoint(),
            &self.keys,
            "PUT",
            &path,
            "versioning",
            body.as_bytes(),
        );
        assert_eq!(status, 200, "{said}");
    }

    fn make_bucket(&self, bucket: &str, headers: &[(&str, &str)]) {
        let asked = Asked {
            method: "PUT",
            path: &format!("/{bucket}"),
            headers,
            ..Asked::default()
        };
        signed::until_up(&self.endpoint(), &self.keys, asked);
    }
}
