//! What the storage was asked, by price class.

use super::request::Action;
use crate::storage::Usage;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts requests and bytes; shared by all threads.
#[derive(Debug, Default)]
pub struct Meter {
    put: AtomicU64,
    get: AtomicU64,
    list: AtomicU64,
    delete: AtomicU64,
    retries: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
}

impl Meter {
    /// One attempt of an action with a body of `bytes`.
    pub fn request(&self, action: Action, bytes: u64, retry: bool) {
        let class = match action {
            Action::PutObject | Action::PutObjectRetention => &self.put,
            Action::GetObject
            | Action::HeadObject
            | Action::HeadBucket
            | Action::GetBucketLocation
            | Action::GetBucketVersioning
            | Action::GetObjectLockConfiguration
            | Action::GetObjectRetention => &self.get,
            Action::ListObjects | Action::ListObjectVersions => &self.list,
            Action::DeleteObject | Action::DeleteObjects => &self.delete,
        };
        class.fetch_add(1, Relaxed);
        self.up.fetch_add(bytes, Relaxed);
        if retry {
            self.retries.fetch_add(1, Relaxed);
        }
    }

    /// Body bytes that arrived.
    pub fn received(&self, bytes: u64) {
        self.down.fetch_add(bytes, Relaxed);
    }

    /// The counts so far.
    pub fn usage(&self) -> Usage {
        Usage {
            put: self.put.load(Relaxed),
            get: self.get.load(Relaxed),
            list: self.list.load(Relaxed),
            delete: self.delete.load(Relaxed),
            retries: self.retries.load(Relaxed),
            bytes_up: self.up.load(Relaxed),
            bytes_down: self.down.load(Relaxed),
        }
    }
}
