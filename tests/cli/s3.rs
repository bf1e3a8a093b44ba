//! The storage flags of S3 against a real server: what is asked, remembered, and filled in.

use super::support::{Answer, Corso, S3Options, S3Server, init_s3};

fn server(tls: bool) -> S3Server {
    let buckets = vec!["corso-test".into(), "other".into()];
    S3Server::start(S3Options {
        tls,
        buckets,
        ..S3Options::default()
    })
}

fn with_keys(server: &S3Server) -> Corso {
    Corso::new()
        .env("CORSO_PASSPHRASE", "p")
        .keys(server.keys())
}

fn config(corso: &Corso) -> String {
    std::fs::read_to_string(corso.home().join(".corso.toml")).unwrap()
}

#[test]
fn init_remembers_and_connect_fills_in() {
    let server = server(false);
    let corso = with_keys(&server);
    let endpoint = server.endpoint();
    let place = ["--prefix", "a", "--endpoint", &endpoint, "--disable-tls"];
    let done = corso.ok(&[
        &["repo", "init", "s3", "--bucket", "s3://corso-test"],
        &place[..],
    ]
    .concat());
    assert_eq!(
        done.stderr,
        "Initialized a S3 repository within bucket corso-test.\n"
    );
    let text = config(&corso);
    for line in [
        "provider = \"S3\"",
        "bucket = \"corso-test\"",
        "prefix = \"a/\"",
        "disable_tls = true",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(
        !text.contains(&server.keys().secret) && !text.contains(&server.keys().access),
        "{text}"
    );
    let done = corso.ok(&["repo", "connect", "s3", "--bucket=corso-test"]);
    assert_eq!(done.stderr, "Connected to S3 bucket corso-test.\n");
    assert_eq!(config(&corso), text);
    corso.ok(&["backup", "list", "--bucket", "corso-test", "--prefix", "a/"]);
    for words in [
        ["--bucket", "other"],
        ["--prefix", "b"],
        ["--endpoint", "h:1"],
    ] {
        let done = corso.fails(&[&["backup", "list"], &words[..]].concat(), 2);
        assert!(
            done.stderr.contains(words[0]) && done.stderr.contains(".corso.toml"),
            "{done:?}"
        );
    }
    // Another bucket takes nothing from the file: neither prefix nor endpoint.
    let other = [
        "repo",
        "init",
        "s3",
        "--bucket",
        "other",
        "--endpoint",
        &endpoint,
        "--disable-tls",
    ];
    let done = corso.ok(&other);
    assert!(
        done.stderr
            .contains("named S3 bucket corso-test, prefix a/ at"),
        "{done:?}"
    );
    assert!(server.root().join("other/config").exists());
    assert!(config(&corso).contains("prefix = \"\""));
    let done = corso.fails(&other, 11);
    assert!(done.stderr.contains("already"), "{done:?}");
}

#[test]
fn keys_are_taken_whole_from_one_source() {
    let server = server(false);
    let mut corso = with_keys(&server).env("AWS_SESSION_TOKEN", "stale");
    let (endpoint, keys) = (server.endpoint(), server.keys().clone());
    let place = init_s3(&endpoint, &[]);
    // The environment's token does not join the flags' keys.
    let flags = [
        "--aws-access-key",
        &keys.access,
        "--aws-secret-access-key",
        &keys.secret,
    ];
    corso.ok(&[&place[..], &flags[..]].concat());
    corso.unset("AWS_SESSION_TOKEN");
    corso.ok(&["backup", "list"]);
    // An old file's keys: used with a warning where the environment has none, and never before a profile of a flag.
    corso.unset("AWS_ACCESS_KEY_ID");
    corso.unset("AWS_SECRET_ACCESS_KEY");
    corso.fails(&["backup", "list"], 13);
    let path = corso.home().join(".corso.toml");
    let old = format!(
        "{}aws_access_key_id = \"{}\"\naws_secret_access_key = \"{}\"\n",
        config(&corso),
        keys.access,
        keys.secret
    );
    std::fs::write(path, &old).unwrap();
    let done = corso.ok(&["backup", "list"]);
    assert!(
        done.stderr.contains("Warning: the AWS keys are taken from"),
        "{done:?}"
    );
    corso.ok(&["repo", "connect", "s3", "--bucket", "corso-test"]);
    assert_eq!(config(&corso), old, "the user's own lines stay");
    corso.fails(&["backup", "list", "--profile", "nobody"], 13);
}

#[test]
fn the_environment_names_endpoint_and_authorities() {
    let server = server(true);
    let mut corso = with_keys(&server).env(
        "AWS_ENDPOINT_URL_S3",
        format!("https://{}", server.endpoint()),
    );
    let init = ["repo", "init", "s3", "--bucket", "corso-test"];
    let done = corso.fails(&init, 14);
    assert!(
        done.stderr.contains("--root-ca-pem") || done.stderr.contains("certificate"),
        "{done:?}"
    );
    corso.set("AWS_CA_BUNDLE", server.ca());
    corso.ok(&init);
    corso.unset("AWS_CA_BUNDLE");
    corso.unset("AWS_ENDPOINT_URL_S3");
    // The file has the endpoint; the authority is given by a flag at connect, which remembers it.
    let ca = server.ca().to_str().unwrap().to_owned();
    corso.ok(&[
        "repo",
        "connect",
        "s3",
        "--bucket",
        "corso-test",
        "--root-ca-pem",
        &ca,
    ]);
    corso.ok(&["backup", "list"]);
}

#[test]
fn keys_that_may_not_delete_leave_the_backups() {
    let server = server(false);
    let corso = with_keys(&server);
    let endpoint = server.endpoint();
    let place = [
        "--bucket",
        "corso-test",
        "--endpoint",
        &endpoint,
        "--disable-tls",
    ];
    corso.ok(&[&["repo", "init", "s3"], &place[..]].concat());
    std::fs::write(corso.home().join("f"), b"x").unwrap();
    let make = || {
        corso
            .ok(&["backup", "create", "f"])
            .stdout
            .trim()
            .to_owned()
    };
    let ids = [make(), make(), make()];
    server.intercept(|request| {
        let deletes = request.method == "DELETE" || request.query.starts_with("delete");
        let body = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
        let headers = vec![("content-type", "application/xml".to_owned())];
        deletes.then(|| Answer::Respond(403, headers, body.to_owned()))
    });
    for words in [
        &["backup", "delete", &ids[0]][..],
        &["backup", "delete", &ids[0], &ids[1]],
        &["backup", "forget", "--keep-last=1"],
    ] {
        let denied = corso.fails(words, 13);
        assert!(
            denied.stderr.contains("these storage keys may not delete"),
            "{denied:?}"
        );
        assert!(!denied.stderr.contains("Deleted"), "{denied:?}");
    }
    server.stop_intercepting();
    let list = corso.ok(&["backup", "list"]);
    assert_eq!((list.stdout.lines().count(), list.stderr.as_str()), (4, ""));
    assert_eq!(corso.ok(&["backup", "list", "--deleted"]).stdout, "");
    corso.ok(&["backup", "forget", "--keep-last=1"]);
    corso.ok(&["backup", "undelete", &ids[0]]);
}
