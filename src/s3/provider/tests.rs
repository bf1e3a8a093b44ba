use super::*;
use std::collections::BTreeSet;

fn named(host: &str) -> (&'static str, Option<String>) {
    let (provider, region) = of_host(host);
    (provider.id, region)
}

#[test]
fn by_host() {
    let some = |text: &str| Some(text.to_owned());
    for (host, id, region) in [
        ("s3.amazonaws.com", "aws", None),
        ("s3.eu-west-1.amazonaws.com", "aws", some("eu-west-1")),
        (
            "S3.dualstack.us-gov-west-1.amazonaws.com",
            "aws",
            some("us-gov-west-1"),
        ),
        (
            "s3-fips.us-gov-east-1.amazonaws.com",
            "aws",
            some("us-gov-east-1"),
        ),
        (
            "s3-fips.dualstack.us-east-2.amazonaws.com",
            "aws",
            some("us-east-2"),
        ),
        ("s3.cn-north-1.amazonaws.com.cn", "aws", some("cn-north-1")),
        ("storage.googleapis.com", "google", None),
        ("s3.us-west-004.backblazeb2.com", "b2", some("us-west-004")),
        ("0a1b.r2.cloudflarestorage.com", "r2", None),
        ("0a1b.eu.r2.cloudflarestorage.com", "r2", None),
        (
            "s3.eu-central-2.wasabisys.com",
            "wasabi",
            some("eu-central-2"),
        ),
        ("ams3.digitaloceanspaces.com", "digitalocean", some("ams3")),
        ("s3.fr-par.scw.cloud", "scaleway", some("fr-par")),
        ("fsn1.your-objectstorage.com", "hetzner", some("fsn1")),
        ("s3.gra.io.cloud.ovh.net", "ovh", some("gra")),
        ("localhost", "common", None),
        ("127.0.0.1", "common", None),
        ("amazonaws.com.evil.example", "common", None),
        ("s3.eu-west-1.amazonaws.com.evil.example", "common", None),
        ("evil-storage.googleapis.com", "common", None),
    ] {
        assert_eq!(named(host), (id, region), "{host}");
    }
}

#[test]
fn every_row_is_whole() {
    let mut ids = BTreeSet::new();
    for provider in TABLE.iter().chain([&COMMON]) {
        assert!(ids.insert(provider.id), "{} twice", provider.id);
        assert!(
            (1..=1000).contains(&provider.delete_batch),
            "{}",
            provider.id
        );
        assert!((1..=64).contains(&provider.connections), "{}", provider.id);
        let cited = provider.source.contains("https://") || provider.source.contains("tried");
        assert!(cited, "{} rests on nothing", provider.id);
        assert_eq!(by_id(provider.id), Some(provider));
        for form in provider.endpoints {
            let host = form.replace("{region}", "xy-1").replace("{account}", "0a");
            assert_eq!(of_host(&host).0, provider, "{form}");
        }
    }
    assert_eq!(by_id("MinIO").map(|p| p.id), Some("minio"));
    assert_eq!(by_id("nobody"), None);
}

#[test]
fn every_known_provider_has_a_row() {
    for id in [
        "aws",
        "google",
        "b2",
        "r2",
        "minio",
        "wasabi",
        "ceph",
        "garage",
        "seaweedfs",
        "digitalocean",
        "scaleway",
        "hetzner",
        "ovh",
        "versitygw",
        "rclone",
    ] {
        assert!(by_id(id).is_some(), "{id}");
    }
}

#[test]
fn an_endpoint_from_a_region() {
    let at = |id: &str, region| by_id(id).unwrap().endpoint(region);
    assert_eq!(
        at("b2", Some("eu-central-003")).as_deref(),
        Some("s3.eu-central-003.backblazeb2.com")
    );
    assert_eq!(at("b2", None), None, "its region must be known");
    assert_eq!(
        at("google", None).as_deref(),
        Some("storage.googleapis.com")
    );
    assert_eq!(at("r2", Some("auto")), None, "the account must be known");
    assert_eq!(at("minio", Some("x")), None);
}
