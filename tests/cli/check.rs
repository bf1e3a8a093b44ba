//! Check and repair through the program.

use super::support::{self, Corso};
use super::{connected, json};
use std::path::{Path, PathBuf};

/// A repository with one backup of one large file and some small ones.
fn with_backup() -> Corso {
    let corso = connected();
    let source = corso.home().join("source");
    std::fs::create_dir(&source).unwrap();
    for n in 0..10u32 {
        // Bytes that do not compress, so that the longest pack is the one with data.
        let noise = (0..5000u32).map(|i| ((i + 5000 * n).wrapping_mul(2_654_435_761) >> 13) as u8);
        let bytes: Vec<u8> = noise.collect();
        std::fs::write(source.join(format!("small{n}")), bytes).unwrap();
    }
    corso.ok(&["backup", "create", "source"]);
    corso
}

/// Files below `folder`, the longest last.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = support::files_below(folder);
    found.sort_by_key(|p| std::fs::metadata(p).unwrap().len());
    found
}

fn flip(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mut bytes = std::fs::read(path).unwrap();
    if bytes.is_empty() {
        return;
    }
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_cache_is_no_damage() {
    let corso = with_backup();
    for path in files(&corso.home().join(".cache")) {
        flip(&path);
    }
    let done = corso.ok(&["repo", "check", "--read-data", "--json"]);
    let report = json(&done.stdout);
    assert_eq!(report["clean"], true, "{report}");
    assert_eq!(report["backups"], 1);
    assert_eq!(report["packs"], report["packs_read"]);
    assert!(
        done.stderr.contains("No errors were found."),
        "{}",
        done.stderr
    );
    // Nothing of the look is left in the cache.
    let left = files(&corso.home().join(".cache"));
    assert!(
        left.iter()
            .all(|p| !p.display().to_string().contains("look-")),
        "{left:?}"
    );
}

#[test]
fn damage_is_found_repaired_and_healed() {
    let corso = with_backup();
    flip(files(&corso.home().join("repo/packs")).last().unwrap());
    let done = corso.run(&["repo", "check", "--read-data"]);
    assert_eq!(done.code, 1);
    assert!(done.stdout.contains("Damaged objects:"), "{}", done.stdout);
    assert!(
        done.stdout.contains("`corso repo repair packs "),
        "{}",
        done.stdout
    );
    assert!(done.stderr.contains("Errors were found"), "{}", done.stderr);
    let report = json(
        &corso
            .run(&["repo", "check", "--read-data", "--json"])
            .stdout,
    );
    assert_eq!(report["clean"], false);
    assert!(
        report["next"][0].as_str().unwrap().contains("repair packs"),
        "{report}"
    );

    // What is lost makes the exit code 1, as that of a check.
    let dry = corso.fails(&["repo", "repair", "packs", "--read-data", "--dry-run"], 1);
    assert!(dry.stderr.contains("Nothing was changed"), "{}", dry.stderr);
    let done = corso.fails(&["repo", "repair", "packs", "--read-data", "--json"], 1);
    let report = json(&done.stdout);
    assert_eq!(report["packs_damaged"].as_array().unwrap().len(), 1);
    assert_eq!(corso.run(&["repo", "repair", "snapshots"]).code, 1);
    corso.ok(&["backup", "create", "source"]);
    corso.ok(&["repo", "check", "--read-data"]);
    corso.ok(&["repo", "repair", "snapshots"]);
    let done = corso.ok(&["repo", "repair", "index"]);
    assert!(
        done.stderr.contains("Nothing had to be repaired"),
        "{}",
        done.stderr
    );
}

#[test]
fn an_index_that_is_gone_is_rebuilt() {
    let corso = with_backup();
    for object in files(&corso.home().join("repo/index")) {
        std::fs::remove_file(object).unwrap();
    }
    assert_eq!(corso.run(&["repo", "check"]).code, 1);
    let done = corso.ok(&["repo", "repair", "index", "--json"]);
    assert_eq!(json(&done.stdout)["packs_indexed"], 2);
    corso.ok(&["repo", "check", "--read-data"]);
    corso.ok(&["restore", "latest", "--destination", "out"]);
}
