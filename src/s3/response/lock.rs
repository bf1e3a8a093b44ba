//! The answers to GetObjectLockConfiguration, GetObjectRetention and GetBucketVersioning.

use super::xml;
use crate::format::lock::LockMode;
use crate::storage::Retained;
use crate::units::Time;

/// Can objects of the bucket be locked?
pub fn parse_lock_configuration(body: &[u8]) -> Result<bool, String> {
    let root = named(body, "ObjectLockConfiguration")?;
    let enabled = root.text_of("ObjectLockEnabled").unwrap_or_default();
    Ok(enabled.trim() == "Enabled")
}

/// The lock of an object. Servers that know of none say so in an error, or leave the answer empty.
pub fn parse_retention(body: &[u8]) -> Result<Option<Retained>, String> {
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    let root = xml::parse(body)?;
    // The name of AWS, and that of versitygw.
    if !matches!(root.name.as_str(), "Retention" | "ObjectLockRetention") {
        return Err(format!("a <{}> where a <Retention> belongs", root.name));
    }
    let text = |name: &str| root.text_of(name).unwrap_or_default().trim();
    match text("Mode") {
        "" => Ok(None),
        mode => retained(mode, text("RetainUntilDate")).map(Some),
    }
}

/// A lock by its mode and its end, as an answer's body or headers have them.
pub fn retained(mode: &str, until: &str) -> Result<Retained, String> {
    let time: jiff::Timestamp = until
        .trim()
        .parse()
        .map_err(|_| format!("a lock until {until:.40?}"))?;
    Ok(Retained {
        mode: LockMode::parse(mode)
            .ok_or_else(|| format!("a lock of the unknown mode {mode:.40?}"))?,
        until: Time(time.as_millisecond()),
    })
}

/// Does the bucket keep versions, or did it? None if it never did.
pub fn parse_versioning(body: &[u8]) -> Result<bool, String> {
    let root = named(body, "VersioningConfiguration")?;
    let status = root.text_of("Status").unwrap_or_default();
    Ok(matches!(status.trim(), "Enabled" | "Suspended"))
}

fn named(body: &[u8], name: &str) -> Result<xml::Node, String> {
    let root = xml::parse(body)?;
    match root.name == name {
        true => Ok(root),
        false => Err(format!("a <{}> where a <{name}> belongs", root.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations() {
        let enabled = |inner: &str| {
            parse_lock_configuration(
                format!("<ObjectLockConfiguration>{inner}</ObjectLockConfiguration>").as_bytes(),
            )
        };
        assert_eq!(
            enabled("<ObjectLockEnabled>Enabled</ObjectLockEnabled>"),
            Ok(true)
        );
        assert_eq!(enabled(""), Ok(false));
        assert!(parse_lock_configuration(b"<html/>").is_err());
        let versions = |inner: &str| {
            parse_versioning(
                format!("<VersioningConfiguration>{inner}</VersioningConfiguration>").as_bytes(),
            )
        };
        assert_eq!(versions("<Status>Suspended</Status>"), Ok(true));
        assert_eq!(versions(""), Ok(false));
    }

    #[test]
    fn locks() {
        let lock = |mode: &str, until: &str| {
            parse_retention(
                format!("<Retention><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>")
                    .as_bytes(),
            )
        };
        let found = lock("GOVERNANCE", "2026-01-02T03:04:05.678Z")
            .unwrap()
            .unwrap();
        assert_eq!(found.mode, LockMode::Governance);
        assert_eq!(found.until.rfc3339(), "2026-01-02T03:04:05Z");
        assert_eq!(lock("", ""), Ok(None));
        assert_eq!(parse_retention(b""), Ok(None));
        assert!(lock("FOREVER", "2026-01-02T03:04:05Z").is_err());
        assert!(lock("COMPLIANCE", "soon").is_err());
    }
}
