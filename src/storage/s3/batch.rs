//! Removing many objects with few requests.

use super::S3Storage;
use crate::error::{Error, Kind, Result};
use crate::s3::client::{Answer, Limits};
use crate::s3::request::{self, MAX_DELETE};
use crate::s3::response::{DeleteFailure, parse_delete};
use crate::storage::Storage;
use std::collections::HashMap;

/// One result per key, in order. What a batch could not do (or a server that has no batches) is done one by one.
pub(super) fn delete_many(storage: &S3Storage, keys: &[String]) -> Vec<Result<()>> {
    let size = storage.client.provider().delete_batch.clamp(1, MAX_DELETE);
    keys.chunks(size)
        .flat_map(|chunk| one_batch(storage, chunk))
        .collect()
}

fn one_batch(storage: &S3Storage, keys: &[String]) -> Vec<Result<()>> {
    let one_by_one = || keys.iter().map(|key| storage.delete(key)).collect();
    if keys.len() < 2 {
        return one_by_one();
    }
    let Ok(full) = keys
        .iter()
        .map(|key| storage.full_key(key))
        .collect::<Result<Vec<String>>>()
    else {
        return one_by_one();
    };
    let failures = match storage
        .send(&request::delete_objects(&full), Limits::default())
        .and_then(failures)
    {
        Ok(failures) => failures,
        // No batches here, or not for us: each key gets its own answer.
        Err(_) => return one_by_one(),
    };
    let failed: HashMap<&str, &DeleteFailure> =
        failures.iter().map(|f| (f.key.as_str(), f)).collect();
    let judge = |(key, full): (&String, &String)| match failed.get(full.as_str()) {
        None => Ok(()),
        Some(failure) if failure.code == "NoSuchKey" => Ok(()),
        Some(failure) if failure.code == "AccessDenied" => {
            let text = format!(
                "deleting {key}: permission s3:DeleteObject denied ({:?})",
                failure.message
            );
            Err(Error::new(Kind::PermissionDenied, text)
                .hint("allow s3:DeleteObject on the bucket"))
        }
        // Passing trouble with one key of many.
        Some(_) => storage.delete(key),
    };
    keys.iter().zip(&full).map(judge).collect()
}

fn failures(answer: Answer) -> Result<Vec<DeleteFailure>> {
    parse_delete(&answer.body).map_err(|why| super::damaged_answer("deleting objects", &why))
}
