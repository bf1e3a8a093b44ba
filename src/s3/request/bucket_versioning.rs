//! GetBucketVersioning: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html>

use super::{Action, Request};

/// Does the bucket keep versions?
pub fn get_bucket_versioning() -> Request<'static> {
    Request::new(Action::GetBucketVersioning, "GET", "").query("versioning", "")
}
