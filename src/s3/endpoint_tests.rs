use super::*;
use crate::error::Kind;
use std::ffi::OsString;

fn url(endpoint: &str, disable_tls: bool, bucket: &str, region: &str) -> String {
    let a = Endpoint::parse(endpoint, disable_tls)
        .unwrap()
        .address(bucket, region);
    format!("{}://{}{}", a.scheme, a.host, a.base)
}

#[test]
fn aws_is_virtual_hosted_and_regional_once_the_region_is_known() {
    assert_eq!(
        url("s3.amazonaws.com", false, "bkt", "us-east-1"),
        "https://bkt.s3.amazonaws.com"
    );
    assert_eq!(
        url("s3.amazonaws.com", false, "bkt", "eu-west-1"),
        "https://bkt.s3.eu-west-1.amazonaws.com"
    );
    assert_eq!(
        url("s3.amazonaws.com", false, "bkt", "cn-north-1"),
        "https://bkt.s3.cn-north-1.amazonaws.com.cn"
    );
    assert_eq!(
        url("s3.eu-west-1.amazonaws.com", false, "bkt", "x"),
        "https://bkt.s3.eu-west-1.amazonaws.com"
    );
    assert_eq!(
        Endpoint::parse("s3.dualstack.eu-west-1.amazonaws.com", false)
            .unwrap()
            .region(),
        Some("eu-west-1")
    );
}

#[test]
fn dotted_and_odd_buckets_and_custom_endpoints_are_path_style() {
    assert_eq!(
        url("s3.amazonaws.com", false, "a.b", "us-east-1"),
        "https://s3.amazonaws.com/a.b"
    );
    assert_eq!(
        url("s3.amazonaws.com", false, "Old_Name", "us-east-1"),
        "https://s3.amazonaws.com/Old_Name"
    );
    assert_eq!(
        url("localhost:9000", true, "bkt", "r"),
        "http://localhost:9000/bkt"
    );
    assert_eq!(
        url("Example.COM:443", false, "bkt", "r"),
        "https://example.com/bkt"
    );
    assert_eq!(
        url("example.com:80", false, "bkt", "r"),
        "https://example.com:80/bkt"
    );
}

#[test]
fn ipv6_literals() {
    assert_eq!(url("[::1]:9000", true, "b", "r"), "http://[::1]:9000/b");
    assert_eq!(url("::1", true, "b", "r"), "http://[::1]/b");
    assert!(Endpoint::parse("[x]:1", true).is_err());
}

#[test]
fn schemes_must_agree_with_the_flags() {
    assert_eq!(url("https://h:1/", false, "b", "r"), "https://h:1/b");
    assert_eq!(url("http://h", true, "b", "r"), "http://h/b");
    let refused = Endpoint::parse("http://h", false).unwrap_err();
    assert_eq!(refused.kind(), Kind::Usage);
    assert!(
        refused.hint_text().unwrap().contains("--disable-tls"),
        "{refused}"
    );
    assert!(Endpoint::parse("https://h", true).is_err());
}

#[test]
fn what_is_no_endpoint_is_refused() {
    for bad in [
        "", "ftp://h", "h/path", "h:0", "h:99999", "h:x", "a b", "h@evil", "http://", "h?x",
        "é.com",
    ] {
        assert_eq!(
            Endpoint::parse(bad, true).unwrap_err().kind(),
            Kind::Usage,
            "{bad}"
        );
    }
}

#[test]
fn urls_from_the_environment_carry_their_scheme() {
    let env = |name: &str| match name {
        "AWS_ENDPOINT_URL" => Some(OsString::from("https://general")),
        "AWS_ENDPOINT_URL_S3" => Some(OsString::from("http://s3.local:9000")),
        _ => None,
    };
    let url = Endpoint::url_from_env(&env).unwrap();
    assert_eq!(
        Endpoint::from_url(&url).unwrap(),
        ("s3.local:9000".to_string(), true)
    );
    assert_eq!(
        Endpoint::from_url("https://h/").unwrap(),
        ("h".to_string(), false)
    );
    assert!(Endpoint::from_url("s3://h").is_err());
}
