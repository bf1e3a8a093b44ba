//! What lies between here and there, chosen by flags and environment: proxies, names, rates.
#![cfg(unix)]

mod support;

use std::time::{Duration, Instant};
use support::{Corso, Forward, Keys, S3Options, S3Server, init_s3, random_bytes};

fn home(keys: &Keys) -> Corso {
    Corso::new()
        .env("CORSO_PASSPHRASE", "correct horse battery staple")
        .keys(keys)
}

/// `user:secret` in Base64.
const BASIC: &str = "Basic dXNlcjpzZWNyZXQ=";

#[test]
fn a_proxy_with_a_password() {
    let server = S3Server::start(S3Options::default());
    let proxy = Forward::start(&[], Some(BASIC));
    let url = format!("http://user:secret@{}", proxy.address());
    let corso = home(server.keys()).env("http_proxy", &url);
    corso.ok(&init_s3(&server.endpoint(), &[]));
    corso.ok(&["backup", "list"]);
    let asked = proxy.asked();
    assert!(
        !asked.is_empty() && asked.iter().all(|a| *a == server.endpoint()),
        "{asked:?}"
    );
}

#[test]
fn hosts_without_a_proxy() {
    let server = S3Server::start(S3Options::default());
    let proxy = Forward::start(&[], Some(BASIC));
    let url = format!("http://{}", proxy.address());
    for (name, value) in [
        ("no_proxy", "127.0.0.0/8"),
        ("NO_PROXY", "*"),
        ("http_proxy", ""),
    ] {
        let corso = home(server.keys()).env("all_proxy", &url).env(name, value);
        corso.fails(&init_s3(&server.endpoint(), &["--prefix", name]), 0);
        assert_eq!(proxy.asked(), [""; 0], "{name}");
    }
    // Upper case could come from a web server's client.
    let corso = home(server.keys()).env("HTTP_PROXY", &url);
    corso.ok(&init_s3(&server.endpoint(), &["--prefix", "upper"]));
    assert_eq!(proxy.asked(), [""; 0]);
}

/// The proxy resolves names, so that any name is as good as a real one.
#[test]
fn the_bucket_before_the_endpoints_name() {
    let server = S3Server::start(S3Options {
        domains: vec!["s3.example.test".into()],
        ..S3Options::default()
    });
    let place = server.endpoint();
    let proxy = Forward::start(
        &[
            ("corso-test.s3.example.test:80", &place),
            ("s3.example.test:80", &place),
        ],
        None,
    );
    let corso = home(server.keys()).env("http_proxy", format!("http://{}", proxy.address()));
    corso.ok(&init_s3("s3.example.test", &["--addressing", "virtual"]));
    let source = corso.home().join("source");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("file"), random_bytes(100_000, 1)).unwrap();
    corso.ok(&["backup", "create", source.to_str().unwrap()]);
    corso.ok(&["restore", "latest", "--destination", "out"]);
    assert!(
        proxy
            .asked()
            .iter()
            .all(|a| a == "corso-test.s3.example.test:80"),
        "{:?}",
        proxy.asked()
    );
    assert!(
        server
            .log()
            .iter()
            .all(|r| !r.path.starts_with("/corso-test"))
    );
    // It is remembered.
    let file = std::fs::read_to_string(corso.home().join(".corso.toml")).unwrap();
    assert!(file.contains("addressing = \"virtual\""), "{file}");
    let refused = corso.fails(&["backup", "list", "--addressing", "path"], 2);
    assert!(
        refused.stderr.contains("does not match addressing"),
        "{refused:#?}"
    );
}

#[test]
fn no_faster_than_told() {
    let server = S3Server::start(S3Options::default());
    let corso = home(server.keys());
    corso.ok(&init_s3(&server.endpoint(), &[]));
    let source = corso.home().join("source");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("file"), random_bytes(3 << 20, 2)).unwrap();
    let timed = |words: &[&str]| {
        let begin = Instant::now();
        corso.ok(words);
        begin.elapsed()
    };
    let least = Duration::from_millis(2800);
    let up = timed(&[
        "backup",
        "create",
        "--max-upload-rate",
        "1M",
        source.to_str().unwrap(),
    ]);
    assert!(up >= least, "{up:?}");
    let down = timed(&[
        "restore",
        "latest",
        "--destination",
        "out",
        "--max-download-rate",
        "1M",
    ]);
    assert!(down >= least, "{down:?}");
    let back = corso
        .home()
        .join("out")
        .join(source.strip_prefix("/").unwrap())
        .join("file");
    assert_eq!(std::fs::read(back).unwrap(), random_bytes(3 << 20, 2));
}
