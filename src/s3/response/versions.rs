//! The answer to ListObjectVersions.

use super::list::{decoded, is_encoded};
use super::{MAX_KEY, xml};
use crate::units::Time;

/// One version of an object, or the mark that it was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedVersion {
    /// The whole key, decoded.
    pub key: String,
    /// Names the version; `null` for one from before the bucket kept versions.
    pub id: String,
    /// When it was put: the time in its id, if that has one, else Last-Modified.
    pub modified: Time,
    /// It is the newest.
    pub latest: bool,
    /// Length in bytes; `None` for the mark of a deletion.
    pub size: Option<u64>,
}

/// One page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedVersions {
    /// By key on most servers; of one key the newest first. Some name all versions before all deletions.
    pub versions: Vec<ListedVersion>,
    /// Key and version to go on after; `None` on the last page.
    pub next: Option<(String, String)>,
}

/// Parses a page. Keys are decoded only where the server says that it encoded them.
pub fn parse_versions(body: &[u8]) -> Result<ListedVersions, String> {
    let root = xml::parse(body)?;
    // The name that AWS gives it, and that of its documentation.
    if !matches!(
        root.name.as_str(),
        "ListVersionsResult" | "ListObjectVersionsResult"
    ) {
        return Err(format!(
            "a <{}> where a <ListVersionsResult> belongs",
            root.name
        ));
    }
    let encoded = is_encoded(&root);
    let mut page = ListedVersions::default();
    for node in &root.children {
        match node.name.as_str() {
            "Version" => page.versions.push(version(node, encoded, true)?),
            "DeleteMarker" => page.versions.push(version(node, encoded, false)?),
            _ => {}
        }
    }
    let text = |name: &str| root.text_of(name).unwrap_or_default();
    if text("IsTruncated").trim() == "true" {
        let key = decoded(text("NextKeyMarker"), encoded)?;
        let version = text("NextVersionIdMarker").trim().to_owned();
        if key.is_empty() || version.len() > MAX_KEY {
            return Err("a truncated page without a usable marker".into());
        }
        page.next = Some((key, version));
    }
    Ok(page)
}

fn version(node: &xml::Node, encoded: bool, is_object: bool) -> Result<ListedVersion, String> {
    let text = |name: &str| node.text_of(name).unwrap_or_default().trim();
    let key = decoded(
        node.text_of("Key").ok_or("a version without a key")?,
        encoded,
    )?;
    let id = text("VersionId");
    if id.is_empty() || id.len() > MAX_KEY {
        return Err(format!("the version {id:.80?} of {key:?}"));
    }
    let modified: jiff::Timestamp = text("LastModified")
        .parse()
        .map_err(|_| format!("the time {:?} of {key:?}", text("LastModified")))?;
    let size = match is_object {
        true => Some(
            text("Size")
                .parse()
                .map_err(|_| format!("the size {:?} of {key:?}", text("Size")))?,
        ),
        false => None,
    };
    Ok(ListedVersion {
        key,
        id: id.to_owned(),
        modified: ulid_time(id).unwrap_or(Time(modified.as_millisecond())),
        latest: text("IsLatest") == "true",
        size,
    })
}

/// The time in a ULID (<https://github.com/ulid/spec>): the first ten of its 26 characters, in Crockford's base 32, are
/// milliseconds. versitygw names versions so, and of one that is not the newest any more it gives as Last-Modified when that
/// came about, which is of no use for looking back.
fn ulid_time(id: &str) -> Option<Time> {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    if id.len() != 26 {
        return None;
    }
    let mut milliseconds = 0i64;
    for (at, byte) in id.bytes().enumerate() {
        let digit = DIGITS.iter().position(|d| *d == byte)?;
        if at < 10 {
            milliseconds = milliseconds << 5 | digit as i64;
        }
    }
    // 48 bits are all that a time has.
    (milliseconds >> 48 == 0).then_some(Time(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_may_have_its_own_time() {
        let time = ulid_time("01M83KWE3GQC7PWQD8X9J8FSWH").unwrap();
        assert_eq!(time.rfc3339(), "2026-11-23T07:10:47Z");
        for none in [
            "null",
            "v1",
            "3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRCxf3vjVBH40Nr8X8gdRQBpUMLUo",
            "0f4b8c1e-7d1b-4a2c-9c55-0d2a6f1b3c44",
            "01M83KWE3GQC7PWQD8X9J8FSWI",
            "81M83KWE3GQC7PWQD8X9J8FSWH",
            "01m83kwe3gqc7pwqd8x9j8fswh",
        ] {
            assert_eq!(ulid_time(none), None, "{none}");
        }
    }

    const TWO: &str = "<Version><Key>a%2Bb</Key><VersionId>v1</VersionId><IsLatest>false</IsLatest>\
        <LastModified>2026-10-12T17:50:30.000Z</LastModified><Size>7</Size></Version>\
        <DeleteMarker><Key>a%2Bb</Key><VersionId>v2</VersionId><IsLatest>true</IsLatest>\
        <LastModified>2026-10-12T17:50:31.000Z</LastModified></DeleteMarker>";

    fn page(inner: &str) -> Result<ListedVersions, String> {
        parse_versions(format!("<ListVersionsResult>{inner}</ListVersionsResult>").as_bytes())
    }

    #[test]
    fn versions_and_deletions() {
        let read = page(&format!("<EncodingType>url</EncodingType>{TWO}")).unwrap();
        let told: Vec<_> = read
            .versions
            .iter()
            .map(|v| (v.key.as_str(), v.id.as_str(), v.size, v.latest))
            .collect();
        assert_eq!(
            told,
            [("a+b", "v1", Some(7), false), ("a+b", "v2", None, true)]
        );
        assert_eq!(read.next, None);
        assert_eq!(page(TWO).unwrap().versions[0].key, "a%2Bb");
    }

    #[test]
    fn pages() {
        let more = page(
            "<IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>\
             <NextVersionIdMarker>v</NextVersionIdMarker>",
        );
        assert_eq!(more.unwrap().next, Some(("k".into(), "v".into())));
        assert!(page("<IsTruncated>true</IsTruncated>").is_err());
    }

    #[test]
    fn hostile_pages_are_refused() {
        for bad in [
            "<Version/>".to_string(),
            TWO.replace(">7<", ">-7<"),
            TWO.replace("2026", "x"),
            TWO.replace(">v1<", "><"),
            TWO.replace(">v1<", &format!(">{}<", "v".repeat(2000))),
            TWO.replace("a%2Bb", &"a".repeat(2000)),
        ] {
            assert!(page(&bad).is_err(), "{bad:.80}");
        }
        assert!(parse_versions(b"<ListBucketResult/>").is_err());
    }
}
