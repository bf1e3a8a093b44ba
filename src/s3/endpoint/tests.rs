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

fn dialect(endpoint: &str, dialect: Dialect, bucket: &str, region: &str) -> String {
    let endpoint = Endpoint::parse(endpoint, false)
        .unwrap()
        .with(dialect)
        .unwrap();
    let a = endpoint.address(bucket, region);
    format!("{}{}", a.host, a.base)
}

#[test]
fn dual_stack_and_fips_change_the_global_name_only() {
    let with = |dualstack, fips| Dialect {
        dualstack,
        fips,
        ..Dialect::default()
    };
    for (d, region, host) in [
        (
            with(true, false),
            "us-east-1",
            "bkt.s3.dualstack.us-east-1.amazonaws.com",
        ),
        (
            with(true, false),
            "cn-north-1",
            "bkt.s3.dualstack.cn-north-1.amazonaws.com.cn",
        ),
        (
            with(false, true),
            "us-gov-west-1",
            "bkt.s3-fips.us-gov-west-1.amazonaws.com",
        ),
        (
            with(true, true),
            "us-east-2",
            "bkt.s3-fips.dualstack.us-east-2.amazonaws.com",
        ),
        (
            with(false, false),
            "us-gov-east-1",
            "bkt.s3.us-gov-east-1.amazonaws.com",
        ),
    ] {
        assert_eq!(dialect("s3.amazonaws.com", d, "bkt", region), host);
    }
    let given = dialect(
        "s3.eu-west-1.amazonaws.com",
        with(true, true),
        "bkt",
        "eu-west-1",
    );
    assert_eq!(
        given, "bkt.s3.eu-west-1.amazonaws.com",
        "what is given stays"
    );
}

#[test]
fn the_environment_of_awss_names() {
    let of = |value: &'static str| {
        let env =
            move |name: &str| (name == "AWS_USE_FIPS_ENDPOINT").then(|| OsString::from(value));
        Dialect::default().with_env(&env)
    };
    assert!(of("TRUE").unwrap().fips && !of("false").unwrap().fips && !of("").unwrap().fips);
    assert_eq!(of("1").unwrap_err().kind(), Kind::Usage);
}

#[test]
fn addressing_by_flag() {
    let by = |addressing| Dialect {
        addressing: Some(addressing),
        ..Dialect::default()
    };
    let (path, with_name) = (by(Addressing::Path), by(Addressing::Virtual));
    assert_eq!(
        dialect("s3.amazonaws.com", path, "bkt", "us-east-1"),
        "s3.amazonaws.com/bkt"
    );
    assert_eq!(
        dialect("h.example:9000", with_name, "bkt", ""),
        "bkt.h.example:9000"
    );
    assert_eq!(
        dialect("h.example", with_name, "a.b-c", ""),
        "a.b-c.h.example"
    );
    assert_eq!(
        dialect("h.example", with_name, "Odd_Name", ""),
        "h.example/Odd_Name"
    );
    for number in ["127.0.0.1:9000", "[::1]:9000"] {
        let refused = Endpoint::parse(number, true)
            .unwrap()
            .with(with_name)
            .unwrap_err();
        assert_eq!(refused.kind(), Kind::Usage, "{number}");
    }
}

#[test]
fn a_provider_by_flag_keeps_to_the_path_at_other_names() {
    let aws = Dialect {
        provider: provider::by_id("aws"),
        ..Dialect::default()
    };
    assert_eq!(
        dialect("gateway.example", aws, "bkt", ""),
        "gateway.example/bkt"
    );
    let endpoint = Endpoint::parse("gateway.example", false)
        .unwrap()
        .with(aws)
        .unwrap();
    assert_eq!((endpoint.provider().id, endpoint.region()), ("aws", None));
}

#[test]
fn regions_by_provider() {
    let at = |host: &str| Endpoint::parse(host, false).unwrap();
    assert_eq!(at("0a.r2.cloudflarestorage.com").region(), Some("auto"));
    assert_eq!(
        at("s3.us-west-004.backblazeb2.com").region(),
        Some("us-west-004")
    );
    assert_eq!(at("storage.googleapis.com").region(), None);
    assert_eq!(at("storage.googleapis.com").default_region(), "auto");
    assert_eq!(at("localhost").default_region(), "us-east-1");
}
