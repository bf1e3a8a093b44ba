//! Object lock and the past, on servers that know them: what is locked, what maintenance does with it, and that an
//! intruder's deletions are undone by reading.

mod support;

use corso::s3::response::{ListedVersion, parse_retention, parse_versions};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::{Asked, Corso, Finished, Keys, Moto, Versitygw};
use support::{assert_same_tree, init_s3, make_tree, random_bytes, signed_ask};

const BUCKET: &str = "corso-test";
const PASSPHRASE: &str = "correct horse battery staple";

/// A server, with the rights to do everything.
struct At {
    endpoint: String,
    keys: Keys,
}

impl At {
    fn of(server: &Versitygw) -> At {
        At {
            endpoint: server.endpoint(),
            keys: server.keys().clone(),
        }
    }

    fn home(&self) -> Corso {
        Corso::new()
            .env("CORSO_PASSPHRASE", PASSPHRASE)
            .keys(&self.keys)
    }

    fn send(
        &self,
        method: &'static str,
        key: &str,
        query: &[(&str, &str)],
        body: &[u8],
    ) -> (u16, String) {
        let path = match key {
            "" => format!("/{BUCKET}"),
            key => format!("/{BUCKET}/{key}"),
        };
        let asked = Asked {
            method,
            path: &path,
            query,
            body,
            ..Asked::default()
        };
        signed_ask(&self.endpoint, &self.keys, asked)
    }

    /// Every version and every deletion in the bucket.
    fn versions(&self) -> Vec<ListedVersion> {
        let (mut all, mut next) = (Vec::new(), None::<(String, String)>);
        loop {
            let mut query = vec![("versions", "")];
            if let Some((key, version)) = &next {
                query.extend([
                    ("key-marker", key.as_str()),
                    ("version-id-marker", version.as_str()),
                ]);
            }
            let (status, body) = self.send("GET", "", &query, b"");
            assert_eq!(status, 200, "{body}");
            let page = parse_versions(body.as_bytes()).unwrap();
            all.extend(page.versions);
            match page.next {
                Some(more) => next = Some(more),
                None => return all,
            }
        }
    }

    /// How long from now an object is locked.
    fn locked_for(&self, key: &str) -> Option<Duration> {
        let (status, body) = self.send("GET", key, &[("retention", "")], b"");
        match status {
            200 => parse_retention(body.as_bytes())
                .ok()
                .flatten()
                .map(|lock| lock.until.since(corso::units::Time::local_now())),
            _ => None,
        }
    }
}

fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|e| panic!("{e}: {finished:#?}"))
}

fn backup(corso: &Corso, source: &Path) -> String {
    let made = json(&corso.ok(&["backup", "create", "--json", source.to_str().unwrap()]));
    made["snapshot"].as_str().unwrap().to_owned()
}

/// Where `source` lands below `out`.
fn landed(out: &Path, source: &Path) -> PathBuf {
    out.join(source.strip_prefix("/").unwrap())
}

const LOCK: [&str; 4] = [
    "--retention-mode",
    "governance",
    "--retention-duration",
    "2d",
];
const DAY: Duration = Duration::from_secs(86400);

#[test]
fn a_bucket_without_locks_is_refused_and_left_empty() {
    let Some(server) = Versitygw::start(&[BUCKET]) else {
        return;
    };
    let at = At::of(&server);
    let corso = at.home();
    let said = corso.fails(&init_s3(&at.endpoint, &LOCK), 2).stderr;
    assert!(said.contains("cannot be locked"), "{said}");
    assert!(said.contains("object lock"), "{said}");
    assert!(at.versions().is_empty(), "{:?}", at.versions());
    assert!(!corso.home().join(".corso.toml").exists());
}

#[test]
fn everything_but_tombstones_is_locked() {
    let Some(server) = Versitygw::start(&[]) else {
        return;
    };
    server.make_locked_bucket(BUCKET);
    let at = At::of(&server);
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
    let Some(server) = Versitygw::start(&[]) else {
        return;
    };
    server.make_locked_bucket(BUCKET);
    maintenance_extends(&At::of(&server), true);
}

#[test]
fn maintenance_extends_locks_on_moto() {
    if let Some((_server, at)) = locked_moto() {
        maintenance_extends(&at, false);
    }
}

/// moto with a bucket whose objects can be locked.
fn locked_moto() -> Option<(Moto, At)> {
    let server = Moto::start(&[])?;
    let at = At {
        endpoint: server.endpoint(),
        keys: server.keys().clone(),
    };
    let path = format!("/{BUCKET}");
    let asked = Asked {
        method: "PUT",
        path: &path,
        headers: &[("x-amz-bucket-object-lock-enabled", "true")],
        ..Asked::default()
    };
    let (status, said) = signed_ask(&at.endpoint, &at.keys, asked);
    assert_eq!(status, 200, "{said}");
    Some((server, at))
}

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

#[test]
fn validation_tries_locks_and_versions() {
    let Some(server) = Versitygw::start(&["plain"]) else {
        return;
    };
    server.make_locked_bucket(BUCKET);
    let at = At::of(&server);
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
    let Some(server) = Versitygw::start(&[]) else {
        return;
    };
    server.make_locked_bucket(BUCKET);
    let at = At::of(&server);
    let lock = [
        "--retention-mode",
        "compliance",
        "--retention-duration",
        "7d",
    ];
    is_undone(&at, &lock, true);
}

#[test]
fn versions_alone_undo_deletions() {
    let Some(server) = Versitygw::start(&[BUCKET]) else {
        return;
    };
    server.keep_versions(BUCKET);
    let at = At::of(&server);
    is_undone(&at, &[], false);
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
