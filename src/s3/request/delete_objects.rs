//! DeleteObjects: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>

use super::put_object::content_md5;
use super::{Action, Request};
use crate::id::Id;
use std::borrow::Cow;

/// Most keys in one request (AWS; providers with lower limits are in the provider table).
pub const MAX_DELETE: usize = 1000;

/// Removes up to [`MAX_DELETE`] objects. Quiet: the answer names failures only.
pub fn delete_objects(keys: &[String]) -> Request<'static> {
    let mut body = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    body.push_str("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for key in keys {
        body.push_str("<Object><Key>");
        body.push_str(&quick_xml::escape::escape(key.as_str()));
        body.push_str("</Key></Object>");
    }
    body.push_str("<Quiet>true</Quiet></Delete>");
    let body = body.into_bytes();
    let mut request = Request::new(Action::DeleteObjects, "POST", "")
        .query("delete", "")
        .header("content-md5", content_md5(&body))
        .header("content-type", "application/xml");
    request.payload = Id::sha256(&body).hex();
    request.body = Cow::Owned(body);
    request
}
