//! Making and opening a repository.

use super::cache::Cache;
use super::patience::Patience;
use super::slots;
use super::threads::Threads;
use crate::crypto::{DomainKeys, Keyring, Passphrase, Role};
use crate::error::{Context, Error, Kind, Result};
use crate::format::config::{Config, MAX_CONFIG, MIN_GRACE};
use crate::format::lock::ObjectLock;
use crate::id::{Id, Id16};
use crate::report::{Event, Observer};
use crate::storage::{PutOptions, Storage};
use crate::units::{GIB, MIB, Time};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// zstd level of chunks.
const COMPRESSION_LEVEL: i32 = 3;

/// What `init` may choose.
#[derive(Clone, Debug)]
pub struct InitOptions {
    /// Bulk cipher.
    pub cipher: crate::crypto::Cipher,
    /// Grace period; at least an hour, or zero.
    pub grace: Duration,
    /// Target size of data packs in bytes.
    pub pack_size: u64,
    /// How objects are locked in the storage, if they are; at least for a day.
    pub lock: Option<ObjectLock>,
    /// Label of the first key slot.
    pub label: String,
}

impl Default for InitOptions {
    fn default() -> Self {
        InitOptions {
            cipher: crate::crypto::Cipher::Aes256Gcm,
            grace: Duration::from_secs(24 * 3600),
            pack_size: 32 * crate::units::MIB,
            lock: None,
            label: String::new(),
        }
    }
}

impl InitOptions {
    /// The configuration of a new repository.
    ///
    /// # Errors
    /// `Usage` for what is out of range.
    fn config(&self) -> Result<Config> {
        if !self.grace.is_zero() && self.grace < MIN_GRACE {
            return Err(
                Error::usage("the grace period is too short").hint("give 0, or at least 1h")
            );
        }
        if !(MIB..=GIB / 2).contains(&self.pack_size) {
            return Err(Error::usage("the pack size is out of range").hint("give 1M to 512M"));
        }
        let mut config = Config::new(Id16::random()?, Time::local_now());
        (config.cipher, config.grace, config.pack_size) = (self.cipher, self.grace, self.pack_size);
        config.lock = self.lock;
        config.check()?;
        Ok(config)
    }
}

/// A cache that cannot be had costs time only.
fn open_cache(
    root: Option<&Path>,
    repo: &Id16,
    storage: &dyn Storage,
    observer: &dyn Observer,
) -> Option<Cache> {
    let cache = match storage.moment() {
        None => Cache::open(root?, repo),
        Some(_) => Cache::open_past(root?, repo),
    };
    match cache {
        Ok(cache) => Some(cache),
        Err(e) => {
            observer.event(Event::Warning(&format!(
                "working without a local cache: {e}"
            )));
            None
        }
    }
}

/// An open repository: a storage, its configuration, and the keys that a passphrase gave.
pub struct Repository {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) config: Config,
    /// The bytes of the `config` object; key slots carry their hash.
    pub(crate) config_bytes: Vec<u8>,
    /// Shared, with all that it remembers, by those who open the repository more than once.
    pub(crate) keyring: Arc<Keyring>,
    /// The slot that the passphrase opened.
    pub(crate) slot: Id16,
    pub(crate) cache: Option<Cache>,
    pub(crate) threads: Threads,
    /// What reads of objects have come to.
    pub(crate) patience: Patience,
}

impl Repository {
    /// Makes a repository where none is. The place itself (bucket, folder) must exist.
    ///
    /// The key slot is put first and `config` last, with `If-None-Match: *` where the storage knows it: a repository
    /// exists exactly when `config` does. A race that was lost unnoticed is seen when `config` is read back.
    ///
    /// # Errors
    /// `BucketMissing`, `RepositoryExists`, and what the storage fails with.
    pub fn init(
        storage: Arc<dyn Storage>,
        passphrase: &Passphrase,
        options: &InitOptions,
        cache_root: Option<&Path>,
        observer: &dyn Observer,
    ) -> Result<Repository> {
        storage.check_place()?;
        let exists = || {
            Error::new(
                Kind::RepositoryExists,
                format!("a repository is already at {}", storage.describe()),
            )
            .hint("use `corso repo connect`, or choose another --prefix or --path")
        };
        match storage.get("config", MAX_CONFIG as u64) {
            Ok(bytes) => {
                return Err(
                    Config::decode(&bytes).map_or_else(|e| foreign(&*storage, e), |_| exists())
                );
            }
            Err(e) if e.kind() == Kind::ObjectMissing => {}
            Err(e) if e.kind() == Kind::Damaged => return Err(foreign(&*storage, e)),
            Err(e) => return Err(e.context("looking for a repository")),
        }
        if holds_backups(&*storage)? {
            return Err(without_config(&*storage).hint(
                "put `config` back from a versioned bucket or a copy of the repository, or choose another --prefix or --path",
            ));
        }
        let made = options.config()?;
        if made.lock.is_some() {
            storage.check_lock().context(|| "nothing was written")?;
        }
        let bytes = made.encode()?;
        let (slot, keyring) =
            slots::make_first(&*storage, &made, &bytes, passphrase, &options.label)?;
        let put = PutOptions {
            if_absent: true,
            lock: made.lock,
            ..PutOptions::default()
        };
        let outcome = match storage.put("config", &bytes, &put) {
            // A conditional create that was retried may have met its own success: read it back and compare.
            Ok(_) => storage.get("config", MAX_CONFIG as u64),
            Err(e) if e.kind() == Kind::ObjectExists => storage.get("config", MAX_CONFIG as u64),
            Err(e) => Err(e),
        };
        match outcome {
            Ok(stored) if stored == bytes => {}
            Ok(_) => {
                let _ = storage.delete(&slots::key_of(&slot));
                return Err(exists());
            }
            Err(e) => {
                let _ = storage.delete(&slots::key_of(&slot));
                return Err(e.context("writing the repository's configuration"));
            }
        }
        let cache = open_cache(cache_root, &made.repo, &*storage, observer);
        if let Some(cache) = &cache {
            cache.remember_slot(&slot);
        }
        let threads = Threads::for_connections(storage.connections());
        Ok(Repository {
            storage,
            config: made,
            config_bytes: bytes,
            keyring: Arc::new(keyring),
            slot,
            cache,
            threads,
            patience: Patience::default(),
        })
    }

    /// Opens the repository on `storage`.
    ///
    /// # Errors
    /// `BucketMissing`, `NoRepository`, `NotRepository`, `NewerFormat`, `PassphraseWrong`, `Damaged`, and what the
    /// storage fails with.
    pub fn open(
        storage: Arc<dyn Storage>,
        passphrase: &Passphrase,
        cache_root: Option<&Path>,
        observer: &dyn Observer,
    ) -> Result<Repository> {
        let bytes = match storage.get("config", MAX_CONFIG as u64) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == Kind::ObjectMissing => {
                storage.check_place()?;
                // Who may not list is not told.
                if holds_backups(&*storage).unwrap_or(false) {
                    return Err(without_config(&*storage).hint(
                        "put `config` back from a copy of the repository, or look with `corso repo connect s3 --point-in-time TIME` if the bucket keeps versions: without it no passphrase opens what lies there",
                    ));
                }
                return Err(Error::new(
                    Kind::NoRepository,
                    format!("there is no repository at {}", storage.describe()),
                )
                .hint("check --bucket, --prefix or --path, or make one with `corso repo init`"));
            }
            Err(e) if e.kind() == Kind::Damaged => return Err(foreign(&*storage, e)),
            Err(e) => return Err(e.context("opening the repository")),
        };
        let config = Config::decode(&bytes).map_err(|e| foreign(&*storage, e))?;
        let before = cache_root.and_then(|root| Cache::slot(root, &config.repo));
        let (slot, keyring) = slots::open_any(&*storage, &bytes, passphrase, before, observer)?;
        let cache = open_cache(cache_root, &config.repo, &*storage, observer);
        if let Some(cache) = &cache
            && before != Some(slot)
            && storage.moment().is_none()
        {
            cache.remember_slot(&slot);
        }
        let threads = Threads::for_connections(storage.connections());
        Ok(Repository {
            storage,
            config,
            config_bytes: bytes,
            keyring: Arc::new(keyring),
            slot,
            cache,
            threads,
            patience: Patience::default(),
        })
    }

    /// The repository that `known` is, on another storage, without a cache and in serial mode.
    #[cfg(test)]
    pub(crate) fn serial(storage: Arc<dyn Storage>, known: &Repository) -> Repository {
        let (config, bytes) = (known.config.clone(), known.config_bytes.clone());
        Self::with_keys(storage, config, bytes, known.keyring.clone())
    }

    /// A repository whose keys are known, without a cache and in serial mode.
    #[cfg(test)]
    pub(crate) fn with_keys(
        storage: Arc<dyn Storage>,
        config: Config,
        config_bytes: Vec<u8>,
        keyring: Arc<Keyring>,
    ) -> Repository {
        Repository {
            storage,
            config,
            config_bytes,
            keyring,
            slot: Id16::ZERO,
            cache: None,
            threads: Threads::SERIAL,
            patience: Patience::default(),
        }
    }

    /// The repository's id.
    pub fn id(&self) -> Id16 {
        self.config.repo
    }

    /// The storage.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// The configuration, as written at init.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The local cache.
    pub fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    /// The role of the key in use.
    pub fn role(&self) -> Role {
        self.keyring.role()
    }

    /// The writer id of the key in use; zero for full keys.
    pub fn writer(&self) -> Id16 {
        self.keyring.writer_id()
    }

    /// The slot of the key in use.
    pub fn slot(&self) -> Id16 {
        self.slot
    }

    /// Fails with `RoleNeeded` unless the key is a full one; `what` is what was asked for.
    pub fn require_full(&self, what: &str) -> Result<()> {
        match self.role() {
            Role::Full => Ok(()),
            Role::Writer => Err(Error::new(
                Kind::RoleNeeded,
                format!("{what} needs a key with the role full; this passphrase opens one with the role writer"),
            )
            .hint("use a full key's passphrase")),
        }
    }

    pub(crate) fn compression_level(&self) -> i32 {
        COMPRESSION_LEVEL
    }

    /// The keys of the domain that this key writes to, in the newest epoch.
    pub(crate) fn own_domain(&self) -> Result<Arc<DomainKeys>> {
        self.keyring
            .domain(self.writer(), self.keyring.newest_epoch())
            .context(|| "deriving the domain's keys")
    }
}

/// An object named `config` that is none of ours, or not any more.
fn foreign(storage: &dyn Storage, error: Error) -> Error {
    let kind = error.kind();
    let error = error.context(format!(
        "reading the object config at {}",
        storage.describe()
    ));
    match kind {
        Kind::NewerFormat => error.hint("use a newer version of corso"),
        Kind::NotRepository => error.hint("something else is stored there: choose another --prefix or --path"),
        _ => error.hint("a copy of this object from a versioned bucket or another copy of the repository mends it"),
    }
}

/// A repository that has lost its config.
fn without_config(storage: &dyn Storage) -> Error {
    Error::damaged(format!(
        "there are backups at {}, and their `config` is missing",
        storage.describe()
    ))
}

/// Is there a snapshot? Asks for the first page of the listing.
fn holds_backups(storage: &dyn Storage) -> Result<bool> {
    let mut found = false;
    let listed = storage.list("snapshots/", &mut |object| {
        found |= object
            .key
            .rsplit('/')
            .next()
            .is_some_and(|name| name.parse::<Id>().is_ok());
        match found {
            // One is enough.
            true => Err(Error::failed("found")),
            false => Ok(()),
        }
    });
    match found {
        true => Ok(true),
        false => listed.map(|_| false),
    }
}
