//! `repo maintenance`: what it prints, what it refuses, and that the space comes back.

use super::{connected, json};
use crate::support::Corso;
use std::path::Path;

fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..300_000).map(|_| next()).collect()
}

fn size(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|e| match e.metadata().unwrap() {
            m if m.is_dir() => size(&e.path()),
            m => m.len(),
        })
        .sum()
}

/// Two backups, of which the first is deleted.
fn with_waste() -> Corso {
    let corso = connected();
    std::fs::create_dir(corso.home().join("d")).unwrap();
    let make = |seed| {
        std::fs::write(corso.home().join("d/f"), noise(seed)).unwrap();
        let made = corso.ok(&["backup", "create", "d"]);
        made.stdout.trim().to_owned()
    };
    let first = make(7);
    make(1_000_003);
    corso.ok(&["backup", "delete", &first]);
    corso
}

#[test]
fn space_comes_back_at_once_only_when_told_to() {
    let corso = with_waste();
    let young = json(&corso.ok(&["repo", "maintenance", "--json"]).stdout);
    assert_eq!(
        young["packs_buried"], 0,
        "nothing younger than the grace period"
    );
    assert_eq!(young["grace_seconds"], 24 * 3600);

    let flags = ["repo", "maintenance", "--grace", "0"];
    let dry = corso.ok(&[&flags[..], &["--dry-run"]].concat());
    assert!(dry.stderr.contains("Would mark 2 packs"), "{dry:?}");
    assert!(dry.stderr.contains("nothing was changed"), "{dry:?}");
    let repo = corso.home().join("repo");
    let before = size(&repo);
    let done = corso.ok(&flags);
    assert!(done.stderr.starts_with("Deleted 2 packs ("), "{done:?}");
    assert_eq!(done.stdout, "");
    assert!(size(&repo) + 300_000 < before);
    corso.ok(&["restore", "latest", "--destination", "out"]);
    corso.ok(&["repo", "check", "--read-data"]);
}

#[test]
fn flags_are_checked_before_anything_is_done() {
    let corso = with_waste();
    for bad in [
        &["--mode", "full"][..],
        &["--prices", "storage"],
        &["--grace", "1h"],
        &["--max-repack", "lots"],
    ] {
        let refused = corso.fails(&[&["repo", "maintenance"][..], bad].concat(), 2);
        assert_eq!(refused.stderr.lines().count(), 1, "{refused:?}");
    }
    let priced = [
        "repo",
        "maintenance",
        "--dry-run",
        "--json",
        "--prices",
        "storage=1,egress=0",
    ];
    let priced = json(&corso.ok(&priced).stdout);
    assert_eq!(priced["dry_run"], true);
    assert!(priced["usage"]["put"] == 0 && priced["plan"]["cost"].is_number());
}

#[test]
fn a_writer_key_is_refused() {
    let mut corso = connected();
    corso.set("CORSO_NEW_PASSPHRASE", "w");
    corso.ok(&["repo", "key", "add", "--role", "writer"]);
    corso.set("CORSO_PASSPHRASE", "w");
    let refused = corso.fails(&["repo", "maintenance"], 12);
    assert!(
        refused
            .stderr
            .contains("maintenance needs a key with the role full")
    );
}
