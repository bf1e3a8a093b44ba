//! File systems of the test's own: small ones, read-only ones, in a mount namespace that ends with the test.

use crate::support::{Corso, Finished, skip};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A mount namespace, kept open by a process that sleeps.
pub struct Mounts {
    holder: Child,
}

impl Mounts {
    /// None where this process may not have one (suite `mounts`).
    pub fn new() -> Option<Mounts> {
        let tried = Command::new("unshare")
            .args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"])
            .output();
        match tried {
            Ok(output) if output.status.success() => {}
            other => {
                skip("mounts", &format!("no mount namespace: {other:?}"));
                return None;
            }
        }
        let holder = Command::new("unshare")
            .args(["--mount", "sh", "-c", "echo ready; exec sleep 3600"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut mounts = Mounts { holder };
        let mut ready = [0; 5];
        let output = mounts.holder.stdout.as_mut().unwrap();
        std::io::Read::read_exact(output, &mut ready).unwrap();
        Some(mounts)
    }

    /// The program and its arguments, to be run inside.
    fn inside(&self, words: &[&OsStr]) -> Vec<std::ffi::OsString> {
        let id = self.holder.id().to_string();
        let mut all: Vec<std::ffi::OsString> =
            ["--target", &id, "--mount", "--"].map(Into::into).to_vec();
        all.extend(words.iter().map(|w| (*w).to_owned()));
        all
    }

    /// Runs a shell command inside.
    #[track_caller]
    pub fn sh(&self, script: &str) {
        let words = self.inside(&["sh", "-ec", script].map(OsStr::new));
        let output = Command::new("nsenter").args(words).output().unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
    }

    /// A tmpfs of this size at `path`, which becomes a folder.
    pub fn small(&self, path: &Path, size: &str) {
        std::fs::create_dir_all(path).unwrap();
        let path = path.display();
        self.sh(&format!(
            "mount -t tmpfs -o size={size},mode=700 none {path}"
        ));
    }

    /// Changes how `path` is mounted.
    pub fn remount(&self, path: &Path, options: &str) {
        let path = path.display();
        self.sh(&format!("mount -o remount,{options} {path}"));
    }

    /// Runs the program inside.
    pub fn run(&self, corso: &Corso, words: &[&str]) -> Finished {
        let program = [crate::support::PROGRAM]
            .into_iter()
            .chain(words.iter().copied());
        let words = self.inside(&program.map(OsStr::new).collect::<Vec<_>>());
        Corso::finish(corso.command_of("nsenter", &words))
    }

    /// Runs and expects this exit code, and these words on standard error.
    #[track_caller]
    pub fn expect(&self, corso: &Corso, words: &[&str], code: i32, says: &str) -> Finished {
        let finished = self.run(corso, words);
        assert_eq!(finished.code, code, "{words:?}: {finished:#?}");
        assert!(finished.stderr.contains(says), "{words:?}: {finished:#?}");
        finished
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A library that makes reads and writes of files whose paths contain `$EIO_PATH` fail with EIO: those whose names are
/// in `$EIO_CALLS`, after the first `$EIO_AFTER` of them. None without a C compiler (suite `eio`).
pub fn compile_eio(directory: &Path) -> Option<PathBuf> {
    let (source, library) = (directory.join("eio.c"), directory.join("eio.so"));
    std::fs::write(&source, EIO).unwrap();
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .args(["-ldl"])
        .output();
    match compiled {
        Ok(output) if output.status.success() => Some(library),
        other => {
            skip("eio", &format!("no C compiler: {other:?}"));
            None
        }
    }
}

const EIO: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int bad(int fd, const char *call) {
    static int count;
    const char *path = getenv("EIO_PATH"), *calls = getenv("EIO_CALLS"), *after = getenv("EIO_AFTER");
    char link[64], target[4096];
    ssize_t n;
    if (!path || !calls || !strstr(calls, call)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, target, sizeof target - 1);
    if (n < 0) return 0;
    target[n] = 0;
    if (!strstr(target, path)) return 0;
    return __sync_add_and_fetch(&count, 1) > (after ? atoi(after) : 0);
}

#define FAIL(call) if (bad(fd, call)) { errno = EIO; return -1; }
#define REAL(name) static __typeof__(&name) real; if (!real) real = dlsym(RTLD_NEXT, #name);

ssize_t read(int fd, void *b, size_t n) {
    REAL(read) FAIL("read") return real(fd, b, n);
}
ssize_t pread64(int fd, void *b, size_t n, off_t at) {
    REAL(pread64) FAIL("read") return real(fd, b, n, at);
}
ssize_t write(int fd, const void *b, size_t n) {
    REAL(write) FAIL("write") return real(fd, b, n);
}
ssize_t pwrite64(int fd, const void *b, size_t n, off_t at) {
    REAL(pwrite64) FAIL("write") return real(fd, b, n, at);
}
int fsync(int fd) {
    REAL(fsync) FAIL("sync") return real(fd);
}
"#;
