//! Sources that are no plain files: what tells no size, and what says nothing for a while.
#![cfg(unix)]

mod support;

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use support::{Corso, stop};

fn home() -> Corso {
    let corso = Corso::new().env("CORSO_PASSPHRASE", "p");
    corso.ok(&["repo", "init", "filesystem", "--path", "repo"]);
    corso
}

/// Files of `/proc` have size 0, those of `/sys` a size that is too large.
#[test]
fn files_that_tell_no_size_are_read_to_their_end() {
    let corso = home();
    let files = [
        "/proc/version",
        "/proc/filesystems",
        "/sys/kernel/mm/transparent_hugepage/enabled",
    ];
    let files: Vec<&str> = files
        .into_iter()
        .filter(|f| Path::new(f).exists())
        .collect();
    let mut words = vec!["backup", "create"];
    words.extend(&files);
    let said = corso.ok(&words);
    assert!(!said.stderr.contains("changed while"), "{said:#?}");
    corso.ok(&["restore", "latest", "--destination", "out"]);
    for file in files {
        let restored = corso.home().join("out").join(&file[1..]);
        assert_eq!(
            std::fs::read(restored).unwrap(),
            std::fs::read(file).unwrap(),
            "{file}"
        );
    }
    let listed: serde_json::Value =
        serde_json::from_str(&corso.ok(&["backup", "list", "--json"]).stdout).unwrap();
    let version = std::fs::read("/proc/version").unwrap().len() as u64;
    assert!(listed["backups"][0]["stats"]["bytes"].as_u64().unwrap() >= version);
}

/// What `create` says was stored is what `list` says.
#[test]
fn stored_is_stored() {
    let corso = home();
    std::fs::write(corso.home().join("file"), "content").unwrap();
    let json = |words: &[&str]| -> serde_json::Value {
        serde_json::from_str(&corso.ok(words).stdout).unwrap()
    };
    let made = json(&["backup", "create", "file", "--json"]);
    let listed = json(&["backup", "list", "--json"]);
    assert_eq!(
        made["written"]["stored_bytes"],
        listed["backups"][0]["stats"]["stored"]
    );
}

/// The pipe stays open and silent: the first signal ends the run all the same.
#[test]
fn an_idle_pipe_does_not_hold_up_a_stop() {
    let corso = home();
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let mut command = corso.command(&["backup", "create", "--stdin", "dump"]);
        command.stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        // More than a pipe holds: the program is reading.
        pipe.write_all(&vec![1; 1 << 20]).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        stop(&mut child, name);
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
    let listed = corso.ok(&["backup", "list"]);
    assert_eq!(listed.stdout, "");
    // A pipe that is read to its end is a backup.
    let made = corso.run_with_input(&["backup", "create", "--stdin", "dump"], &[7; 300_000]);
    assert_eq!(made.code, 0, "{made:#?}");
    corso.ok(&["restore", "latest", "--destination", "out"]);
    let dump = std::fs::read(corso.home().join("out/dump")).unwrap();
    assert!(dump == [7; 300_000]);
}
