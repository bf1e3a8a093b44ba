//! GetBucketLocation: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html>

use super::{Action, Request};

/// The bucket's region.
pub fn get_bucket_location() -> Request<'static> {
    Request::new(Action::GetBucketLocation, "GET", "").query("location", "")
}
