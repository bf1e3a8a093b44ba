//! Canonical forms of SigV4: paths, query strings and headers as they are hashed.
//!
//! Source: AWS, "Signature Version 4 signing process", and botocore's `S3SigV4Auth` for the rules of S3.

/// Headers that proxies or the HTTP layer may add or change; they are never signed. (`accept-encoding` is of that sort too;
/// other signers sign it where it is given, so the client gives none.)
const UNSIGNED: [&str; 6] = [
    "authorization",
    "connection",
    "expect",
    "transfer-encoding",
    "user-agent",
    "x-amzn-trace-id",
];

/// Percent-encodes all but `A-Za-z0-9-_.~`, and but `/` where `keep_slash` is set; hexadecimal digits in upper case.
pub fn uri_encode(text: &str, keep_slash: bool) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len() + 16);
    for &byte in text.as_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(byte as char)
            }
            b'/' if keep_slash => out.push('/'),
            _ => {
                out.push('%');
                out.push(HEX[usize::from(byte >> 4)] as char);
                out.push(HEX[usize::from(byte & 15)] as char);
            }
        }
    }
    out
}

/// Undoes percent-encoding. `plus_is_space` is how some servers write `encoding-type=url`.
/// `None` where an escape is malformed or the result is not UTF-8.
pub fn uri_decode(text: &str, plus_is_space: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                out.push((high * 16 + low) as u8);
            }
            b'+' if plus_is_space => out.push(b' '),
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).ok()
}

/// Removes `.`, `..` and empty segments (RFC 3986 section 5.2.4, as services other than S3 want it).
/// A trailing slash stays.
pub fn normalize_path(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    let directory = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    let mut out = String::from("/");
    out.push_str(&kept.join("/"));
    if directory && !kept.is_empty() {
        out.push('/');
    }
    out
}

/// `k=v&k=v`, encoded, sorted by encoded name and then encoded value. It is also what goes on the wire.
pub fn query_string(query: &[(String, String)]) -> String {
    let mut pairs: Vec<(String, String)> = query
        .iter()
        .map(|(k, v)| (uri_encode(k, false), uri_encode(v, false)))
        .collect();
    pairs.sort();
    let joined: Vec<String> = pairs.into_iter().map(|(k, v)| format!("{k}={v}")).collect();
    joined.join("&")
}

/// Lower-case names, sorted; values trimmed, inner runs of spaces made one, duplicates joined by commas in their order.
/// Headers that must not be signed are left out.
pub fn headers(headers: &[(String, String)]) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let name = name.trim().to_ascii_lowercase();
        if UNSIGNED.contains(&name.as_str()) {
            continue;
        }
        let value = collapse(value);
        match out.iter_mut().find(|(n, _)| *n == name) {
            Some((_, joined)) => {
                joined.push(',');
                joined.push_str(&value);
            }
            None => out.push((name, value)),
        }
    }
    out.sort();
    out
}

fn collapse(value: &str) -> String {
    value
        .split([' ', '\t'])
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_each_byte_once() {
        assert_eq!(
            uri_encode("a b+c~d/é%(1)'!*", true),
            "a%20b%2Bc~d/%C3%A9%25%281%29%27%21%2A"
        );
        assert_eq!(uri_encode("a/b", false), "a%2Fb");
    }

    #[test]
    fn decoding_undoes_it_and_refuses_rubbish() {
        let text = "a b+c~d/é%(1)'!*";
        assert_eq!(
            uri_decode(&uri_encode(text, false), false).as_deref(),
            Some(text)
        );
        assert_eq!(uri_decode("a+b", true).as_deref(), Some("a b"));
        for bad in ["%", "%1", "%zz", "%ff", "%é"] {
            assert_eq!(uri_decode(bad, false), None, "{bad}");
        }
    }

    #[test]
    fn normalises_as_other_services_want_it() {
        for (path, want) in [
            ("/", "/"),
            ("//", "/"),
            ("/./", "/"),
            ("/a/..", "/"),
            ("/a/../b", "/b"),
            ("//a//b/./c/", "/a/b/c/"),
            ("/../a", "/a"),
            ("", "/"),
        ] {
            assert_eq!(normalize_path(path), want, "{path}");
        }
    }

    #[test]
    fn sorts_by_encoded_name() {
        let pairs = [("b", ""), ("a", "2"), ("a", "10"), ("A", "x"), ("a-", "")]
            .map(|(k, v)| (k.into(), v.into()));
        assert_eq!(query_string(&pairs), "A=x&a=10&a=2&a-=&b=");
    }

    #[test]
    fn joins_and_trims_headers() {
        let raw = [
            ("X-B", "  a   b "),
            ("user-agent", "x"),
            ("x-a", "2"),
            ("X-A", "1"),
        ]
        .map(|(k, v)| (k.into(), v.into()));
        assert_eq!(
            headers(&raw),
            [
                ("x-a".to_string(), "2,1".to_string()),
                ("x-b".into(), "a b".into())
            ]
        );
    }
}
