//! Error answers: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>

use super::xml::{self, Node};

/// What a server said was wrong. Texts are the server's: cut to a sane length, cleaned when they are printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct S3Error {
    /// HTTP status; of an error inside a 200 answer, 200.
    pub status: u16,
    /// `NoSuchKey`, ...; empty where the answer had no body (HEAD) or none that could be read.
    pub code: String,
    /// For people.
    pub message: String,
    /// The right region, where the answer names it (body or `x-amz-bucket-region`).
    pub region: Option<String>,
    /// For the provider's support.
    pub request_id: String,
}

impl S3Error {
    /// From an error answer; `region` and `request_id` are those of its headers.
    pub fn parse(
        status: u16,
        body: &[u8],
        region: Option<&str>,
        request_id: Option<&str>,
    ) -> S3Error {
        let root = xml::parse(body).ok();
        let mut error = match root.as_ref().and_then(error_node) {
            Some(node) => S3Error::from_node(status, node),
            None => S3Error {
                status,
                ..S3Error::default()
            },
        };
        if let Some(region) = region.and_then(plain_region) {
            error.region = Some(region);
        }
        if error.request_id.is_empty() {
            error.request_id = cut(request_id.unwrap_or_default());
        }
        error
    }

    /// The error inside an answer of status 200, if its body is one (CopyObject, CompleteMultipartUpload, DeleteObjects and
    /// overloaded servers do this).
    pub fn inside_success(status: u16, body: &[u8]) -> Option<S3Error> {
        let start = body.trim_ascii_start();
        if !(start.starts_with(b"<?xml") || start.starts_with(b"<Error")) {
            return None;
        }
        let root = xml::parse(start).ok()?;
        (root.name == "Error").then(|| S3Error::from_node(status, &root))
    }

    fn from_node(status: u16, node: &Node) -> S3Error {
        let text = |name: &str| cut(node.text_of(name).unwrap_or_default());
        S3Error {
            status,
            code: text("Code"),
            message: text("Message"),
            region: node.text_of("Region").and_then(plain_region),
            request_id: text("RequestId"),
        }
    }
}

/// `<Error>` as root, or inside `<ErrorResponse>` (some servers).
fn error_node(root: &Node) -> Option<&Node> {
    if root.name == "Error" {
        Some(root)
    } else {
        root.child("Error")
    }
}

/// A region goes into host names and signatures: only what can be one is believed.
pub fn plain_region(text: &str) -> Option<String> {
    let text = text.trim();
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    (plain && !text.is_empty() && text.len() <= 64).then(|| text.to_string())
}

fn cut(text: &str) -> String {
    text.trim().chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_code_message_and_region() {
        let body = b"<Error><Code>AuthorizationHeaderMalformed</Code><Message>expecting 'eu-west-1'</Message>\
            <Region>eu-west-1</Region><RequestId>R1</RequestId></Error>";
        let e = S3Error::parse(400, body, None, Some("R2"));
        assert_eq!(
            (e.code.as_str(), e.region.as_deref(), e.request_id.as_str()),
            ("AuthorizationHeaderMalformed", Some("eu-west-1"), "R1")
        );
    }

    #[test]
    fn bodies_that_are_not_xml_leave_the_status() {
        let e = S3Error::parse(
            503,
            b"<html><body>busy</html>",
            Some("us-west-2"),
            Some("R2"),
        );
        assert_eq!(
            (
                e.status,
                e.code.as_str(),
                e.region.as_deref(),
                e.request_id.as_str()
            ),
            (503, "", Some("us-west-2"), "R2")
        );
    }

    #[test]
    fn a_hostile_region_is_not_believed() {
        for bad in ["evil.example.com/", "a b", "", "x/../y", "é"] {
            assert_eq!(
                S3Error::parse(301, b"", Some(bad), None).region,
                None,
                "{bad}"
            );
        }
    }

    #[test]
    fn an_error_inside_a_success() {
        let e = S3Error::inside_success(
            200,
            b"\n<?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code></Error>",
        )
        .unwrap();
        assert_eq!((e.status, e.code.as_str()), (200, "InternalError"));
        for fine in [
            &b""[..],
            b"<DeleteResult/>",
            b"<?xml version=\"1.0\"?><ListBucketResult/>",
            b"binary",
        ] {
            assert_eq!(S3Error::inside_success(200, fine), None);
        }
    }
}
