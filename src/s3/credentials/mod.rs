//! Keys for the storage: every place where the AWS SDKs find some, in their order, kept fresh while a run lasts.
//!
//! - [`chain`] asks the sources in turn; [`profile`] follows what the AWS files say, read by [`files`] in the grammar of
//!   [`ini`];
//! - a [`Source`] gives one set of keys each time it is asked: [`environment`], [`web_identity`], [`process`], [`sso`],
//!   [`container`], [`imds`], and [`assume_role`] on top of any other; [`sts`] and [`http`] serve them;
//! - [`provider`] holds the keys in use and renews them before they expire.
//!
//! The behaviour is that of the AWS SDK for Go v2 (`config`, `credentials`, `feature/ec2/imds`); where it differs, the
//! place says so.

mod assume_role;
mod chain;
mod container;
mod environment;
mod files;
mod http;
mod imds;
mod ini;
mod process;
mod profile;
mod provider;
mod sso;
mod sso_cache;
mod sts;
#[cfg(test)]
mod testing;
mod web_identity;

pub use assume_role::Role;
pub use chain::{Chain, Found, resolve};
pub use files::Profiles;
pub use provider::CredentialProvider;

use crate::error::Result;
use crate::units::Time;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Something secret: wiped from memory when dropped, and not shown by `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes over `text`.
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Is there nothing in it?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(from).map(Secret::new)
    }
}

/// One whole set of keys, wiped from memory when dropped.
#[derive(Clone)]
pub struct Credentials {
    access_key: String,
    secret_key: Secret,
    session_token: Option<Secret>,
    source: String,
    expires: Option<Time>,
}

impl Credentials {
    /// `source` says where they come from, for people: `flags`, `environment`, `profile "x" in FILE`.
    pub fn new(
        access_key: &str,
        secret_key: &str,
        session_token: Option<&str>,
        source: &str,
    ) -> Self {
        Credentials {
            access_key: access_key.to_string(),
            secret_key: Secret::new(secret_key.to_string()),
            session_token: session_token
                .filter(|t| !t.is_empty())
                .map(|t| Secret::new(t.to_string())),
            source: source.to_string(),
            expires: None,
        }
    }

    /// The same keys, which end at `expires`; `None` for ever.
    pub fn until(self, expires: Option<Time>) -> Self {
        Credentials { expires, ..self }
    }

    /// The access key id; not secret.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The secret access key.
    pub fn secret_key(&self) -> &str {
        self.secret_key.expose()
    }

    /// The session token of temporary keys.
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_ref().map(Secret::expose)
    }

    /// Where they come from, for people.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// When they end, by the clock of whoever gave them.
    pub fn expires(&self) -> Option<Time> {
        self.expires
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key", &self.access_key)
            .field("source", &self.source)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// A place that gives keys.
pub trait Source: Send + Sync {
    /// Asks once, now.
    ///
    /// # Errors
    /// What was asked and what was wrong with the answer, never with a secret in it.
    fn fetch(&self) -> Result<Credentials>;

    /// Are its keys worth using beyond their end while it cannot be reached? (AWS: the metadata service's are.)
    fn outlives_failures(&self) -> bool {
        false
    }
}

/// Keys that never change.
impl Source for Credentials {
    fn fetch(&self) -> Result<Credentials> {
        Ok(self.clone())
    }
}

/// Asks a person for the code of the MFA device with this serial number.
pub type MfaPrompt = Arc<dyn Fn(&str) -> Result<Secret> + Send + Sync>;

/// Looks up an environment variable. Passed in, so that tests see an environment of their own.
pub type Env<'a> = &'a (dyn Fn(&str) -> Option<OsString> + 'a);

/// The environment of this process.
pub fn process_env(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// A variable that is set and not empty, as text; bytes that are not UTF-8 are replaced.
pub fn env_text(env: Env<'_>, name: &str) -> Option<String> {
    env(name)
        .map(|v| v.to_string_lossy().into_owned())
        .filter(|v| !v.is_empty())
}

/// A variable that is set and not empty, as a path.
fn env_path(env: Env<'_>, name: &str) -> Option<PathBuf> {
    env(name).filter(|v| !v.is_empty()).map(PathBuf::from)
}

/// Is a variable set to `true`, in any case?
fn env_true(env: Env<'_>, name: &str) -> bool {
    env_text(env, name).is_some_and(|v| v.eq_ignore_ascii_case("true"))
}

/// The folder in which `.aws` lies.
fn home(env: Env<'_>) -> Option<PathBuf> {
    let own = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    env_path(env, own).or_else(|| env_path(env, "HOME"))
}

/// RFC 3339, as in expiries; `UTC` in place of `Z` is what old AWS CLIs wrote.
fn parse_time(text: &str) -> Option<Time> {
    let text = text.trim();
    if text.len() > 64 {
        return None;
    }
    let text = match text.strip_suffix("UTC") {
        Some(bare) => format!("{bare}Z"),
        None => text.to_string(),
    };
    text.parse::<jiff::Timestamp>()
        .ok()
        .map(|t| Time(t.as_millisecond()))
}

#[cfg(test)]
mod tests;
