//! The answer to DeleteObjects.

use super::{MAX_KEY, xml};

/// A key that was not deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteFailure {
    /// As sent.
    pub key: String,
    /// `AccessDenied`, `InternalError`, ...
    pub code: String,
    /// For people.
    pub message: String,
}

/// The failures; a key that is not named was deleted or was not there.
pub fn parse_delete(body: &[u8]) -> Result<Vec<DeleteFailure>, String> {
    let root = xml::parse(body)?;
    if root.name != "DeleteResult" {
        return Err(format!("a <{}> where a <DeleteResult> belongs", root.name));
    }
    let mut failures = Vec::new();
    for node in root.children.iter().filter(|n| n.name == "Error") {
        let text = |name: &str| node.text_of(name).unwrap_or_default().trim().to_string();
        // A key keeps its spaces; one that is too long was not ours.
        let key = node.text_of("Key").unwrap_or_default().to_string();
        if key.len() > MAX_KEY {
            return Err("a key that is too long".into());
        }
        failures.push(DeleteFailure {
            key,
            code: text("Code"),
            message: text("Message").chars().take(300).collect(),
        });
    }
    Ok(failures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_failures_only() {
        let body = b"<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>AccessDenied</Code>\
            <Message>no</Message></Error></DeleteResult>";
        let failures = parse_delete(body).unwrap();
        assert_eq!(
            failures,
            [DeleteFailure {
                key: "b".into(),
                code: "AccessDenied".into(),
                message: "no".into()
            }]
        );
        assert!(parse_delete(b"<Error/>").is_err());
        assert!(parse_delete(b"").is_err());
    }
}
