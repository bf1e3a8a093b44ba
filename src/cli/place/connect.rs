//! From a place to the storage there.

use super::{S3Place, StorageChoice};
use crate::cli::env::Env;
use crate::error::{Error, Kind, Result};
use crate::s3::credentials::{Chain, MfaPrompt, Secret};
use crate::s3::retry::Policy;
use crate::storage::Storage;
use crate::storage::filesystem::FilesystemStorage;
use crate::storage::s3::{PastS3, S3Config, S3Options, S3Storage};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

/// How long a question may go without an answer, where nobody waits for a backup.
const PATIENCE: Duration = Duration::from_secs(10);

impl StorageChoice {
    /// The storage. An endpoint that an AWS profile gave is noted in the choice, for the configuration file, and so is
    /// where the keys came from.
    /// With `create`, a repository's folder is made where it is missing; buckets never are.
    pub fn storage(&mut self, env: &Env, create: bool) -> Result<Arc<dyn Storage>> {
        match self {
            StorageChoice::Filesystem(path) => Ok(Arc::new(FilesystemStorage::open(path, create)?)),
            StorageChoice::S3(place) => {
                let config = place.config(env)?;
                place.endpoint = Some(config.endpoint.clone());
                place.disable_tls = config.disable_tls;
                place.keys_from = Some(config.credentials.current().source().to_owned());
                let live = S3Storage::connect(config)?;
                Ok(match place.point_in_time {
                    None => Arc::new(live),
                    Some(moment) => Arc::new(PastS3::new(live, moment)),
                })
            }
        }
    }
}

impl S3Place {
    /// The bucket itself, with more than what [`Storage`] asks of it. As many requests at a time as `connections`, unless
    /// the user said how many; and with less patience, since some of what is asked is meant to fail.
    pub fn bucket(&self, env: &Env, connections: usize) -> Result<S3Storage> {
        let mut config = self.config(env)?;
        let own = config.tuning.connections.is_some();
        if config.tuning.timeout.is_none() {
            config.tuning.timeout = Some(PATIENCE);
            config.retry = Policy::with_limit(PATIENCE);
        }
        let storage = S3Storage::connect(config)?;
        Ok(match own {
            true => storage,
            false => storage.letting_through(connections),
        })
    }

    fn config(&self, env: &Env) -> Result<S3Config> {
        let lookup = |name: &str| env.lookup(name);
        let old = self.file_keys.as_ref();
        let old =
            old.filter(|_| self.flag_keys.is_none() && self.profile.is_none() && !names_keys(env));
        let keys = self.flag_keys.as_ref().or(old);
        let secret = |text: &str| Secret::new(text.to_owned());
        let (dialect, stored_as, tuning) = self.manner.values()?;
        let options = S3Options {
            bucket: self.bucket.clone(),
            prefix: self.prefix.clone(),
            endpoint: self.endpoint.clone(),
            disable_tls: self.disable_tls,
            disable_tls_verification: self.disable_tls_verification,
            region: self.region.clone(),
            root_ca_pem: self.root_ca_pem.clone(),
            keys: Chain {
                access_key: keys.map(|k| k.id.clone()),
                secret_key: keys.map(|k| secret(&k.secret)),
                session_token: keys.and_then(|k| k.token.as_ref().map(|t| secret(t))),
                keys_from: old.map(|_| "the configuration file".to_owned()),
                profile: self.profile.clone(),
                role: self.role.clone(),
                mfa: std::io::stderr().is_terminal().then(mfa_prompt),
                ..Chain::default()
            },
            dialect,
            stored_as,
            tuning,
        };
        S3Config::resolve(options, &lookup)
    }
}

/// Asks on the terminal for a code.
fn mfa_prompt() -> MfaPrompt {
    Arc::new(|serial| {
        let code = rpassword::prompt_password(format!("Code of MFA device {serial}: "));
        code.map(|code| Secret::new(code.trim().to_owned()))
            .map_err(|e| {
                let kind = match e.kind() {
                    std::io::ErrorKind::Interrupted => Kind::Interrupted,
                    _ => Kind::CredentialsMissing,
                };
                Error::new(kind, format!("asking for the code of MFA device {serial}"))
                    .with_source(e)
            })
    })
}

/// Does the environment say which keys to use? Then those of an old configuration file are not asked.
pub fn names_keys(env: &Env) -> bool {
    const NAMES: [&str; 5] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_ACCESS_KEY",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    ];
    env.first(&NAMES).is_some()
}
