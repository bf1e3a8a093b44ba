//! The commands with which Corso introduces itself, word for word.
// The lines are a Unix shell's.
#![cfg(unix)]

mod support;

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use support::{Corso, Finished, PROGRAM, S3Options, S3Server, skip};

/// The lines as printed. The passphrase is three dots, which is one.
const SEED: &str = "export CORSO_PASSPHRASE=...; ./corso repo init s3 --bucket corso-test
./corso repo connect s3 --bucket corso-test
";
/// A backup after it, since connecting proves little.
const BACKUP: &str = "
echo precious >file
./corso backup create file
./corso restore latest --destination out
cmp file \"out$PWD/file\"
";
const INITIALIZED: &str = "Initialized a S3 repository within bucket corso-test.\n";
const CONNECTED: &str = "Connected to S3 bucket corso-test.\n";

/// What AWS calls itself in the regions that the tests ask for.
const NAMES: [&str; 4] = [
    "s3.amazonaws.com",
    "corso-test.s3.amazonaws.com",
    "s3.eu-central-1.amazonaws.com",
    "corso-test.s3.eu-central-1.amazonaws.com",
];

/// A home in which `./corso` is the program.
fn home(server: &S3Server) -> Corso {
    let corso = Corso::new();
    symlink(PROGRAM, corso.home().join("corso")).unwrap();
    corso.env("AWS_CA_BUNDLE", server.ca())
}

fn keys_in_environment(server: &S3Server) -> Corso {
    home(server).keys(server.keys())
}

fn keys_in_profile(server: &S3Server) -> Corso {
    let corso = home(server);
    let folder = corso.home().join(".aws");
    std::fs::create_dir(&folder).unwrap();
    let keys = server.keys();
    let text = format!(
        "[default]\naws_access_key_id={}\naws_secret_access_key={}\n",
        keys.access, keys.secret
    );
    std::fs::write(folder.join("credentials"), text).unwrap();
    corso
}

#[track_caller]
fn worked(finished: &Finished) {
    assert_eq!(finished.code, 0, "{finished:#?}");
    assert!(finished.stderr.contains(INITIALIZED), "{finished:#?}");
    assert!(finished.stderr.contains(CONNECTED), "{finished:#?}");
}

#[test]
fn with_an_endpoint_at_init_alone() {
    for keys in [keys_in_environment, keys_in_profile] {
        let server = S3Server::start(S3Options {
            tls: true,
            ..S3Options::default()
        });
        let corso = keys(&server);
        let init = "init s3 --bucket corso-test";
        let lines = SEED.replace(init, &format!("{init} --endpoint {}", server.endpoint()));
        let script = format!("set -eu\n{lines}{BACKUP}");
        worked(&Corso::finish(corso.command_of("sh", &["-c", &script])));
    }
}

/// With a private authority, a server on port 443 of this host, and a mount namespace in which the names of AWS are
/// this host's.
#[test]
fn word_for_word() {
    let Some(()) = namespaces() else { return };
    wait_for_port_443();
    let region = "s3.eu-central-1.amazonaws.com";
    let start = || {
        S3Server::start(S3Options {
            listen: (Ipv4Addr::LOCALHOST, 443).into(),
            tls: true,
            names: NAMES.map(String::from).to_vec(),
            domains: vec![NAMES[0].into(), region.into()],
            buckets: vec!["corso-test".into(), "dotted.bucket".into()],
            ..S3Options::default()
        })
    };
    let server = start();
    let script = format!("{SEED}{BACKUP}");
    worked(&in_namespace(&keys_in_environment(&server), &script));
    assert!(
        server.log().iter().all(|r| r.host == NAMES[1]),
        "the bucket is part of the host name"
    );

    // The same again is refused, and what is there stays usable.
    let again = in_namespace(&keys_in_profile(&server), SEED);
    assert_eq!(again.code, 11, "{again:#?}");
    let connect = SEED.replace("init", "connect");
    let connected = in_namespace(&keys_in_profile(&server), &connect);
    assert_eq!(connected.code, 0, "{connected:#?}");

    // Another region has another host; a bucket with a dot is no part of it.
    server.clear_log();
    let script = SEED.replace("corso-test", "dotted.bucket");
    let corso = keys_in_profile(&server).env("AWS_REGION", "eu-central-1");
    let dotted = in_namespace(&corso, &script);
    assert_eq!(dotted.code, 0, "{dotted:#?}");
    assert!(
        server
            .log()
            .iter()
            .all(|r| r.host == region && r.region == "eu-central-1")
    );
}

/// Runs `script` where /etc/hosts sends the names of AWS to this host.
fn in_namespace(corso: &Corso, script: &str) -> Finished {
    let hosts = corso.home().join("hosts");
    std::fs::write(&hosts, format!("127.0.0.1 {}\n", NAMES.join(" "))).unwrap();
    let script = format!(
        "mount --bind {} /etc/hosts\nset -eu\n{script}",
        hosts.display()
    );
    Corso::finish(corso.command_of("unshare", &["--mount", "sh", "-ec", &script]))
}

/// May this process make a mount namespace? Says so if not (suite `seed`).
fn namespaces() -> Option<()> {
    let tried = Command::new("unshare")
        .args(["--mount", "mount", "--bind", "/etc/hosts", "/etc/hosts"])
        .output();
    match tried {
        Ok(output) if output.status.success() && Path::new("/etc/hosts").exists() => Some(()),
        other => {
            skip("seed", &format!("no mount namespace: {other:?}"));
            None
        }
    }
}

/// Another run of this test may have it for a while.
fn wait_for_port_443() {
    let begin = Instant::now();
    while let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, 443)) {
        assert!(begin.elapsed() < Duration::from_secs(60), "443: {error}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
