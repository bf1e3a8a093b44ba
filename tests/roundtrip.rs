//! A tree of 5,000 entries with everything that a Unix file system has, to a real S3 server and back; rsync compares.
// The tree holds what only Unix has, and rsync compares.
#![cfg(unix)]

mod support;

use std::path::Path;
use std::process::Command;
use support::{Corso, S3Options, S3Server, find_program, skip, temp_dir};

fn shell(script: &str, dir: &Path) {
    let done = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// Files of many sizes, links, special files, attributes, odd names. Root makes devices and set-id files too.
fn make_source(source: &Path, root: bool) {
    std::fs::create_dir(source).unwrap();
    support::make_tree(&source.join("files"), 7, 4_700, 40_000);
    shell(
        r#"
        mkdir odd sparse special deep
        for n in $(seq 200); do echo $n > "odd/file $n"; done
        touch "odd/$(printf 'new\nline')" "odd/$(printf 'esc\033[31m')" "odd/$(printf 'latin\xe9')" odd/-dash 'odd/ space ' odd/empty
        truncate -s 3G sparse/hole; echo end >> sparse/hole; truncate -s 1M sparse/only-hole
        printf data | dd of=sparse/middle bs=1 seek=5000000 conv=notrunc status=none; truncate -s 9M sparse/middle
        mkfifo special/fifo; ln -s ../odd special/link; ln -s /nowhere/at/all special/dangling
        echo linked > special/one; ln special/one special/two; ln special/one deep/three
        head -c 5000000 /dev/urandom > special/large
        chmod 0000 odd/empty; chmod 1777 deep; chmod 0400 special/large; chmod 0500 sparse
        touch -d '1965-03-04 05:06:07.123456789' special/one; touch -d '2106-02-07 06:28:17' odd/-dash
        touch -h -d '2001-01-01 01:01:01.5' special/dangling
        d=deep; for n in $(seq 40); do d="$d/$(printf 'a%.0s' $(seq 120))"; done; mkdir -p "$d"; (cd deep; for n in $(seq 40); do cd a*; done; echo bottom > bottom)
        "#,
        source,
    );
    if root {
        shell(
            r#"
            mknod special/null c 1 3; mknod special/loop b 7 200
            cp odd/empty special/setuid; chmod 6755 special/setuid; chown 12345:54321 special/setuid
            chown -h 77:88 special/link
            "#,
            source,
        );
    }
    for (program, script) in [
        (
            "setfattr",
            "setfattr -n user.note -v hello special/one; setfattr -n user.big -v $(head -c 6000 /dev/zero | tr '\\0' x) special/large || true",
        ),
        (
            "setfacl",
            "setfacl -m u:12:r,g:34:rw special/two; setfacl -d -m u:12:rwx deep",
        ),
    ] {
        // A file system without them (tmpfs before 6.6) is no failure of ours.
        let tried = Command::new(program).arg("--version").output();
        if tried.is_ok_and(|o| o.status.success()) {
            let _ = Command::new("bash")
                .args(["-c", script])
                .current_dir(source)
                .output();
        }
    }
}

#[test]
fn a_tree_of_everything_comes_back_the_same() {
    let server = S3Server::start(S3Options::default());
    let work = temp_dir();
    let source = work.path().join("source");
    let root = rustix_is_root();
    make_source(&source, root);
    let keys = server.keys();
    let corso = Corso::new().env("CORSO_PASSPHRASE", "p").keys(keys);
    let endpoint = server.endpoint();
    let place = [
        "--bucket",
        "corso-test",
        "--endpoint",
        endpoint.as_str(),
        "--disable-tls",
    ];
    corso.ok(&[&["repo", "init", "s3"], &place[..]].concat());

    let first = report(
        &corso
            .ok(&["backup", "create", source.to_str().unwrap(), "--json"])
            .stdout,
    );
    assert_eq!(first["errors"], 0, "{first}");
    let second = report(
        &corso
            .ok(&["backup", "create", source.to_str().unwrap(), "--json"])
            .stdout,
    );
    assert_eq!(second["files_read"], 0, "{second}");
    assert_eq!(second["bytes_read"], 0);
    assert_eq!(second["written"]["data_packs"], 0);

    let out = work.path().join("out");
    corso.ok(&[
        "restore",
        "latest",
        "--destination",
        out.to_str().unwrap(),
        "--verify",
    ]);
    let landed = out.join(source.strip_prefix("/").unwrap());
    compare(&source, &landed, root);
    assert_opens_no_source_file(&corso, &source, work.path());
}

fn report(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn rustix_is_root() -> bool {
    corso::fs::is_root()
}

/// Everything that rsync can see is the same, nanoseconds included.
fn compare(source: &Path, landed: &Path, root: bool) {
    let Some(rsync) = find_program("rsync", "CORSO_TEST_RSYNC", "rsync") else {
        return skip("rsync", "there is no rsync");
    };
    let flags = if root { "-aHAXni" } else { "-rlptHAXni" };
    let from = format!("{}/", source.display());
    let to = format!("{}/", landed.display());
    let done = Command::new(rsync)
        .args([
            flags,
            "--checksum",
            "--delete",
            "--modify-window=-1",
            // Longer than rsync can handle; looked at below.
            "--exclude=/deep/aaaa*",
            from.as_str(),
            to.as_str(),
        ])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stderr), "");
    assert_eq!(
        String::from_utf8_lossy(&done.stdout),
        "",
        "rsync would change these"
    );
    shell(
        "cd deep; for n in $(seq 40); do cd aaaa*; done; test \"$(cat bottom)\" = bottom",
        landed,
    );
    // rsync does not compare how much of a file is holes.
    let blocks = |p: &Path| {
        std::os::unix::fs::MetadataExt::blocks(&p.join("sparse/hole").metadata().unwrap())
    };
    assert!(blocks(landed) <= blocks(source) + 16, "the hole was filled");
}

/// An unchanged tree is backed up without opening any of its regular files.
fn assert_opens_no_source_file(corso: &Corso, source: &Path, work: &Path) {
    let Some(strace) = find_program("strace", "CORSO_TEST_STRACE", "strace") else {
        return skip("strace", "there is no strace");
    };
    let log = work.join("strace");
    let program = corso.command(&["backup", "create", source.to_str().unwrap()]);
    let mut traced = Command::new(strace);
    traced
        .args(["-f", "-y", "-e", "trace=openat,openat2,open", "-o"])
        .arg(&log)
        .arg(program.get_program());
    traced
        .args(program.get_args())
        .env_clear()
        .stdin(std::process::Stdio::null());
    for (name, value) in program.get_envs() {
        if let Some(value) = value {
            traced.env(name, value);
        }
    }
    let done = traced.output().unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let text = String::from_utf8_lossy(&std::fs::read(log).unwrap()).into_owned();
    let inside = source.to_str().unwrap();
    let opened: Vec<&str> = text
        .lines()
        .filter(|l| {
            l.contains(inside)
                && !l.contains("O_DIRECTORY")
                && !l.contains("O_PATH")
                && !l.contains("ENOENT")
        })
        .collect();
    assert!(
        opened.is_empty(),
        "{} files were opened, such as {:?}",
        opened.len(),
        opened.first()
    );
}
