//! HeadBucket: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>

use super::{Action, Request};

/// Is the bucket there, and in which region (`x-amz-bucket-region`)?
pub fn head_bucket() -> Request<'static> {
    Request::new(Action::HeadBucket, "HEAD", "")
}
