//! The main job through the program, against real S3 servers.

mod support;

use serde_json::Value;
use std::path::{Path, PathBuf};
use support::{
    Corso, Finished, Keys, Minio, Moto, Rclone, S3Options, S3Server, Seaweed, Versitygw,
};
use support::{assert_same_tree, make_tree, random_bytes};

const PASSPHRASE: &str = "correct horse battery staple";

/// How to reach a server.
struct At<'a> {
    endpoint: String,
    tls: bool,
    keys: &'a Keys,
}

impl At<'_> {
    /// A server without TLS.
    fn plain(endpoint: String, keys: &Keys) -> At<'_> {
        At {
            endpoint,
            tls: false,
            keys,
        }
    }

    fn of(server: &S3Server) -> At<'_> {
        At {
            endpoint: server.endpoint(),
            tls: server.tls(),
            keys: server.keys(),
        }
    }

    /// `repo init s3` with all that has to be said once.
    fn init(&self) -> Vec<&str> {
        let mut words = vec!["repo", "init", "s3", "--bucket", "corso-test"];
        words.extend(["--endpoint", &self.endpoint]);
        words.extend((!self.tls).then_some("--disable-tls"));
        words
    }
}

/// Keys in the environment.
fn with_env(keys: &Keys) -> Corso {
    Corso::new().env("CORSO_PASSPHRASE", PASSPHRASE).keys(keys)
}

/// Keys in a profile of `~/.aws/credentials`.
fn with_profile(keys: &Keys) -> Corso {
    let corso = Corso::new()
        .env("CORSO_PASSPHRASE", PASSPHRASE)
        .env("AWS_PROFILE", "backups");
    let folder = corso.home().join(".aws");
    std::fs::create_dir(&folder).unwrap();
    let text = format!(
        "[default]\naws_access_key_id = other\naws_secret_access_key = other\n\n\
         [backups]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        keys.access, keys.secret
    );
    std::fs::write(folder.join("credentials"), text).unwrap();
    corso
}

fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|e| panic!("{e}: {finished:#?}"))
}

fn number(value: &Value, pointer: &str) -> u64 {
    let found = value.pointer(pointer).and_then(Value::as_u64);
    found.unwrap_or_else(|| panic!("no number {pointer} in {value}"))
}

/// Where `source` lands below `out`.
fn landed(out: &Path, source: &Path) -> PathBuf {
    out.join(source.strip_prefix("/").unwrap())
}

/// Init, connect, two backups, list, details, restore, delete. Only init is told where the server is.
fn main_job(corso: &Corso, at: &At<'_>) {
    let said = corso.ok(&at.init()).stderr;
    assert!(
        said.contains("Initialized a S3 repository within bucket corso-test.\n"),
        "{said}"
    );
    let said = corso
        .ok(&["repo", "connect", "s3", "--bucket", "corso-test"])
        .stderr;
    assert!(
        said.contains("Connected to S3 bucket corso-test.\n"),
        "{said}"
    );
    let source = corso.home().join("source");
    make_tree(&source, 7, 150, 2 << 20);
    let first = backup(corso, &source);
    assert_eq!(number(&first, "/files_read"), number(&first, "/files"));
    assert!(number(&first, "/written/data_packs") > 0);
    let second = backup(corso, &source);
    assert_eq!(number(&second, "/files_read"), 0);
    assert_eq!(number(&second, "/written/data_packs"), 0);
    assert_eq!(backups(corso).len(), 2);

    let details = corso.ok(&["backup", "details", "latest"]).stdout;
    assert!(details.contains("source"), "{details}");
    let out = corso.home().join("out");
    let restored = corso.ok(&["restore", "latest", "--destination", "out", "--verify"]);
    assert!(restored.stderr.contains("Restored"), "{restored:#?}");
    assert_same_tree(&source, &landed(&out, &source));

    let id = first["snapshot"].as_str().unwrap();
    corso.ok(&["backup", "delete", &id[..12]]);
    let left = backups(corso);
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["id"], second["snapshot"]);
    corso.ok(&["repo", "disconnect"]);
    corso.fails(&["backup", "list"], 2);
    no_secrets(corso, at.keys);
}

fn backup(corso: &Corso, source: &Path) -> Value {
    json(&corso.ok(&["backup", "create", "--json", source.to_str().unwrap()]))
}

fn backups(corso: &Corso) -> Vec<Value> {
    let listed = json(&corso.ok(&["backup", "list", "--json"]));
    listed["backups"].as_array().unwrap().clone()
}

/// The program wrote no secret to its configuration file.
fn no_secrets(corso: &Corso, keys: &Keys) {
    let text = std::fs::read_to_string(corso.home().join(".corso.toml")).unwrap_or_default();
    assert!(!text.contains(PASSPHRASE) && !text.contains(&keys.secret));
}

#[test]
fn s3s() {
    let server = S3Server::start(S3Options::default());
    main_job(&with_env(server.keys()), &At::of(&server));
}

#[test]
fn s3s_tls_root_ca_pem_and_a_profile() {
    let server = S3Server::start(S3Options {
        tls: true,
        ..S3Options::default()
    });
    let corso = with_profile(server.keys());
    let at = At::of(&server);
    let mut init = at.init();
    let ca = server.ca().to_str().unwrap();
    init.extend(["--root-ca-pem", ca]);
    corso.ok(&init);
    // The file remembers the authority, too.
    corso.ok(&["repo", "connect", "s3", "--bucket", "corso-test"]);
    let source = corso.home().join("source");
    make_tree(&source, 8, 20, 100_000);
    backup(&corso, &source);
    corso.ok(&["restore", "latest", "--destination", "out"]);
    assert_same_tree(&source, &landed(&corso.home().join("out"), &source));
}

#[test]
fn s3s_tls_ca_bundle() {
    let server = S3Server::start(S3Options {
        tls: true,
        ..S3Options::default()
    });
    let corso = with_env(server.keys()).env("AWS_CA_BUNDLE", server.ca());
    main_job(&corso, &At::of(&server));
}

#[test]
fn rclone() {
    let Some(server) = Rclone::start(&["corso-test"]) else {
        return;
    };
    let at = At::plain(server.endpoint(), server.keys());
    main_job(&with_profile(server.keys()), &at);
}

#[test]
fn moto() {
    let Some(server) = Moto::start(&["corso-test"]) else {
        return;
    };
    let at = At::plain(server.endpoint(), server.keys());
    main_job(&with_env(server.keys()), &at);
}

#[test]
fn versitygw() {
    let Some(server) = Versitygw::start(&["corso-test"]) else {
        return;
    };
    let at = At::plain(server.endpoint(), server.keys());
    main_job(&with_env(server.keys()), &at);
}

#[test]
fn minio() {
    let Some(server) = Minio::start(&["corso-test"]) else {
        return;
    };
    let at = At::plain(server.endpoint(), server.keys());
    main_job(&with_env(server.keys()), &at);
}

#[test]
fn seaweedfs() {
    let Some(server) = Seaweed::start(&["corso-test"]) else {
        return;
    };
    let at = At::plain(server.endpoint(), server.keys());
    main_job(&with_env(server.keys()), &at);
}

/// 64 MiB that nothing shrinks go up in few requests, and only once.
#[test]
fn few_puts_for_much_data() {
    let server = S3Server::start(S3Options::default());
    let corso = with_env(server.keys());
    corso.ok(&At::of(&server).init());
    let source = corso.home().join("source");
    std::fs::create_dir(&source).unwrap();
    let body = random_bytes(64 << 20, 42);
    std::fs::write(source.join("one"), &body).unwrap();

    server.clear_log();
    let first = backup(&corso, &source);
    let packs = server.count("PUT", "/packs/") as u64;
    let metadata = number(&first, "/written/metadata_packs");
    let data = number(&first, "/written/data_packs");
    assert_eq!(packs, data + metadata, "every pack took one PUT: {first}");
    assert!(data <= 4, "{data} data packs");
    let all = server.count("PUT", "") as u64;
    let index = number(&first, "/written/index_objects");
    assert_eq!(all, packs + index + 1, "no PUT but packs, index, snapshot");
    assert_eq!(server.count("DELETE", ""), 0);

    std::fs::write(source.join("two"), &body).unwrap();
    server.clear_log();
    let second = backup(&corso, &source);
    assert_eq!(number(&second, "/files_read"), 1);
    assert_eq!(number(&second, "/written/data_packs"), 0);
    let packs = server.count("PUT", "/packs/") as u64;
    assert_eq!(packs, number(&second, "/written/metadata_packs"));
}
