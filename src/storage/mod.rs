//! Where objects live: one small trait, its backends, and decorators that stack on it.
//!
//! Contract of every backend (checked by [`conformance`]):
//! - keys are `[a-z0-9/]+` relative to the repository's prefix, at most 200 bytes; anything else is refused;
//! - a put is atomic: a reader sees the whole object or none, also after a crash or a broken connection;
//! - read-after-write and list consistency: what a finished put wrote is in every later get and list;
//! - errors carry the [`Kind`](crate::error::Kind) that fits: a missing key is `ObjectMissing`, a missing bucket
//!   `BucketMissing`, and so on; transient failures have been retried before an error comes back;
//! - every method may be called from many threads at once.

pub mod conformance;
pub mod fault;
pub mod filesystem;
pub mod memory;
pub mod s3;

use crate::error::{Error, Kind, Result};
use crate::format::lock::{LockMode, ObjectLock};
use crate::id::Id;
use crate::units::Time;
use std::sync::Arc;

/// One object in a listing, or the answer to a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Key relative to the repository's prefix.
    pub key: String,
    /// Length in bytes.
    pub size: u64,
    /// By the storage's clock.
    pub modified: Time,
}

/// How to put an object.
#[derive(Clone, Debug, Default)]
pub struct PutOptions {
    /// Create only: fail with `ObjectExists` if the key is taken, where the backend can tell (`If-None-Match: *`).
    /// Backends that cannot, overwrite; nothing but `init` may care.
    pub if_absent: bool,
    /// SHA-256 of the body, when the caller knows it already (it is the name of sealed objects).
    pub sha256: Option<Id>,
    /// Latest moment, by the storage's clock, at which this put may be sent (the very time that is signed into
    /// `x-amz-date`). Checked before every attempt; later gives `TooLate` and nothing is sent.
    pub not_after: Option<Time>,
    /// Keep the object from being deleted or replaced for so long from now, by the storage's clock. Backends that cannot
    /// ([`Storage::check_lock`]) pass over it.
    pub lock: Option<ObjectLock>,
}

/// What a put was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The storage's clock in its answer.
    pub date: Time,
}

/// The clock around a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// A moment by the storage's clock not later than the start of the first page's request.
    pub began: Time,
    /// The storage's clock in the last page's answer.
    pub ended: Time,
}

/// The lock of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retained {
    /// Who may lift it.
    pub mode: LockMode,
    /// When it ends, by the storage's clock.
    pub until: Time,
}

/// A repository's storage. See the module's contract.
pub trait Storage: Send + Sync {
    /// Stores `body` under `key`.
    ///
    /// Without `if_absent` an existing object is replaced. Idempotent: a put that is sent twice stores the same.
    fn put(&self, key: &str, body: &[u8], options: &PutOptions) -> Result<Stored>;

    /// The whole object, refused with `Damaged` if it is longer than `limit` bytes (before it is read into memory).
    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>>;

    /// Exactly `length` bytes from `offset`; an object that ends earlier is `Damaged`.
    fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Vec<u8>>;

    /// Size and time of one object.
    fn head(&self, key: &str) -> Result<ObjectInfo>;

    /// The SHA-256 of an object that the storage itself took and keeps, without a download; `None` where it keeps none.
    fn checksum(&self, key: &str) -> Result<Option<Id>> {
        let _ = key;
        Ok(None)
    }

    /// Every object whose key starts with `prefix` (which ends with `/` or is a whole key), in key order, page by
    /// page; an error from `each` stops the listing and is returned. Keys that are not of the form of the
    /// contract (strangers in the bucket) are passed over.
    fn list(&self, prefix: &str, each: &mut dyn FnMut(ObjectInfo) -> Result<()>) -> Result<Listed>;

    /// Removes one object; a missing one is fine.
    fn delete(&self, key: &str) -> Result<()>;

    /// Removes many. Gives one result per key, in order; the default deletes one by one.
    fn delete_many(&self, keys: &[String]) -> Vec<Result<()>> {
        keys.iter().map(|k| self.delete(k)).collect()
    }

    /// The storage's clock now: this host's clock corrected by the skew last observed in an answer. Never asks.
    fn now(&self) -> Time;

    /// Is the place itself there (bucket or folder)? `BucketMissing` if not. Never creates anything.
    fn check_place(&self) -> Result<()>;

    /// Can objects here be locked? `Usage` where they cannot. Never changes anything.
    fn check_lock(&self) -> Result<()> {
        Err(Error::usage(format!(
            "objects at {} cannot be locked",
            self.describe()
        )))
    }

    /// Until when an object is locked, and how; `None` if it is not.
    fn retention(&self, key: &str) -> Result<Option<Retained>> {
        let _ = key;
        Ok(None)
    }

    /// Locks an object until a later time than now, or in a stronger mode.
    fn retain(&self, key: &str, lock: &Retained) -> Result<()> {
        let _ = (key, lock);
        self.check_lock()
    }

    /// The past moment that this storage shows; nothing can be written to it then. `None`: the present.
    fn moment(&self) -> Option<Time> {
        None
    }

    /// For people: `S3 bucket B` or `path P`.
    fn describe(&self) -> String;

    /// Requests and bytes so far, by class. Backends without requests count calls.
    fn usage(&self) -> Usage;

    /// How many requests at a time the user asked for, if they did.
    fn connections(&self) -> Option<usize> {
        None
    }
}

/// Requests by S3 price class, and bytes each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    /// PUT, POST and COPY.
    pub put: u64,
    /// GET and HEAD.
    pub get: u64,
    /// LIST.
    pub list: u64,
    /// DELETE (free on AWS); a batch counts one.
    pub delete: u64,
    /// Attempts beyond the first, in all classes (also counted there).
    pub retries: u64,
    /// Body bytes sent.
    pub bytes_up: u64,
    /// Body bytes received.
    pub bytes_down: u64,
}

impl Usage {
    /// What came after `earlier`.
    pub fn since(self, earlier: &Usage) -> Usage {
        Usage {
            put: self.put.saturating_sub(earlier.put),
            get: self.get.saturating_sub(earlier.get),
            list: self.list.saturating_sub(earlier.list),
            delete: self.delete.saturating_sub(earlier.delete),
            retries: self.retries.saturating_sub(earlier.retries),
            bytes_up: self.bytes_up.saturating_sub(earlier.bytes_up),
            bytes_down: self.bytes_down.saturating_sub(earlier.bytes_down),
        }
    }
}

impl<S: Storage + ?Sized> Storage for Arc<S> {
    fn put(&self, key: &str, body: &[u8], options: &PutOptions) -> Result<Stored> {
        (**self).put(key, body, options)
    }
    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>> {
        (**self).get(key, limit)
    }
    fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Vec<u8>> {
        (**self).get_range(key, offset, length)
    }
    fn head(&self, key: &str) -> Result<ObjectInfo> {
        (**self).head(key)
    }
    fn checksum(&self, key: &str) -> Result<Option<Id>> {
        (**self).checksum(key)
    }
    fn list(&self, prefix: &str, each: &mut dyn FnMut(ObjectInfo) -> Result<()>) -> Result<Listed> {
        (**self).list(prefix, each)
    }
    fn delete(&self, key: &str) -> Result<()> {
        (**self).delete(key)
    }
    fn delete_many(&self, keys: &[String]) -> Vec<Result<()>> {
        (**self).delete_many(keys)
    }
    fn now(&self) -> Time {
        (**self).now()
    }
    fn check_place(&self) -> Result<()> {
        (**self).check_place()
    }
    fn check_lock(&self) -> Result<()> {
        (**self).check_lock()
    }
    fn retention(&self, key: &str) -> Result<Option<Retained>> {
        (**self).retention(key)
    }
    fn retain(&self, key: &str, lock: &Retained) -> Result<()> {
        (**self).retain(key, lock)
    }
    fn moment(&self) -> Option<Time> {
        (**self).moment()
    }
    fn describe(&self) -> String {
        (**self).describe()
    }
    fn usage(&self) -> Usage {
        (**self).usage()
    }
    fn connections(&self) -> Option<usize> {
        (**self).connections()
    }
}

/// Refuses keys that are not of the contract's form, so that no backend has to quote anything.
pub fn check_key(key: &str) -> Result<()> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'/';
    if key.is_empty()
        || key.len() > 200
        || !key.bytes().all(plain)
        || key.starts_with('/')
        || key.ends_with('/')
        || key.contains("//")
    {
        return Err(Error::new(
            Kind::Failed,
            format!("{key:?} is not a key of a repository object"),
        ));
    }
    Ok(())
}

/// Refuses a put with `TooLate` once the storage's clock is past its `not_after`.
pub fn check_not_after(now: Time, options: &PutOptions) -> Result<()> {
    match options.not_after {
        Some(limit) if now > limit => Err(Error::new(
            Kind::TooLate,
            format!(
                "an upload was held back: the listing that it rests on ended its use at {limit}, it is {now}"
            ),
        )),
        _ => Ok(()),
    }
}
