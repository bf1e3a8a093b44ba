//! A small repository of format version 1, kept in `tests/repository-v1`: every later version must read it.

mod support;

use std::path::Path;
use support::{Corso, temp_dir};

const FULL: &str = "version one";

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[test]
fn the_repository_of_version_1_is_read_and_written() {
    let work = temp_dir();
    let repo = work.path().join("repo");
    copy(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/repository-v1"),
        &repo,
    );
    let corso = Corso::new().env("CORSO_PASSPHRASE", FULL);
    corso.ok(&[
        "repo",
        "connect",
        "filesystem",
        "--path",
        repo.to_str().unwrap(),
    ]);
    // One backup by a full key, one by a writer key; the full key reads both.
    for id in ["c3e56593", "7e9773d6"] {
        let out = work.path().join(id);
        corso.ok(&[
            "restore",
            id,
            "--destination",
            out.to_str().unwrap(),
            "--verify",
        ]);
        let landed = out.join("srv/corso-v1");
        assert_eq!(
            std::fs::read(landed.join("a.txt")).unwrap(),
            b"hello, version 1\n"
        );
        assert!(std::fs::read(landed.join("sub/large.txt")).unwrap() == vec![b'x'; 200_000]);
        assert_eq!(
            std::fs::read_link(landed.join("link")).unwrap(),
            Path::new("a.txt")
        );
        let modified = landed.join("a.txt").metadata().unwrap().modified().unwrap();
        let seconds = modified
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        assert_eq!(seconds, 1_767_323_045, "2026-01-02T03:04:05Z");
    }
    // The writer's key opens it too, and a backup is added.
    let source = work.path().join("source");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("new"), b"new").unwrap();
    let writer = Corso::new().env("CORSO_PASSPHRASE", "version one writer");
    writer.ok(&[
        "repo",
        "connect",
        "filesystem",
        "--path",
        repo.to_str().unwrap(),
    ]);
    writer.ok(&["backup", "create", source.to_str().unwrap()]);
    let list = corso.ok(&["backup", "list", "--json"]);
    let list: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    let count = list
        .as_array()
        .or_else(|| list["backups"].as_array())
        .map(Vec::len);
    assert_eq!(count, Some(3), "{list}");
}
