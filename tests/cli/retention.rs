//! `backup forget`, `delete`, `pin`, `undelete`.

use super::{connected, json};
use crate::support::Corso;

/// Backups of one folder, oldest first.
fn backups(corso: &Corso, n: usize) -> Vec<String> {
    std::fs::create_dir_all(corso.home().join("d")).unwrap();
    let make = |n: usize| {
        std::fs::write(corso.home().join("d/f"), n.to_string()).unwrap();
        let made = corso.ok(&["backup", "create", "d", "--host", "web1", "--tag", "t"]);
        made.stdout.trim().to_owned()
    };
    (0..n).map(make).collect()
}

fn listed(corso: &Corso) -> Vec<String> {
    let list = json(&corso.ok(&["backup", "list", "--json"]).stdout);
    let ids = list["backups"].as_array().unwrap().iter();
    ids.map(|b| b["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn forgetting_shows_what_stays_and_why() {
    let corso = connected();
    let ids = backups(&corso, 4);
    corso.ok(&["backup", "pin", &ids[0]]);
    let flags = [
        "backup",
        "forget",
        "--keep-last",
        "1",
        "--keep-daily=unlimited",
    ];
    let dry = corso.ok(&[&flags[..], &["--dry-run"]].concat());
    assert_eq!(dry.stderr, "Would delete 2 backups; 2 stay.\n");
    let mut lines = dry.stdout.lines();
    let heading = lines.next().unwrap();
    assert!(heading.starts_with("host web1, paths ") && heading.ends_with("/d: 2 kept, 2 deleted"));
    assert!(lines.next().unwrap().contains("Kept as"));
    let rows: Vec<&str> = lines.collect();
    assert!(
        rows[0].starts_with(&format!("keep    {}", &ids[0][..8])),
        "{dry:?}"
    );
    assert!(rows[0].ends_with("  web1  t     pinned"), "{dry:?}");
    assert!(
        rows[1].starts_with(&format!("delete  {}", &ids[1][..8])),
        "{dry:?}"
    );
    assert!(
        rows[3].ends_with("last snapshot, daily snapshot"),
        "{dry:?}"
    );
    assert_eq!(listed(&corso), ids);

    let done = json(&corso.ok(&[&flags[..], &["--json"]].concat()).stdout);
    assert_eq!(
        (&done["removed"], &done["dry_run"]),
        (&2.into(), &false.into())
    );
    let group = &done["groups"][0];
    assert_eq!(group["host"], "web1");
    assert_eq!(group["keep"][1]["reasons"][0], "last snapshot");
    assert_eq!(group["remove"][0]["id"], ids[1].as_str());
    assert!(done["usage"]["delete"].as_u64() >= Some(1));
    assert_eq!(listed(&corso), [ids[0].as_str(), &ids[3]]);
    let list = corso.ok(&["backup", "list"]).stdout;
    assert!(list.lines().next().unwrap().contains("Pinned"), "{list}");
}

#[test]
fn rules_that_say_nothing_are_refused() {
    let corso = connected();
    let ids = backups(&corso, 1);
    let none = corso.fails(&["backup", "forget"], 2);
    assert!(none.stderr.contains("there is no rule"), "{none:?}");
    for wrong in [
        "--keep-last=x",
        "--keep-within=3",
        "--keep-daily=-2",
        "--group-by=size",
    ] {
        let refused = corso.fails(&["backup", "forget", "--keep-last=1", wrong], 2);
        assert!(refused.stderr.starts_with("Error: --"), "{refused:?}");
    }
    corso.fails(&["backup", "forget", &ids[0], "--keep-last=1"], 2);
    let spared = corso.ok(&["backup", "forget", "--keep-tag", "nosuch"]);
    assert!(spared.stderr.contains("all of them stay"), "{spared:?}");
    assert!(
        spared.stderr.ends_with("Deleted 0 backups; 1 stays.\n"),
        "{spared:?}"
    );
    let together = corso.ok(&[
        "backup",
        "forget",
        "--keep-last=1",
        "--group-by",
        "",
        "--json",
    ]);
    assert!(json(&together.stdout)["groups"][0]["host"].is_null());
}

#[test]
fn a_deleted_backup_comes_back() {
    let corso = connected();
    let ids = backups(&corso, 2);
    corso.ok(&["backup", "pin", "latest"]);
    let pinned = corso.fails(&["backup", "delete", &ids[0], &ids[1]], 1);
    assert!(pinned.stderr.contains("is pinned"), "{pinned:?}");
    assert_eq!(listed(&corso), ids);
    let again = corso.ok(&["backup", "pin", &ids[1]]).stderr;
    assert_eq!(
        again,
        format!("Backup {} is pinned already.\n", &ids[1][..8])
    );
    corso.ok(&["backup", "unpin", &ids[1]]);
    let would = corso.ok(&["backup", "delete", "--dry-run", &ids[1]]).stderr;
    assert_eq!(would, format!("Would delete backup {}.\n", &ids[1][..8]));
    let done = corso.ok(&["backup", "delete", &ids[1]]).stderr;
    assert!(done.starts_with(&format!("Deleted backup {}.\n", &ids[1][..8])));
    assert!(
        done.contains("`corso backup undelete` brings back"),
        "{done}"
    );
    assert_eq!(listed(&corso), ids[..1]);

    let deleted = json(&corso.ok(&["backup", "list", "--deleted", "--json"]).stdout);
    assert_eq!(deleted["deleted"][0]["id"], ids[1].as_str());
    assert!(deleted["deleted"][0]["until"].is_string());
    let table = corso
        .ok(&["backup", "list", "--deleted", "--tag", "t"])
        .stdout;
    assert!(
        table.lines().nth(1).unwrap().starts_with(&ids[1][..8]),
        "{table}"
    );

    corso.fails(&["backup", "undelete"], 2);
    corso.fails(&["backup", "undelete", "latest"], 2);
    corso.fails(&["backup", "undelete", &ids[0]], 1);
    let back = corso.ok(&["backup", "undelete", &ids[1][..10]]);
    let new = back.stdout.trim();
    assert_ne!(new, ids[1]);
    assert_eq!(listed(&corso), [ids[0].as_str(), new]);
    corso.ok(&["restore", new, "--destination", "out"]);
    let twice = corso.fails(&["backup", "undelete", &ids[1]], 1);
    assert!(twice.stderr.contains("brought back already"), "{twice:?}");
    let none = corso.ok(&["backup", "list", "--deleted"]);
    assert_eq!(
        none.stderr,
        "There are no deleted backups that can be brought back.\n"
    );

    // Of two the first comes back, and is told; the other is there already.
    corso.ok(&["backup", "delete", &ids[0]]);
    let half = corso.fails(&["backup", "undelete", &ids[0], &ids[1]], 1);
    assert!(half.stdout.trim().len() == 64, "{half:?}");
    assert!(
        half.stderr
            .contains(&format!("Brought back backup {}", &ids[0][..8]))
    );
    assert!(half.stderr.contains("brought back already"), "{half:?}");
    assert_eq!(listed(&corso).len(), 2);
}

#[test]
fn backups_that_vanish_are_told_of() {
    let corso = connected();
    let ids = backups(&corso, 2);
    assert_eq!(listed(&corso), ids);
    std::fs::remove_file(corso.home().join("repo/snapshots").join(&ids[1])).unwrap();
    for words in [&["backup", "list"][..], &["backup", "details", &ids[0]]] {
        let told = corso.ok(words).stderr;
        let start = format!(
            "Warning: the storage shows less than before: backup {}",
            &ids[1][..8]
        );
        assert!(told.starts_with(&start), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    let accepted = corso.ok(&["backup", "list", "--accept-missing"]);
    assert_eq!(accepted.stderr, "");
    assert_eq!(corso.ok(&["backup", "list"]).stderr, "");
}

#[test]
fn lists_tell_whose_a_backup_is() {
    let mut corso = connected().env("CORSO_NEW_PASSPHRASE", "w");
    let full = backups(&corso, 1).remove(0);
    assert!(!corso.ok(&["backup", "list"]).stdout.contains("Writer"));
    let added = corso.ok(&["repo", "key", "add", "--role", "writer", "--json"]);
    let writer = json(&added.stdout)["added"]["writer"]
        .as_str()
        .unwrap()
        .to_owned();
    corso.set("CORSO_PASSPHRASE", "w");
    corso.ok(&["backup", "create", "d", "--host", "web1"]);
    corso.set("CORSO_PASSPHRASE", "p");
    let list = corso.ok(&["backup", "list"]).stdout;
    assert!(list.lines().next().unwrap().contains("Writer"), "{list}");
    assert!(
        list.contains(&writer[..8]) && list.contains("full"),
        "{list}"
    );
    let refused = corso.fails(&["backup", "details", "latest"], 2).stderr;
    assert!(
        refused.contains("--writer") && refused.lines().count() == 1,
        "{refused}"
    );
    let details = corso.ok(&["backup", "details", "latest", "--writer", "full", "--json"]);
    assert_eq!(json(&details.stdout)["backup"]["id"], full.as_str());
    corso.ok(&[
        "restore",
        "latest",
        "--writer",
        &writer[..8],
        "--destination",
        "out",
    ]);
    let wrong = corso
        .fails(&["backup", "list", "--writer", "laptop"], 2)
        .stderr;
    assert!(wrong.contains("is no writer"), "{wrong}");
}

#[test]
fn a_writer_key_forgets_nothing() {
    let corso = connected().env("CORSO_NEW_PASSPHRASE", "w");
    let ids = backups(&corso, 1);
    corso.ok(&["repo", "key", "add", "--role", "writer"]);
    let corso = corso.env("CORSO_PASSPHRASE", "w");
    for words in [
        &["forget", "--keep-last=1"][..],
        &["delete", &ids[0]],
        &["pin", &ids[0]],
        &["unpin", &ids[0]],
        &["undelete", &ids[0]],
        &["list", "--deleted"],
    ] {
        let refused = corso.fails(&[&["backup"], words].concat(), 12);
        assert!(
            refused.stderr.contains("needs a key with the role full"),
            "{refused:?}"
        );
    }
}
