//! The policies that the README prints, enforced by real servers (versitygw as a bucket's policy, MinIO as that of temporary
//! keys): every command that they are for succeeds and asks for nothing else, and what they are against is refused.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use support::{Corso, Keys, Minio, Proxy, Seen, Versitygw, assert_same_tree, make_tree};

const PASSPHRASE: &str = "correct horse battery staple";
const WRITER: &str = "a writer may only write";

/// The JSON block of the README below the mark `<!-- policy: NAME -->`.
fn policy(name: &str) -> Value {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(readme).unwrap();
    let mark = format!("<!-- policy: {name} -->");
    let (_, rest) = text
        .split_once(&mark)
        .unwrap_or_else(|| panic!("no {mark}"));
    let block = rest.split("```").nth(1).unwrap().trim_start_matches("json");
    serde_json::from_str(block).unwrap_or_else(|e| panic!("policy {name}: {e}"))
}

/// A user's policies as the policy of the bucket: the same statements, each with its user.
fn for_bucket(users: &[(&Keys, &str)]) -> String {
    let mut all = Vec::new();
    for (keys, name) in users {
        let statements = policy(name)["Statement"].as_array().unwrap().clone();
        for mut statement in statements {
            statement["Principal"] = json!({ "AWS": [keys.access] });
            all.push(statement);
        }
    }
    json!({ "Version": "2012-10-17", "Statement": all }).to_string()
}

/// The actions that policies allow, whatever the resource.
fn actions(names: &[&str]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for name in names {
        for statement in policy(name)["Statement"].as_array().unwrap() {
            let some = match &statement["Action"] {
                Value::Array(some) => some.clone(),
                one => vec![one.clone()],
            };
            all.extend(some.iter().map(|a| a.as_str().unwrap().to_owned()));
        }
    }
    all
}

/// Users' policies as one: MinIO's temporary keys have a single one.
fn joined(names: &[&str]) -> String {
    let statements: Vec<Value> = names
        .iter()
        .flat_map(|name| policy(name)["Statement"].as_array().unwrap().clone())
        .collect();
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

/// A server, with every request on the way to it noted by its action.
struct Meter {
    proxy: Proxy,
    asked: Arc<Mutex<BTreeSet<String>>>,
}

impl Meter {
    fn start(server: &str) -> Meter {
        let proxy = Proxy::start(server);
        let asked = Arc::new(Mutex::new(BTreeSet::new()));
        let noted = asked.clone();
        proxy.set_plan(Some(Arc::new(move |_, seen: &Seen| {
            noted.lock().unwrap().insert(action(seen).to_owned());
            None
        })));
        Meter { proxy, asked }
    }

    fn endpoint(&self) -> String {
        self.proxy.endpoint()
    }

    /// Since the last time nothing was asked that these policies do not name; each of `needed` was.
    fn within(&self, policies: &[&str], needed: &[&str]) {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        let allowed = actions(policies);
        let more: Vec<&String> = asked.difference(&allowed).collect();
        assert!(more.is_empty(), "{policies:?} and beyond: {more:?}");
        for action in needed {
            assert!(asked.contains(*action), "{action} in {asked:?}");
        }
    }

    /// What was asked until now is of no interest.
    fn forget(&self) {
        self.asked.lock().unwrap().clear();
    }
}

/// What AWS calls the right that a request needs (Service Authorization Reference, "Actions defined by Amazon S3").
fn action(seen: &Seen) -> &'static str {
    let (path, query) = seen
        .target
        .split_once('?')
        .unwrap_or((seen.target.as_str(), ""));
    let has = |name: &str| query.split('&').any(|p| p.split('=').next() == Some(name));
    let object = path
        .trim_start_matches('/')
        .trim_end_matches('/')
        .contains('/');
    match (seen.method.as_str(), object) {
        ("GET", false) if has("location") => "s3:GetBucketLocation",
        ("GET", false) if has("object-lock") => "s3:GetBucketObjectLockConfiguration",
        ("GET", false) if has("versioning") => "s3:GetBucketVersioning",
        ("GET", false) if has("versions") => "s3:ListBucketVersions",
        ("GET", false) if query.is_empty() || has("list-type") || has("prefix") => "s3:ListBucket",
        ("HEAD", false) => "s3:ListBucket",
        ("POST", false) if has("delete") => "s3:DeleteObject",
        ("GET", true) if has("retention") => "s3:GetObjectRetention",
        ("GET" | "HEAD", true) if has("versionId") => "s3:GetObjectVersion",
        ("GET" | "HEAD", true) => "s3:GetObject",
        ("PUT", true) if has("retention") => "s3:PutObjectRetention",
        ("PUT", true) if query.is_empty() => "s3:PutObject",
        ("DELETE", true) if query.is_empty() => "s3:DeleteObject",
        _ => panic!("a request of no known action: {seen:?}"),
    }
}

fn home(keys: &Keys, passphrase: &str) -> Corso {
    Corso::new().env("CORSO_PASSPHRASE", passphrase).keys(keys)
}

fn at<'a>(endpoint: &'a str, words: &[&'a str]) -> Vec<&'a str> {
    let place = [
        "--bucket",
        "corso-test",
        "--disable-tls",
        "--endpoint",
        endpoint,
    ];
    [words, &place].concat()
}

#[test]
fn valid_json() {
    for name in ["full", "backup", "restore"] {
        let policy = policy(name);
        assert_eq!(policy["Version"], "2012-10-17");
        assert!(!policy["Statement"].as_array().unwrap().is_empty());
    }
}

#[test]
fn three_hosts() {
    let Some(server) = Versitygw::start(&["corso-test"]) else {
        return;
    };
    let [full, backup, restore] =
        ["fullhost", "backuphost", "restorehost"].map(|name| server.add_user(name));
    server.set_policy(
        "corso-test",
        &for_bucket(&[(&full, "full"), (&backup, "backup"), (&restore, "restore")]),
    );
    each_does_its_own(&server.endpoint(), &[full, backup, restore]);
}

#[test]
fn three_hosts_on_minio() {
    let Some(server) = Minio::start(&["corso-test"]) else {
        return;
    };
    let hosts = ["full", "backup", "restore"].map(|name| server.add_user(&joined(&[name])));
    each_does_its_own(&server.endpoint(), &hosts);
}

fn each_does_its_own(server: &str, [full, backup, restore]: &[Keys; 3]) {
    let meter = Meter::start(server);
    let endpoint = meter.endpoint();
    let host = home(full, PASSPHRASE);
    let source = host.home().join("source");
    make_tree(&source, 3, 20, 500_000);
    let id = everything(&host, &endpoint, &source);
    let all = [
        "s3:ListBucket",
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
    ];
    meter.within(&["full"], &all);
    only_backups(backup, &meter, &source);
    only_restores(restore, &meter, &source, &id);
}

/// Every command, with the full key's policy. Gives the id of a backup that stays.
fn everything(host: &Corso, endpoint: &str, source: &Path) -> String {
    let from = source.to_str().unwrap();
    host.ok(&at(endpoint, &["repo", "init", "s3", "--grace", "0"]));
    host.ok(&at(endpoint, &["repo", "connect", "s3"]));
    host.ok(&[
        "repo",
        "key",
        "add",
        "--role",
        "writer",
        "--label",
        "w",
        "--new-passphrase",
        WRITER,
    ]);
    host.ok(&["repo", "key", "list"]);
    host.ok(&["repo", "update-passphrase", "--new-passphrase", PASSPHRASE]);
    host.ok(&["repo", "status"]);
    let create = || -> String {
        let made = host.ok(&["backup", "create", "--json", from]);
        let made: Value = serde_json::from_str(&made.stdout).unwrap();
        made["snapshot"].as_str().unwrap().to_owned()
    };
    let first = create();
    std::fs::write(source.join("more"), vec![3; 100_000]).unwrap();
    let second = create();
    host.ok(&["backup", "list"]);
    host.ok(&["backup", "details", "latest"]);
    host.ok(&["backup", "pin", &second]);
    host.ok(&["backup", "unpin", &second]);
    host.ok(&["backup", "delete", &first]);
    host.ok(&["backup", "undelete", &first]);
    host.ok(&["backup", "forget", "--keep-last", "1"]);
    host.ok(&["repo", "maintenance"]);
    host.ok(&["repo", "maintenance"]);
    host.ok(&["repo", "check", "--read-data"]);
    host.ok(&["repo", "repair", "index"]);
    host.ok(&["repo", "repair", "packs"]);
    host.ok(&["repo", "repair", "snapshots"]);
    host.ok(&["restore", "latest", "--destination", "out"]);
    assert_same_tree(
        source,
        &host
            .home()
            .join("out")
            .join(source.strip_prefix("/").unwrap()),
    );
    let report = host.ok(&at(
        endpoint,
        &["repo", "validate-provider", "s3", "--json"],
    ));
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(report["missing_permissions"], json!([]), "{report:#}");
    second
}

/// A writer key's host adds backups, and deletes, overwrites and reads nothing.
fn only_backups(keys: &Keys, meter: &Meter, source: &Path) {
    let host = home(keys, WRITER);
    let endpoint = &meter.endpoint();
    host.ok(&at(endpoint, &["repo", "connect", "s3"]));
    host.ok(&["backup", "create", source.to_str().unwrap()]);
    host.ok(&["backup", "create", source.to_str().unwrap()]);
    meter.within(
        &["backup"],
        &["s3:ListBucket", "s3:GetObject", "s3:PutObject"],
    );
    let (status, _) = support::signed_send(endpoint, keys, "DELETE", "/corso-test/config", "", b"");
    assert_eq!(status, 403, "config may not be deleted");
    let (status, _) = support::signed_send(endpoint, keys, "PUT", "/corso-test/config", "", b"x");
    assert_eq!(status, 403, "config may not be overwritten");
    meter.forget();
}

/// Reads everything and changes nothing.
fn only_restores(keys: &Keys, meter: &Meter, source: &Path, id: &str) {
    let host = home(keys, PASSPHRASE);
    host.ok(&at(&meter.endpoint(), &["repo", "connect", "s3"]));
    host.ok(&["repo", "status"]);
    host.ok(&["backup", "list"]);
    host.ok(&["backup", "details", id]);
    host.ok(&["repo", "check", "--read-data"]);
    host.ok(&["restore", id, "--destination", "out"]);
    assert_same_tree(
        source,
        &host
            .home()
            .join("out")
            .join(source.strip_prefix("/").unwrap()),
    );
    meter.within(&["restore"], &["s3:ListBucket", "s3:GetObject"]);
    host.fails(&["backup", "create", source.to_str().unwrap()], 13);
    host.fails(&["backup", "delete", id], 13);
}

/// What the README adds for object lock, and for hosts that restore from the past.
#[test]
fn locks_and_the_past() {
    let Some(server) = Versitygw::start(&[]) else {
        return;
    };
    server.make_locked_bucket("corso-test");
    let [locking, plain, past] =
        ["lockhost", "plainhost", "pasthost"].map(|name| server.add_user(name));
    server.set_policy(
        "corso-test",
        &for_bucket(&[
            (&locking, "full"),
            (&locking, "lock"),
            (&plain, "full"),
            (&past, "past"),
        ]),
    );
    locks_and_looks_back(&server.endpoint(), &[locking, plain, past]);
}

#[test]
fn locks_and_the_past_on_minio() {
    let Some(server) = Minio::start(&[]) else {
        return;
    };
    server.make_locked_bucket("corso-test");
    let hosts = [&["full", "lock"][..], &["full"], &["past"]];
    let hosts = hosts.map(|names| server.add_user(&joined(names)));
    locks_and_looks_back(&server.endpoint(), &hosts);
}

fn locks_and_looks_back(server: &str, [locking, plain, past]: &[Keys; 3]) {
    let meter = Meter::start(server);
    let endpoint = meter.endpoint();
    let lock = [
        "--retention-mode",
        "governance",
        "--retention-duration",
        "1d",
    ];
    let init = [
        &["repo", "init", "s3", "--extend-retention", "--grace", "0"],
        &lock[..],
    ]
    .concat();
    let refused = home(plain, PASSPHRASE)
        .fails(&at(&endpoint, &init), 13)
        .stderr;
    assert!(
        refused.contains("s3:GetBucketObjectLockConfiguration"),
        "{refused}"
    );
    meter.forget();
    let host = home(locking, PASSPHRASE);
    let source = host.home().join("source");
    make_tree(&source, 3, 20, 500_000);
    host.ok(&at(&endpoint, &init));
    host.ok(&["backup", "create", source.to_str().unwrap()]);
    std::thread::sleep(std::time::Duration::from_secs(3));
    let done = host.ok(&["repo", "maintenance"]).stderr;
    assert!(
        done.contains("Extended ") && !done.contains("warning"),
        "{done}"
    );
    let own = [
        "s3:GetBucketObjectLockConfiguration",
        "s3:GetObjectRetention",
        "s3:PutObjectRetention",
    ];
    meter.within(&["full", "lock"], &own);
    let when = corso::units::Time::local_now().rfc3339();

    let host = home(past, PASSPHRASE);
    let connect = ["repo", "connect", "s3", "--point-in-time", &when];
    host.ok(&at(&endpoint, &connect));
    host.ok(&["backup", "list"]);
    host.ok(&["repo", "check", "--read-data"]);
    host.ok(&["restore", "latest", "--destination", "out"]);
    let out = host.home().join("out");
    assert_same_tree(&source, &out.join(source.strip_prefix("/").unwrap()));
    let own = ["s3:ListBucketVersions", "s3:GetObjectVersion"];
    meter.within(&["past"], &own);
    host.fails(&["backup", "create", source.to_str().unwrap()], 2);
    let live = ["repo", "connect", "s3"];
    host.ok(&at(&endpoint, &live));
    host.fails(&["backup", "create", source.to_str().unwrap()], 13);
}
