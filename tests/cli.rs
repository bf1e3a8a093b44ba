//! The command line through the real binary: flags in every position, configuration, passphrases, output, exit codes.
// Fixtures are shell scripts, and files with modes.
#![cfg(unix)]

#[path = "cli/check.rs"]
mod check;
#[path = "cli/config.rs"]
mod config;
#[path = "cli/maintenance.rs"]
mod maintenance;
#[path = "cli/retention.rs"]
mod retention;
#[path = "cli/s3.rs"]
mod s3;
mod support;
#[path = "cli/unattended.rs"]
mod unattended;

use corso::cli::flags::{self, Arity, Group};
use std::ffi::OsString;
use support::Corso;

/// A program connected to a fresh repository in `HOME/repo`.
fn connected() -> Corso {
    let corso = Corso::new().env("CORSO_PASSPHRASE", "p");
    let done = corso.ok(&["repo", "init", "filesystem", "--path", "repo"]);
    let path = corso.home().join("repo");
    assert_eq!(
        done.stderr,
        format!("Initialized a repository at path {}\n", path.display())
    );
    corso
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn help_and_version() {
    let corso = Corso::new();
    for words in [&["--help"][..], &["-h"], &["help"], &[]] {
        let done = corso.ok(words);
        assert!(
            done.stdout.starts_with("Encrypted, deduplicated backups"),
            "{done:?}"
        );
        assert_eq!(done.stderr, "");
    }
    for words in [&["-v"][..], &["--version"], &["repo", "-v"]] {
        assert_eq!(
            corso.ok(words).stdout,
            format!("Corso version: {}\n", env!("CARGO_PKG_VERSION"))
        );
    }
    for command in flags::COMMANDS {
        let mut words = command.path.to_vec();
        words.push("-h");
        let text = corso.ok(&words).stdout;
        assert!(
            text.contains(&format!("corso {}", command.path.join(" "))),
            "{text}"
        );
    }
    assert!(corso.ok(&["repo", "key"]).stdout.contains("remove"));
}

#[test]
fn usage_errors_are_one_line_and_exit_2() {
    let corso = Corso::new();
    for words in [
        &["frobnicate"][..],
        &["repo", "init", "s3", "--bukket", "b"],
        &["repo", "init", "s3", "--bucket"],
        &["repo", "init", "s3", "--bucket", "a", "--bucket=b"],
        &["repo", "init", "s3"],
        &["repo", "init", "s3", "--bucket", "b/c"],
        &[
            "repo",
            "init",
            "s3",
            "--bucket",
            "b",
            "--endpoint",
            "http://h",
        ],
        &[
            "repo",
            "init",
            "s3",
            "--bucket",
            "b",
            "--endpoint",
            "https://h",
            "--disable-tls",
        ],
        &[
            "repo",
            "init",
            "s3",
            "--bucket",
            "b",
            "--aws-access-key",
            "only-half",
        ],
        &["repo", "init", "filesystem"],
        &[
            "repo",
            "init",
            "filesystem",
            "--path",
            "p",
            "--cipher",
            "rot13",
        ],
        &[
            "repo",
            "init",
            "filesystem",
            "--path",
            "p",
            "--grace",
            "tomorrow",
        ],
        &["repo", "status", "stray"],
        &["repo", "status"],
        &["repo", "status", "--json", "--json-events"],
        &["repo", "status", "--path", "p", "--bucket", "b"],
        &["backup", "create"],
        &["backup", "create", "--stdin", "a/b"],
        &["backup", "create", "--stdin", "a", "b"],
        &["backup", "create", ""],
        &["backup", "delete"],
        &["restore", "latest"],
        &["restore", "--destination", "d"],
        &[
            "restore",
            "latest",
            "--destination",
            "d",
            "--collisions",
            "perhaps",
        ],
        &["backup", "list", "--log-level", "loud"],
    ] {
        let done = corso.fails(words, 2);
        assert!(
            done.stderr.starts_with("Error: ") && done.stderr.lines().count() == 1,
            "{words:?}: {done:?}"
        );
        assert!(
            done.stdout.is_empty() || words.contains(&"--json"),
            "{words:?}"
        );
    }
    let done = corso.fails(&["repo", "init", "s3", "--bukket=b", "--json"], 2);
    let error = &json(&done.stdout)["error"];
    assert_eq!(
        (error["kind"].as_str(), error["exit_code"].as_u64()),
        (Some("usage"), Some(2))
    );
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("did you mean --bucket?")
    );
    assert!(
        error["hint"]
            .as_str()
            .unwrap()
            .contains("corso repo init s3 --help")
    );
}

#[test]
fn a_path_called_help_is_backed_up() {
    let corso = connected();
    std::fs::write(corso.home().join("help"), "me").unwrap();
    let done = corso.ok(&["backup", "create", "help", "--json"]);
    assert_eq!(json(&done.stdout)["files"], 1, "{done:?}");
    std::fs::write(corso.home().join("--json"), "me").unwrap();
    corso.ok(&["backup", "create", "--", "help", "--json"]);
    let listed = json(&corso.ok(&["backup", "list", "--json"]).stdout);
    assert_eq!(listed["backups"][1]["stats"]["files"], 2);
}

#[test]
fn every_global_flag_in_every_position() {
    // Without a file there is nothing to do, and no passphrase to stretch.
    let corso = Corso::new();
    let log = corso.home().join("log").into_os_string();
    let file = corso.home().join(".corso.toml").into_os_string();
    for flag in Group::Global
        .flags()
        .iter()
        .filter(|f| f.long != "--json-events")
    {
        let value = match (flags::arity(flag), flag.long) {
            (Arity::Switch, _) => None,
            (_, "--config-file") => Some(file.clone()),
            (_, "--log-file") => Some(log.clone()),
            (_, "--log-level") => Some("warn".into()),
            _ => Some("text".into()),
        };
        for at in 0..=2 {
            for joined in [false, true] {
                let mut words: Vec<OsString> = vec!["repo".into(), "disconnect".into()];
                let mut given: Vec<OsString> = vec![flag.long.into()];
                match (&value, joined) {
                    (Some(v), true) => {
                        given[0].push("=");
                        given[0].push(v);
                    }
                    (Some(v), false) => given.push(v.clone()),
                    (None, true) => given[0].push("=true"),
                    (None, false) => {}
                }
                words.splice(at..at, given);
                corso.ok(&words);
            }
        }
    }
    let corso = connected();
    let done = corso.ok(&["--json-events", "backup", "list"]);
    let events: Vec<_> = done.stdout.lines().map(json).collect();
    assert_eq!(events.last().unwrap()["event"], "result");
    assert!(events.iter().any(|e| e["event"] == "phase"), "{done:?}");
}

#[cfg(unix)]
#[test]
fn paths_that_are_not_utf8() {
    use std::os::unix::ffi::OsStringExt;
    let corso = connected();
    let name = OsString::from_vec(b"a\xff\n".to_vec());
    std::fs::write(corso.home().join(&name), "x").unwrap();
    let words = |list: &[&str]| {
        list.iter()
            .map(OsString::from)
            .chain([name.clone()])
            .collect::<Vec<_>>()
    };
    let done = corso.ok(&words(&["backup", "create", "--json"]));
    assert_eq!(json(&done.stdout)["files"], 1);
    let listed = corso.ok(&["backup", "list"]).stdout;
    assert!(
        listed.contains("/a\\xff\\n") && listed.lines().count() == 2,
        "{listed}"
    );
    let inside = corso.home().join(&name).into_os_string();
    let details = corso
        .ok(&[
            OsString::from("backup"),
            "details".into(),
            "latest".into(),
            inside.clone(),
        ])
        .stdout;
    assert_eq!(details.lines().count(), 1, "{details}");
    let target = corso.home().join("out");
    corso.ok(&[
        OsString::from("restore"),
        "latest".into(),
        inside,
        "--destination".into(),
        target.clone().into(),
    ]);
    let landed = target
        .join(corso.home().strip_prefix("/").unwrap())
        .join(&name);
    assert_eq!(std::fs::read(landed).unwrap(), b"x");
}

#[test]
fn backups_from_beginning_to_end() {
    let corso = connected();
    std::fs::create_dir(corso.home().join("d")).unwrap();
    std::fs::write(corso.home().join("d/f"), "content").unwrap();
    std::fs::write(corso.home().join("d/f.tmp"), "rubbish").unwrap();
    let dry = corso.ok(&["backup", "create", "d", "--dry-run"]);
    assert!(
        dry.stdout.is_empty() && dry.stderr.contains("nothing was stored"),
        "{dry:?}"
    );
    let made = corso.ok(&[
        "backup",
        "create",
        "d",
        "--exclude",
        "*.tmp",
        "--tag",
        "t",
        "--host=h",
    ]);
    let id = made.stdout.trim_end().to_owned();
    assert_eq!(id.len(), 64);
    let again = json(
        &corso
            .ok(&[
                "backup",
                "create",
                "d",
                "--exclude=*.tmp",
                "--host",
                "h",
                "--json",
            ])
            .stdout,
    );
    assert_eq!(
        (again["files_read"].as_u64(), again["parent"].as_str()),
        (Some(0), Some(id.as_str()))
    );
    let listed = json(&corso.ok(&["backup", "list", "--tag", "t", "--json"]).stdout);
    assert_eq!(listed["backups"].as_array().unwrap().len(), 1);
    assert_eq!(
        json(
            &corso
                .ok(&["backup", "list", "--source", "d", "--json"])
                .stdout
        )["backups"][1]["host"],
        "h"
    );
    assert!(
        corso
            .ok(&["backup", "list", "--host", "other"])
            .stdout
            .is_empty()
    );
    let details = json(&corso.ok(&["backup", "details", &id[..8], "--json"]).stdout);
    let names: Vec<_> = details["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["path"].as_str().unwrap())
        .collect();
    assert!(names.iter().any(|n| n.ends_with("/d/f")), "{names:?}");
    assert!(!names.iter().any(|n| n.ends_with("f.tmp")), "{names:?}");
    let done = corso.ok(&[
        "restore",
        "latest",
        "--host",
        "h",
        "--destination",
        "out",
        "--verify",
        "--json",
    ]);
    assert_eq!(json(&done.stdout)["verified"], 1, "{done:?}");
    let landed = corso
        .home()
        .join("out")
        .join(corso.home().strip_prefix("/").unwrap())
        .join("d/f");
    assert_eq!(std::fs::read(landed).unwrap(), b"content");
    corso.fails(&["restore", &id, "--host", "h", "--destination", "out"], 2);
    corso.ok(&["backup", "delete", &id]);
    corso.fails(&["backup", "details", &id], 1);
    let status = json(&corso.ok(&["repo", "status", "--json"]).stdout);
    assert_eq!(
        (status["backups"].as_u64(), status["role"].as_str()),
        (Some(1), Some("full"))
    );
}

#[test]
fn standard_input_is_backed_up() {
    let corso = connected();
    let done = corso.run_with_input(&["backup", "create", "--stdin", "db.sql"], b"select 1");
    assert_eq!(done.code, 0, "{done:?}");
    corso.ok(&["restore", "latest", "/db.sql", "--destination", "out"]);
    assert_eq!(
        std::fs::read(corso.home().join("out/db.sql")).unwrap(),
        b"select 1"
    );
}

#[test]
fn a_missing_source_is_exit_3_and_one_document() {
    let corso = connected();
    let done = corso.fails(&["backup", "create", ".", "absent", "--json"], 3);
    assert_eq!(json(&done.stdout)["errors"], 1);
    assert!(done.stderr.contains("absent"), "{done:?}");
}

#[test]
fn quiet_is_quiet_and_the_log_is_not() {
    let corso = connected();
    std::fs::write(corso.home().join("f"), "x").unwrap();
    let done = corso.ok(&[
        "backup",
        "create",
        "f",
        "--quiet",
        "--log-file",
        "log",
        "--log-level=debug",
    ]);
    assert_eq!(done.stderr, "");
    let log = std::fs::read_to_string(corso.home().join("log")).unwrap();
    assert!(
        log.contains("INFO corso") && log.contains("reading files"),
        "{log}"
    );
    let done = corso.ok(&["backup", "list", "--log-file", "-"]);
    assert!(done.stdout.contains(" INFO "), "{done:?}");
}
