//! The client against scripted servers: what is tried again, what is corrected, what is given up.

use super::*;
use crate::error::Kind;
use crate::s3::request;
use crate::s3::script::{Reply, Script, Sent, error, ok};
use crate::s3::transport::BrokenKind;

mod keys;

fn client(replies: Vec<Reply>) -> (Client, Script) {
    client_at("localhost:9000", None, replies)
}

fn client_at(endpoint: &str, region: Option<&str>, replies: Vec<Reply>) -> (Client, Script) {
    let script = Script::new(replies);
    let endpoint = Endpoint::parse(endpoint, false).unwrap();
    let keys = Credentials::new("AK", "SK", None, "test");
    let mut client = Client::new(
        Box::new(script.clone()),
        endpoint,
        "bkt",
        region,
        keys,
        Policy::default(),
    );
    client.sleep = |_| {};
    (client, script)
}

fn get(client: &Client) -> Result<Answer, Failure> {
    client.send(&request::get_object("k"), Limits::default())
}

fn header<'a>(sent: &'a Sent, name: &str) -> Option<&'a str> {
    sent.2
        .iter()
        .find(|(n, _)| n == name)
        .map(|(_, v)| v.as_str())
}

/// An HTTP date `hours` from now.
fn date(hours: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(Time::local_now().0 + hours * 3_600_000).unwrap();
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[test]
fn passing_trouble_is_tried_again() {
    let replies = vec![
        error(503, "SlowDown"),
        error(500, "InternalError"),
        Reply::Broken(BrokenKind::Other),
        error(400, "RequestTimeout"),
        ok(b"x"),
    ];
    let (client, _) = client(replies);
    let answer = get(&client).unwrap();
    assert_eq!((answer.body.as_slice(), answer.attempts), (&b"x"[..], 5));
    assert_eq!((client.usage().get, client.usage().retries), (5, 4));
}

#[test]
fn refusals_are_final() {
    for (status, code) in [
        (400, "InvalidRequest"),
        (403, "AccessDenied"),
        (404, "NoSuchKey"),
        (412, "PreconditionFailed"),
    ] {
        let (client, _) = client(vec![error(status, code)]);
        let failure = get(&client).unwrap_err();
        assert!(matches!(failure.cause, Cause::Service(e) if e.status == status && e.code == code));
        assert_eq!(failure.attempts, 1);
    }
}

#[test]
fn an_error_inside_a_success_is_an_error() {
    let (client, _) = client(vec![
        Reply::Answer(
            200,
            vec![],
            b"<Error><Code>SlowDown</Code></Error>".to_vec(),
        ),
        Reply::Answer(200, vec![], b"<DeleteResult/>".to_vec()),
    ]);
    let keys = ["a".to_string()];
    let answer = client
        .send(&request::delete_objects(&keys), Limits::default())
        .unwrap();
    assert_eq!(answer.attempts, 2);
    assert_eq!(answer.body, b"<DeleteResult/>");
}

#[test]
fn an_object_that_looks_like_an_error_is_an_object() {
    let body = b"<Error><Code>SlowDown</Code></Error>";
    assert_eq!(get(&client(vec![ok(body)]).0).unwrap().body, body);
}

#[test]
fn a_torn_body_is_resumed_where_it_broke() {
    let rest = vec![
        ("content-length", "6".to_string()),
        ("content-range", "bytes 4-9/10".to_string()),
    ];
    let (client, script) = client(vec![
        Reply::Torn(10, b"0123".to_vec()),
        Reply::Answer(206, rest, b"456789".to_vec()),
    ]);
    assert_eq!(get(&client).unwrap().body, b"0123456789");
    let sent = script.sent.lock().unwrap();
    assert_eq!(header(&sent[0], "range"), None);
    assert_eq!(header(&sent[1], "range"), Some("bytes=4-"));
    assert!(
        header(&sent[1], "authorization").unwrap().contains("range"),
        "signed with it"
    );
    assert_eq!(client.usage().bytes_down, 10);
}

#[test]
fn a_torn_range_is_resumed_inside_and_tolerates_a_server_without_ranges() {
    let part = vec![
        ("content-length", "4".to_string()),
        ("content-range", "bytes 2-5/10".to_string()),
    ];
    let replies = vec![Reply::Answer(206, part, b"23".to_vec()), ok(b"0123456789")];
    let (client, script) = client(replies);
    let limits = Limits {
        body: 4,
        not_after: None,
    };
    let answer = client
        .send(&request::get_object_range("k", 2, 4), limits)
        .unwrap();
    assert_eq!(answer.body, b"2345");
    assert_eq!(
        header(&script.sent.lock().unwrap()[1], "range"),
        Some("bytes=4-5")
    );
}

#[test]
fn the_region_is_learned_once_and_kept() {
    let wrong =
        b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>"
            .to_vec();
    let (client, script) = client_at(
        "s3.amazonaws.com",
        None,
        vec![Reply::Answer(400, vec![], wrong), ok(b""), ok(b"")],
    );
    get(&client).unwrap();
    get(&client).unwrap();
    let sent = script.sent.lock().unwrap();
    assert_eq!(sent[0].1, "https://bkt.s3.amazonaws.com/k");
    assert!(
        header(&sent[0], "authorization")
            .unwrap()
            .contains("/us-east-1/s3/")
    );
    for later in &sent[1..] {
        assert_eq!(later.1, "https://bkt.s3.eu-west-1.amazonaws.com/k");
        assert!(
            header(later, "authorization")
                .unwrap()
                .contains("/eu-west-1/s3/")
        );
    }
}

#[test]
fn a_server_that_keeps_naming_other_regions_is_not_followed_for_ever() {
    let redirect = |region: &str| {
        Reply::Answer(
            301,
            vec![("x-amz-bucket-region", region.to_string())],
            vec![],
        )
    };
    let (client, _) = client(vec![redirect("r-1"), redirect("r-2")]);
    let failure = get(&client).unwrap_err();
    assert!(matches!(failure.cause, Cause::Service(e) if e.region.as_deref() == Some("r-2")));
}

#[test]
fn a_skewed_clock_is_corrected_and_the_request_signed_anew() {
    let refuse = Reply::Answer(
        403,
        vec![("date", date(3))],
        b"<Error><Code>RequestTimeTooSkewed</Code></Error>".to_vec(),
    );
    let (client, script) = client(vec![refuse, ok(b"x")]);
    assert_eq!(get(&client).unwrap().attempts, 2);
    assert!((client.clock().skew_ms() - 3 * 3_600_000).abs() < 5_000);
    let sent = script.sent.lock().unwrap();
    assert_ne!(
        header(&sent[0], "x-amz-date"),
        header(&sent[1], "x-amz-date")
    );
}

#[test]
fn a_refusal_by_a_server_whose_clock_agrees_is_final() {
    let refuse = |hours| {
        Reply::Answer(
            403,
            vec![("date", date(hours))],
            b"<Error><Code>AccessDenied</Code></Error>".to_vec(),
        )
    };
    assert_eq!(get(&client(vec![refuse(0)]).0).unwrap_err().attempts, 1);
    assert_eq!(
        get(&client(vec![refuse(-2), refuse(-2)]).0)
            .unwrap_err()
            .attempts,
        2,
        "once, not for ever"
    );
}

#[test]
fn nothing_is_sent_after_its_last_moment() {
    let (client, script) = client(vec![]);
    let id = crate::id::Id::sha256(b"x");
    let request = request::put_object("k", b"x", &id, request::Put::default());
    let limits = Limits {
        not_after: Some(client.clock().now().minus(Duration::from_secs(1))),
        ..Limits::default()
    };
    assert!(matches!(
        client.send(&request, limits).unwrap_err().cause,
        Cause::TooLate
    ));
    assert!(script.sent.lock().unwrap().is_empty());
}

#[test]
fn the_last_moment_is_checked_again_by_the_corrected_clock() {
    let (client, script) = client(vec![Reply::Answer(503, vec![("date", date(1))], vec![])]);
    let id = crate::id::Id::sha256(b"x");
    let request = request::put_object("k", b"x", &id, request::Put::default());
    let limits = Limits {
        not_after: Some(client.clock().now().plus(Duration::from_secs(60))),
        ..Limits::default()
    };
    assert!(matches!(
        client.send(&request, limits).unwrap_err().cause,
        Cause::TooLate
    ));
    assert_eq!(script.sent.lock().unwrap().len(), 1);
}

#[test]
fn a_server_never_reached_fails_at_once_and_one_that_answered_is_waited_for() {
    assert_eq!(
        get(&client(vec![Reply::Broken(BrokenKind::Refused)]).0)
            .unwrap_err()
            .attempts,
        1
    );
    let (client, _) = client(vec![ok(b""), Reply::Broken(BrokenKind::Refused), ok(b"")]);
    get(&client).unwrap();
    assert_eq!(get(&client).unwrap().attempts, 2);
}

#[test]
fn large_bodies_wait_for_a_word_and_all_is_signed() {
    let (client, script) = client(vec![ok(b""), ok(b"")]);
    for size in [10usize, 2 << 20] {
        let body = vec![0; size];
        let id = crate::id::Id::sha256(&body);
        client
            .send(
                &request::put_object("k", &body, &id, request::Put::default()),
                Limits::default(),
            )
            .unwrap();
    }
    let sent = script.sent.lock().unwrap();
    assert_eq!(header(&sent[0], "expect"), None);
    assert_eq!(header(&sent[1], "expect"), Some("100-continue"));
    let signed = header(&sent[1], "authorization").unwrap();
    assert!(
        signed.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date,"),
        "{signed}"
    );
    assert_eq!(client.usage().bytes_up, 10 + (2 << 20));
}

#[test]
fn only_the_first_large_body_waits_and_those_after_a_failure() {
    let refused = error(503, "SlowDown");
    let (client, script) = client(vec![ok(b""), ok(b""), refused, ok(b""), ok(b"")]);
    let body = vec![0; 2 << 20];
    let id = crate::id::Id::sha256(&body);
    for _ in 0..4 {
        let put = request::put_object("k", &body, &id, request::Put::default());
        client.send(&put, Limits::default()).unwrap();
    }
    let sent = script.sent.lock().unwrap();
    let waited: Vec<bool> = sent.iter().map(|s| header(s, "expect").is_some()).collect();
    assert_eq!(waited, [true, false, false, true, false]);
    // Sent again it asks, though another upload may have been taken meanwhile.
    let put = request::put_object("k", &body, &id, request::Put::default());
    assert!(client.takes.load(Relaxed));
    for again in [false, true] {
        let (keys, time) = (client.credentials(), Time::local_now());
        let (_, headers) = client.signed(&put, &keys, "us-east-1", time, None, again);
        assert_eq!(headers.iter().any(|(name, _)| name == "expect"), again);
    }
}

#[test]
fn a_broken_connection_is_replaced() {
    let replies = vec![
        error(503, "SlowDown"),
        Reply::Broken(BrokenKind::Timeout),
        error(500, ""),
        ok(b"x"),
    ];
    let (client, script) = client(replies);
    get(&client).unwrap();
    assert_eq!(*script.fresh.lock().unwrap(), [false, false, true, false]);
}

#[test]
fn slow_down_halves_what_is_under_way_at_a_time() {
    let (client, _) = client(vec![error(503, "SlowDown"), error(429, ""), ok(b"x")]);
    let most = client.gate().most();
    get(&client).unwrap();
    assert_eq!(client.gate().limit(), most / 4);
    let (client, _) = self::client(vec![error(500, ""), ok(b"x")]);
    get(&client).unwrap();
    assert_eq!(client.gate().limit(), most, "trouble is not too much");
}

#[test]
fn what_is_about_one_object_is_told_from_what_is_about_all() {
    for (status, code, kind, one) in [
        (403, "InvalidObjectState", Kind::Archived, true),
        (403, "AccessDenied", Kind::PermissionDenied, true),
        (500, "InternalError", Kind::Network, true),
        (400, "KMS.DisabledException", Kind::Network, true),
        (502, "", Kind::Network, false),
        (503, "SlowDown", Kind::Network, false),
        (403, "InvalidAccessKeyId", Kind::CredentialsRefused, false),
    ] {
        let (client, _) = client(vec![]);
        let request = request::get_object("packs/k");
        let error = crate::s3::response::S3Error {
            status,
            code: code.into(),
            ..Default::default()
        };
        let failure = Failure {
            cause: Cause::Service(error),
            attempts: 1,
        };
        let said = crate::s3::explain::explain(&client, &request, &failure);
        assert_eq!(
            (said.kind(), said.is_of_one_object()),
            (kind, one),
            "{said}"
        );
        if kind == Kind::Archived {
            assert!(
                said.to_string()
                    .contains("restore the object from the archive class first")
            );
        }
    }
}

#[test]
fn a_class_or_an_encryption_that_is_not_there_is_told_by_its_flag() {
    let class = request::Put {
        storage_class: Some("COLD"),
        ..request::Put::default()
    };
    let encryption = request::Put {
        encryption: Some("aws:kms"),
        ..request::Put::default()
    };
    let own_key = request::Put {
        kms_key: Some("arn:aws:kms:x"),
        ..encryption
    };
    for (put, status, code, flag) in [
        (class, 400, "InvalidStorageClass", "--storage-class"),
        (encryption, 400, "InvalidEncryptionAlgorithmError", "--sse,"),
        (encryption, 400, "KMS.NotFoundException", "--sse,"),
        (own_key, 400, "KMS.NotFoundException", "--sse-kms-key-id,"),
    ] {
        let (client, _) = client(vec![error(status, code)]);
        let id = crate::id::Id::sha256(b"x");
        let request = request::put_object("k", b"x", &id, put);
        let failure = client.send(&request, Limits::default()).unwrap_err();
        let said = crate::s3::explain::explain(&client, &request, &failure);
        assert_eq!(said.kind(), Kind::Usage);
        assert!(said.to_string().contains(flag), "{said}");
    }
    // A key that is switched off for a while, and what the storage lacks for another reason.
    for (status, code) in [(400, "KMS.DisabledException"), (501, "NotImplemented")] {
        let (client, _) = client(vec![error(status, code)]);
        let id = crate::id::Id::sha256(b"x");
        let request = request::put_object("k", b"x", &id, own_key);
        let failure = client.send(&request, Limits::default()).unwrap_err();
        let said = crate::s3::explain::explain(&client, &request, &failure);
        assert_eq!(said.kind(), Kind::Network, "{said}");
    }
}

#[test]
fn a_web_page_is_no_answer() {
    let page = |status, headers: Vec<(&'static str, String)>| {
        let mut all = vec![("content-type", "text/html; charset=utf-8".to_string())];
        all.extend(headers);
        Reply::Answer(status, all, b"<html><title>Log in</title></html>".to_vec())
    };
    for request in [
        request::get_object("k"),
        request::list_objects(Default::default()),
    ] {
        let (client, _) = client(vec![page(200, vec![])]);
        let failure = client.send(&request, Limits::default()).unwrap_err();
        let said = crate::s3::explain::explain(&client, &request, &failure).to_string();
        assert!(said.contains("a web page"), "{said}");
    }
    let login = vec![("location", "http://login.example/".to_string())];
    let (client, _) = client(vec![page(302, login)]);
    let request = request::get_object("k");
    let failure = client.send(&request, Limits::default()).unwrap_err();
    let said = crate::s3::explain::explain(&client, &request, &failure).to_string();
    assert!(
        said.contains("titled \"Log in\"") && said.contains("login.example"),
        "{said}"
    );
}

#[test]
fn lengths_that_disagree_start_over() {
    let (client, _) = client(vec![
        Reply::Torn(10, b"0123".to_vec()),
        error(416, "InvalidRange"),
        ok(b"0123"),
    ]);
    assert_eq!(get(&client).unwrap().body, b"0123");
}

#[test]
fn a_type_without_a_page_is_no_page() {
    let typed = vec![("content-type", "text/html; charset=utf-8".to_string())];
    let (client, _) = client(vec![Reply::Answer(200, typed, Vec::new())]);
    client
        .send(&request::delete_object("k"), Limits::default())
        .unwrap();
}

#[test]
fn the_text_of_a_refusal_may_not_drip_for_ever() {
    struct Dripping;
    impl Read for Dripping {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            std::thread::sleep(Duration::from_millis(5));
            buffer[0] = b' ';
            Ok(1)
        }
    }
    impl Transport for Dripping {
        fn exchange(&self, _: &HttpRequest<'_>) -> Result<HttpResponse, Broken> {
            Ok(HttpResponse {
                status: 403,
                headers: Vec::new(),
                body: Box::new(Dripping),
            })
        }
    }
    let pace = Pace {
        window: Duration::from_millis(50),
        least: 1000,
    };
    let client = Client::new(
        Box::new(Dripping),
        Endpoint::parse("localhost:9000", false).unwrap(),
        "bkt",
        None,
        Credentials::new("AK", "SK", None, "test"),
        Policy::default(),
    )
    .with_pace(pace);
    let began = std::time::Instant::now();
    let failure = get(&client).unwrap_err();
    assert!(matches!(failure.cause, Cause::Service(e) if e.status == 403));
    assert!(began.elapsed() < Duration::from_secs(60));
}
