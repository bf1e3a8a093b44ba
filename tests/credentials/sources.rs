//! Every source with a real storage behind it; then everything that was said or written is searched for its secrets.

use super::support::{
    Corso, Finished, HttpServer, Keys, S3Options, S3Server, find_program, init_s3, ok, skip, status,
};
use std::path::Path;

/// Secrets that the services below give or take, beside the keys.
const SECRETS: [&str; 6] = [
    "corso-test-session-token",
    "corso-test-web-identity-token",
    "corso-test-container-token",
    "corso-test-imds-token",
    "corso-test-sso-token",
    "corso-test-refresh-token",
];

/// STS, container, instance metadata, SSO and OIDC in one; all give the storage's own keys. Each refuses who does not
/// speak its protocol.
fn services(keys: &Keys) -> HttpServer {
    let (access, secret) = (keys.access.clone(), keys.secret.clone());
    let end = "2100-01-01T00:00:00Z";
    let json = format!(
        r#"{{"Code":"Success","AccessKeyId":"{access}","SecretAccessKey":"{secret}","Token":"{}","Expiration":"{end}"}}"#,
        SECRETS[0]
    );
    let sso = format!(
        r#"{{"roleCredentials":{{"accessKeyId":"{access}","secretAccessKey":"{secret}","sessionToken":"{}","expiration":4102444800000}}}}"#,
        SECRETS[0]
    );
    let sts = format!(
        "<R><Result><Credentials><AccessKeyId>{access}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{end}</Expiration></Credentials></Result></R>",
        SECRETS[0]
    );
    HttpServer::start(move |r| {
        let body = String::from_utf8_lossy(&r.body);
        match r.line().as_str() {
            "POST /"
                if body.contains("Action=AssumeRole&") && r.header("authorization").is_some() =>
            {
                ok(sts.clone())
            }
            "POST /" if body.contains("WebIdentityToken=corso-test-web-identity-token") => {
                ok(sts.clone())
            }
            "GET /container" if r.header("authorization") == Some(SECRETS[2]) => ok(json.clone()),
            "PUT /latest/api/token"
                if r.header("x-aws-ec2-metadata-token-ttl-seconds").is_some() =>
            {
                ok(SECRETS[3])
            }
            line if line.starts_with("GET /latest/")
                && r.header("x-aws-ec2-metadata-token") == Some(SECRETS[3]) =>
            {
                if line.ends_with('/') {
                    ok("role")
                } else {
                    ok(json.clone())
                }
            }
            "POST /token" if body.contains(SECRETS[5]) => ok(format!(
                r#"{{"accessToken":"{}","expiresIn":3600,"refreshToken":"{}"}}"#,
                SECRETS[4], SECRETS[5]
            )),
            line if line.starts_with("GET /federation/")
                && r.header("x-amz-sso_bearer_token") == Some(SECRETS[4]) =>
            {
                ok(sso.clone())
            }
            _ => status(403),
        }
    })
}

fn write(corso: &Corso, name: &str, text: &str) {
    let path = corso.home().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A home with one source; gives further flags, and what `repo status` calls the source.
fn with_source(source: &str, keys: &Keys, services: &HttpServer) -> (Corso, Vec<String>, String) {
    let mut corso = Corso::new()
        .env("CORSO_PASSPHRASE", "corso-test-passphrase")
        .env("AWS_ENDPOINT_URL_STS", services.url())
        .env("AWS_ENDPOINT_URL_SSO", services.url())
        .env("AWS_ENDPOINT_URL_SSO_OIDC", services.url());
    let pair = format!(
        "aws_access_key_id = {}\naws_secret_access_key = {}\n",
        keys.access, keys.secret
    );
    let mut flags = Vec::new();
    let arn = "arn:aws:iam::123456789012:role/r";
    let name = match source {
        "flags" => {
            flags.extend([
                "--aws-access-key",
                &keys.access,
                "--aws-secret-access-key",
                &keys.secret,
            ]);
            flags.extend(["--aws-session-token", SECRETS[0]]);
            "flags".to_string()
        }
        "environment" => {
            corso.set("AWS_ACCESS_KEY_ID", &keys.access);
            corso.set("AWS_SECRET_ACCESS_KEY", &keys.secret);
            corso.set("AWS_SESSION_TOKEN", SECRETS[0]);
            "environment".to_string()
        }
        "profile" => {
            write(
                &corso,
                ".aws/credentials",
                &format!("[p]\n{pair}aws_session_token = {}\n", SECRETS[0]),
            );
            flags.extend(["--profile", "p"]);
            "profile \"p\" in ".to_string()
        }
        "role" => {
            write(
                &corso,
                ".aws/config",
                &format!("[default]\nrole_arn = {arn}\nsource_profile = s\n[profile s]\n{pair}"),
            );
            format!("role {arn} assumed with profile \"s\" in ")
        }
        "process" => {
            let json = format!(
                r#"{{"Version":1,"AccessKeyId":"{}","SecretAccessKey":"{}","SessionToken":"{}"}}"#,
                keys.access, keys.secret, SECRETS[0]
            );
            write(&corso, "keys.json", &json);
            write(
                &corso,
                ".aws/config",
                "[default]\ncredential_process = cat keys.json\n",
            );
            "credential_process of profile \"default\"".to_string()
        }
        "sso" => {
            let config = "[default]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n\
                [sso-session s]\nsso_region = us-east-1\nsso_start_url = https://x/start\n";
            write(&corso, ".aws/config", config);
            let token = format!(
                r#"{{"accessToken":"old","expiresAt":"2020-01-01T00:00:00Z","clientId":"c","clientSecret":"d","refreshToken":"{}"}}"#,
                SECRETS[5]
            );
            // printf s | sha1sum
            write(
                &corso,
                ".aws/sso/cache/a0f1490a20d0211c997b44bc357e1972deab8ae3.json",
                &token,
            );
            "SSO session \"s\", role r in account 1".to_string()
        }
        "web identity" => {
            write(&corso, "token", SECRETS[1]);
            let path = corso.home().join("token");
            corso.set("AWS_WEB_IDENTITY_TOKEN_FILE", path);
            corso.set("AWS_ROLE_ARN", arn);
            format!("role {arn} with the web identity token in ")
        }
        "container" => {
            corso.set(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                format!("{}/container", services.url()),
            );
            corso.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", SECRETS[2]);
            "container credentials service at 127.0.0.1:".to_string()
        }
        "instance metadata" => {
            corso.set("AWS_EC2_METADATA_DISABLED", "false");
            corso.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", services.url());
            "instance metadata, role role".to_string()
        }
        other => panic!("{other}"),
    };
    (corso, flags.into_iter().map(str::to_owned).collect(), name)
}

const SOURCES: [&str; 9] = [
    "flags",
    "environment",
    "profile",
    "role",
    "process",
    "sso",
    "web identity",
    "container",
    "instance metadata",
];

/// No secret in what a run said, nor in any file that it left below the home folder.
fn no_secrets(corso: &Corso, source: &str, keys: &Keys, said: &[Finished]) {
    let secrets: Vec<&str> = SECRETS
        .into_iter()
        .chain([keys.secret.as_str(), "corso-test-passphrase"])
        .collect();
    let search = |what: &str, text: &str| {
        for secret in &secrets {
            assert!(
                !text.contains(secret),
                "{source}: {secret} in {what}:\n{text}"
            );
        }
    };
    for finished in said {
        search("standard output", &finished.stdout);
        search("standard error", &finished.stderr);
    }
    let mut folders = vec![corso.home().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !given(&path) {
                let bytes = std::fs::read(&path).unwrap();
                search(
                    &path.display().to_string(),
                    &String::from_utf8_lossy(&bytes),
                );
            }
        }
    }
}

/// Files in which the tests themselves, or `aws sso login`, put secrets.
fn given(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    path.components().any(|c| c.as_os_str() == ".aws") || name == "keys.json" || name == "token"
}

#[test]
fn each_works_is_named_and_keeps_its_secrets() {
    let server = S3Server::start(S3Options::default());
    let keys = server.keys();
    let services = services(keys);
    let at = server.endpoint();
    let place = ["--bucket", "corso-test", "--endpoint", &at, "--disable-tls"];
    for source in SOURCES {
        let prefix = source.replace(' ', "-");
        let (corso, flags, name) = with_source(source, keys, &services);
        let mut said = Vec::new();
        let mut run = |words: &[&str], code: i32| {
            let mut words = words.to_vec();
            words.extend(flags.iter().map(String::as_str));
            words.extend(["--log-level", "debug", "--log-file", "log"]);
            said.push(corso.fails(&words, code));
            said.last().unwrap().stdout.clone()
        };
        run(
            &[&["repo", "init", "s3", "--prefix", &prefix], &place[..]].concat(),
            0,
        );
        let text = run(&["repo", "status"], 0);
        assert!(
            text.contains(&format!("Credentials   {name}")),
            "{source}: {text}"
        );
        let json: serde_json::Value =
            serde_json::from_str(&run(&["repo", "status", "--json"], 0)).unwrap();
        assert!(
            json["credentials"].as_str().unwrap().starts_with(&name),
            "{json}"
        );
        run(&["repo", "status", "--json-events"], 0);
        // Errors, too: the storage refuses, and there is no such bucket.
        server.intercept(|_| {
            Some(super::support::Answer::Respond(
                403,
                vec![],
                "<Error><Code>ExpiredToken</Code></Error>".into(),
            ))
        });
        run(&["repo", "status"], 13);
        run(&["repo", "status", "--json"], 13);
        server.stop_intercepting();
        no_secrets(&corso, source, keys, &said);
    }
}

/// What goes wrong at a service that gives keys says nothing of what was sent or came back.
#[test]
fn failures_of_services_keep_secrets() {
    let keys = Keys::fixed();
    let good = services(&keys);
    for source in [
        "role",
        "sso",
        "web identity",
        "container",
        "instance metadata",
    ] {
        let bodies = ["", "not for you", "{}", "<x/>"].map(str::to_owned);
        for (at, body) in bodies
            .into_iter()
            .chain(SECRETS.map(|s| format!("{s} {}", keys.secret)))
            .enumerate()
        {
            let code = [200, 400, 403][at % 3];
            let bad =
                HttpServer::start(move |_| super::support::HttpReply::Send(code, body.clone()));
            let (mut corso, _, _) = with_source(source, &keys, &good);
            for service in ["STS", "SSO", "SSO_OIDC"] {
                corso.set(format!("AWS_ENDPOINT_URL_{service}"), bad.url());
            }
            if source == "container" {
                corso.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", bad.url());
            }
            if source == "instance metadata" {
                corso.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", bad.url());
            }
            let words = [
                "repo",
                "init",
                "s3",
                "--bucket",
                "b",
                "--endpoint",
                "127.0.0.1:9",
                "--disable-tls",
            ];
            let finished = corso.run(&words);
            assert!([13, 14].contains(&finished.code), "{source}: {finished:?}");
            assert_eq!(finished.stderr.lines().count(), 1, "{source}: {finished:?}");
            no_secrets(&corso, source, &keys, &[finished]);
        }
    }
}

/// With keys in the environment nothing but the storage hears from us, whatever else is set.
#[test]
fn no_network_when_the_environment_has_keys() {
    let server = S3Server::start(S3Options::default());
    let services = services(server.keys());
    let at = server.endpoint();
    let (corso, _, _) = with_source("environment", server.keys(), &services);
    let corso = corso
        .env(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            format!("{}/container", services.url()),
        )
        .env("AWS_EC2_METADATA_DISABLED", "false")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", services.url())
        .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r")
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/where");
    corso.ok(&init_s3(&at, &[]));
    corso.ok(&["repo", "status"]);
    assert_eq!(services.log().len(), 0);

    let Some(strace) = find_program("strace", "CORSO_TEST_STRACE", "strace") else {
        return;
    };
    let log = corso.home().join("strace");
    let mut words = vec![
        "-f",
        "-qq",
        "-e",
        "trace=connect,sendto",
        "-o",
        log.to_str().unwrap(),
    ];
    words.extend([super::support::PROGRAM, "repo", "status"]);
    let finished = Corso::finish(corso.command_of(strace, &words));
    if finished.stderr.contains("ptrace") {
        return skip("strace", "tracing is not allowed here");
    }
    assert_eq!(finished.code, 0, "{finished:?}");
    let traced = std::fs::read_to_string(log).unwrap();
    let port = at.rsplit(':').next().unwrap();
    let connects: Vec<&str> = traced.lines().filter(|l| l.contains("connect(")).collect();
    assert!(!connects.is_empty(), "{traced}");
    for line in connects {
        assert!(line.contains(&format!("htons({port})")), "{line}");
    }
}

/// A command that reads all of its input gets none of the data that is to be backed up.
#[test]
fn a_credential_process_takes_no_bite_of_standard_input() {
    let server = S3Server::start(S3Options::default());
    let at = server.endpoint();
    let (corso, _, _) = with_source("process", server.keys(), &services(server.keys()));
    let config = "[default]\ncredential_process = cat >/dev/null; cat keys.json\n";
    write(&corso, ".aws/config", config);
    corso.ok(&init_s3(&at, &[]));
    let data = super::support::random_bytes(300_000, 5);
    let finished = corso.run_with_input(&["backup", "create", "--stdin", "data"], &data);
    assert_eq!(finished.code, 0, "{finished:?}");
    corso.ok(&["restore", "latest", "--destination", "out"]);
    assert_eq!(std::fs::read(corso.home().join("out/data")).unwrap(), data);
}
