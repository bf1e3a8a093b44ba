//! From flags, environment and configuration file to the one place where the repository is.

mod connect;
mod manner;
mod resolve;
pub mod role;

use crate::error::{Error, Result};
use crate::s3::credentials::Role;
use crate::units::Time;
use std::path::PathBuf;
use zeroize::Zeroizing;

pub use connect::names_keys;
pub use manner::{Manner, READ_KEYS, RECORDED_KEYS};
pub use resolve::{Resolved, connect_filesystem, connect_s3, init_filesystem, init_s3, other};

/// Where S3 is unless something else is said.
pub const DEFAULT_ENDPOINT: &str = "s3.amazonaws.com";

/// The kinds of storage, as the configuration file names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// `S3`
    S3,
    /// `Filesystem`
    Filesystem,
}

impl Provider {
    /// From the file's `provider` key.
    pub fn parse(text: &str, file: &str) -> Result<Provider> {
        match text.to_ascii_lowercase().as_str() {
            "s3" => Ok(Provider::S3),
            "filesystem" => Ok(Provider::Filesystem),
            _ => Err(Error::usage(format!(
                "provider {text:?} in {file} is neither S3 nor Filesystem"
            ))),
        }
    }
}

/// AWS keys that belong together. Never printed.
#[derive(Clone)]
pub struct KeyPair {
    /// Access key id.
    pub id: String,
    /// Secret access key.
    pub secret: Zeroizing<String>,
    /// Session token of temporary keys.
    pub token: Option<Zeroizing<String>>,
}

/// Where a repository is.
#[expect(clippy::large_enum_variant, reason = "one of them exists at a time")]
pub enum StorageChoice {
    /// In a bucket.
    S3(S3Place),
    /// In the folder with this absolute path.
    Filesystem(PathBuf),
}

/// An S3 place, all sources taken into account.
pub struct S3Place {
    /// Bucket name, without `s3://`.
    pub bucket: String,
    /// Empty, or with exactly one slash at its end.
    pub prefix: String,
    /// `host[:port]`; `None` leaves it to the AWS profile, then to AWS.
    pub endpoint: Option<String>,
    /// Region, if the user said one.
    pub region: Option<String>,
    /// Plain HTTP.
    pub disable_tls: bool,
    /// No certificate check.
    pub disable_tls_verification: bool,
    /// More certificate authorities.
    pub root_ca_pem: Option<PathBuf>,
    /// Profile of AWS's files that goes before the environment's keys.
    pub profile: Option<String>,
    /// Keys given by flags.
    pub flag_keys: Option<KeyPair>,
    /// Keys that an old configuration file holds; weaker than the environment's.
    pub file_keys: Option<KeyPair>,
    /// Provider, addressing, storage class and the like.
    pub manner: Manner,
    /// The role to assume with the keys.
    pub role: Option<Role>,
    /// Show the bucket as it was then, only for reading.
    pub point_in_time: Option<Time>,
    /// Where the keys came from, once the storage has been set up.
    pub keys_from: Option<String>,
}

impl StorageChoice {
    /// `Initialized ...` and `Connected ...` name the place like this.
    pub fn describe(&self) -> String {
        match self {
            StorageChoice::S3(s3) => format!("S3 bucket {}", s3.bucket),
            StorageChoice::Filesystem(path) => {
                format!(
                    "path {}",
                    crate::report::printable(path.as_os_str().as_encoded_bytes())
                )
            }
        }
    }
}

/// A bucket name: `s3://` and one slash at the end are dropped.
pub fn bucket_name(text: &str) -> Result<String> {
    let name = text
        .strip_prefix("s3://")
        .or_else(|| text.strip_prefix("S3://"))
        .unwrap_or(text);
    let name = name.strip_suffix('/').unwrap_or(name);
    if name.contains('/') {
        return Err(Error::usage(format!("{name:?} is not a bucket name"))
            .hint("give the part behind the bucket's name with --prefix"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.is_empty()
        || name.len() > 255
        || !name.chars().all(plain)
        || name.chars().all(|c| c == '.')
    {
        return Err(Error::usage(format!("{name:?} is not a bucket name")));
    }
    Ok(name.to_owned())
}

/// A prefix: no slash at its start, exactly one at its end; empty stays empty.
pub fn normal_prefix(text: &str) -> Result<String> {
    let inner = text.trim_matches('/');
    if inner.is_empty() {
        return Ok(String::new());
    }
    let odd = inner.split('/').any(|part| matches!(part, "" | "." | ".."));
    if odd || inner.len() > 700 || inner.chars().any(char::is_control) {
        return Err(Error::usage(format!("{text:?} cannot be a prefix"))
            .hint("leave out empty parts, . and .., and control characters; at most 700 bytes"));
    }
    Ok(format!("{inner}/"))
}

/// Splits an endpoint into `host[:port]` and the scheme's word on plain HTTP, if it has a scheme.
pub fn endpoint(text: &str) -> Result<(String, Option<bool>)> {
    let bad = |why: &str| {
        Error::usage(format!("the endpoint {text:?} {why}"))
            .hint("write it as host or host:port; for plain HTTP add --disable-tls")
    };
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
        None => (None, text),
    };
    let plain_http = match scheme.as_deref() {
        None => None,
        Some("https") => Some(false),
        Some("http") => Some(true),
        Some(_) => return Err(bad("has an unknown scheme")),
    };
    let host = rest.strip_suffix('/').unwrap_or(rest);
    if host.contains('@') {
        // Not repeated: what stands before the @ may be a secret.
        return Err(Error::usage("the endpoint has a user name in it")
            .hint("write it as host or host:port"));
    }
    let fits =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    if host.is_empty() || host.len() > 260 || !host.chars().all(fits) {
        return Err(bad("is not a host with an optional port"));
    }
    let port = host
        .rsplit_once(':')
        .filter(|(before, _)| !before.contains(':') || before.ends_with(']'));
    if port.is_some_and(|(before, port)| {
        before.is_empty() || port.parse::<u16>().is_err() || port.starts_with('+')
    }) {
        return Err(bad("has a port that is none"));
    }
    Ok((host.to_ascii_lowercase(), plain_http))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets() {
        for (text, name) in [
            ("b", "b"),
            ("s3://b", "b"),
            ("s3://b/", "b"),
            ("my.bucket-1", "my.bucket-1"),
        ] {
            assert_eq!(bucket_name(text).unwrap(), name);
        }
        for bad in ["", "s3://", "b/p", "s3://b/p", "..", "b c", "b\n", "b?x"] {
            assert!(bucket_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn prefixes() {
        for (text, prefix) in [
            ("", ""),
            ("/", ""),
            ("a", "a/"),
            ("a//", "a/"),
            ("a/b/", "a/b/"),
        ] {
            assert_eq!(normal_prefix(text).unwrap(), prefix);
        }
        assert!(normal_prefix("a/../b").is_err());
    }

    #[test]
    fn endpoints() {
        assert_eq!(
            endpoint("minio.example:9000").unwrap(),
            ("minio.example:9000".into(), None)
        );
        assert_eq!(
            endpoint("http://LOCALHOST:1/").unwrap(),
            ("localhost:1".into(), Some(true))
        );
        assert_eq!(
            endpoint("https://[::1]:9000").unwrap(),
            ("[::1]:9000".into(), Some(false))
        );
        for bad in [
            "", "ftp://x", "http://", "h/path", "u:p@h", "h:", "h:99999", "h h", ":9000",
        ] {
            assert!(endpoint(bad).is_err(), "{bad:?}");
        }
        assert!(
            !endpoint("https://u:hunter2@h")
                .unwrap_err()
                .to_string()
                .contains("hunter2")
        );
    }
}
