use super::*;
use crate::s3::credentials::Credentials;

#[test]
fn prefixes_get_exactly_one_slash() {
    for (given, want) in [("", ""), ("/", ""), ("a", "a/"), ("/a/b//", "a/b/")] {
        assert_eq!(config::normal_prefix(given).unwrap(), want, "{given}");
    }
    for bad in ["a//b", "../x", "a/./b", "a\nb"] {
        assert_eq!(
            config::normal_prefix(bad).unwrap_err().kind(),
            Kind::Usage,
            "{bad}"
        );
    }
}

#[test]
fn buckets_that_cannot_be_are_refused() {
    for bad in ["", "a/b", "..", "a b", "ü", "b?x"] {
        let config = S3Config::new(bad, Credentials::new("AK", "SK", None, "test"));
        assert_eq!(
            S3Storage::connect(config).err().map(|e| e.kind()),
            Some(Kind::Usage),
            "{bad}"
        );
    }
    assert_eq!(config::bare_bucket("s3://b/"), "b");
}
