//! GetObjectLockConfiguration: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLockConfiguration.html>

use super::{Action, Request};

/// Can objects of the bucket be locked?
pub fn get_object_lock_configuration() -> Request<'static> {
    Request::new(Action::GetObjectLockConfiguration, "GET", "").query("object-lock", "")
}
