//! GetObjectRetention: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectRetention.html>
//! PutObjectRetention: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectRetention.html>

use super::put_object::content_md5;
use super::{Action, Request};
use crate::id::Id;
use crate::storage::Retained;
use std::borrow::Cow;

/// Until when an object is locked.
pub fn get_object_retention(key: &str) -> Request<'static> {
    Request::new(Action::GetObjectRetention, "GET", key).query("retention", "")
}

/// Locks an object; a lock can be made longer or stronger so, and not shorter.
pub fn put_object_retention(key: &str, lock: &Retained) -> Request<'static> {
    let body = format!(
        "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>{}</Mode>\
         <RetainUntilDate>{}</RetainUntilDate></Retention>",
        lock.mode.s3_name(),
        lock.until.rfc3339()
    )
    .into_bytes();
    let mut request = Request::new(Action::PutObjectRetention, "PUT", key)
        .query("retention", "")
        .header("content-md5", content_md5(&body))
        .header("content-type", "application/xml");
    request.payload = Id::sha256(&body).hex();
    request.body = Cow::Owned(body);
    request
}
