//! GetObject: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>

use super::{Action, Request};

/// The whole object.
pub fn get_object(key: &str) -> Request<'static> {
    Request::new(Action::GetObject, "GET", key)
}

/// `length` bytes from `offset`; a length of zero has no range to name and must not be asked for.
pub fn get_object_range(key: &str, offset: u64, length: u64) -> Request<'static> {
    Request {
        range: Some((offset, length)),
        ..get_object(key)
    }
}
