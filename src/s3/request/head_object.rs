//! HeadObject: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>

use super::{Action, Request};

/// Size and time of one object.
pub fn head_object(key: &str) -> Request<'static> {
    Request::new(Action::HeadObject, "HEAD", key)
}

/// The same, and the checksum that the server keeps, where it keeps one.
pub fn head_checksum(key: &str) -> Request<'static> {
    head_object(key).header("x-amz-checksum-mode", "ENABLED")
}
