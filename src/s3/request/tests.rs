use super::*;
use crate::id::Id;

#[test]
fn a_put_carries_only_what_is_asked_for() {
    let sha256 = Id::sha256(b"x");
    let plain = put_object("k", b"x", &sha256, Put::default());
    assert!(plain.headers.is_empty());
    assert_eq!(
        (plain.payload.as_str(), &*plain.body),
        (sha256.hex().as_str(), &b"x"[..])
    );
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
    let names: Vec<_> = list_objects(page)
        .query
        .into_iter()
        .map(|(n, v)| format!("{n}={v}"))
        .collect();
    assert_eq!(
        names,
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
