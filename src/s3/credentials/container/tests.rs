use super::super::testing::{Host, HttpServer, keys_json, ok, status};
use super::*;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

fn env(vars: &[(&str, &str)]) -> Host {
    Host::new(vars)
}

fn made(host: &Host, url: &str) -> Result<Container> {
    Container::full(url, &|n| host.vars.get(n).cloned(), &Reach::default())
}

/// Wants this token.
fn service(token: &'static str) -> HttpServer {
    HttpServer::start(move |r| match r.header("authorization") {
        Some(t) if t == token && r.line() == "GET /creds?x=1" => ok(keys_json("AK", 3600)),
        _ => super::super::testing::HttpReply::Send(
            401,
            r#"{"code":"Denied","message":"no"}"#.into(),
        ),
    })
}

#[test]
fn the_relative_uri_and_its_token() {
    let server = service("Basic abc");
    let host = env(&[("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic abc")]);
    let lookup = |n: &str| host.vars.get(n).cloned();
    let container = Container::relative(&server.url(), "/creds?x=1", &lookup).unwrap();
    let keys = container.fetch().unwrap();
    assert_eq!(
        (keys.access_key(), keys.session_token()),
        ("AK", Some("TOK"))
    );
    assert!(keys.expires().is_some());
    assert!(!keys.source().contains("creds"), "the path stays out");
}

#[test]
fn the_token_file_is_read_each_time_and_goes_before_the_variable() {
    let server = service("second");
    let host = env(&[("AWS_CONTAINER_AUTHORIZATION_TOKEN", "second")]).file("token", "first");
    let host = {
        let p = host.path("token");
        host.var("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &p)
    };
    let container = made(&host, &format!("{}/creds?x=1", server.url())).unwrap();
    let error = container.fetch().err().unwrap().to_string();
    assert!(error.contains("status 401, \"Denied\", \"no\""), "{error}");
    let host = host.file("token", "second");
    assert_eq!(container.fetch().unwrap().access_key(), "AK");
    for bad in ["second\n", "second\r\nx: y"] {
        std::fs::write(host.path("token"), bad).unwrap();
        let error = container.fetch().err().unwrap().to_string();
        assert!(
            error.contains("line break") && !error.contains("second"),
            "{error}"
        );
    }
    std::fs::remove_file(host.path("token")).unwrap();
    let error = container.fetch().err().unwrap().to_string();
    assert!(error.contains("token cannot be read"), "{error}");
    assert_eq!(
        server.log().len(),
        2,
        "nothing was sent without a good token"
    );
}

#[test]
fn plain_http_goes_to_known_hosts_only() {
    for allowed in [
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "::ffff:127.0.0.1",
        "169.254.170.2",
        "169.254.170.23",
        "fd00:ec2::23",
    ] {
        assert!(is_allowed(allowed.parse().unwrap()), "{allowed}");
    }
    for refused in [
        "169.254.170.3",
        "169.254.169.254",
        "10.0.0.1",
        "8.8.8.8",
        "fd00:ec2::254",
        "::",
    ] {
        assert!(!is_allowed(refused.parse().unwrap()), "{refused}");
    }
    let host = env(&[("AWS_CONTAINER_AUTHORIZATION_TOKEN", "VERYSECRET")]);
    for url in [
        "http://10.0.0.1/x",
        "http://169.254.169.254/x",
        "http://[fd00:ec2::254]/x",
    ] {
        let error = made(&host, url).unwrap().fetch().err().unwrap().to_string();
        assert!(
            error.contains("not one that may give keys over plain HTTP"),
            "{url}: {error}"
        );
        assert!(
            !error.contains("VERYSECRET") && !error.contains("/x"),
            "{error}"
        );
    }
    // A name is as good as its addresses.
    let server = service("t");
    let port = server.url().rsplit(':').next().unwrap().to_string();
    let host = env(&[("AWS_CONTAINER_AUTHORIZATION_TOKEN", "t")]);
    let url = format!("http://localhost:{port}/creds?x=1");
    assert_eq!(
        made(&host, &url).unwrap().fetch().unwrap().access_key(),
        "AK"
    );
}

#[test]
fn passing_trouble_is_tried_again() {
    let asked = std::sync::Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let server = HttpServer::start(move |_| match count.fetch_add(1, SeqCst) {
        0 => status(429),
        1 => status(500),
        _ => ok(keys_json("AK", 3600)),
    });
    let container = made(&env(&[]), &server.url()).unwrap();
    assert_eq!(container.fetch().unwrap().access_key(), "AK");
    assert_eq!(asked.load(SeqCst), 3);
}

#[test]
fn answers_that_are_none() {
    for (body, want) in [
        ("", "not the JSON of keys"),
        ("VERYSECRET", "not the JSON of keys"),
        ("{}", "no AccessKeyId or no SecretAccessKey"),
        (
            r#"{"AccessKeyId":"A"}"#,
            "no AccessKeyId or no SecretAccessKey",
        ),
        (
            r#"{"AccessKeyId":"A","SecretAccessKey":"VERYSECRET","Expiration":"x"}"#,
            "Expiration is no time",
        ),
    ] {
        let server = HttpServer::start(move |_| ok(body));
        let error = made(&env(&[]), &server.url())
            .unwrap()
            .fetch()
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains(want) && !error.contains("VERYSECRET"),
            "{error}"
        );
    }
    let server = HttpServer::start(|_| ok("x".repeat(300 << 10)));
    let error = made(&env(&[]), &server.url())
        .unwrap()
        .fetch()
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("longer than 256 KiB"), "{error}");
}

#[test]
fn keys_without_an_end() {
    let server = HttpServer::start(|_| ok(r#"{"AccessKeyId":"A","SecretAccessKey":"S"}"#));
    let keys = made(&env(&[]), &server.url()).unwrap().fetch().unwrap();
    assert_eq!((keys.expires(), keys.session_token()), (None, None));
}
