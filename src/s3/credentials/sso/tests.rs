//! A portal and an OIDC service that enforce their protocols.

use super::super::testing::{Host, HttpReply, HttpServer, ok};
use super::super::{Chain, sso_cache};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const PROFILE: &str = "[default]\nsso_session = my-sso\nsso_account_id = 123456789012\nsso_role_name = Backup+1\n\
    [sso-session my-sso]\nsso_region = eu-west-1\nsso_start_url = https://x.awsapps.com/start\n";
const OLD: &str = "[default]\nsso_region = eu-west-1\nsso_start_url = https://x.awsapps.com/start\n\
    sso_account_id = 123456789012\nsso_role_name = Backup+1\n";

/// Takes `good` as a token, and renews by `refresh1` with the client's id and secret, once.
fn service(good: &str) -> HttpServer {
    let good = Arc::new(Mutex::new(good.to_string()));
    HttpServer::start(move |r| {
        let mut good = good.lock().unwrap();
        if r.line() == "POST /token" {
            let body: Value = serde_json::from_slice(&r.body).unwrap();
            let want = json!({"clientId": "id", "clientSecret": "VERYSECRET1", "grantType": "refresh_token", "refreshToken": "VERYSECRET2"});
            if body != want || r.header("content-type") != Some("application/json") {
                return HttpReply::Send(400, r#"{"error":"invalid_grant","error_description":"Invalid refresh token provided"}"#.into());
            }
            *good = "new-token".into();
            return ok(
                r#"{"accessToken":"new-token","expiresIn":28800,"refreshToken":"VERYSECRET3","tokenType":"Bearer"}"#,
            );
        }
        let line = "GET /federation/credentials?role_name=Backup%2B1&account_id=123456789012";
        match r.header("x-amz-sso_bearer_token") {
            Some(token) if token == good.as_str() && r.line() == line => ok(
                r#"{"roleCredentials":{"accessKeyId":"AKSSO","secretAccessKey":"SK","sessionToken":"T","expiration":4102444800000}}"#,
            ),
            _ => HttpReply::Send(
                401,
                r#"{"message":"Session token not found or invalid"}"#.into(),
            ),
        }
    })
}

fn host(server: &HttpServer, profile: &str, key: &str, token: &str) -> Host {
    let host = Host::new(&[]).file(".aws/config", profile);
    let path = sso_cache::path(host.home.path(), key);
    let name = path
        .strip_prefix(host.home.path())
        .unwrap()
        .display()
        .to_string();
    host.file(&name, token)
        .var("AWS_ENDPOINT_URL_SSO", &server.url())
        .var("AWS_ENDPOINT_URL_SSO_OIDC", &server.url())
}

fn cached(host: &Host) -> Value {
    let path = sso_cache::path(host.home.path(), "my-sso");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

const EXPIRED: &str = r#"{"startUrl":"https://x.awsapps.com/start","accessToken":"old","expiresAt":"2020-01-01T00:00:00Z",
    "clientId":"id","clientSecret":"VERYSECRET1","refreshToken":"VERYSECRET2","registrationExpiresAt":"2100-01-01T00:00:00Z"}"#;

#[test]
fn the_file_is_named_by_a_hash() {
    let path = sso_cache::path("/h".as_ref(), "my-sso");
    // printf my-sso | sha1sum
    let want = "/h/.aws/sso/cache/0ad374308c5a4e22f723adf10145eafad7c4031c.json";
    assert_eq!(path.to_str(), Some(want));
}

#[test]
fn a_good_token_of_a_session_and_of_the_old_form() {
    for (profile, key, source) in [
        (
            PROFILE,
            "my-sso",
            "SSO session \"my-sso\", role Backup+1 in account 123456789012",
        ),
        (
            OLD,
            "https://x.awsapps.com/start",
            "SSO of https://x.awsapps.com/start, role Backup+1",
        ),
    ] {
        for end in [
            "2100-01-01T00:00:00Z",
            "2100-01-01T00:00:00UTC",
            "2100-01-01T02:00:00+02:00",
        ] {
            let server = service("good");
            let token = format!(r#"{{"accessToken":"good","expiresAt":"{end}"}}"#);
            let (access, said) = host(&server, profile, key, &token).finds();
            assert_eq!(access, "AKSSO");
            assert!(said.starts_with(source), "{said}");
            assert_eq!(server.count("POST"), 0);
        }
    }
}

#[test]
fn an_expired_token_is_renewed_and_the_file_rewritten() {
    let server = service("nothing yet");
    let host = host(&server, PROFILE, "my-sso", EXPIRED);
    let found = host.resolve(&Chain::default()).unwrap();
    assert_eq!(found.credentials.current().access_key(), "AKSSO");
    let now = cached(&host);
    assert_eq!(now["accessToken"], "new-token");
    assert_eq!(now["refreshToken"], "VERYSECRET3");
    assert_eq!(now["clientSecret"], "VERYSECRET1");
    assert_eq!(
        now["startUrl"], "https://x.awsapps.com/start",
        "unknown fields stay"
    );
    let end = super::super::parse_time(now["expiresAt"].as_str().unwrap()).unwrap();
    let left = end.since(crate::units::Time::local_now()).as_secs();
    assert!((28790..=28800).contains(&left), "{left}");
    let folder = host.home.path().join(".aws/sso/cache");
    assert_eq!(
        std::fs::read_dir(&folder).unwrap().count(),
        1,
        "no temporary file stays"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let path = sso_cache::path(host.home.path(), "my-sso");
        assert_eq!(
            std::fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    // The next run has a good token.
    host.finds();
    assert_eq!(server.count("POST"), 1);
}

#[test]
fn tokens_that_do_not_serve() {
    let good = |token: &str| token.to_string();
    for (profile, key, token, want) in [
        (PROFILE, "my-sso", good(""), "is not a JSON object"),
        (PROFILE, "my-sso", good("[]"), "is not a JSON object"),
        (PROFILE, "my-sso", good("{}"), "has no accessToken"),
        (
            PROFILE,
            "my-sso",
            good(r#"{"accessToken":"VERYSECRET"}"#),
            "has no expiresAt",
        ),
        (
            PROFILE,
            "my-sso",
            good(r#"{"accessToken":"VERYSECRET","expiresAt":"x"}"#),
            "has an expiresAt that is no time",
        ),
        (
            PROFILE,
            "my-sso",
            EXPIRED.replace("refreshToken", "x"),
            "expired at 2020-01-01T00:00:00Z; run 'aws sso login'",
        ),
        (
            PROFILE,
            "my-sso",
            EXPIRED.replace("VERYSECRET2", "VERYSECRET9"),
            "status 400, \"invalid_grant\", \"Invalid refresh token provided\"; run 'aws sso login'",
        ),
        (
            OLD,
            "https://x.awsapps.com/start",
            good(EXPIRED),
            "expired at 2020-01-01T00:00:00Z; run 'aws sso login'",
        ),
        (
            PROFILE,
            "my-sso",
            EXPIRED.replace("2020", "2100"),
            "status 401, \"Session token not found or invalid\"; run 'aws sso login'",
        ),
        (
            PROFILE,
            "my-sso",
            " ".repeat(2 << 20),
            "cannot be read: it is longer than 1 MiB",
        ),
    ] {
        let server = service("good");
        let error = host(&server, profile, key, &token).fails();
        let said = error.to_string();
        assert!(said.contains(want), "{said}");
        assert!(!said.contains("VERYSECRET"), "{said}");
        assert_eq!(error.kind().exit_code(), 13, "{said}");
    }
}
