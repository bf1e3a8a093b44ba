//! DeleteObject: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>

use super::{Action, Request};

/// Removes one object; servers answer 204 also where it was not there.
pub fn delete_object(key: &str) -> Request<'static> {
    Request::new(Action::DeleteObject, "DELETE", key)
}
