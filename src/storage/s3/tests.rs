use super::*;
use crate::s3::credentials::Credentials;
use crate::s3::retry::Policy;
use crate::s3::script::{Reply, Script, Sent, error, ok};
use crate::s3::transport::BrokenKind;

mod locks;
mod past;

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

/// A storage in bucket `bkt` under `p/`, over a script, that never waits.
fn scripted(replies: Vec<Reply>) -> (S3Storage, Script) {
    let script = Script::new(replies);
    let mut config = S3Config::new("bkt", Credentials::new("AK", "SK", None, "test"));
    config.endpoint = "localhost:9000".into();
    config.prefix = "p".into();
    config.retry = Policy {
        base: Duration::ZERO,
        throttle_base: Duration::ZERO,
        ..Policy::default()
    };
    (
        S3Storage::with_transport(config, Box::new(script.clone())).unwrap(),
        script,
    )
}

fn page(keys: &[&str], next: Option<&str>) -> Reply {
    let mut xml = String::from("<ListBucketResult>");
    for key in keys {
        xml.push_str(&format!(
            "<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05Z</LastModified><Size>1</Size></Contents>"
        ));
    }
    if let Some(next) = next {
        let token = format!("<NextContinuationToken>{next}</NextContinuationToken>");
        xml.push_str(&format!("<IsTruncated>true</IsTruncated>{token}"));
    }
    xml.push_str("</ListBucketResult>");
    let date = ("date", "Fri, 02 Jan 2026 03:04:05 GMT".to_string());
    Reply::Answer(200, vec![date], xml.into_bytes())
}

fn create() -> PutOptions {
    PutOptions {
        if_absent: true,
        ..PutOptions::default()
    }
}

#[test]
fn a_retried_create_that_is_there_already_may_be_our_own() {
    let broken = || Reply::Broken(BrokenKind::Other);
    let there = || error(412, "PreconditionFailed");
    let (storage, _) = scripted(vec![broken(), there(), ok(b"mine")]);
    storage.put("config", b"mine", &create()).unwrap();
    for other in [&b"else"[..], b"longer than mine"] {
        let (storage, _) = scripted(vec![broken(), there(), ok(other)]);
        assert_eq!(
            storage
                .put("config", b"mine", &create())
                .unwrap_err()
                .kind(),
            Kind::ObjectExists
        );
    }
    let (storage, script) = scripted(vec![there()]);
    assert_eq!(
        storage
            .put("config", b"mine", &create())
            .unwrap_err()
            .kind(),
        Kind::ObjectExists
    );
    assert_eq!(
        script.sent.lock().unwrap().len(),
        1,
        "a first attempt's refusal is another's success"
    );
}

#[test]
fn a_server_without_conditions_is_asked_once() {
    let (storage, script) = scripted(vec![error(501, "NotImplemented"), ok(b""), ok(b"")]);
    storage.put("config", b"x", &create()).unwrap();
    storage.put("keys/a", b"x", &create()).unwrap();
    let conditional = |sent: &Sent| sent.2.iter().any(|(name, _)| name == "if-none-match");
    let sent: Vec<bool> = script
        .sent
        .lock()
        .unwrap()
        .iter()
        .map(conditional)
        .collect();
    assert_eq!(sent, [true, false, false]);
}

#[test]
fn listings_are_paged_and_strangers_passed_over() {
    let first = page(&["p/a/1", "p/a/Stranger.txt", "other/a/2"], Some("t"));
    let (storage, script) = scripted(vec![first, page(&["p/a/2", "p/b/1"], None)]);
    let mut keys = Vec::new();
    let listed = storage.list("a/", &mut |object| {
        keys.push(object.key);
        Ok(())
    });
    let listed = listed.unwrap();
    assert_eq!(keys, ["a/1", "a/2"]);
    assert!(listed.began < listed.ended && listed.ended.rfc3339() == "2026-01-02T03:04:05Z");
    let sent = script.sent.lock().unwrap();
    assert!(sent[0].1.contains("prefix=p%2Fa%2F"), "{}", sent[0].1);
    assert!(sent[1].1.contains("continuation-token=t"), "{}", sent[1].1);
}

#[test]
fn a_listing_that_turns_in_a_circle_ends() {
    let (storage, _) = scripted(vec![page(&[], Some("t")), page(&[], Some("t"))]);
    assert_eq!(
        storage.list("", &mut |_| Ok(())).unwrap_err().kind(),
        Kind::Network
    );
}

#[test]
fn a_listing_that_comes_again_by_other_tokens_ends() {
    let replies = ["B", "A", "B"].map(|next| page(&["p/a/1", "p/a/2"], Some(next)));
    let (storage, script) = scripted(replies.into());
    let error = storage.list("", &mut |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("come again"), "{error}");
    assert_eq!(script.sent.lock().unwrap().len(), 2);
    let empty = (0..200).map(|n| page(&[], Some(["A", "B"][n % 2])));
    let (storage, script) = scripted(empty.collect());
    assert!(storage.list("", &mut |_| Ok(())).is_err());
    assert!(script.sent.lock().unwrap().len() < 110);
}

#[test]
fn what_was_changed_on_the_way_is_not_the_objects() {
    let read = |headers: Vec<(&'static str, String)>, body: &[u8]| {
        let (storage, _) = scripted(vec![Reply::Answer(200, headers, body.to_vec())]);
        let error = storage.get("config", 1000).unwrap_err();
        assert_eq!(error.kind(), Kind::Network);
        error.to_string()
    };
    let zipped = read(vec![("content-encoding", "gzip".into())], b"\x1f\x8b");
    assert!(
        zipped.contains("on the way") && zipped.contains("gzip"),
        "{zipped}"
    );
    let page = b"<!DOCTYPE html><title>Log in</title>";
    let login = read(
        vec![("content-type", "application/octet-stream".into())],
        page,
    );
    assert!(login.contains("a web page titled"), "{login}");
}

#[test]
fn a_batch_that_fails_in_part_or_whole_is_finished_one_by_one() {
    let keys: Vec<String> = ["a", "b", "c"].map(String::from).into();
    let part = b"<DeleteResult><Error><Key>p/b</Key><Code>InternalError</Code></Error>\
        <Error><Key>p/c</Key><Code>AccessDenied</Code></Error></DeleteResult>";
    let (storage, _) = scripted(vec![
        Reply::Answer(200, vec![], part.to_vec()),
        Reply::Answer(204, vec![], vec![]),
    ]);
    let kinds: Vec<_> = storage
        .delete_many(&keys)
        .into_iter()
        .map(|r| r.err().map(|e| e.kind()))
        .collect();
    assert_eq!(kinds, [None, None, Some(Kind::PermissionDenied)]);
    let gone = || Reply::Answer(204, vec![], vec![]);
    let (storage, _) = scripted(vec![
        error(501, "NotImplemented"),
        gone(),
        error(404, "NoSuchKey"),
        gone(),
    ]);
    assert!(storage.delete_many(&keys).iter().all(Result::is_ok));
}

#[test]
fn the_place_is_found_by_head_and_then_by_listing() {
    let bare = |status| Reply::Answer(status, vec![], vec![]);
    let (storage, _) = scripted(vec![bare(403), page(&[], None)]);
    storage.check_place().unwrap();
    let (storage, _) = scripted(vec![bare(404), error(404, "NoSuchBucket")]);
    assert_eq!(
        storage.check_place().unwrap_err().kind(),
        Kind::BucketMissing
    );
    let (storage, _) = scripted(vec![bare(403), error(403, "AccessDenied")]);
    let error = storage.check_place().unwrap_err();
    assert_eq!(error.kind(), Kind::PermissionDenied);
    assert!(error.to_string().contains("s3:ListBucket"), "{error}");
}

#[test]
fn options_are_completed_from_the_environment() {
    let env = |name: &str| -> Option<std::ffi::OsString> {
        let value = match name {
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => "K",
            "AWS_ENDPOINT_URL_S3" => "http://minio.local:9000",
            "AWS_REGION" => "eu-north-1",
            "AWS_CA_BUNDLE" => "/ca.pem",
            _ => return None,
        };
        Some(value.into())
    };
    let options = |endpoint: Option<&str>| S3Options {
        bucket: "s3://b".into(),
        prefix: "/x".into(),
        endpoint: endpoint.map(String::from),
        root_ca_pem: Some("/own.pem".into()),
        ..S3Options::default()
    };
    let config = S3Config::resolve(options(None), &env).unwrap();
    assert_eq!(
        (config.bucket.as_str(), config.prefix.as_str()),
        ("b", "x/")
    );
    assert_eq!(
        (config.endpoint.as_str(), config.disable_tls),
        ("minio.local:9000", true)
    );
    assert_eq!(
        (config.region.as_deref(), config.root_ca_pem.len()),
        (Some("eu-north-1"), 2)
    );
    let config = S3Config::resolve(options(Some("h:1")), &env).unwrap();
    assert_eq!(
        (config.endpoint.as_str(), config.disable_tls),
        ("h:1", false),
        "the variable's scheme goes with its host"
    );
}

#[test]
fn checksums_are_asked_for_where_puts_carry_them() {
    let body = b"body";
    let hash = crate::id::Id::sha256(body);
    let head = |checksum: &str| {
        let headers = vec![
            ("content-length", "4".to_string()),
            ("x-amz-checksum-sha256", checksum.to_string()),
        ];
        Reply::Answer(200, headers, vec![])
    };
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(hash);
    let script = Script::new(vec![head(&text), head(&format!("{text}-3")), ok(b"")]);
    let mut config = S3Config::new("bkt", Credentials::new("AK", "SK", None, "test"));
    config.region = Some("eu-central-1".into());
    let storage = S3Storage::with_transport(config, Box::new(script.clone())).unwrap();
    assert_eq!(storage.checksum("a").unwrap(), Some(hash));
    // Of a copy in parts, and none at all.
    assert_eq!(storage.checksum("a").unwrap(), None);
    assert_eq!(storage.checksum("a").unwrap(), None);
    for (method, _, headers) in script.sent.lock().unwrap().iter() {
        let asked = ("x-amz-checksum-mode".to_string(), "ENABLED".to_string());
        assert!(method == "HEAD" && headers.contains(&asked), "{headers:?}");
    }
    let (other, script) = scripted(vec![]);
    assert_eq!(other.checksum("a").unwrap(), None);
    assert!(script.sent.lock().unwrap().is_empty());
}

#[test]
fn packs_get_the_class_and_everything_the_encryption() {
    let script = Script::new(vec![ok(b""), ok(b"")]);
    let mut config = S3Config::new("bkt", Credentials::new("AK", "SK", None, "test"));
    config.endpoint = "localhost:9000".into();
    config.prefix = "p".into();
    config.stored_as = StoredAs {
        storage_class: Some("STANDARD_IA".into()),
        encryption: Some("AES256".into()),
        kms_key: None,
    };
    let storage = S3Storage::with_transport(config, Box::new(script.clone())).unwrap();
    storage
        .put("packs/aa/bb", b"x", &PutOptions::default())
        .unwrap();
    storage
        .put("index/cc", b"x", &PutOptions::default())
        .unwrap();
    let sent = script.sent.lock().unwrap();
    let header = |at: usize, name: &str| {
        let headers: &Sent = &sent[at];
        headers
            .2
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.clone())
    };
    assert_eq!(
        header(0, "x-amz-storage-class").as_deref(),
        Some("STANDARD_IA")
    );
    assert_eq!(header(1, "x-amz-storage-class"), None);
    for at in [0, 1] {
        assert_eq!(
            header(at, "x-amz-server-side-encryption").as_deref(),
            Some("AES256")
        );
    }
}

#[test]
fn a_listing_that_was_cut_short_is_asked_for_anew() {
    let cut = ok(b"<ListBucketResult><Contents><Key>p/packs/");
    let (storage, script) = scripted(vec![cut, page(&["p/packs/aa/b"], None)]);
    let mut keys = Vec::new();
    let each = &mut |object: ObjectInfo| {
        keys.push(object.key);
        Ok(())
    };
    storage.list("packs/", each).unwrap();
    assert_eq!(keys, ["packs/aa/b"]);
    assert_eq!(script.sent.lock().unwrap().len(), 2);
    let nonsense = || ok(b"<ListBucketResult>");
    let (storage, _) = scripted(vec![nonsense(), nonsense(), nonsense()]);
    assert!(storage.list("packs/", &mut |_| Ok(())).is_err());
}
