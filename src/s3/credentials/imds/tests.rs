//! A metadata service that enforces its protocol: a token first, with a TTL, and then nothing without it.

use super::super::testing::{Host, HttpReply, HttpServer, keys_json, ok, status};
use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Version 2 as documented. Tokens are `TOKEN1`, `TOKEN2`, ...; only the last one is good.
fn version2(given: Arc<AtomicUsize>) -> HttpServer {
    HttpServer::start(move |r| {
        if r.line() == "PUT /latest/api/token" {
            let ttl = r.header("x-aws-ec2-metadata-token-ttl-seconds");
            let ttl: Option<u32> = ttl.and_then(|t| t.parse().ok());
            // Forwarded requests are refused, and so are those without a good TTL.
            if r.header("x-forwarded-for").is_some()
                || !ttl.is_some_and(|t| (1..=21600).contains(&t))
            {
                return status(400);
            }
            return ok(format!("TOKEN{}", given.fetch_add(1, SeqCst) + 1));
        }
        let good = format!("TOKEN{}", given.load(SeqCst));
        if r.header("x-aws-ec2-metadata-token") != Some(&good) {
            return status(401);
        }
        match r.line().as_str() {
            "GET /latest/meta-data/iam/security-credentials/" => ok("my-role\n"),
            "GET /latest/meta-data/iam/security-credentials/my-role" => {
                ok(keys_json("AKIMDS", 6 * 3600))
            }
            _ => status(404),
        }
    })
}

fn imds(url: &str, vars: &[(&str, &str)]) -> Imds {
    let host = Host::new(vars).imds(url);
    Imds::new(&|n| host.vars.get(n).cloned(), None)
        .unwrap()
        .unwrap()
}

fn error(source: &Imds) -> String {
    source.fetch().expect_err("no keys").to_string()
}

/// Roles and keys without a token.
fn version1(r: &super::super::testing::HttpRequest) -> HttpReply {
    match r.line().as_str() {
        _ if r.header("x-aws-ec2-metadata-token").is_some() => status(400),
        "GET /latest/meta-data/iam/security-credentials/" => ok("my-role"),
        "GET /latest/meta-data/iam/security-credentials/my-role" => ok(keys_json("AKV1", 3600)),
        _ => status(404),
    }
}

#[test]
fn version_2_and_its_token() {
    let given = Arc::new(AtomicUsize::new(0));
    let server = version2(given.clone());
    let source = imds(&server.url(), &[]);
    let keys = source.fetch().unwrap();
    assert_eq!(
        (keys.access_key(), keys.source()),
        ("AKIMDS", "instance metadata, role my-role")
    );
    let left = keys.expires().unwrap().since(Time::local_now()).as_secs();
    assert!(
        (3590..=3600).contains(&left),
        "{left}: taken for good an hour at most"
    );
    source.fetch().unwrap();
    assert_eq!(server.count("PUT"), 1, "the token is used again");
    // The service forgets it: 401, a new one, and on.
    given.fetch_add(1, SeqCst);
    source.fetch().unwrap();
    assert_eq!(server.count("PUT"), 2);
}

#[test]
fn version_1_where_there_is_no_other() {
    for refusal in [403, 404, 405, 500] {
        let server = HttpServer::start(move |r| {
            if r.method == "PUT" {
                status(refusal)
            } else {
                version1(r)
            }
        });
        assert_eq!(
            imds(&server.url(), &[]).fetch().unwrap().access_key(),
            "AKV1",
            "{refusal}"
        );
        let no = imds(&server.url(), &[("AWS_EC2_METADATA_V1_DISABLED", "true")]);
        let said = error(&no);
        assert!(
            said.contains(&format!("no session token (status {refusal})")),
            "{said}"
        );
    }
    // A hop too far: the token's answer gets lost.
    let server = HttpServer::start(|r| {
        if r.method == "PUT" {
            HttpReply::Silence
        } else {
            version1(r)
        }
    });
    let begin = Instant::now();
    let source = imds(&server.url(), &[]);
    assert_eq!(source.fetch().unwrap().access_key(), "AKV1");
    assert!(begin.elapsed() < Duration::from_secs(2));
    source.fetch().unwrap();
    assert_eq!(server.count("PUT"), 1, "not asked for again");
    let no = imds(&server.url(), &[("AWS_EC2_METADATA_V1_DISABLED", "TRUE")]);
    let said = error(&no);
    assert!(
        said.contains("no session token in time") && said.contains("hop limit"),
        "{said}"
    );
}

#[test]
fn status_400_ends_it() {
    let server = HttpServer::start(|r| {
        if r.method == "PUT" {
            status(400)
        } else {
            version1(r)
        }
    });
    assert!(error(&imds(&server.url(), &[])).contains("status 400"));
    assert_eq!(server.count("GET"), 0);
}

#[test]
fn answers_that_are_none() {
    let list = "GET /latest/meta-data/iam/security-credentials/";
    for (roles, keys, want) in [
        (
            status as fn(u16) -> HttpReply,
            "",
            "the instance has no role",
        ),
        (|_| ok(""), "", "it names no role"),
        (|_| ok("../../x"), "", "it names no role"),
        (|_| ok("a b"), "", "it names no role"),
        (|_| ok("r"), "VERYSECRET", "not the JSON of keys"),
        (
            |_| ok("r"),
            r#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"no"}"#,
            "for role r, \"AssumeRoleUnauthorizedAccess\", \"no\"",
        ),
        (
            |_| ok("r"),
            r#"{"Code":"Success","AccessKeyId":"A"}"#,
            "no AccessKeyId or no SecretAccessKey",
        ),
        (
            |_| ok("r"),
            r#"{"Code":"Success","AccessKeyId":"A","SecretAccessKey":"VERYSECRET"}"#,
            "Expiration is no time",
        ),
    ] {
        let server = HttpServer::start(move |r| match r.line() {
            _ if r.method == "PUT" => ok("T"),
            line if line == list => roles(404),
            _ => ok(keys),
        });
        let said = error(&imds(&server.url(), &[]));
        assert!(
            said.contains(want) && !said.contains("VERYSECRET"),
            "{said}"
        );
    }
    let server = HttpServer::start(|r| {
        if r.method == "PUT" {
            ok("a\r\nb: c")
        } else {
            status(404)
        }
    });
    assert!(error(&imds(&server.url(), &[])).contains("a session token that is none"));
}

#[test]
fn a_service_that_drips_is_not_waited_for() {
    let pause = Duration::from_millis(50);
    let server = HttpServer::start(move |r| match r.method.as_str() {
        "PUT" => ok("T"),
        _ => HttpReply::Drip(pause, "x".repeat(1000)),
    });
    let begin = Instant::now();
    assert!(error(&imds(&server.url(), &[])).contains("instance metadata"));
    assert!(
        begin.elapsed() < Duration::from_millis(5500),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn passing_trouble_is_tried_again() {
    let asked = AtomicUsize::new(0);
    let server = HttpServer::start(move |r| match r.method.as_str() {
        "PUT" => ok("T"),
        _ if asked.fetch_add(1, SeqCst) < 2 => status(503),
        _ if r.target.ends_with('/') => ok("role"),
        _ => ok(keys_json("AK", 3600)),
    });
    assert_eq!(imds(&server.url(), &[]).fetch().unwrap().access_key(), "AK");
}

#[test]
fn endpoints_and_modes() {
    let base = |vars: &[(&str, &str)]| {
        let host = Host::new(vars);
        let imds = Imds::new(
            &|n| host.vars.get(n).cloned().filter(|v| !v.is_empty()),
            None,
        );
        imds.unwrap().map(|i| i.base)
    };
    let on = ("AWS_EC2_METADATA_DISABLED", "");
    let mode = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE";
    assert_eq!(base(&[]), None);
    assert_eq!(base(&[on]).as_deref(), Some(IPV4));
    assert_eq!(base(&[on, (mode, "IPv6")]).as_deref(), Some(IPV6));
    assert_eq!(base(&[on, (mode, "ipv4")]).as_deref(), Some(IPV4));
    let given = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://h/");
    assert_eq!(
        base(&[on, (mode, "IPv6"), given]).as_deref(),
        Some("http://h")
    );
    assert_eq!(
        base(&[("AWS_EC2_METADATA_DISABLED", "false")]).as_deref(),
        Some(IPV4)
    );
}
