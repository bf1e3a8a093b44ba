//! Requests as plain values, one file per S3 action. Nothing here does I/O: the client adds host, signature and retries.

mod bucket_location;
mod bucket_object_lock;
mod bucket_versioning;
mod delete_object;
mod delete_objects;
mod get_object;
mod head_bucket;
mod head_object;
mod list_objects;
mod list_versions;
mod object_retention;
mod put_object;

pub use bucket_location::get_bucket_location;
pub use bucket_object_lock::get_object_lock_configuration;
pub use bucket_versioning::get_bucket_versioning;
pub use delete_object::delete_object;
pub use delete_objects::{MAX_DELETE, delete_objects};
pub use get_object::{get_object, get_object_range};
pub use head_bucket::head_bucket;
pub use head_object::{head_checksum, head_object};
pub use list_objects::{ListPage, list_objects};
pub use list_versions::{VersionPage, list_versions};
pub use object_retention::{get_object_retention, put_object_retention};
pub use put_object::{Put, lock_headers, put_object};

use super::sigv4::EMPTY_SHA256;
use crate::format::lock::ObjectLock;
use std::borrow::Cow;

/// An action: names the permission it needs and its price class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Action {
    PutObject,
    GetObject,
    HeadObject,
    HeadBucket,
    ListObjects,
    DeleteObject,
    DeleteObjects,
    GetBucketLocation,
    GetBucketVersioning,
    GetObjectLockConfiguration,
    GetObjectRetention,
    PutObjectRetention,
    ListObjectVersions,
}

impl Action {
    /// The permission in a bucket policy.
    pub fn permission(self) -> &'static str {
        match self {
            Action::PutObject => "s3:PutObject",
            Action::GetObject | Action::HeadObject => "s3:GetObject",
            Action::HeadBucket | Action::ListObjects => "s3:ListBucket",
            Action::DeleteObject | Action::DeleteObjects => "s3:DeleteObject",
            Action::GetBucketLocation => "s3:GetBucketLocation",
            Action::GetBucketVersioning => "s3:GetBucketVersioning",
            Action::GetObjectLockConfiguration => "s3:GetBucketObjectLockConfiguration",
            Action::GetObjectRetention => "s3:GetObjectRetention",
            Action::PutObjectRetention => "s3:PutObjectRetention",
            Action::ListObjectVersions => "s3:ListBucketVersions",
        }
    }

    /// What it does, for messages: `reading KEY`.
    pub fn verb(self) -> &'static str {
        match self {
            Action::PutObject => "writing",
            Action::GetObject => "reading",
            Action::HeadObject => "looking at",
            Action::HeadBucket | Action::GetBucketLocation => "looking for",
            Action::ListObjects => "listing",
            Action::ListObjectVersions => "listing the versions of",
            Action::GetBucketVersioning => "asking whether versions are kept of",
            Action::GetObjectLockConfiguration => "asking for the object lock of",
            Action::GetObjectRetention => "asking for the lock of",
            Action::PutObjectRetention => "locking",
            Action::DeleteObject | Action::DeleteObjects => "deleting",
        }
    }
}

/// A request on a bucket, without host and signature.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Which action.
    pub action: Action,
    /// HTTP method.
    pub method: &'static str,
    /// The object's key, not encoded; empty for the bucket itself.
    pub key: String,
    /// Names and values, not encoded.
    pub query: Vec<(String, String)>,
    /// Lower-case names, beside `host` and the signature's own.
    pub headers: Vec<(String, String)>,
    /// Of a GET: offset and length. The client writes the header, since it may resume within the range.
    pub range: Option<(u64, u64)>,
    /// Of a put. The client writes the headers: the time counts from when an attempt is signed, by the clock as it is then.
    pub lock: Option<ObjectLock>,
    /// Sent whole, with its length.
    pub body: Cow<'a, [u8]>,
    /// Hexadecimal SHA-256 of the body.
    pub payload: String,
}

impl<'a> Request<'a> {
    /// A request without query, headers or body.
    fn new(action: Action, method: &'static str, key: &str) -> Self {
        Request {
            action,
            method,
            key: key.to_string(),
            query: Vec::new(),
            headers: Vec::new(),
            range: None,
            lock: None,
            body: Cow::Borrowed(&[]),
            payload: EMPTY_SHA256.to_string(),
        }
    }

    /// The version of an object that is meant, instead of the newest.
    pub fn of_version(self, id: &str) -> Self {
        self.query("versionId", id)
    }

    /// The permissions in a bucket policy: the action's, and what more this very request needs.
    pub fn permission(&self) -> &'static str {
        let versioned = self.query.iter().any(|(name, _)| name == "versionId");
        match self.action {
            Action::GetObject | Action::HeadObject if versioned => "s3:GetObjectVersion",
            Action::PutObject if self.lock.is_some() => "s3:PutObject and s3:PutObjectRetention",
            action => action.permission(),
        }
    }

    fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_string(), value.to_string()));
        self
    }

    fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_string(), value.into()));
        self
    }
}

#[cfg(test)]
mod tests;
