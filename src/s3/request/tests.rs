use super::*;
use crate::format::lock::LockMode;
use crate::id::Id;
use crate::storage::Retained;
use crate::units::Time;
use std::time::Duration;

/// The query as `name=value`, in order.
fn query_of(request: Request) -> Vec<String> {
    let query = request.query.into_iter();
    query.map(|(n, v)| format!("{n}={v}")).collect()
}

#[test]
fn a_put_carries_only_what_is_asked_for() {
    let sha256 = Id::sha256(b"x");
    let plain = put_object("k", b"x", &sha256, Put::default());
    assert!(plain.headers.is_empty());
    assert_eq!(
        (plain.payload.as_str(), &*plain.body),
        (sha256.hex().as_str(), &b"x"[..])
    );
    let lock = ObjectLock {
        mode: LockMode::Governance,
        duration: Duration::from_secs(86_400),
        extend: false,
    };
    let full = put_object(
        "k",
        b"x",
        &sha256,
        Put {
            if_absent: true,
            checksum: true,
            md5: true,
            storage_class: Some("STANDARD_IA"),
            encryption: Some("aws:kms"),
            kms_key: Some("arn:aws:kms:x"),
            lock: Some(lock),
        },
    );
    let header = |name: &str| {
        full.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    assert_eq!(header("if-none-match"), Some("*"));
    assert_eq!(header("x-amz-storage-class"), Some("STANDARD_IA"));
    assert_eq!(header("x-amz-server-side-encryption"), Some("aws:kms"));
    assert_eq!(
        header("x-amz-server-side-encryption-aws-kms-key-id"),
        Some("arn:aws:kms:x")
    );
    assert_eq!(
        header("x-amz-checksum-sha256"),
        Some("LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=")
    );
    assert_eq!(header("content-md5"), Some("ndTkYSaMgDT1yFZOFVxnpg=="));
    let [mode, until] = lock_headers(&lock, Time(1_699_913_599_999));
    assert_eq!(
        (mode.0.as_str(), mode.1.as_str()),
        ("x-amz-object-lock-mode", "GOVERNANCE")
    );
    assert_eq!(
        (until.0.as_str(), until.1.as_str()),
        (
            "x-amz-object-lock-retain-until-date",
            "2023-11-14T22:13:20Z"
        )
    );
    assert_eq!(
        (plain.permission(), full.permission()),
        ("s3:PutObject", "s3:PutObject and s3:PutObjectRetention")
    );
}

#[test]
fn batch_delete_escapes_keys_and_hashes_its_body() {
    let request = delete_objects(&["a&b<".to_string()]);
    let body = String::from_utf8(request.body.to_vec()).unwrap();
    assert!(body.contains("<Key>a&amp;b&lt;</Key>"), "{body}");
    assert_eq!(request.payload, Id::sha256(&request.body).hex());
    assert!(
        request
            .headers
            .iter()
            .any(|(n, v)| n == "content-md5" && v.len() == 24)
    );
}

#[test]
fn a_listing_names_its_page() {
    let page = ListPage {
        prefix: "p/",
        continuation: Some("t"),
        max_keys: Some(1),
        ..ListPage::default()
    };
    assert_eq!(
        query_of(list_objects(page)),
        [
            "list-type=2",
            "encoding-type=url",
            "prefix=p/",
            "continuation-token=t",
            "max-keys=1"
        ]
    );
}

#[test]
fn a_plain_listing_asks_for_no_encoding() {
    let page = ListPage {
        plain: true,
        delimiter: Some("/"),
        ..ListPage::default()
    };
    let query = list_objects(page).query;
    assert_eq!(
        query,
        [("list-type", "2"), ("delimiter", "/")].map(|(n, v)| (n.to_string(), v.to_string()))
    );
}

#[test]
fn a_lock_is_made_longer_by_a_hashed_body() {
    let lock = Retained {
        mode: LockMode::Compliance,
        until: Time(1_700_000_000_000),
    };
    let request = put_object_retention("k", &lock);
    let body = String::from_utf8(request.body.to_vec()).unwrap();
    assert!(
        body.contains("<Mode>COMPLIANCE</Mode><RetainUntilDate>2023-11-14T22:13:20Z<"),
        "{body}"
    );
    assert_eq!(request.payload, Id::sha256(&request.body).hex());
    assert_eq!(request.query, [("retention".to_string(), String::new())]);
}

#[test]
fn versions_are_named() {
    let request = get_object("k").of_version("v1");
    assert_eq!(request.permission(), "s3:GetObjectVersion");
    assert_eq!(request.query, [("versionId".to_string(), "v1".to_string())]);
    let page = VersionPage {
        prefix: "p/",
        after: Some(("p/a", "v")),
        ..VersionPage::default()
    };
    assert_eq!(
        query_of(list_versions(page)),
        [
            "versions=",
            "encoding-type=url",
            "prefix=p/",
            "key-marker=p/a",
            "version-id-marker=v"
        ]
    );
}
