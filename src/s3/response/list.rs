//! The answer to ListObjectsV2.

use super::{MAX_KEY, xml};
use crate::s3::canonical::uri_decode;
use crate::units::Time;

/// One object of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    /// The whole key, decoded.
    pub key: String,
    /// Length in bytes.
    pub size: u64,
    /// Last-Modified.
    pub modified: Time,
}

/// One page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// In key order.
    pub objects: Vec<ListedObject>,
    /// What keys have in common up to the delimiter, where one was given.
    pub prefixes: Vec<String>,
    /// For the next page; `None` on the last.
    pub continuation: Option<String>,
}

/// Parses a page. Keys are decoded only where the server says that it encoded them.
pub fn parse_list(body: &[u8]) -> Result<Listed, String> {
    let root = xml::parse(body)?;
    if root.name != "ListBucketResult" {
        return Err(format!(
            "a <{}> where a <ListBucketResult> belongs",
            root.name
        ));
    }
    let encoded = is_encoded(&root);
    let mut page = Listed::default();
    for node in root.children.iter().filter(|n| n.name == "Contents") {
        page.objects.push(object(node, encoded)?);
    }
    for node in root.children.iter().filter(|n| n.name == "CommonPrefixes") {
        let raw = node
            .text_of("Prefix")
            .ok_or("a common prefix without a text")?;
        page.prefixes.push(decoded(raw, encoded)?);
    }
    if root
        .text_of("IsTruncated")
        .is_some_and(|t| t.trim() == "true")
    {
        let token = root.text_of("NextContinuationToken").unwrap_or_default();
        if token.is_empty() || token.len() > 16 * 1024 {
            return Err("a truncated page without a usable continuation token".into());
        }
        page.continuation = Some(token.to_string());
    }
    Ok(page)
}

/// Does the server say that it encoded keys?
pub(super) fn is_encoded(root: &xml::Node) -> bool {
    root.text_of("EncodingType")
        .is_some_and(|t| t.trim().eq_ignore_ascii_case("url"))
}

pub(super) fn decoded(raw: &str, encoded: bool) -> Result<String, String> {
    let key = match encoded {
        // The form encoding: some servers write a space as `+`, and all write `+` itself as `%2B`.
        true => uri_decode(raw, true)
            .ok_or_else(|| format!("the key {raw:?} is not encoded as announced"))?,
        false => raw.to_string(),
    };
    if key.len() > MAX_KEY {
        return Err("a key that is too long".into());
    }
    Ok(key)
}

fn object(node: &xml::Node, encoded: bool) -> Result<ListedObject, String> {
    let raw = node.text_of("Key").ok_or("an object without a key")?;
    let key = decoded(raw, encoded)?;
    let size = node.text_of("Size").unwrap_or_default().trim();
    let size = size
        .parse()
        .map_err(|_| format!("the size {size:?} of {key:?}"))?;
    let modified = node.text_of("LastModified").unwrap_or_default().trim();
    let modified: jiff::Timestamp = modified
        .parse()
        .map_err(|_| format!("the time {modified:?} of {key:?}"))?;
    Ok(ListedObject {
        key,
        size,
        modified: Time(modified.as_millisecond()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "<Contents><Key>a%2Bb+c</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified><Size>7</Size></Contents>";

    fn page(inner: &str) -> Result<Listed, String> {
        parse_list(format!("<ListBucketResult xmlns='u'>{inner}</ListBucketResult>").as_bytes())
    }

    #[test]
    fn decodes_keys_only_where_announced() {
        let plain = page(ONE).unwrap();
        assert_eq!(plain.objects[0].key, "a%2Bb+c");
        assert_eq!(
            (plain.objects[0].size, plain.objects[0].modified.rfc3339()),
            (7, "2009-10-12T17:50:30Z".to_string())
        );
        assert_eq!(
            page(&format!("<EncodingType>url</EncodingType>{ONE}"))
                .unwrap()
                .objects[0]
                .key,
            "a+b c"
        );
    }

    #[test]
    fn pages() {
        assert_eq!(
            page(
                "<IsTruncated>false</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
            )
            .unwrap()
            .continuation,
            None
        );
        let more = page(
            "<IsTruncated>true</IsTruncated><NextContinuationToken>t=</NextContinuationToken>",
        )
        .unwrap();
        assert_eq!(more.continuation.as_deref(), Some("t="));
        assert!(
            page("<IsTruncated>true</IsTruncated>").is_err(),
            "would end early, or never"
        );
    }

    #[test]
    fn hostile_pages_are_refused() {
        for bad in [
            "<Contents/>".to_string(),
            ONE.replace(">7<", ">-7<"),
            ONE.replace("2009", "x"),
            format!(
                "<EncodingType>url</EncodingType>{}",
                ONE.replace("%2B", "%zz")
            ),
            ONE.replace("a%2Bb", &"a".repeat(2000)),
        ] {
            assert!(page(&bad).is_err(), "{bad:.80}");
        }
        assert!(parse_list(b"<Other/>").is_err());
    }
}
