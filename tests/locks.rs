//! Object lock and the past, on servers that know them: what is locked, what maintenance does with it, and that an
//! intruder's deletions are undone by reading.

mod support;

#[path = "locks/at.rs"]
mod at;
#[path = "locks/past.rs"]
mod past;

use at::{At, BUCKET, backup, json, landed, locked_minio, locked_moto, locked_versitygw};
use std::time::Duration;
use support::{Minio, Versitygw, assert_same_tree, init_s3, make_tree, random_bytes};

const LOCK: [&str; 4] = [
    "--retention-mode",
    "governance",
    "--retention-duration",
    "2d",
];
const COMPLIANCE: [&str; 4] = [
    "--retention-mode",
    "compliance",
    "--retention-duration",
    "7d",
];
const DAY: Duration = Duration::from_secs(86400);

#[test]
fn a_bucket_without_locks_is_refused_and_left_empty() {
    if let Some(server) = Versitygw::start(&[BUCKET]) {
        is_refused_and_left_empty(&At::of(&server));
    }
}

#[test]
fn a_bucket_without_locks_is_refused_on_minio() {
    if let Some(server) = Minio::start(&[BUCKET]) {
        is_refused_and_left_empty(&At::new(server.endpoint(), server.keys()));
    }
}

fn is_refused_and_left_empty(at: &At) {
    let corso = at.home();
    let said = corso.fails(&init_s3(&at.endpoint, &LOCK), 2).stderr;
    assert!(said.contains("cannot be locked"), "{said}");
    assert!(said.contains("object lock"), "{said}");
    assert!(at.versions().is_empty(), "{:?}", at.versions());
    assert!(!corso.home().join(".corso.toml").exists());
}

#[test]
fn everything_but_tombstones_is_locked() {
    if let Some((_server, at)) = locked_versitygw() {
        all_is_locked(&at);
    }
}

#[test]
fn everything_but_tombstones_is_locked_on_minio() {
    if let Some((_server, at)) = locked_minio() {
        all_is_locked(&at);
    }
}

fn all_is_locked(at: &At) {
    let corso = at.home();
    corso.ok(&init_s3(
        &at.endpoint,
        &[&LOCK[..], &["--grace", "0"]].concat(),
    ));
    let status = json(&corso.ok(&["repo", "status", "--json"]));
    assert_eq!(status["object_lock"]["mode"], "governance");
    assert_eq!(status["object_lock"]["duration_seconds"], 2 * 86400);
    assert!(
        corso
            .ok(&["repo", "status"])
            .stdout
            .contains("governance, 2d")
    );
    let source = corso.home().join("source");
    make_tree(&source, 5, 30, 300_000);
    let id = backup(&corso, &source);
    corso.ok(&["backup", "pin", &id[..12]]);
    corso.add_writer("a writer may only write");
    let kinds = [
        "config",
        "keys/",
        "packs/",
        "index/",
        "snapshots/",
        "records/",
    ];
    let versions = at.versions();
    for kind in kinds {
        let mut some = versions
            .iter()
            .filter(|v| v.key.starts_with(kind))
            .peekable();
        assert!(some.peek().is_some(), "no {kind}");
        for version in some {
            let locked = at.locked_for(&version.key).expect(&version.key);
            assert!(locked > 2 * DAY - Duration::from_secs(600) && locked < 2 * DAY + DAY / 24);
        }
    }
}

/// Locks that maintenance finds too short at once: nothing is left of a day until the next run.
const SHORT: [&str; 5] = [
    "--retention-mode",
    "governance",
    "--retention-duration",
    "1d",
    "--extend-retention",
];

/// Every lock ends later after maintenance than before; rubbish is deleted as ever. moto does not know the question how long
/// an object is locked; the program has another way then.
fn maintenance_extends(at: &At, tells: bool) {
    let corso = at.home();
    corso.ok(&init_s3(
        &at.endpoint,
        &[&SHORT[..], &["--grace", "0"]].concat(),
    ));
    let source = corso.home().join("source");
    make_tree(&source, 5, 30, 300_000);
    let first = backup(&corso, &source);
    std::fs::write(source.join("more"), random_bytes(9, 400_000)).unwrap();
    let second = backup(&corso, &source);
    std::thread::sleep(Duration::from_secs(4));
    let before: Vec<(String, Duration)> = at
        .versions()
        .into_iter()
        .filter_map(|v| Some((v.key.clone(), at.locked_for(&v.key)?)))
        .collect();
    assert_eq!(before.len() > 8, tells, "{before:?}");
    let done = json(&corso.ok(&["repo", "maintenance", "--json"]));
    assert!(done["locks_extended"].as_u64() > Some(5), "{done}");
    for (key, left) in before.iter().filter(|(key, _)| !key.starts_with("index/")) {
        assert!(at.locked_for(key).unwrap() > *left, "{key}");
    }
    // What is not needed goes, lock or not, and is told of without an alarm.
    corso.ok(&["backup", "delete", &first[..12]]);
    let done = corso.ok(&["repo", "maintenance"]);
    assert!(!done.stderr.contains("warning"), "{done:#?}");
    corso.ok(&["repo", "check", "--read-data"]);
    corso.ok(&["restore", &second, "--destination", "out"]);
    assert_same_tree(&source, &landed(&corso.home().join("out"), &source));
}

#[test]
fn maintenance_extends_locks() {
    if let Some((_server, at)) = locked_versitygw() {
        maintenance_extends(&at, true);
    }
}

#[test]
fn maintenance_extends_locks_on_minio() {
    if let Some((_server, at)) = locked_minio() {
        maintenance_extends(&at, true);
    }
}

#[test]
fn maintenance_extends_locks_on_moto() {
    if let Some((_server, at)) = locked_moto() {
        maintenance_extends(&at, false);
    }
}

#[test]
fn validation_tries_locks_and_versions() {
    if let Some(server) = Versitygw::start(&["plain"]) {
        server.make_locked_bucket(BUCKET);
        validation_tries_both(&At::of(&server));
    }
}

#[test]
fn validation_tries_locks_and_versions_on_minio() {
    if let Some(server) = Minio::start(&["plain"]) {
        server.make_locked_bucket(BUCKET);
        validation_tries_both(&At::new(server.endpoint(), server.keys()));
    }
}

/// In a bucket that has locks and versions, and in one, "plain", that has neither.
fn validation_tries_both(at: &At) {
    let ask = |bucket: &str, code: i32| {
        let words = [
            "repo",
            "validate-provider",
            "s3",
            "--disable-tls",
            "--retention-mode",
            "compliance",
            "--point-in-time",
            "2026-01-31",
            "--json",
            "--endpoint",
            &at.endpoint,
            "--bucket",
            bucket,
        ];
        let report = json(&at.home().fails(&words, code));
        move |name: &str| {
            let all = report["findings"].as_array().unwrap();
            let one = all.iter().find(|f| f["name"] == name);
            one.map(|f| f["verdict"].as_str().unwrap().to_owned())
        }
    };
    let found = ask(BUCKET, 0);
    for name in [
        "s3:GetBucketObjectLockConfiguration",
        "s3:PutObjectRetention",
        "s3:GetObjectRetention",
        "object lock",
        "s3:ListBucketVersions",
        "s3:GetBucketVersioning",
        "s3:GetObjectVersion",
        "versions",
    ] {
        assert_eq!(found(name).as_deref(), Some("fine"), "{name}");
    }
    let locked = at.versions().into_iter().filter(|v| v.size.is_some());
    for version in locked {
        let query = [("retention", ""), ("versionId", version.id.as_str())];
        let (status, said) = at.send("GET", &version.key, &query, b"");
        assert!(status >= 400, "{}: {said}", version.key);
    }
    let found = ask("plain", 1);
    for name in ["object lock", "versions"] {
        assert_eq!(found(name).as_deref(), Some("wrong"), "{name}");
    }
}
