//! PutObject: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>

use super::{Action, Request};
use crate::format::lock::ObjectLock;
use crate::id::Id;
use crate::units::Time;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;
use std::time::Duration;

/// What may accompany a put; each is a matter of what the provider takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Put<'a> {
    /// `if-none-match: *`: create only.
    pub if_absent: bool,
    /// `x-amz-checksum-sha256`, which the server checks and keeps.
    pub checksum: bool,
    /// `content-md5`, which buckets with object lock demand where checksums are unknown.
    pub md5: bool,
    /// `x-amz-storage-class`
    pub storage_class: Option<&'a str>,
    /// `x-amz-server-side-encryption`: `AES256` or `aws:kms`.
    pub encryption: Option<&'a str>,
    /// `x-amz-server-side-encryption-aws-kms-key-id`
    pub kms_key: Option<&'a str>,
    /// See [`Request::lock`].
    pub lock: Option<ObjectLock>,
}

/// Stores `body`, whose SHA-256 is `sha256`, under `key`.
pub fn put_object<'a>(key: &str, body: &'a [u8], sha256: &Id, options: Put<'_>) -> Request<'a> {
    let mut request = Request::new(Action::PutObject, "PUT", key);
    if options.if_absent {
        request = request.header("if-none-match", "*");
    }
    if options.checksum {
        request = request.header("x-amz-checksum-sha256", STANDARD.encode(sha256));
    }
    if options.md5 {
        request = request.header("content-md5", content_md5(body));
    }
    for (name, value) in [
        ("x-amz-storage-class", options.storage_class),
        ("x-amz-server-side-encryption", options.encryption),
        (
            "x-amz-server-side-encryption-aws-kms-key-id",
            options.kms_key,
        ),
    ] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    request.lock = options.lock;
    request.payload = sha256.hex();
    request.body = Cow::Borrowed(body);
    request
}

/// The headers of a lock that begins at `now`. S3 wants its end in whole seconds, which it must not lose by.
pub fn lock_headers(lock: &ObjectLock, now: Time) -> [(String, String); 2] {
    let until = now.plus(lock.duration).plus(Duration::from_secs(1));
    [
        ("x-amz-object-lock-mode", lock.mode.s3_name().to_owned()),
        ("x-amz-object-lock-retain-until-date", until.rfc3339()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}

/// The value of `content-md5` for a body.
pub(super) fn content_md5(body: &[u8]) -> String {
    use md5::Digest;
    STANDARD.encode(md5::Md5::digest(body))
}
