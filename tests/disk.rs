//! Disks that are full, read-only or failing: under the repository, the cache, the source and the target of a restore.
//!
//! What fails says so with the exit code that fits, and leaves the repository whole; a cache never fails a run.
#![cfg(target_os = "linux")]

mod support;

#[path = "disk/mounts.rs"]
mod mounts;

use mounts::{Mounts, compile_eio};
use std::path::{Path, PathBuf};
use support::{Corso, Dice, Finished, fingerprint, random_bytes};

const FULL: &str = "No space left on device";

/// A home with a source of about 3 MB, and the places of the tests in it.
struct Home {
    corso: Corso,
    source: PathBuf,
    repo: PathBuf,
}

impl Home {
    fn new() -> Home {
        let corso = Corso::new().env("CORSO_PASSPHRASE", "p");
        let (source, repo) = (corso.home().join("source"), corso.home().join("repo"));
        std::fs::create_dir(&source).unwrap();
        std::fs::create_dir(&repo).unwrap();
        let home = Home {
            corso,
            source,
            repo,
        };
        home.write("large", 2_500_000, 1);
        for n in 0..50 {
            home.write(&format!("small {n}"), 5000, 10 + n);
        }
        home
    }

    fn write(&self, name: &str, size: usize, seed: u64) {
        std::fs::write(self.source.join(name), random_bytes(size, seed)).unwrap();
    }

    fn init(&self) -> Vec<&str> {
        let path = self.repo.to_str().unwrap();
        vec![
            "repo",
            "init",
            "filesystem",
            "--path",
            path,
            "--pack-size",
            "1M",
        ]
    }

    fn backup(&self) -> [&str; 3] {
        ["backup", "create", self.source.to_str().unwrap()]
    }

    /// The newest backup restores as the source is.
    #[track_caller]
    fn restores(&self, run: impl Fn(&[&str]) -> Finished) {
        let out = self.corso.home().join("out");
        let words = ["restore", "latest", "--destination", out.to_str().unwrap()];
        let finished = run(&words);
        assert_eq!(finished.code, 0, "{finished:#?}");
        let landed = out.join(self.source.strip_prefix("/").unwrap());
        assert!(fingerprint(&landed) == fingerprint(&self.source));
        std::fs::remove_dir_all(out).unwrap();
    }
}

const CHECK: [&str; 3] = ["repo", "check", "--read-data"];

#[test]
fn a_full_repository() {
    let Some(mounts) = Mounts::new() else { return };
    let home = Home::new();
    let corso = &home.corso;
    mounts.small(&home.repo, "8m");
    mounts.expect(corso, &home.init(), 0, "Initialized");
    mounts.expect(corso, &home.backup(), 0, "Created backup");
    for n in 0..3 {
        home.write(&format!("too much {n}"), 3_000_000, 100 + n);
    }
    for _ in 0..2 {
        let failed = mounts.expect(corso, &home.backup(), 1, FULL);
        assert!(
            failed.stderr.contains(home.repo.to_str().unwrap()),
            "{failed:#?}"
        );
    }
    // A passphrase is not changed by halves, and what is there stays whole.
    mounts.sh(&format!(
        "cat /dev/zero > {}/filler || true",
        home.repo.display()
    ));
    let other = ["repo", "update-passphrase", "--new-passphrase", "q"];
    mounts.expect(corso, &other, 1, FULL);
    mounts.expect(corso, &["repo", "maintenance"], 0, "");
    mounts.expect(corso, &CHECK, 0, "No errors");
    mounts.sh(&format!("rm {}/filler", home.repo.display()));
    mounts.remount(&home.repo, "size=64m");
    mounts.expect(corso, &home.backup(), 0, "Created backup");
    mounts.expect(corso, &CHECK, 0, "No errors");
    home.restores(|words| mounts.run(corso, words));
}

#[test]
fn a_full_place_for_a_new_repository() {
    let Some(mounts) = Mounts::new() else { return };
    let home = Home::new();
    mounts.small(&home.repo, "4k");
    mounts.sh(&format!(
        "cat /dev/zero > {}/filler || true",
        home.repo.display()
    ));
    mounts.expect(&home.corso, &home.init(), 1, FULL);
    mounts.sh(&format!("rm {}/filler", home.repo.display()));
    mounts.remount(&home.repo, "size=64m");
    mounts.expect(&home.corso, &home.init(), 0, "Initialized");
    mounts.expect(&home.corso, &CHECK, 0, "No errors");
}

#[test]
fn a_full_or_read_only_cache() {
    let Some(mounts) = Mounts::new() else { return };
    let mut home = Home::new();
    let cache = home.corso.home().join("cache");
    home.corso.set("CORSO_CACHE_DIR", &cache);
    mounts.small(&cache, "12k");
    mounts.expect(&home.corso, &home.init(), 0, "Initialized");
    for round in 0..3 {
        home.write("new", 100_000, 200 + round);
        mounts.expect(&home.corso, &home.backup(), 0, "Created backup");
        home.restores(|words| mounts.run(&home.corso, words));
        mounts.expect(&home.corso, &["repo", "maintenance"], 0, "Maintenance done");
    }
    let full = mounts.expect(&home.corso, &home.backup(), 0, "Created backup");
    assert!(full.stderr.contains("cache"), "it is told once: {full:#?}");
    mounts.remount(&cache, "size=64m,ro");
    mounts.expect(&home.corso, &home.backup(), 0, "Created backup");
    home.restores(|words| mounts.run(&home.corso, words));
    mounts.expect(&home.corso, &CHECK, 0, "No errors");
    mounts.remount(&cache, "rw");
    let well = mounts.expect(&home.corso, &home.backup(), 0, "Created backup");
    assert!(!well.stderr.contains("cache"), "{well:#?}");
}

#[test]
fn a_full_target() {
    let Some(mounts) = Mounts::new() else { return };
    let home = Home::new();
    let target = home.corso.home().join("target");
    home.corso.ok(&home.init());
    home.corso.ok(&home.backup());
    mounts.small(&target, "1m");
    let words = [
        "restore",
        "latest",
        "--destination",
        target.to_str().unwrap(),
    ];
    let failed = mounts.expect(&home.corso, &words, 1, FULL);
    // Which file meets it first depends on the order of the chunks, and so on the keys. That file is named, and the run
    // ends there: only those being written at that moment are named beside it.
    let named = format!("Error: restoring {}/", home.source.display());
    assert!(failed.stderr.contains(&named), "{failed:#?}");
    assert!(failed.stderr.lines().count() < 20, "{failed:#?}");
    // What is there afterwards is not taken for whole: the same again completes it.
    mounts.remount(&target, "size=64m");
    let mut again = words.to_vec();
    again.extend(["--collisions", "replace"]);
    mounts.expect(&home.corso, &again, 0, "Restored");
    let landed = target.join(home.source.strip_prefix("/").unwrap());
    let script = format!("diff -r {} {}", home.source.display(), landed.display());
    mounts.sh(&script);
    mounts.expect(&home.corso, &CHECK, 0, "No errors");
}

/// What only reads works; what writes says why it cannot.
#[test]
fn a_read_only_repository() {
    let Some(mounts) = Mounts::new() else { return };
    let home = Home::new();
    let corso = &home.corso;
    mounts.small(&home.repo, "64m");
    mounts.expect(corso, &home.init(), 0, "Initialized");
    let made = mounts.expect(corso, &home.backup(), 0, "Created backup");
    mounts.remount(&home.repo, "ro");
    home.write("new", 100_000, 300);
    let refused = "Read-only file system";
    mounts.expect(corso, &home.backup(), 13, refused);
    mounts.expect(
        corso,
        &["backup", "delete", made.stdout.trim()],
        13,
        refused,
    );
    let other = ["repo", "update-passphrase", "--new-passphrase", "q"];
    mounts.expect(corso, &other, 13, refused);
    mounts.expect(corso, &CHECK, 0, "No errors");
    std::fs::remove_file(home.source.join("new")).unwrap();
    home.restores(|words| mounts.run(corso, words));
    mounts.remount(&home.repo, "rw");
    mounts.expect(corso, &home.backup(), 0, "Created backup");
}

/// A disk that gives input and output errors.
#[test]
fn a_failing_disk() {
    let directory = support::temp_dir();
    let Some(library) = compile_eio(directory.path()) else {
        return;
    };
    let home = Home::new();
    home.corso.ok(&home.init());
    home.corso.ok(&home.backup());
    let cache = home.corso.home().join(".cache");
    let failing = |path: &Path, calls: &str, after: u64, words: &[&str]| {
        let mut command = home.corso.command(words);
        command
            .env("LD_PRELOAD", &library)
            .env("EIO_PATH", path)
            .env("EIO_CALLS", calls)
            .env("EIO_AFTER", after.to_string());
        Corso::finish(command)
    };
    let says = |finished: Finished, code: i32, text: &str| {
        assert_eq!(finished.code, code, "{finished:#?}");
        assert!(finished.stderr.contains(text), "{finished:#?}");
    };
    let eio = "Input/output error";

    // The source: that file is named, and the rest is in the backup.
    home.write("broken", 10_000, 400);
    let broken = home.source.join("broken");
    let said = failing(&broken, "read", 0, &home.backup());
    assert!(said.stderr.contains("broken"), "{said:#?}");
    says(said, 3, eio);
    home.write("broken", 10_000, 401);

    // The repository, when it is written and when it is read.
    for (calls, after) in [("write", 0), ("write", 3), ("sync", 0), ("sync", 5)] {
        home.write("new", 2_000_000, 410 + after);
        says(failing(&home.repo, calls, after, &home.backup()), 1, eio);
        home.corso.ok(&CHECK);
    }
    home.corso.ok(&home.backup());
    says(failing(&home.repo, "read", 0, &["backup", "list"]), 1, eio);
    let packs = home.repo.join("packs");
    let out = home.corso.home().join("failed");
    let words = ["restore", "latest", "--destination", out.to_str().unwrap()];
    says(failing(&packs, "read", 0, &words), 1, eio);

    // The cache, from the start and under way.
    for (calls, after) in [
        ("read", 0),
        ("read", 5),
        ("write", 0),
        ("read write sync", 9),
    ] {
        home.write("new", 200_000, 420 + after);
        says(
            failing(&cache, calls, after, &home.backup()),
            0,
            "Created backup",
        );
        home.restores(|words| failing(&cache, calls, after, words));
    }
    home.corso.ok(&CHECK);
}

/// Files of the cache are damaged at random, between runs and under way.
#[test]
fn a_damaged_cache() {
    let home = Home::new();
    home.corso.ok(&home.init());
    let mut dice = Dice::from_env("CORSO_DISK_SEED", "a damaged cache");
    let cache = home.corso.home().join(".cache");
    for round in 0..12 {
        home.write(&format!("new {}", round % 4), 300_000, 500 + round);
        let mut command = home.corso.command(&home.backup());
        let mut child = command.spawn().unwrap();
        while round % 2 == 1 && child.try_wait().unwrap().is_none() {
            damage(&cache, &mut dice);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        damage(&cache, &mut dice);
        if round % 3 == 0 {
            home.restores(|words| home.corso.run(words));
        }
    }
    home.corso.ok(&CHECK);
    damage(&cache, &mut dice);
    home.corso.ok(&["repo", "maintenance"]);
    home.restores(|words| home.corso.run(words));
}

/// Some of the files below `folder` are cut, emptied, removed or have other bytes.
fn damage(folder: &Path, dice: &mut Dice) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            damage(&path, dice);
            continue;
        }
        // Files come and go while the program runs.
        let Ok(mut bytes) = std::fs::read(&path) else {
            continue;
        };
        let len = bytes.len() as u64;
        match dice.below(5) {
            0 => bytes.truncate(dice.below(len) as usize),
            1 => {
                for _ in 0..3 {
                    if let Some(byte) = bytes.get_mut(dice.below(len) as usize) {
                        *byte ^= 0x41;
                    }
                }
            }
            2 => bytes = random_bytes(bytes.len(), dice.next()),
            3 => {
                let _ = std::fs::remove_file(&path);
                continue;
            }
            _ => continue,
        }
        let _ = std::fs::write(&path, bytes);
    }
}
