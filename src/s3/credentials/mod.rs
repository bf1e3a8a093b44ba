//! Keys for the storage, and where they come from.

mod chain;
mod files;
mod ini;

pub use chain::{Chain, Found, resolve};
pub use files::{Profile, Profiles};

use std::ffi::OsString;
use zeroize::Zeroizing;

/// One whole set of keys, wiped from memory when dropped. Deliberately without `Debug`.
#[derive(Clone)]
pub struct Credentials {
    access_key: String,
    secret_key: Zeroizing<String>,
    session_token: Option<Zeroizing<String>>,
    source: String,
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
            secret_key: Zeroizing::new(secret_key.to_string()),
            session_token: session_token
                .filter(|t| !t.is_empty())
                .map(|t| Zeroizing::new(t.to_string())),
            source: source.to_string(),
        }
    }

    /// The access key id; not secret.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The secret access key.
    pub fn secret_key(&self) -> &str {
        &self.secret_key
    }

    /// The session token of temporary keys.
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_ref().map(|t| t.as_str())
    }

    /// Where they come from, for people.
    pub fn source(&self) -> &str {
        &self.source
    }
}

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
