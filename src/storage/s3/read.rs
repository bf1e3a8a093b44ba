//! Reading objects: the newest version, or one that is named.

use super::{S3Storage, damaged_answer};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::s3::client::Limits;
use crate::s3::clock::parse_http_date;
use crate::s3::provider::Checksum;
use crate::s3::request::{self, Request};
use crate::storage::ObjectInfo;

/// Which object.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Relative to the repository's prefix.
    pub key: &'a str,
    /// `None` for the newest.
    pub version: Option<&'a str>,
}

impl Wanted<'_> {
    fn of(&self, request: Request<'static>) -> Request<'static> {
        match self.version {
            Some(id) => request.of_version(id),
            None => request,
        }
    }
}

/// As [`Storage::get`](crate::storage::Storage::get).
pub(super) fn get(storage: &S3Storage, wanted: Wanted<'_>, limit: u64) -> Result<Vec<u8>> {
    let request = wanted.of(request::get_object(&storage.full_key(wanted.key)?));
    let limits = Limits {
        body: limit,
        not_after: None,
    };
    Ok(storage.send(&request, limits)?.body)
}

/// As [`Storage::get_range`](crate::storage::Storage::get_range).
pub(super) fn get_range(
    storage: &S3Storage,
    wanted: Wanted<'_>,
    offset: u64,
    length: u64,
) -> Result<Vec<u8>> {
    let key = wanted.key;
    let countable = offset
        .checked_add(length)
        .is_some_and(|end| end <= i64::MAX as u64);
    if length == 0 || !countable {
        // An empty range cannot be asked for, and servers refuse numbers beyond their integers; what remains of the
        // question is whether the object reaches that far.
        let size = head(storage, wanted)?.size;
        return if length == 0 && size >= offset {
            Ok(Vec::new())
        } else {
            Err(short(key, offset, length, size))
        };
    }
    let request = request::get_object_range(&storage.full_key(key)?, offset, length);
    let limits = Limits {
        body: length,
        not_after: None,
    };
    let body = storage.send(&wanted.of(request), limits)?.body;
    if body.len() as u64 != length {
        let end = offset.saturating_add(body.len() as u64);
        return Err(short(key, offset, length, end));
    }
    Ok(body)
}

/// As [`Storage::head`](crate::storage::Storage::head).
pub(super) fn head(storage: &S3Storage, wanted: Wanted<'_>) -> Result<ObjectInfo> {
    let request = request::head_object(&storage.full_key(wanted.key)?);
    let answer = storage.send(&wanted.of(request), Limits::default())?;
    let what = || format!("looking at {}", wanted.key);
    let size = answer
        .header("content-length")
        .and_then(|v| v.trim().parse().ok());
    let size = size.ok_or_else(|| damaged_answer(&what(), "it has no length"))?;
    let modified = answer.header("last-modified").and_then(parse_http_date);
    let modified = modified.ok_or_else(|| damaged_answer(&what(), "it has no time"))?;
    Ok(ObjectInfo {
        key: wanted.key.to_string(),
        size,
        modified,
    })
}

/// Only where puts carry one. A checksum of another form (of the parts of a copy in parts) counts as none.
pub(super) fn checksum(storage: &S3Storage, wanted: Wanted<'_>) -> Result<Option<Id>> {
    use base64::Engine;
    if storage.client.provider().checksum == Checksum::None {
        return Ok(None);
    }
    let request = request::head_checksum(&storage.full_key(wanted.key)?);
    let answer = storage.send(&wanted.of(request), Limits::default())?;
    let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).ok();
    let bytes = answer.header("x-amz-checksum-sha256").and_then(decode);
    Ok(bytes.and_then(|bytes| Id::from_slice(&bytes).ok()))
}

fn short(key: &str, offset: u64, length: u64, end: u64) -> Error {
    Error::damaged(format!(
        "{key} ends at byte {end}, and {length} bytes from {offset} were wanted"
    ))
}
