//! The servers that know locks and versions, and what the tests ask them.

use super::support::{Asked, Corso, Finished, Keys, Minio, Moto, Versitygw, signed_ask};
use corso::s3::response::{ListedVersion, parse_retention, parse_versions};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const BUCKET: &str = "corso-test";
const PASSPHRASE: &str = "correct horse battery staple";

/// A server, with the rights to do everything.
pub struct At {
    pub endpoint: String,
    pub keys: Keys,
}

impl At {
    pub fn new(endpoint: String, keys: &Keys) -> At {
        At {
            endpoint,
            keys: keys.clone(),
        }
    }

    pub fn of(server: &Versitygw) -> At {
        At::new(server.endpoint(), server.keys())
    }

    pub fn home(&self) -> Corso {
        Corso::new()
            .env("CORSO_PASSPHRASE", PASSPHRASE)
            .keys(&self.keys)
    }

    pub fn send(
        &self,
        method: &'static str,
        key: &str,
        query: &[(&str, &str)],
        body: &[u8],
    ) -> (u16, String) {
        let path = match key {
            "" => format!("/{BUCKET}"),
            key => format!("/{BUCKET}/{key}"),
        };
        let asked = Asked {
            method,
            path: &path,
            query,
            body,
            ..Asked::default()
        };
        signed_ask(&self.endpoint, &self.keys, asked)
    }

    /// Every version and every deletion in the bucket.
    pub fn versions(&self) -> Vec<ListedVersion> {
        let (mut all, mut next) = (Vec::new(), None::<(String, String)>);
        loop {
            let mut query = vec![("versions", "")];
            if let Some((key, version)) = &next {
                query.extend([
                    ("key-marker", key.as_str()),
                    ("version-id-marker", version.as_str()),
                ]);
            }
            let (status, body) = self.send("GET", "", &query, b"");
            assert_eq!(status, 200, "{body}");
            let page = parse_versions(body.as_bytes()).unwrap();
            all.extend(page.versions);
            match page.next {
                Some(more) => next = Some(more),
                None => return all,
            }
        }
    }

    /// How long from now an object is locked.
    pub fn locked_for(&self, key: &str) -> Option<Duration> {
        let (status, body) = self.send("GET", key, &[("retention", "")], b"");
        match status {
            200 => parse_retention(body.as_bytes())
                .ok()
                .flatten()
                .map(|lock| lock.until.since(corso::units::Time::local_now())),
            _ => None,
        }
    }
}

pub fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|e| panic!("{e}: {finished:#?}"))
}

pub fn backup(corso: &Corso, source: &Path) -> String {
    let made = json(&corso.ok(&["backup", "create", "--json", source.to_str().unwrap()]));
    made["snapshot"].as_str().unwrap().to_owned()
}

/// Where `source` lands below `out`.
pub fn landed(out: &Path, source: &Path) -> PathBuf {
    out.join(source.strip_prefix("/").unwrap())
}

/// versitygw with a bucket whose objects can be locked.
pub fn locked_versitygw() -> Option<(Versitygw, At)> {
    let server = Versitygw::start(&[])?;
    server.make_locked_bucket(BUCKET);
    let at = At::of(&server);
    Some((server, at))
}

/// MinIO with such a bucket.
pub fn locked_minio() -> Option<(Minio, At)> {
    let server = Minio::start(&[])?;
    server.make_locked_bucket(BUCKET);
    let at = At::new(server.endpoint(), server.keys());
    Some((server, at))
}

/// moto with such a bucket.
pub fn locked_moto() -> Option<(Moto, At)> {
    let server = Moto::start(&[])?;
    let at = At::new(server.endpoint(), server.keys());
    let path = format!("/{BUCKET}");
    let asked = Asked {
        method: "PUT",
        path: &path,
        headers: &[("x-amz-bucket-object-lock-enabled", "true")],
        ..Asked::default()
    };
    let (status, said) = signed_ask(&at.endpoint, &at.keys, asked);
    assert_eq!(status, 200, "{said}");
    Some((server, at))
}
