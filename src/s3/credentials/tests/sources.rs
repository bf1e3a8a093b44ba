//! Every source alone, and every pair that the SDK for Go ranks.

use super::super::testing::{Host, HttpReply, HttpServer, keys_json, ok, status};
use super::*;
use std::time::{Duration, Instant};

/// A host to which sources are added one by one. What each gives has an access key of its own.
pub(super) struct Sources {
    pub host: Host,
    pub chain: Chain,
    /// Container, metadata, STS and SSO in one.
    server: HttpServer,
}

const ISSUED: &str = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
    <AccessKeyId>AKWEB</AccessKeyId><SecretAccessKey>SK</SecretAccessKey><SessionToken>T</SessionToken>\
    <Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
    </AssumeRoleWithWebIdentityResponse>";

fn service() -> HttpServer {
    HttpServer::start(|request| {
        let line = request.line();
        match line.as_str() {
            "GET /container" => ok(keys_json("AKCONTAINER", 3600)),
            "PUT /latest/api/token" => ok("IMDSTOKEN"),
            "GET /latest/meta-data/iam/security-credentials/" => ok("role"),
            "GET /latest/meta-data/iam/security-credentials/role" => ok(keys_json("AKIMDS", 3600)),
            "POST /" => {
                let web = String::from_utf8_lossy(&request.body).contains("WithWebIdentity");
                ok(if web {
                    ISSUED.to_string()
                } else {
                    ISSUED.replace("AKWEB", "AKROLE")
                })
            }
            _ if line.starts_with("GET /federation/credentials") => ok(
                r#"{"roleCredentials":{"accessKeyId":"AKSSO","secretAccessKey":"SK","sessionToken":"T","expiration":4102444800000}}"#,
            ),
            _ => status(404),
        }
    })
}

impl Sources {
    pub fn new() -> Sources {
        let server = service();
        let host = Host::new(&[])
            .var("AWS_ENDPOINT_URL_STS", &server.url())
            .var("AWS_ENDPOINT_URL_SSO", &server.url());
        Sources {
            host,
            chain: Chain::default(),
            server,
        }
    }

    pub fn profile(self, name: &str, lines: &str) -> Sources {
        let path = self.host.home.path().join(".aws/config");
        let old = std::fs::read_to_string(path).unwrap_or_default();
        let name = if name == "default" {
            name.to_string()
        } else {
            format!("profile {name}")
        };
        let host = self
            .host
            .file(".aws/config", &format!("{old}\n[{name}]\n{lines}\n"));
        Sources { host, ..self }
    }

    /// Adds a source by the name that the tables below use.
    fn with(self, source: &str) -> Sources {
        let var = |s: Sources, name: &str, value: &str| Sources {
            host: s.host.var(name, value),
            ..s
        };
        match source {
            "flags" => Sources {
                chain: Chain {
                    access_key: Some("AKFLAG".into()),
                    secret_key: Some(Secret::new("SK".into())),
                    ..self.chain
                },
                ..self
            },
            "--profile" => {
                let s = self.profile("flagged", "aws_access_key_id=AKPROFILEFLAG\naws_secret_access_key=SK");
                Sources {
                    chain: Chain {
                        profile: Some("flagged".into()),
                        ..s.chain
                    },
                    ..s
                }
            }
            "environment" => {
                let s = var(self, "AWS_ACCESS_KEY_ID", "AKENV");
                var(s, "AWS_SECRET_ACCESS_KEY", "SK")
            }
            "web identity" => {
                let s = Sources {
                    host: self.host.file("token", "WEBTOKEN\n"),
                    ..self
                };
                let path = s.host.path("token");
                let s = var(s, "AWS_WEB_IDENTITY_TOKEN_FILE", &path);
                var(s, "AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r")
            }
            "AWS_PROFILE" => {
                let s = self.profile("named", "aws_access_key_id=AKNAMED\naws_secret_access_key=SK");
                var(s, "AWS_PROFILE", "named")
            }
            "default" => self.profile("default", "aws_access_key_id=AKDEFAULT\naws_secret_access_key=SK"),
            "default: web identity" => {
                let host = self.host.file("token2", "WEBTOKEN");
                let path = host.path("token2");
                Sources { host, ..self }.profile(
                    "default",
                    &format!("role_arn=arn:aws:iam::123456789012:role/r\nweb_identity_token_file={path}"),
                )
            }
            "default: sso" => {
                let path = super::super::sso_cache::path(self.host.home.path(), "http://start");
                let name = path.strip_prefix(self.host.home.path()).unwrap().display().to_string();
                let token = r#"{"accessToken":"SSOTOKEN","expiresAt":"2100-01-01T00:00:00Z"}"#;
                let s = Sources {
                    host: self.host.file(&name, token),
                    ..self
                };
                s.profile(
                    "default",
                    "sso_region=us-east-1\nsso_start_url=http://start\nsso_account_id=1\nsso_role_name=r",
                )
            }
            "default: process" => self.profile(
                "default",
                r#"credential_process = echo '{"Version":1,"AccessKeyId":"AKPROCESS","SecretAccessKey":"SK"}'"#,
            ),
            "container" => {
                let url = format!("{}/container", self.server.url());
                var(self, "AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)
            }
            "instance metadata" => {
                let url = self.server.url();
                Sources {
                    host: self.host.imds(&url),
                    ..self
                }
            }
            other => panic!("{other}"),
        }
    }

    fn access(&self) -> String {
        access(self.host.resolve(&self.chain))
    }
}

/// From the strongest to the weakest, with the access key each gives: `resolveCredentialChain` and
/// `resolveCredsFromProfile` of the SDK for Go v2, with flags of keys before all.
const RANKS: [(&str, &str); 11] = [
    ("flags", "AKFLAG"),
    ("--profile", "AKPROFILEFLAG"),
    ("environment", "AKENV"),
    ("web identity", "AKWEB"),
    ("AWS_PROFILE", "AKNAMED"),
    ("default", "AKDEFAULT"),
    ("default: web identity", "AKWEB"),
    ("default: sso", "AKSSO"),
    ("default: process", "AKPROCESS"),
    ("container", "AKCONTAINER"),
    ("instance metadata", "AKIMDS"),
];

#[test]
fn every_source_alone() {
    for (source, want) in RANKS {
        assert_eq!(Sources::new().with(source).access(), want, "{source}");
    }
}

#[test]
fn of_every_pair_the_stronger_one() {
    for (at, (strong, want)) in RANKS.into_iter().enumerate() {
        for (weak, _) in RANKS.into_iter().skip(at + 1) {
            // A web identity and a process in one profile exclude each other; see the malformed ones.
            if (strong, weak) == ("default: web identity", "default: process") {
                continue;
            }
            // The profile's own keys go before its token, and its role is assumed with them.
            let want = match (strong, weak) {
                ("default", "default: web identity") => "AKROLE",
                _ => want,
            };
            let found = Sources::new().with(weak).with(strong).access();
            assert_eq!(found, want, "{strong} before {weak}");
        }
    }
}

#[test]
fn keys_found_early_cost_no_request() {
    for source in [
        "flags",
        "--profile",
        "environment",
        "AWS_PROFILE",
        "default",
        "default: process",
    ] {
        let sources = Sources::new()
            .with("container")
            .with("instance metadata")
            .with(source);
        sources.access();
        assert_eq!(sources.server.log().len(), 0, "{source}");
    }
}

#[test]
fn each_source_says_its_name() {
    for (source, want) in [
        ("flags", "flags"),
        ("environment", "environment"),
        (
            "web identity",
            "role arn:aws:iam::123456789012:role/r with the web identity token in",
        ),
        ("AWS_PROFILE", "profile \"named\" in "),
        ("default: sso", "SSO of http://start, role r in account 1"),
        (
            "default: process",
            "credential_process of profile \"default\"",
        ),
        ("container", "container credentials service at 127.0.0.1:"),
        ("instance metadata", "instance metadata, role role"),
    ] {
        let sources = Sources::new().with(source);
        let found = sources.host.resolve(&sources.chain).unwrap();
        let said = found.credentials.current().source().to_string();
        assert!(said.starts_with(want), "{source}: {said}");
    }
}

#[test]
fn a_role_from_a_flag_is_assumed_with_any_source() {
    for (source, _) in RANKS {
        let mut sources = Sources::new().with(source);
        sources.chain.role = Some(Role {
            arn: "arn:aws:iam::123456789012:role/top".into(),
            external_id: Some("ext 1".into()),
            session_name: Some("me".into()),
            duration: Some(Duration::from_secs(3600)),
            mfa_serial: None,
        });
        let found = sources.host.resolve(&sources.chain).unwrap();
        let said = found.credentials.current().source().to_string();
        assert!(
            said.starts_with("role arn:aws:iam::123456789012:role/top assumed with "),
            "{said}"
        );
        let log = sources.server.log();
        let request = log.iter().rfind(|r| r.method == "POST").unwrap();
        let body = String::from_utf8(request.body.clone()).unwrap();
        for part in [
            "Action=AssumeRole&",
            "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Ftop",
            "ExternalId=ext%201",
            "RoleSessionName=me",
            "DurationSeconds=3600",
        ] {
            assert!(body.contains(part), "{body}");
        }
        let signed = request.header("authorization").unwrap();
        assert!(signed.contains("/us-east-1/sts/aws4_request"), "{signed}");
    }
}

#[test]
fn a_source_that_was_chosen_and_fails_is_not_passed_over() {
    let server = HttpServer::start(|_| status(403));
    let url = format!("{}/x", server.url());
    let host = Host::new(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)]);
    let error = host.fails();
    assert!(
        error.to_string().contains("answered with status 403"),
        "{error}"
    );
    assert_eq!(error.kind(), Kind::CredentialsMissing);
}

/// Nothing listens, packets get lost, a listener never answers: at most two seconds in all.
#[test]
fn a_host_without_metadata_waits_two_seconds_at_most() {
    let silent = HttpServer::start(|_| HttpReply::Silence);
    for url in [
        "http://127.0.0.1:9",
        "http://192.0.2.1",
        "http://nowhere.invalid",
        &silent.url(),
    ] {
        let begin = Instant::now();
        let error = Host::new(&[]).imds(url).fails().to_string();
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(2), "{url}: {took:?}");
        for part in [
            "flags",
            "environment",
            "web identity",
            "profile \"default\"",
            "container",
            "instance metadata at",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }
}
