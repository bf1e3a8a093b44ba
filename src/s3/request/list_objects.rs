//! ListObjectsV2: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

use super::{Action, Request};

/// Which page of a listing.
#[derive(Clone, Copy, Debug, Default)]
pub struct ListPage<'a> {
    /// Only keys that start so.
    pub prefix: &'a str,
    /// From the page before.
    pub continuation: Option<&'a str>,
    /// Fewer than the server's 1,000 a page.
    pub max_keys: Option<u32>,
    /// Without `encoding-type=url`, for servers that mix encodings up.
    pub plain: bool,
    /// What keys have in common up to this is listed once.
    pub delimiter: Option<&'a str>,
}

/// One page of keys, with `encoding-type=url`, so that odd keys survive XML; answers say whether they took it.
pub fn list_objects(page: ListPage<'_>) -> Request<'static> {
    let mut request = Request::new(Action::ListObjects, "GET", "").query("list-type", "2");
    if !page.plain {
        request = request.query("encoding-type", "url");
    }
    if let Some(delimiter) = page.delimiter {
        request = request.query("delimiter", delimiter);
    }
    if !page.prefix.is_empty() {
        request = request.query("prefix", page.prefix);
    }
    if let Some(token) = page.continuation {
        request = request.query("continuation-token", token);
    }
    if let Some(max) = page.max_keys {
        request = request.query("max-keys", &max.to_string());
    }
    request
}
