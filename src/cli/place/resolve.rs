//! Which source wins. Flag before environment before configuration file, and for each command its own rule about
//! what the file may say:
//! - `init` takes nothing from it: a prefix or endpoint of an older repository must not slip into a new one;
//! - `connect` fills what is not given if the file names the same provider and bucket (or path);
//! - all other commands use the file, and refuse flags that differ from it.

use super::{
    DEFAULT_ENDPOINT, KeyPair, Manner, Provider, RECORDED_KEYS, S3Place, StorageChoice,
    bucket_name, endpoint, normal_prefix,
};
use crate::cli::args::{FilesystemArgs, S3Args};
use crate::cli::config::{ConfigFile, Settings};
use crate::cli::env::Env;
use crate::cli::value::OsArg;
use crate::error::{Error, Result};
use crate::report::printable;
use crate::s3::endpoint::Endpoint;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A place, and how the configuration file relates to it.
pub struct Resolved {
    /// Where.
    pub choice: StorageChoice,
    /// The file names this place's bucket or path, or no repository: its other lines, secrets included, belong here.
    pub same_as_file: bool,
    /// The repository that the file names instead, for the message that it is replaced.
    pub replaces: Option<String>,
}

/// `repo init s3`.
pub fn init_s3(flags: &S3Args, env: &Env, file: &ConfigFile) -> Result<Resolved> {
    let bucket = needed_bucket(flags, &Settings::default())?;
    s3(flags, env, file, &bucket, &Settings::default())
}

/// `repo connect s3`.
pub fn connect_s3(flags: &S3Args, env: &Env, file: &ConfigFile) -> Result<Resolved> {
    let bucket = needed_bucket(flags, &file.settings)?;
    let empty = Settings::default();
    let base = if names_bucket(&file.settings, &bucket) {
        &file.settings
    } else {
        &empty
    };
    s3(flags, env, file, &bucket, base)
}

/// `repo init filesystem`.
pub fn init_filesystem(flags: &FilesystemArgs, env: &Env, file: &ConfigFile) -> Result<Resolved> {
    let path = given(&flags.path).ok_or_else(|| {
        Error::usage("the repository's folder is missing").hint("give it with --path DIR")
    })?;
    filesystem(absolute(path.path(), env)?, file)
}

/// `repo connect filesystem`: `--path` may come from the file.
pub fn connect_filesystem(
    flags: &FilesystemArgs,
    env: &Env,
    file: &ConfigFile,
) -> Result<Resolved> {
    match (given(&flags.path), &file.settings) {
        (
            None,
            Settings {
                provider: Some(Provider::Filesystem),
                path: Some(path),
                ..
            },
        ) => filesystem(path.clone(), file),
        _ => init_filesystem(flags, env, file),
    }
}

/// Every other command.
pub fn other(
    s3_flags: &S3Args,
    fs_flags: &FilesystemArgs,
    env: &Env,
    file: &ConfigFile,
) -> Result<Resolved> {
    let settings = &file.settings;
    let path = given(&fs_flags.path)
        .map(|p| absolute(p.path(), env))
        .transpose()?;
    let bucket = text(&s3_flags.bucket).map(bucket_name).transpose()?;
    if bucket.is_some() && path.is_some() {
        return Err(Error::usage("--bucket and --path exclude each other"));
    }
    let provider = match (&bucket, &path) {
        (Some(_), _) => Some(Provider::S3),
        (_, Some(_)) => Some(Provider::Filesystem),
        _ => settings.provider,
    };
    match provider {
        Some(Provider::S3) => {
            check_s3(s3_flags, bucket.as_deref(), file)?;
            let bucket = needed_bucket(s3_flags, settings)?;
            s3(s3_flags, env, file, &bucket, settings)
        }
        Some(Provider::Filesystem) => {
            check_filesystem(path.as_deref(), file)?;
            let path = path.or_else(|| settings.path.clone());
            filesystem(
                path.ok_or_else(|| Error::usage(format!("{} names no path", file.shown())))?,
                file,
            )
        }
        None => Err(Error::usage(if file.exists() {
            format!("no repository is named by a flag or by {}", file.shown())
        } else {
            format!(
                "no repository is named by a flag, and {} does not exist",
                file.shown()
            )
        })
        .hint("run 'corso repo connect' first, or give --bucket or --path")),
    }
}

fn s3(
    flags: &S3Args,
    env: &Env,
    file: &ConfigFile,
    bucket: &str,
    base: &Settings,
) -> Result<Resolved> {
    let same_as_file = names_bucket(&file.settings, bucket) || file.settings.describe().is_none();
    let (endpoint, disable_tls) = place_and_tls(flags, env, base)?;
    let prefix = match (&flags.prefix, &base.prefix) {
        (Some(prefix), _) | (None, Some(prefix)) => normal_prefix(prefix)?,
        (None, None) => String::new(),
    };
    let root_ca_pem = match given(&flags.root_ca_pem) {
        Some(path) => Some(absolute(path.path(), env)?),
        None => base.root_ca_pem.clone(),
    };
    let kept = |names: &[&str], value: &Option<String>| {
        value.clone().filter(|_| env.first(names).is_none())
    };
    let place = S3Place {
        bucket: bucket.to_owned(),
        prefix,
        endpoint,
        region: text(&flags.region)
            .map(str::to_owned)
            .or_else(|| kept(&["AWS_REGION", "AWS_DEFAULT_REGION"], &base.region)),
        disable_tls,
        disable_tls_verification: flags
            .disable_tls_verification
            .or(base.disable_tls_verification)
            .unwrap_or(false),
        root_ca_pem,
        profile: text(&flags.profile)
            .map(str::to_owned)
            .or_else(|| base.profile.clone().filter(|_| !super::names_keys(env))),
        flag_keys: flag_keys(flags)?,
        file_keys: file.secrets.keys.clone().filter(|_| same_as_file),
        manner: Manner::of_flags(flags).or(&base.manner),
        role: super::role::choose(flags, base)?,
        point_in_time: base.point_in_time,
        keys_from: None,
    };
    // What is wrong with it is said before a passphrase is asked for.
    place.manner.values()?;
    let choice = StorageChoice::S3(place);
    let replaces = replaced(&choice, &file.settings);
    Ok(Resolved {
        choice,
        same_as_file,
        replaces,
    })
}

fn filesystem(path: PathBuf, file: &ConfigFile) -> Result<Resolved> {
    let old = &file.settings;
    let same = old.provider == Some(Provider::Filesystem)
        && old.path.as_deref().is_some_and(|p| p == path);
    let choice = StorageChoice::Filesystem(path);
    let replaces = replaced(&choice, old);
    Ok(Resolved {
        choice,
        same_as_file: same || old.describe().is_none(),
        replaces,
    })
}

fn names_bucket(settings: &Settings, bucket: &str) -> bool {
    let named = settings
        .bucket
        .as_deref()
        .map(|b| bucket_name(b).unwrap_or_default());
    settings.provider == Some(Provider::S3) && named.as_deref() == Some(bucket)
}

/// The repository that the file names, if it is another one.
fn replaced(choice: &StorageChoice, old: &Settings) -> Option<String> {
    let same = match (choice, old.provider) {
        (StorageChoice::S3(s3), Some(Provider::S3)) => {
            let prefix = normal_prefix(old.prefix.as_deref().unwrap_or_default());
            names_bucket(old, &s3.bucket)
                && prefix.is_ok_and(|p| p == s3.prefix)
                && host(old).is_ok_and(|e| e == s3.endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT))
        }
        (StorageChoice::Filesystem(path), Some(Provider::Filesystem)) => {
            old.path.as_ref() == Some(path)
        }
        _ => false,
    };
    old.describe().filter(|_| !same)
}

fn host(settings: &Settings) -> Result<String> {
    endpoint(settings.endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT)).map(|(host, _)| host)
}

fn needed_bucket(flags: &S3Args, base: &Settings) -> Result<String> {
    let named = text(&flags.bucket).or(base.bucket.as_deref());
    bucket_name(
        named.ok_or_else(|| {
            Error::usage("the bucket is missing").hint("give it with --bucket NAME")
        })?,
    )
}

/// Endpoint and plain HTTP or not. A scheme must agree with `--disable-tls`; in the environment, where no flag can
/// stand beside it, the scheme alone decides.
fn place_and_tls(flags: &S3Args, env: &Env, base: &Settings) -> Result<(Option<String>, bool)> {
    let plain = flags.disable_tls.or(base.disable_tls).unwrap_or(false);
    if let Some(given) = text(&flags.endpoint) {
        let (host, scheme) = endpoint(given)?;
        return match scheme {
            Some(true) if !plain => Err(Error::usage(format!(
                "the endpoint {given} asks for plain HTTP"
            ))
            .hint("add --disable-tls to use http:// instead of https://")),
            Some(false) if plain => Err(Error::usage(format!(
                "the endpoint {given} asks for TLS, which is disabled"
            ))
            .hint("remove --disable-tls, or give --disable-tls=false")),
            _ => Ok((Some(host), plain)),
        };
    }
    let lookup = |name: &str| env.os(name).map(ToOwned::to_owned);
    if let Some(url) = Endpoint::url_from_env(&lookup) {
        let (host, scheme) = endpoint(&url).map_err(|e| {
            e.context("environment variable AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL")
        })?;
        return match (flags.disable_tls, scheme) {
            (Some(flag), Some(scheme)) if flag != scheme => Err(Error::usage(format!(
                "--disable-tls={flag} and AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL ({url}) disagree"
            ))),
            (_, scheme) => Ok((Some(host), scheme.unwrap_or(plain))),
        };
    }
    match &base.endpoint {
        Some(kept) => endpoint(kept).map(|(host, scheme)| {
            (
                Some(host),
                flags
                    .disable_tls
                    .or(base.disable_tls)
                    .or(scheme)
                    .unwrap_or(false),
            )
        }),
        None => Ok((None, plain)),
    }
}

/// Keys from flags count only as a whole.
fn flag_keys(flags: &S3Args) -> Result<Option<KeyPair>> {
    let (id, secret) = (
        text(&flags.aws_access_key),
        text(&flags.aws_secret_access_key),
    );
    let token = text(&flags.aws_session_token).map(|t| Zeroizing::new(t.to_owned()));
    match (id, secret) {
        (Some(id), Some(secret)) => Ok(Some(KeyPair {
            id: id.to_owned(),
            secret: Zeroizing::new(secret.to_owned()),
            token,
        })),
        (None, None) if token.is_none() => Ok(None),
        (None, _) => Err(Error::usage(
            "--aws-access-key is missing beside the other key flags",
        )),
        (_, None) => Err(Error::usage(
            "--aws-secret-access-key is missing beside the other key flags",
        )),
    }
}

/// Flags against the file, one by one.
fn check_s3(flags: &S3Args, bucket: Option<&str>, file: &ConfigFile) -> Result<()> {
    let old = &file.settings;
    if old.describe().is_none() {
        return Ok(());
    }
    if let (Some(Provider::Filesystem), Some(bucket)) = (old.provider, bucket) {
        return Err(differs(
            "--bucket",
            bucket,
            "path",
            &shown_path(old.path.as_deref()),
            file,
        ));
    }
    let differ =
        |flag: &str, given: Option<String>, key: &str, kept: Option<String>| match (given, kept) {
            (Some(given), Some(kept)) if given != kept => {
                Err(differs(flag, &given, key, &kept, file))
            }
            _ => Ok(()),
        };
    differ(
        "--bucket",
        bucket.map(str::to_owned),
        "bucket",
        old.bucket.as_deref().map(bucket_name).transpose()?,
    )?;
    let prefix = flags.prefix.as_deref().map(normal_prefix).transpose()?;
    differ(
        "--prefix",
        prefix,
        "prefix",
        Some(normal_prefix(old.prefix.as_deref().unwrap_or_default())?),
    )?;
    let given = text(&flags.endpoint)
        .map(endpoint)
        .transpose()?
        .map(|(host, _)| host);
    differ("--endpoint", given, "endpoint", Some(host(old)?))?;
    differ(
        "--region",
        text(&flags.region).map(str::to_owned),
        "region",
        old.region.clone(),
    )?;
    let manner = Manner::of_flags(flags);
    for (flag, at) in [("--provider", 0), ("--addressing", 1)] {
        let kept = old.manner.recorded[at].clone();
        differ(flag, manner.recorded[at].clone(), RECORDED_KEYS[at], kept)?;
    }
    let word = |b: bool| b.to_string();
    let tls = Some(word(old.disable_tls.unwrap_or(false)));
    differ(
        "--disable-tls",
        flags.disable_tls.map(word),
        "disable_tls",
        tls,
    )?;
    let checks = Some(word(old.disable_tls_verification.unwrap_or(false)));
    let given = flags.disable_tls_verification.map(word);
    differ(
        "--disable-tls-verification",
        given,
        "disable_tls_verification",
        checks,
    )
}

fn check_filesystem(path: Option<&Path>, file: &ConfigFile) -> Result<()> {
    let (old, Some(path)) = (&file.settings, path) else {
        return Ok(());
    };
    let given = shown_path(Some(path));
    match (old.provider, &old.path, &old.bucket) {
        (Some(Provider::Filesystem), Some(kept), _) if kept != path => Err(differs(
            "--path",
            &given,
            "path",
            &shown_path(Some(kept)),
            file,
        )),
        (Some(Provider::S3), _, Some(bucket)) => {
            Err(differs("--path", &given, "bucket", bucket, file))
        }
        _ => Ok(()),
    }
}

fn differs(flag: &str, given: &str, key: &str, kept: &str, file: &ConfigFile) -> Error {
    Error::usage(format!(
        "{flag} {given:?} does not match {key} {kept:?} in {}",
        file.shown()
    ))
    .hint("run 'corso repo connect' to change the file, or name another one with --config-file")
}

fn shown_path(path: Option<&Path>) -> String {
    path.map(|p| printable(p.as_os_str().as_encoded_bytes()))
        .unwrap_or_default()
}

/// A flag that is given and not empty.
pub(super) fn text(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|v| !v.is_empty())
}

fn given(value: &Option<OsArg>) -> Option<&OsArg> {
    value.as_ref().filter(|v| !v.is_empty())
}

/// Absolute, `~/` expanded, without `.` and doubled slashes; `..` stays (a link may stand before it).
pub fn absolute(path: &Path, env: &Env) -> Result<PathBuf> {
    let expanded = match (path.strip_prefix("~"), env.home()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    };
    let shown = shown_path(Some(path));
    std::path::absolute(&expanded)
        .map(|p| p.components().collect())
        .map_err(|e| Error::io(format!("finding the current folder for {shown}"), e))
}

#[cfg(test)]
mod tests;
