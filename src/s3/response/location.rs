//! The answer to GetBucketLocation.

use super::error::plain_region;
use super::xml;

/// The region: empty means `us-east-1`, and `EU` is the old name of `eu-west-1`.
pub fn parse_location(body: &[u8]) -> Result<String, String> {
    let root = xml::parse(body)?;
    if root.name != "LocationConstraint" {
        return Err(format!(
            "a <{}> where a <LocationConstraint> belongs",
            root.name
        ));
    }
    match root.text.trim() {
        "" => Ok("us-east-1".into()),
        "EU" => Ok("eu-west-1".into()),
        other => plain_region(other).ok_or_else(|| format!("{other:?} is not a region")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names_and_none() {
        let parse = |text: &str| {
            parse_location(
                format!("<LocationConstraint xmlns='u'>{text}</LocationConstraint>").as_bytes(),
            )
        };
        assert_eq!(parse("").unwrap(), "us-east-1");
        assert_eq!(parse("EU").unwrap(), "eu-west-1");
        assert_eq!(parse("ap-south-2").unwrap(), "ap-south-2");
        assert!(parse("a/b").is_err());
        assert!(parse_location(b"<Other/>").is_err());
    }
}
