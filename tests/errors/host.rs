//! Faults of this host: a wrong clock, and a user who may not read or write.

use super::support::{Corso, Finished, PROGRAM, Rclone, S3Options, S3Server, skip, temp_dir};
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Preloaded, it shifts what the program takes for the time.
const SHIFTED_CLOCK: &str = r"
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += SHIFT;
    return result;
}
";

fn compile_clock(directory: &Path, shift: &str) -> Option<PathBuf> {
    let (source, library) = (directory.join("clock.c"), directory.join("clock.so"));
    std::fs::write(&source, SHIFTED_CLOCK).unwrap();
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", &format!("-DSHIFT={shift}"), "-o"])
        .args([&library, &source])
        .output();
    match compiled {
        Ok(output) if output.status.success() => Some(library),
        other => {
            skip("clock", &format!("no C compiler: {other:?}"));
            None
        }
    }
}

/// Servers refuse requests whose time is 15 minutes off; the program learns the server's time from the refusal.
#[test]
fn a_wrong_clock_is_corrected() {
    let directory = temp_dir();
    for shift in ["7200", "-7200"] {
        let Some(clock) = compile_clock(directory.path(), shift) else {
            return;
        };
        let server = S3Server::start(S3Options::default());
        main_job(&server.endpoint(), server.keys(), &clock);
        let refused = server.log().iter().filter(|r| r.status == 403).count();
        assert!(refused > 0, "the server checks the time");
        if let Some(rclone) = Rclone::start(&["corso-test"]) {
            main_job(&rclone.endpoint(), rclone.keys(), &clock);
        }
    }
}

fn main_job(endpoint: &str, keys: &super::support::Keys, clock: &Path) {
    let corso = Corso::new()
        .env("LD_PRELOAD", clock)
        .env("CORSO_PASSPHRASE", "p")
        .keys(keys);
    let init = "repo init s3 --bucket corso-test --disable-tls --endpoint";
    corso.ok(&init.split(' ').chain([endpoint]).collect::<Vec<_>>());
    std::fs::write(corso.home().join("file"), "content").unwrap();
    corso.ok(&["backup", "create", "file"]);
    corso.ok(&["restore", "latest", "--destination", "out"]);
}

/// Root may read and write everything: another user runs the program here.
#[test]
fn another_user_may_not() {
    let directory = temp_dir();
    let root = directory.path();
    std::fs::set_permissions(root, Permissions::from_mode(0o755)).unwrap();
    let run = |words: &[&str], env: &[(&str, &Path)]| as_nobody(root, words, env);
    std::fs::copy(PROGRAM, root.join("corso")).unwrap();
    match run(&["--version"], &[]) {
        Ok(finished) if finished.code == 0 => {}
        other => return skip("nobody", &format!("cannot become another user: {other:?}")),
    }
    let credentials = root.join("credentials");
    std::fs::write(&credentials, "[default]\naws_access_key_id=a\n").unwrap();
    std::fs::set_permissions(&credentials, Permissions::from_mode(0o600)).unwrap();
    let said = run(
        &["repo", "init", "s3", "--bucket", "corso-test"],
        &[("AWS_SHARED_CREDENTIALS_FILE", &credentials)],
    )
    .unwrap();
    assert_eq!(said.code, 13, "{said:#?}");
    let expected = "names, cannot be read: Permission denied (os error 13)";
    assert!(said.stderr.contains(expected), "{said:#?}");

    let folder = root.join("folder");
    std::fs::create_dir(&folder).unwrap();
    let init = [
        "repo",
        "init",
        "filesystem",
        "--path",
        folder.to_str().unwrap(),
    ];
    let said = run(&init, &[]).unwrap();
    assert_eq!(said.code, 13, "{said:#?}");
    let expected = "the user that runs Corso needs to read and write the repository's folder";
    assert!(said.stderr.contains(expected), "{said:#?}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);

    // What cannot be read is no backup's end, and no silence.
    let (repo, source) = (root.join("repo"), root.join("source"));
    for mine in [&repo, &source] {
        std::fs::create_dir(mine).unwrap();
        chown(mine, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    std::fs::write(source.join("open"), "x").unwrap();
    std::fs::write(source.join("closed"), "y").unwrap();
    std::fs::set_permissions(source.join("closed"), Permissions::from_mode(0o600)).unwrap();
    let init = [
        "repo",
        "init",
        "filesystem",
        "--path",
        repo.to_str().unwrap(),
    ];
    assert_eq!(run(&init, &[]).unwrap().code, 0);
    let said = run(&["backup", "create", source.to_str().unwrap()], &[]).unwrap();
    assert_eq!(said.code, 3, "{said:#?}");
    assert!(said.stderr.contains("source/closed"), "{said:#?}");
}

const NOBODY: u32 = 65534;

/// Runs the copy of the program in `root` as nobody, with a home of its own there.
fn as_nobody(root: &Path, words: &[&str], env: &[(&str, &Path)]) -> std::io::Result<Finished> {
    let home = root.join("home");
    if !home.exists() {
        std::fs::create_dir(&home)?;
        chown(&home, Some(NOBODY), Some(NOBODY))?;
    }
    let id = NOBODY.to_string();
    let program = root.join("corso");
    let mut all = vec!["--reuid", &id, "--regid", &id, "--clear-groups"];
    all.push(program.to_str().unwrap());
    all.extend(words);
    let mut corso = Corso::new().env("CORSO_PASSPHRASE", "p");
    for (name, value) in env {
        corso.set(name, value);
    }
    Command::new("setpriv").arg("--version").output()?;
    let mut command = corso.command_of("setpriv", &all);
    command.env("HOME", &home).current_dir(&home);
    Ok(Corso::finish(command))
}
