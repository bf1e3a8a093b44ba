//! An intruder's deletions, undone by reading the past.

use super::at::{At, BUCKET, backup, json, landed, locked_minio, locked_moto, locked_versitygw};
use super::support::{Asked, Corso, Minio, Versitygw, signed_ask};
use super::support::{assert_same_tree, init_s3, make_tree, random_bytes};
use super::{COMPLIANCE, LOCK};
use corso::s3::response::ListedVersion;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An intruder comes after two backups in a repository made with `flags`; from before, both are restored. With `destroy`
/// he tries to destroy every version too, and all are locked.
fn is_undone(at: &At, flags: &[&str], destroy: bool) {
    let corso = at.home();
    corso.ok(&init_s3(&at.endpoint, flags));
    let source = corso.home().join("source");
    let backups = two_backups(&corso, &source);
    let when = moment();
    let locked = if destroy { at.versions().len() } else { 0 };
    assert_eq!(intrude(at, destroy), locked, "each version is locked");
    restores_from_the_past(at, &corso, &when, &backups, &source);
}

#[test]
fn deletions_are_undone_on_moto() {
    let Some((_server, at)) = locked_moto() else {
        return;
    };
    is_undone(&at, &LOCK, false);
}

/// A copy of a tree, with its times.
fn copy(from: &Path, to: &Path) {
    let done = std::process::Command::new("cp")
        .arg("-a")
        .args([from, to])
        .status();
    assert!(done.unwrap().success());
}

/// Two backups of a tree that changes: their ids, each with a copy of what it was.
fn two_backups(corso: &Corso, source: &Path) -> [(String, PathBuf); 2] {
    make_tree(source, 11, 60, 1 << 20);
    [1, 2].map(|number| {
        let kept = corso.home().join(format!("kept{number}"));
        let id = backup(corso, source);
        copy(source, &kept);
        std::fs::write(source.join("large"), random_bytes(number, 2 << 20)).unwrap();
        std::fs::write(source.join(format!("new{number}")), b"new").unwrap();
        (id, kept)
    })
}

/// A whole second that nothing else happens in.
fn moment() -> String {
    std::thread::sleep(Duration::from_millis(1500));
    let now = corso::units::Time::local_now().rfc3339();
    std::thread::sleep(Duration::from_millis(1500));
    now
}

/// Deletes every object, and overwrites some before or after; with `versions`, tries to destroy every version, too. Gives
/// how many versions could not be destroyed.
fn intrude(at: &At, versions: bool) -> usize {
    let before = at.versions();
    let rubbish = random_bytes(3, 5000);
    for (number, version) in before.iter().filter(|v| v.latest).enumerate() {
        if number % 3 != 0 {
            let (status, said) = at.send("DELETE", &version.key, &[], b"");
            assert_eq!(status, 204, "{said}");
        }
        if number % 3 != 1 {
            let (status, said) = at.send("PUT", &version.key, &[], &rubbish);
            assert_eq!(status, 200, "{said}");
        }
    }
    let refused = |version: &&ListedVersion| {
        let path = format!("/{BUCKET}/{}", version.key);
        let asked = Asked {
            method: "DELETE",
            path: &path,
            query: &[("versionId", &version.id)],
            headers: &[("x-amz-bypass-governance-retention", "true")],
            ..Asked::default()
        };
        signed_ask(&at.endpoint, &at.keys, asked).0 >= 400
    };
    match versions {
        true => before.iter().filter(refused).count(),
        false => 0,
    }
}

fn connect<'a>(at: &'a At, more: &[&'a str]) -> Vec<&'a str> {
    let words = [
        "repo",
        "connect",
        "s3",
        "--bucket",
        BUCKET,
        "--disable-tls",
        "--endpoint",
        &at.endpoint,
    ];
    [&words[..], more].concat()
}

/// Everything is there again for who looks at how it was, on this host and on a fresh one.
fn restores_from_the_past(
    at: &At,
    old: &Corso,
    when: &str,
    backups: &[(String, PathBuf)],
    source: &Path,
) {
    let fresh = at.home();
    for (corso, name) in [(old, "old"), (&fresh, "fresh")] {
        assert_ne!(
            corso.run(&connect(at, &[])).code,
            0,
            "the present is broken"
        );
        let said = corso.ok(&connect(at, &["--point-in-time", when]));
        let line =
            format!("Connected to S3 bucket {BUCKET} as it was at {when}, only for reading.");
        assert!(said.stderr.contains(&line), "{said:#?}");
        let listed = corso.ok(&["backup", "list", "--json"]);
        assert!(!listed.stderr.contains("shows less"), "{listed:#?}");
        assert_eq!(json(&listed)["backups"].as_array().unwrap().len(), 2);
        for (number, (id, kept)) in backups.iter().enumerate() {
            let out = fresh.home().join(format!("out-{name}-{number}"));
            corso.ok(&["restore", id, "--destination", out.to_str().unwrap()]);
            assert_same_tree(kept, &landed(&out, source));
        }
        corso.ok(&["repo", "check", "--read-data"]);
        let status = json(&corso.ok(&["repo", "status", "--json"]));
        assert_eq!(status["place"]["point_in_time"], when);
        corso.ok(&["repo", "maintenance", "--dry-run"]);
        let before = at.versions().len();
        for words in [
            &["backup", "create", "."][..],
            &["backup", "delete", "latest"],
            &["backup", "pin", "latest"],
            &["repo", "maintenance"],
            &["repo", "repair", "index"],
            &["repo", "key", "add", "--new-passphrase", "another one"],
            &[
                "repo",
                "update-passphrase",
                "--new-passphrase",
                "another one",
            ],
        ] {
            let said = corso.fails(words, 2).stderr;
            assert!(said.contains("nothing can be changed in it"), "{said}");
        }
        assert_eq!(at.versions().len(), before);
    }
}

#[test]
fn an_intruder_cannot_destroy_what_is_locked() {
    if let Some((_server, at)) = locked_versitygw() {
        is_undone(&at, &COMPLIANCE, true);
    }
}

#[test]
fn an_intruder_cannot_destroy_what_is_locked_on_minio() {
    if let Some((_server, at)) = locked_minio() {
        is_undone(&at, &COMPLIANCE, true);
    }
}

#[test]
fn versions_alone_undo_deletions() {
    if let Some(server) = Versitygw::start(&[BUCKET]) {
        server.keep_versions(BUCKET);
        is_undone(&At::of(&server), &[], false);
    }
}

#[test]
fn versions_alone_undo_deletions_on_minio() {
    if let Some(server) = Minio::start(&[BUCKET]) {
        server.keep_versions(BUCKET);
        is_undone(&At::new(server.endpoint(), server.keys()), &[], false);
    }
}

#[test]
fn the_past_is_left_by_connecting_anew() {
    let Some(server) = Versitygw::start(&[BUCKET, "plain"]) else {
        return;
    };
    server.keep_versions(BUCKET);
    let at = At::of(&server);
    let corso = at.home();
    let early = moment();
    corso.ok(&init_s3(&at.endpoint, &[]));
    let source = corso.home().join("source");
    make_tree(&source, 4, 10, 100_000);
    backup(&corso, &source);
    let between = moment();
    std::fs::write(source.join("more"), b"more").unwrap();
    let second = backup(&corso, &source);
    let there = |corso: &Corso| {
        let listed = corso.ok(&["backup", "list", "--json"]);
        assert!(!listed.stderr.contains("gone"), "{listed:#?}");
        json(&listed)["backups"].as_array().unwrap().len()
    };
    assert_eq!(there(&corso), 2);
    let file = || std::fs::read_to_string(corso.home().join(".corso.toml")).unwrap();
    corso.ok(&connect(&at, &["--point-in-time", &between]));
    assert!(file().contains(&format!("point_in_time = \"{between}\"")));
    assert_eq!(there(&corso), 1);
    corso.fails(&["restore", &second, "--destination", "out"], 1);
    corso.ok(&connect(&at, &[]));
    assert!(!file().contains("point_in_time"));
    assert_eq!(there(&corso), 2);
    backup(&corso, &source);
    assert_eq!(there(&corso), 3);
    // Before there was a repository, in the future, no time at all, no versions.
    let said = corso.fails(&connect(&at, &["--point-in-time", &early]), 10);
    assert!(said.stderr.contains("as it was at"), "{said:#?}");
    let said = corso.fails(&connect(&at, &["--point-in-time", "2999-01-01"]), 2);
    assert!(said.stderr.contains("in the future"), "{said:#?}");
    let said = corso.fails(&connect(&at, &["--point-in-time", "soon"]), 2);
    assert!(said.stderr.contains("--point-in-time"), "{said:#?}");
    let plain = ["--bucket", "plain", "--point-in-time", &between];
    let words = [
        &[
            "repo",
            "connect",
            "s3",
            "--disable-tls",
            "--endpoint",
            &at.endpoint,
        ],
        &plain[..],
    ];
    let said = corso.fails(&words.concat(), 2);
    assert!(said.stderr.contains("keeps no versions"), "{said:#?}");
}
