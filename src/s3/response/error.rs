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
    /// What shows that this is not the bucket's own answer.
    pub detour: Box<Detour>,
}

/// Signs of being at the wrong place; mostly there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detour {
    /// The right endpoint, where the answer names it (PermanentRedirect).
    pub endpoint: String,
    /// Where a redirection leads to.
    pub location: Option<String>,
    /// The title of a web page that came instead of an answer of S3; may be empty.
    pub page: Option<String>,
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
            None if looks_like_html(body) => S3Error::web_page(status, body),
            // A few words of plain text may say why; the status says enough where they do not.
            None => S3Error {
                status,
                message: plain_words(body),
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

    /// A web page where an answer of S3 belongs.
    pub fn web_page(status: u16, body: &[u8]) -> S3Error {
        S3Error {
            status,
            detour: Box::new(Detour {
                page: Some(title(body)),
                ..Detour::default()
            }),
            ..S3Error::default()
        }
    }

    fn from_node(status: u16, node: &Node) -> S3Error {
        let text = |name: &str| cut(node.text_of(name).unwrap_or_default());
        S3Error {
            status,
            code: text("Code"),
            message: text("Message"),
            region: node.text_of("Region").and_then(plain_region),
            request_id: text("RequestId"),
            detour: Box::new(Detour {
                endpoint: text("Endpoint"),
                ..Detour::default()
            }),
        }
    }
}

/// `<Error>` as root, or inside `<ErrorResponse>` (STS, some servers), or there inside `<Errors>`.
fn error_node(root: &Node) -> Option<&Node> {
    if root.name == "Error" {
        Some(root)
    } else {
        let inside = || root.child("Errors")?.child("Error");
        root.child("Error").or_else(inside)
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

/// Does a body begin as a web page does?
pub fn looks_like_html(body: &[u8]) -> bool {
    let start: Vec<u8> = body
        .trim_ascii_start()
        .iter()
        .take(14)
        .map(u8::to_ascii_lowercase)
        .collect();
    start.starts_with(b"<!doctype html") || start.starts_with(b"<html")
}

/// The words between `<title>` and `</title>`.
fn title(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(16 * 1024)]);
    let lower = text.to_ascii_lowercase();
    let title = lower
        .find("<title>")
        .map(|at| at + "<title>".len())
        .and_then(|from| {
            let length = lower[from..].find("</title>")?;
            text.get(from..from + length)
        });
    cut(title.unwrap_or_default())
}

/// A short body that is plain text, on one line.
fn plain_words(body: &[u8]) -> String {
    let text = std::str::from_utf8(&body[..body.len().min(1024)])
        .unwrap_or_default()
        .trim();
    let plain = !text.starts_with(['<', '{'])
        && !text
            .chars()
            .any(|c| c.is_control() && c != '\n' && c != '\r');
    if plain {
        cut(&text.split_whitespace().collect::<Vec<_>>().join(" "))
    } else {
        String::new()
    }
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
    fn web_pages_and_plain_words_are_told_apart() {
        let page = b"<!DOCTYPE html><HTML><head><Title>Hotel Wi-Fi: log in</Title>";
        let e = S3Error::parse(200, page, None, None);
        assert_eq!(e.detour.page.as_deref(), Some("Hotel Wi-Fi: log in"));
        let e = S3Error::parse(
            400,
            b"Client sent an HTTP request to an HTTPS server.\n",
            None,
            None,
        );
        assert_eq!(
            (e.detour.page, e.message.as_str()),
            (None, "Client sent an HTTP request to an HTTPS server.")
        );
        for nothing in [&b"\x16\x03\x01"[..], b"", b"{\"a\":1}", b"\xff\xfe"] {
            assert_eq!(S3Error::parse(400, nothing, None, None).message, "");
        }
        let titleless = S3Error::parse(502, b"<html><title>", None, None);
        assert_eq!(titleless.detour.page.as_deref(), Some(""));
    }

    #[test]
    fn a_redirection_names_the_endpoint() {
        let body = b"<Error><Code>PermanentRedirect</Code><Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint></Error>";
        let e = S3Error::parse(301, body, None, None);
        assert_eq!(e.detour.endpoint, "b.s3.eu-west-1.amazonaws.com");
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
