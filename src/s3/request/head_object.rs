//! HeadObject: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>

use super::{Action, Request};

/// Size and time of one object.
pub fn head_object(key: &str) -> Request<'static> {
    Request::new(Action::HeadObject, "HEAD", key)
}
