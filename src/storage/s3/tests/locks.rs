//! What is sent in order to lock objects.

use super::*;
use crate::format::lock::{LockMode, ObjectLock};
use crate::s3::clock::parse_http_date;

fn header(sent: &Sent, name: &str) -> Option<String> {
    let found = sent.2.iter().find(|(n, _)| n == name);
    found.map(|(_, value)| value.clone())
}

fn for_a_day() -> PutOptions {
    PutOptions {
        lock: Some(ObjectLock {
            mode: LockMode::Compliance,
            duration: Duration::from_secs(86400),
            extend: false,
        }),
        ..PutOptions::default()
    }
}

#[test]
fn a_lock_counts_from_the_storages_clock() {
    // The storage's clock is years away from this host's.
    let date = "Fri, 24 May 2013 00:00:00 GMT";
    let dated = Reply::Answer(200, vec![("date", date.to_owned())], Vec::new());
    let (storage, script) = scripted(vec![dated, ok(b"")]);
    storage
        .put("packs/a", b"x", &PutOptions::default())
        .unwrap();
    storage.put("packs/b", b"x", &for_a_day()).unwrap();
    let sent = script.sent.lock().unwrap();
    assert_eq!(header(&sent[0], "x-amz-object-lock-mode"), None);
    assert_eq!(header(&sent[0], "content-md5"), None);
    assert_eq!(
        header(&sent[1], "x-amz-object-lock-mode").as_deref(),
        Some("COMPLIANCE")
    );
    assert!(header(&sent[1], "content-md5").is_some());
    let until = header(&sent[1], "x-amz-object-lock-retain-until-date").unwrap();
    let until: jiff::Timestamp = until.parse().unwrap();
    let least = parse_http_date(date).unwrap().0 / 1000 + 86400;
    assert!((least..least + 60).contains(&until.as_second()), "{until}");
}

#[test]
fn a_lock_counts_from_the_clock_as_it_is_at_each_attempt() {
    // The first attempt is refused for its time, and the refusal says what time it is.
    let date = "Fri, 24 May 2013 00:00:00 GMT";
    let body = b"<Error><Code>RequestTimeTooSkewed</Code></Error>".to_vec();
    let refused = Reply::Answer(403, vec![("date", date.to_owned())], body);
    let (storage, script) = scripted(vec![refused, ok(b"")]);
    storage.put("packs/a", b"x", &for_a_day()).unwrap();
    let sent = script.sent.lock().unwrap();
    let until = |at: usize| -> i64 {
        let until = header(&sent[at], "x-amz-object-lock-retain-until-date").unwrap();
        until.parse::<jiff::Timestamp>().unwrap().as_second()
    };
    let right = parse_http_date(date).unwrap().0 / 1000 + 86400;
    assert!(until(0) > right + 86400);
    assert!((right..right + 60).contains(&until(1)), "{}", until(1));
    let signed = header(&sent[1], "authorization").unwrap();
    assert!(
        signed.contains("x-amz-object-lock-retain-until-date"),
        "{signed}"
    );
}

#[test]
fn a_bucket_that_locks_by_itself_gets_its_digest() {
    let wanted = b"<Error><Code>InvalidRequest</Code><Message>Content-MD5 OR x-amz-checksum- HTTP header is \
        required for Put Object requests with Object Lock parameters</Message></Error>";
    let wants = Reply::Answer(400, vec![], wanted.to_vec());
    let (storage, script) = scripted(vec![wants, ok(b""), ok(b"")]);
    for key in ["tombstones/a", "tombstones/b"] {
        storage.put(key, b"x", &PutOptions::default()).unwrap();
    }
    let sent = script.sent.lock().unwrap();
    let digests: Vec<bool> = sent
        .iter()
        .map(|s| header(s, "content-md5").is_some())
        .collect();
    assert_eq!(digests, [false, true, true]);
}

#[test]
fn whether_objects_can_be_locked() {
    let says = |reply: Reply| scripted(vec![reply]).0.check_lock();
    let configuration = |inner: &str| {
        ok(format!("<ObjectLockConfiguration>{inner}</ObjectLockConfiguration>").as_bytes())
    };
    says(configuration(
        "<ObjectLockEnabled>Enabled</ObjectLockEnabled>",
    ))
    .unwrap();
    for (reply, kind) in [
        (configuration(""), Kind::Usage),
        (
            error(404, "ObjectLockConfigurationNotFoundError"),
            Kind::Usage,
        ),
        (error(501, "NotImplemented"), Kind::Usage),
        // A server that takes it for a listing.
        (page(&[], None), Kind::Usage),
        (error(403, "AccessDenied"), Kind::PermissionDenied),
        (error(404, "NoSuchBucket"), Kind::BucketMissing),
    ] {
        assert_eq!(says(reply).unwrap_err().kind(), kind);
    }
}

#[test]
fn no_lock_is_no_error() {
    let says = |reply: Reply| scripted(vec![reply]).0.retention("packs/a");
    assert_eq!(
        says(error(404, "NoSuchObjectLockConfiguration")).unwrap(),
        None
    );
    let kind = |reply| says(reply).unwrap_err().kind();
    assert_eq!(kind(error(404, "NoSuchKey")), Kind::ObjectMissing);
    assert_eq!(kind(error(403, "AccessDenied")), Kind::PermissionDenied);
}

#[test]
fn a_server_that_answers_with_the_object_is_asked_otherwise() {
    let head = |mode: &str, until: &str| {
        let headers = vec![
            ("x-amz-object-lock-mode", mode.to_owned()),
            ("x-amz-object-lock-retain-until-date", until.to_owned()),
        ];
        Reply::Answer(200, headers, Vec::new())
    };
    let says = |first: Reply, second: Reply| {
        let (storage, script) = scripted(vec![first, second]);
        let lock = storage.retention("packs/a");
        assert_eq!(script.sent.lock().unwrap()[1].0, "HEAD");
        lock
    };
    let until = "2026-01-02T03:04:05.678Z";
    for object in [vec![0xff; 100], vec![1; 100_000]] {
        let lock = says(ok(&object), head("GOVERNANCE", until));
        assert_eq!(lock.unwrap().unwrap().mode, LockMode::Governance);
    }
    assert_eq!(says(ok(b""), ok(b"")).unwrap(), None);
    let nonsense = says(ok(b""), head("X", until)).unwrap_err();
    assert_eq!(nonsense.kind(), Kind::Network);
}

#[test]
fn a_bucket_that_lost_its_lock_is_told_of() {
    let lost =
        b"<Error><Code>InvalidRequest</Code><Message>Bucket is missing Object Lock Configuration\
        </Message></Error>";
    let (storage, _) = scripted(vec![Reply::Answer(400, vec![], lost.to_vec())]);
    let error = storage.put("packs/a", b"x", &for_a_day()).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    assert!(error.to_string().contains("enable object lock"), "{error}");
}
