//! ListObjectVersions: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>

use super::{Action, Request};

/// Which page of a listing of versions.
#[derive(Clone, Copy, Debug, Default)]
pub struct VersionPage<'a> {
    /// Only keys that start so.
    pub prefix: &'a str,
    /// From the page before: the key that it ended with, and the version, where it named one.
    pub after: Option<(&'a str, &'a str)>,
    /// Fewer than the server's 1,000 a page.
    pub max_keys: Option<u32>,
    /// Without `encoding-type=url`, for servers that mix encodings up.
    pub plain: bool,
}

/// One page of versions and delete markers.
pub fn list_versions(page: VersionPage<'_>) -> Request<'static> {
    let mut request = Request::new(Action::ListObjectVersions, "GET", "").query("versions", "");
    if !page.plain {
        request = request.query("encoding-type", "url");
    }
    if !page.prefix.is_empty() {
        request = request.query("prefix", page.prefix);
    }
    if let Some((key, version)) = page.after {
        request = request.query("key-marker", key);
        if !version.is_empty() {
            request = request.query("version-id-marker", version);
        }
    }
    if let Some(max) = page.max_keys {
        request = request.query("max-keys", &max.to_string());
    }
    request
}
