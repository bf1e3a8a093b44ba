//! Locks of objects.

use super::{S3Storage, damaged_answer};
use crate::error::{Error, Result};
use crate::s3::client::{Cause, Failure, Limits};
use crate::s3::explain::explain;
use crate::s3::request;
use crate::s3::response::{S3Error, parse_lock_configuration, parse_retention, retained};
use crate::storage::{Retained, check_key};

/// Longest answer that is read as the lock of an object.
const MAX_RETENTION: u64 = 64 << 10;

/// Does the server want a digest with this put? Where locks are the bucket's default it does, whatever the put says of them.
pub(super) fn wants_digest(failure: &Failure) -> bool {
    service(failure)
        .is_some_and(|e| e.status == 400 && e.message.to_ascii_lowercase().contains("content-md5"))
}

/// Asks for the bucket's setting.
pub(super) fn check(storage: &S3Storage) -> Result<()> {
    let client = &storage.client;
    let unable = |why: &str| {
        Error::usage(format!(
            "objects in bucket {} cannot be locked: {why}",
            client.bucket()
        ))
        .hint("enable object lock for the bucket (some providers: only when it is created), or leave out --retention-mode")
    };
    if !client.provider().object_lock {
        let name = client.provider().name;
        return Err(unable(&format!("{name} has no object lock")));
    }
    let request = request::get_object_lock_configuration();
    match client.send(&request, Limits::default()) {
        Ok(answer) => match parse_lock_configuration(&answer.body) {
            Ok(true) => Ok(()),
            Ok(false) => Err(unable("it has no object lock")),
            // What knows no such question lists the bucket instead.
            Err(_) => Err(unable("the server knows no object lock")),
        },
        Err(failure) => Err(match service(&failure) {
            Some(e) if is_unlocked(e) => unable("it has no object lock"),
            Some(e) if matches!(e.status, 405 | 501) || e.code == "NotImplemented" => {
                unable("the server knows no object lock")
            }
            _ => explain(client, &request, &failure),
        }),
    }
}

/// Asks for an object's lock.
pub(super) fn get(storage: &S3Storage, key: &str) -> Result<Option<Retained>> {
    let request = request::get_object_retention(&storage.full_key(key)?);
    let limits = Limits {
        body: MAX_RETENTION,
        not_after: None,
    };
    match storage.client.send(&request, limits) {
        Ok(answer) => match parse_retention(&answer.body) {
            Ok(Some(lock)) => Ok(Some(lock)),
            _ => from_head(storage, key),
        },
        Err(failure) => match &failure.cause {
            Cause::Service(error) if is_unlocked(error) => Ok(None),
            Cause::TooLong(_) => from_head(storage, key),
            _ => Err(explain(&storage.client, &request, &failure)),
        },
    }
}

/// What a server that does not know the question (moto answers with the object) says of the lock when it shows the object.
fn from_head(storage: &S3Storage, key: &str) -> Result<Option<Retained>> {
    let request = request::head_object(&storage.full_key(key)?);
    let answer = storage.send(&request, Limits::default())?;
    let mode = answer.header("x-amz-object-lock-mode");
    let until = answer.header("x-amz-object-lock-retain-until-date");
    let (Some(mode), Some(until)) = (mode, until) else {
        return Ok(None);
    };
    let lock = retained(mode, until);
    lock.map(Some)
        .map_err(|why| damaged_answer(&format!("asking for the lock of {key}"), &why))
}

/// Locks an object.
pub(super) fn put(storage: &S3Storage, key: &str, lock: &Retained) -> Result<()> {
    check_key(key)?;
    let request = request::put_object_retention(&storage.full_key(key)?, lock);
    storage.send(&request, Limits::default()).map(drop)
}

/// Bucket or object without a lock.
fn is_unlocked(error: &S3Error) -> bool {
    let code = error.code.as_str();
    code == "ObjectLockConfigurationNotFoundError"
        || code == "NoSuchObjectLockConfiguration"
        || (code == "InvalidRequest" && error.message.contains("Object Lock"))
}

fn service(failure: &Failure) -> Option<&S3Error> {
    match &failure.cause {
        Cause::Service(error) => Some(error),
        _ => None,
    }
}
