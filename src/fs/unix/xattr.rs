//! Reading extended attributes without following a symlink and without opening the file where `/proc` is there.

use crate::format::FileKind;
use crate::fs::meta::{MAX_XATTRS, Xattrs};
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, Result};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// One way to name the file to the kernel.
enum Target {
    /// `/proc/self/fd/N/name`: works for every kind of file, symlinks and devices too.
    Path { path: CString, follow: bool },
    /// An open file.
    Open(OwnedFd),
}

/// The attributes of `name` in the directory `at`, sorted by name.
pub fn read(at: impl AsFd, name: &[u8], follow: bool, kind: FileKind) -> io::Result<Xattrs> {
    if cfg!(any(target_os = "linux", target_os = "android")) {
        let mut path = format!("/proc/self/fd/{}/", at.as_fd().as_raw_fd()).into_bytes();
        path.extend_from_slice(name);
        match read_all(&Target::Path {
            path: CString::new(path)?,
            follow,
        }) {
            // The file is gone, or /proc is not mounted.
            Err(Errno::NOENT) => {}
            done => return Ok(done?),
        }
    }
    match open(at.as_fd(), name, follow, kind)? {
        Some(file) => Ok(read_all(&Target::Open(file))?),
        None => Ok(Vec::new()),
    }
}

/// Opens what can be opened without effect: files and directories.
fn open(
    at: BorrowedFd<'_>,
    name: &[u8],
    follow: bool,
    kind: FileKind,
) -> io::Result<Option<OwnedFd>> {
    if !matches!(kind, FileKind::File | FileKind::Dir) {
        return Ok(None);
    }
    let link = if follow {
        OFlags::empty()
    } else {
        OFlags::NOFOLLOW
    };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | link;
    Ok(Some(rustix::fs::openat(at, name, flags, Mode::empty())?))
}

fn read_all(target: &Target) -> Result<Xattrs> {
    let mut buffer = [0; 512];
    let names = match target.list(&mut buffer) {
        Ok(0) | Err(Errno::NOTSUP) => return Ok(Vec::new()),
        Ok(len) => buffer.get(..len).unwrap_or_default().to_vec(),
        Err(Errno::RANGE) => grow(|buffer| target.list(buffer))?,
        Err(error) => return Err(error),
    };
    let mut total = names.len();
    let mut found = Vec::new();
    for name in names.split(|b| *b == 0).filter(|name| !name.is_empty()) {
        match grow(|buffer| target.get(name, buffer)) {
            Ok(value) => {
                total += value.len();
                found.push((name.to_vec(), value));
            }
            // Removed since it was listed, or listed by a file system that cannot give it.
            Err(Errno::NODATA | Errno::NOTSUP) => {}
            Err(error) => return Err(error),
        }
        if total > MAX_XATTRS {
            return Err(Errno::TOOBIG);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Calls `fill` with ever larger buffers until its answer fits.
fn grow(fill: impl Fn(&mut [u8]) -> Result<usize>) -> Result<Vec<u8>> {
    let mut buffer = vec![0; 1024];
    loop {
        match fill(&mut buffer) {
            Ok(len) => {
                buffer.truncate(len);
                return Ok(buffer);
            }
            Err(Errno::RANGE) if buffer.len() < MAX_XATTRS => buffer.resize(buffer.len() * 8, 0),
            Err(Errno::RANGE) => return Err(Errno::TOOBIG),
            Err(error) => return Err(error),
        }
    }
}

impl Target {
    fn list(&self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Target::Path { path, follow: true } => rustix::fs::listxattr(path, buffer),
            Target::Path {
                path,
                follow: false,
            } => rustix::fs::llistxattr(path, buffer),
            Target::Open(fd) => rustix::fs::flistxattr(fd, buffer),
        }
    }

    fn get(&self, name: &[u8], buffer: &mut [u8]) -> Result<usize> {
        match self {
            Target::Path { path, follow: true } => rustix::fs::getxattr(path, name, buffer),
            Target::Path {
                path,
                follow: false,
            } => rustix::fs::lgetxattr(path, name, buffer),
            Target::Open(fd) => rustix::fs::fgetxattr(fd, name, buffer),
        }
    }
}
