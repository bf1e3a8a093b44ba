//! What an S3 storage needs to know, and how it is put together from flags, environment and AWS's files.

use crate::error::{Error, Result};
use crate::s3::credentials::{Chain, Credentials, Env, env_text, resolve};
use crate::s3::endpoint::{DEFAULT_ENDPOINT, Endpoint};
use crate::s3::proxy::ProxyRules;
use crate::s3::region;
use crate::s3::retry::Policy;
use std::path::PathBuf;

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
    /// Time limit of retries.
    pub retry: Policy,
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
    /// Whole keys; they name their source.
    pub credentials: Credentials,
    /// When to give up.
    pub retry: Policy,
    /// Proxies by the environment.
    pub proxies: ProxyRules,
}

impl S3Config {
    /// AWS, default region, no prefix.
    pub fn new(bucket: &str, credentials: Credentials) -> S3Config {
        S3Config {
            bucket: bucket.to_string(),
            prefix: String::new(),
            endpoint: DEFAULT_ENDPOINT.to_string(),
            disable_tls: false,
            disable_tls_verification: false,
            region: None,
            root_ca_pem: Vec::new(),
            credentials,
            retry: Policy::default(),
            proxies: ProxyRules::default(),
        }
    }

    /// Completes options from the environment and AWS's files.
    ///
    /// Endpoint: option, `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, profile, AWS; a URL's scheme decides on TLS. Region: option,
    /// `AWS_REGION`, `AWS_DEFAULT_REGION`, profile. Roots: option and `AWS_CA_BUNDLE`, both joined to the built-in ones.
    ///
    /// # Errors
    /// `CredentialsMissing` naming every source that was tried; `Usage` for what cannot be right.
    pub fn resolve(options: S3Options, env: Env<'_>) -> Result<S3Config> {
        let bucket = bare_bucket(&options.bucket);
        check_bucket(bucket)?;
        let found = resolve(&options.keys, env)?;
        let (endpoint, disable_tls) = match options.endpoint.filter(|e| !e.is_empty()) {
            Some(endpoint) => (endpoint, options.disable_tls),
            None => match Endpoint::url_from_env(env).or(found.endpoint_url) {
                Some(url) => {
                    let (endpoint, plain) = Endpoint::from_url(&url)?;
                    (endpoint, plain || options.disable_tls)
                }
                None => (DEFAULT_ENDPOINT.to_string(), options.disable_tls),
            },
        };
        let roots = options
            .root_ca_pem
            .into_iter()
            .chain(env_text(env, "AWS_CA_BUNDLE").map(PathBuf::from));
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
            root_ca_pem: roots.collect(),
            credentials: found.credentials,
            retry: options.retry,
            proxies: ProxyRules::from_env(env),
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
        Endpoint::parse(&self.endpoint, self.disable_tls)
    }
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
