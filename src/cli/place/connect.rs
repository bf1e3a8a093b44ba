//! From a place to the storage there.

use super::{S3Place, StorageChoice};
use crate::cli::env::Env;
use crate::error::Result;
use crate::s3::credentials::{Chain, Credentials};
use crate::s3::retry::Policy;
use crate::storage::Storage;
use crate::storage::filesystem::FilesystemStorage;
use crate::storage::s3::{S3Config, S3Options, S3Storage};
use std::sync::Arc;
use std::time::Duration;

/// How long a question may go without an answer, where nobody waits for a backup.
const PATIENCE: Duration = Duration::from_secs(10);

impl StorageChoice {
    /// The storage. An endpoint that an AWS profile gave is noted in the choice, for the configuration file.
    /// With `create`, a repository's folder is made where it is missing; buckets never are.
    pub fn storage(&mut self, env: &Env, create: bool) -> Result<Arc<dyn Storage>> {
        match self {
            StorageChoice::Filesystem(path) => Ok(Arc::new(FilesystemStorage::open(path, create)?)),
            StorageChoice::S3(place) => {
                let config = place.config(env)?;
                place.endpoint = Some(config.endpoint.clone());
                place.disable_tls = config.disable_tls;
                Ok(Arc::new(S3Storage::connect(config)?))
            }
        }
    }
}

impl S3Place {
    /// The bucket itself, with more than what [`Storage`] asks of it. As many requests at a time as `connections`, unless
    /// the user said how many; and with less patience, since some of what is asked is meant to fail.
    pub fn bucket(&self, env: &Env, connections: usize) -> Result<S3Storage> {
        let mut config = self.config(env)?;
        config.tuning.connections.get_or_insert(connections);
        if config.tuning.timeout.is_none() {
            config.tuning.timeout = Some(PATIENCE);
            config.retry = Policy::with_limit(PATIENCE);
        }
        S3Storage::connect(config)
    }

    fn config(&self, env: &Env) -> Result<S3Config> {
        let lookup = |name: &str| env.os(name).map(ToOwned::to_owned);
        let given = self.flag_keys.as_ref().map(|k| (k, "flags"));
        let old = self
            .file_keys
            .as_ref()
            .map(|k| (k, "the configuration file"));
        let keys = given.or(old.filter(|_| self.profile.is_none() && !names_keys(env)));
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
                access_key: keys.map(|(k, _)| k.id.clone()),
                secret_key: keys.map(|(k, _)| k.secret.clone()),
                session_token: keys.and_then(|(k, _)| k.token.clone()),
                profile: self.profile.clone(),
            },
            dialect,
            stored_as,
            tuning,
        };
        let mut config = S3Config::resolve(options, &lookup)?;
        if let Some((keys, source)) = keys {
            let token = keys.token.as_ref().map(|t| t.as_str());
            config.credentials = Credentials::new(&keys.id, &keys.secret, token, source);
        }
        Ok(config)
    }
}

/// Does the environment say which keys to use? Then those of an old configuration file are not asked.
pub fn names_keys(env: &Env) -> bool {
    const NAMES: [&str; 4] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_ACCESS_KEY",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
    ];
    env.first(&NAMES).is_some()
}
