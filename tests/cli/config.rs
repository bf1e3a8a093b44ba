//! Configuration file, passphrases and keys.

use super::support::Corso;
use super::{connected, json};

fn config(corso: &Corso) -> String {
    std::fs::read_to_string(corso.home().join(".corso.toml")).unwrap()
}

fn write_config(corso: &Corso, text: &str) {
    std::fs::write(corso.home().join(".corso.toml"), text).unwrap();
}

#[test]
fn the_configuration_file() {
    let corso = connected();
    let text = config(&corso);
    assert!(
        text.contains("provider = \"Filesystem\"\n") && text.contains("repo_id = "),
        "{text}"
    );
    assert!(!text.contains("passphrase"), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = corso
            .home()
            .join(".corso.toml")
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // Comments stay; connect without --path takes it from the file.
    write_config(&corso, &format!("# mine\n{text}"));
    corso.ok(&["repo", "connect", "filesystem"]);
    assert_eq!(config(&corso), format!("# mine\n{text}"));
    // A flag unlike the file names both.
    let done = corso.fails(&["backup", "list", "--path", "/other"], 2);
    let repo = corso.home().join("repo");
    assert!(
        done.stderr.contains("/other") && done.stderr.contains(repo.to_str().unwrap()),
        "{done:?}"
    );
    let done = corso.fails(&["backup", "list", "--bucket=b"], 2);
    assert!(
        done.stderr.contains("--bucket \"b\"") && done.stderr.contains(repo.to_str().unwrap()),
        "{done:?}"
    );
    // Flags that agree are fine, also without a file.
    corso.ok(&["backup", "list", "--path", "repo"]);
    corso.ok(&[
        "backup",
        "list",
        "--path",
        "repo",
        "--config-file",
        "none.toml",
    ]);
    // Another repository: the file is replaced and the old one named.
    let done = corso.ok(&["repo", "init", "filesystem", "--path", "second"]);
    assert!(
        done.stderr
            .contains(&format!("named path {} before", repo.display())),
        "{done:?}"
    );
    assert!(config(&corso).contains("second") && !config(&corso).contains("mine"));
    corso.ok(&["repo", "disconnect"]);
    assert!(!corso.home().join(".corso.toml").exists());
    assert!(
        corso
            .fails(&["backup", "list"], 2)
            .stderr
            .contains("corso repo connect")
    );
}

#[test]
fn a_configuration_file_that_cannot_be_written() {
    let corso = Corso::new()
        .env("CORSO_PASSPHRASE", "p")
        .env("CORSO_CONFIG_DIR", "/dev/null/folder");
    let done = corso.ok(&["repo", "init", "filesystem", "--path", "repo"]);
    assert!(
        done.stderr
            .contains("Warning: the repository is not recorded"),
        "{done:?}"
    );
    assert!(
        done.stderr.contains("Initialized a repository at path"),
        "{done:?}"
    );
    let done = corso.fails(&["repo", "connect", "filesystem", "--path", "repo"], 1);
    assert!(
        done.stderr.contains("CORSO_CONFIG_DIR") && done.stderr.contains("--config-file"),
        "{done:?}"
    );
    corso.ok(&[
        "repo",
        "connect",
        "filesystem",
        "--path",
        "repo",
        "--config-file",
        "c.toml",
    ]);
    corso.ok(&["backup", "list", "--config-file=c.toml"]);
}

#[test]
fn a_broken_configuration_file() {
    let corso = connected();
    write_config(&corso, "passphrase = hunter2\n");
    for words in [
        &["backup", "list"][..],
        &["repo", "connect", "filesystem", "--path", "repo"],
    ] {
        let done = corso.fails(words, 2);
        assert!(
            done.stderr.contains("line 1") && !done.stderr.contains("hunter2"),
            "{done:?}"
        );
    }
    let done = corso.ok(&["repo", "init", "filesystem", "--path", "second"]);
    assert!(done.stderr.contains("not recorded"), "{done:?}");
    assert_eq!(config(&corso), "passphrase = hunter2\n");
}

#[test]
fn the_passphrase() {
    let mut corso = connected();
    let home = corso.home().to_owned();
    std::fs::write(home.join("right"), "p\r\nmore\n").unwrap();
    std::fs::write(home.join("wrong"), "q\n").unwrap();
    let fails = |corso: &Corso, more: &[&str], code| {
        corso
            .fails(&[&["backup", "list"], more].concat(), code)
            .stderr
    };
    // Flags go before the environment.
    assert!(fails(&corso, &["--passphrase-file", "wrong"], 12).contains("passphrase"));
    assert!(fails(&corso, &["--passphrase", "hunter2"], 12).contains("passphrase"));
    assert!(fails(&corso, &["--passphrase="], 12).contains("empty"));
    assert!(fails(&corso, &["--passphrase-file", "absent"], 12).contains("absent"));
    assert!(
        fails(
            &corso,
            &["--passphrase", "p", "--passphrase-file", "right"],
            2
        )
        .contains("--passphrase-file")
    );
    corso.unset("CORSO_PASSPHRASE");
    let none = fails(&corso, &[], 12);
    assert!(
        none.contains("CORSO_PASSPHRASE") && none.contains("--passphrase-file"),
        "{none}"
    );
    corso.ok(&["backup", "list", "--passphrase-file=right"]);
    if cfg!(unix) {
        corso.ok(&[
            "backup",
            "list",
            "--passphrase-command",
            "head -n 1 right | tr -d '\\r'",
        ]);
        assert!(fails(&corso, &["--passphrase-command", "exit 7"], 12).contains('7'));
    }
    corso.set("CORSO_PASSPHRASE_FILE", home.join("right"));
    corso.ok(&["backup", "list"]);
    corso.set("CORSO_PASSPHRASE", "p");
    assert!(fails(&corso, &[], 2).contains("CORSO_PASSPHRASE_FILE and CORSO_PASSPHRASE"));
    corso.unset("CORSO_PASSPHRASE_FILE");
    corso.unset("CORSO_PASSPHRASE");
    // An old file's passphrase is used, with a warning, for the repository that it names only.
    let text = config(&corso);
    write_config(&corso, &format!("{text}passphrase = \"p\"\n"));
    let done = corso.ok(&["backup", "list"]);
    assert!(
        done.stderr
            .contains("Warning: the passphrase is taken from"),
        "{done:?}"
    );
    corso.fails(&["repo", "init", "filesystem", "--path", "second"], 12);
    let done = corso.ok(&[
        "repo",
        "init",
        "filesystem",
        "--path",
        "second",
        "--passphrase",
        "p",
    ]);
    assert!(done.stderr.contains(".corso.toml.old"), "{done:?}");
    assert!(!config(&corso).contains("passphrase"));
}

#[test]
fn keys_and_roles() {
    let corso = connected();
    let done = corso.ok(&["repo", "update-passphrase", "--new-passphrase", "q"]);
    assert_eq!(done.stderr, "Updated repo password.\n");
    corso.fails(&["backup", "list"], 12);
    let with = |words: &[&str], passphrase: &str, code| {
        corso.fails(&[words, &["--passphrase", passphrase]].concat(), code)
    };
    with(&["backup", "list"], "q", 0);
    let add = [
        "repo",
        "key",
        "add",
        "--role",
        "writer",
        "--label",
        "w",
        "--new-passphrase=w",
    ];
    assert!(with(&add, "q", 0).stderr.contains("role writer"));
    let keys = json(&with(&["repo", "key", "list", "--json"], "q", 0).stdout);
    let writer = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|k| k["role"] == "writer")
        .unwrap();
    assert_eq!(
        (writer["label"].as_str(), writer["in_use"].as_bool()),
        (Some("w"), Some(false))
    );
    std::fs::write(corso.home().join("f"), "x").unwrap();
    with(&["backup", "create", "f"], "w", 0);
    with(&["repo", "connect", "filesystem", "--path", "repo"], "w", 0);
    for words in [
        &["backup", "list"][..],
        &["backup", "details", "latest"],
        &["backup", "delete", "latest"],
        &["restore", "latest", "--destination", "out"],
        &["repo", "status"],
        &["repo", "key", "list"],
        &["repo", "key", "remove", "abcd"],
        &["repo", "key", "add", "--new-passphrase", "x"],
        &["repo", "update-passphrase", "--new-passphrase", "x"],
    ] {
        let done = with(words, "w", 12);
        assert!(done.stderr.contains("role full"), "{words:?}: {done:?}");
    }
    let id = writer["id"].as_str().unwrap();
    with(&["repo", "key", "remove", &id[..6]], "q", 0);
    with(&["backup", "list"], "w", 12);
}
