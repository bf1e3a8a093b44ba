//! What an S3 storage needs to know, and how it is put together from flags, environment and AWS's files.

use crate::error::{Error, Result};
use crate::s3::credentials::{Chain, CredentialProvider, Env, env_text, resolve};
use crate::s3::endpoint::{DEFAULT_ENDPOINT, Dialect, Endpoint};
use crate::s3::proxy::ProxyRules;
use crate::s3::region;
use crate::s3::retry::Policy;
use std::path::PathBuf;
use std::time::Duration;

/// What flags and the configuration file say, before anything else is asked.
#[derive(Default)]
pub struct S3Options {
    /// With or without `s3://`.
    pub bucket: String,
    /// May be empty; slashes at its ends do not matter.
    pub prefix: String,
    /// `HOST[:PORT]`; `None` asks environment and profile, then takes AWS.
    pub endpoint: Option<String>,
    /// `--disable-tls`
    pub disable_tls: bool,
    /// `--disable-tls-verification`
    pub disable_tls_verification: bool,
    /// `--region`
    pub region: Option<String>,
    /// `--root-ca-pem`
    pub root_ca_pem: Option<PathBuf>,
    /// Keys or profile from flags.
    pub keys: Chain,
    /// Provider and form of the endpoint.
    pub dialect: Dialect,
    /// How objects are stored.
    pub stored_as: StoredAs,
    /// How much at a time, and how fast.
    pub tuning: Tuning,
}

/// What goes with every object into the bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredAs {
    /// `--storage-class`, of packs: what else there is, is small, and read by every run.
    pub storage_class: Option<String>,
    /// `--sse`: `AES256` or `aws:kms`.
    pub encryption: Option<String>,
    /// `--sse-kms-key-id`
    pub kms_key: Option<String>,
}

impl StoredAs {
    /// The class of an object with this key below the prefix.
    pub(super) fn class_of(&self, key: Option<&str>) -> Option<&str> {
        let pack = key.is_some_and(|key| key.starts_with("packs/"));
        self.storage_class.as_deref().filter(|_| pack)
    }
}

/// How much at a time, how fast, and how long to wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tuning {
    /// `--connections`: requests at a time; `None` leaves it to the provider's row.
    pub connections: Option<usize>,
    /// `--max-upload-rate`: bytes a second.
    pub max_upload_rate: Option<u64>,
    /// `--max-download-rate`: bytes a second.
    pub max_download_rate: Option<u64>,
    /// `--timeout`: how long a request may fail before it is given up.
    pub timeout: Option<Duration>,
}

/// All that [`S3Storage::connect`](super::S3Storage::connect) needs.
#[derive(Clone)]
pub struct S3Config {
    /// Bucket, without `s3://`.
    pub bucket: String,
    /// Prefix; gets exactly one slash at its end unless empty.
    pub prefix: String,
    /// `HOST[:PORT]`
    pub endpoint: String,
    /// Plain HTTP.
    pub disable_tls: bool,
    /// Accept every certificate.
    pub disable_tls_verification: bool,
    /// `None`: the servers say.
    pub region: Option<String>,
    /// PEM files whose certificates are trusted beside the built-in ones.
    pub root_ca_pem: Vec<PathBuf>,
    /// Whole keys; they name their source, and stay fresh.
    pub credentials: CredentialProvider,
    /// When to give up.
    pub retry: Policy,
    /// Proxies by the environment.
    pub proxies: ProxyRules,
    /// Provider and form of the endpoint.
    pub dialect: Dialect,
    /// How objects are stored.
    pub stored_as: StoredAs,
    /// How much at a time, and how fast.
    pub tuning: Tuning,
}

impl S3Config {
    /// AWS, default region, no prefix.
    pub fn new(bucket: &str, credentials: impl Into<CredentialProvider>) -> S3Config {
        S3Config {
            bucket: bucket.to_string(),
            prefix: String::new(),
            endpoint: DEFAULT_ENDPOINT.to_string(),
            disable_tls: false,
            disable_tls_verification: false,
            region: None,
            root_ca_pem: Vec::new(),
            credentials: credentials.into(),
            retry: Policy::default(),
            proxies: ProxyRules::default(),
            dialect: Dialect::default(),
            stored_as: StoredAs::default(),
            tuning: Tuning::default(),
        }
    }

    /// Completes options from the environment and AWS's files.
    ///
    /// Endpoint: option, `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, profile, AWS; a URL's scheme decides on TLS. Region: option,
    /// `AWS_REGION`, `AWS_DEFAULT_REGION`, profile. Roots: option and `AWS_CA_BUNDLE`, both joined to the built-in ones.
    ///
    /// # Errors
    /// `CredentialsMissing` naming every source that was tried; `Usage` for what cannot be right.
    pub fn resolve(mut options: S3Options, env: Env<'_>) -> Result<S3Config> {
        let bucket = bare_bucket(&options.bucket);
        check_bucket(bucket)?;
        let roots: Vec<PathBuf> = options
            .root_ca_pem
            .clone()
            .into_iter()
            .chain(env_text(env, "AWS_CA_BUNDLE").map(PathBuf::from))
            .collect();
        let keys = Chain {
            region: options.region.clone().filter(|r| !r.is_empty()),
            roots: roots.clone(),
            ..std::mem::take(&mut options.keys)
        };
        let found = resolve(&keys, env)?;
        let (endpoint, disable_tls) = match options.endpoint.clone().filter(|e| !e.is_empty()) {
            Some(endpoint) => (endpoint, options.disable_tls),
            None => match Endpoint::url_from_env(env).or(found.endpoint_url) {
                Some(url) => {
                    let (endpoint, plain) = Endpoint::from_url(&url)?;
                    (endpoint, plain || options.disable_tls)
                }
                None => (own_endpoint(&options, env)?, options.disable_tls),
            },
        };
        let config = S3Config {
            bucket: bucket.to_string(),
            prefix: normal_prefix(&options.prefix)?,
            endpoint,
            disable_tls,
            disable_tls_verification: options.disable_tls_verification,
            region: options
                .region
                .filter(|r| !r.is_empty())
                .or_else(|| region::from_env(env))
                .or(found.region),
            root_ca_pem: roots,
            credentials: found.credentials,
            retry: options
                .tuning
                .timeout
                .map_or_else(Policy::default, Policy::with_limit),
            proxies: ProxyRules::from_env(env),
            dialect: options.dialect.with_env(env)?,
            stored_as: options.stored_as,
            tuning: options.tuning,
        };
        config.parsed_endpoint()?;
        Ok(config)
    }

    /// The endpoint, parsed.
    pub(super) fn parsed_endpoint(&self) -> Result<Endpoint> {
        if let Some(region) = &self.region
            && crate::s3::response::plain_region(region).is_none()
        {
            return Err(Error::usage(format!("{region:?} is not a region"))
                .hint("write for example eu-west-1"));
        }
        Endpoint::parse(&self.endpoint, self.disable_tls)?.with(self.dialect)
    }
}

/// The endpoint where none is given anywhere: the provider's, for the region.
fn own_endpoint(options: &S3Options, env: Env<'_>) -> Result<String> {
    let Some(provider) = options.dialect.provider.filter(|p| p.id != "aws") else {
        return Ok(DEFAULT_ENDPOINT.to_string());
    };
    let region = options.region.clone().or_else(|| region::from_env(env));
    provider.endpoint(region.as_deref()).ok_or_else(|| {
        let error = Error::usage(format!(
            "--provider {} does not say where it is",
            provider.id
        ));
        match provider.forms() {
            forms if forms.is_empty() => error.hint("give its --endpoint"),
            forms => error.hint(format!("give its --endpoint: {forms}")),
        }
    })
}

/// Without `s3://` and a slash at the end.
pub fn bare_bucket(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix("s3://")
        .unwrap_or(text)
        .trim_end_matches('/')
}

/// Bucket names go into host names and paths: what cannot be one is refused before anything is sent.
pub(super) fn check_bucket(bucket: &str) -> Result<()> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if !(1..=255).contains(&bucket.len())
        || !bucket.bytes().all(plain)
        || bucket == "."
        || bucket == ".."
    {
        return Err(Error::usage(format!("{bucket:?} is not a name that a bucket can have"))
            .hint("a bucket's name has letters, digits, dots and hyphens; a path in it is given with --prefix"));
    }
    Ok(())
}

/// No slash at the start, exactly one at the end; empty stays empty. Empty, `.` and `..` parts are refused: servers disagree
/// on them.
pub(super) fn normal_prefix(prefix: &str) -> Result<String> {
    let inner = prefix.trim_matches('/');
    if inner.is_empty() {
        return Ok(String::new());
    }
    let odd = inner.split('/').any(|part| matches!(part, "" | "." | ".."))
        || inner.chars().any(char::is_control);
    if odd || inner.len() > 700 {
        return Err(Error::usage(format!("{prefix:?} cannot be a prefix"))
            .hint("leave out empty parts, . and .., and control characters; at most 700 bytes"));
    }
    Ok(format!("{inner}/"))
}
