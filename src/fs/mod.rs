//! The source and target side: the one place for the platform.
//!
//! [`walk`] reads a source tree in the order of the snapshot's tree; [`filter`] says what to leave out; [`read`] reads
//! one file; [`path`] maps paths of this and other platforms to those in a snapshot and back. What differs between
//! platforms is in `unix` and `windows`, which offer the same functions.

pub mod filter;
mod input;
pub mod meta;
mod names;
pub mod path;
pub mod read;
pub mod restore;
pub mod walk;
#[cfg(any(windows, test))]
mod wire;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as sys;
#[cfg(windows)]
use windows as sys;

pub use input::stdin;
pub use sys::{
    host_name, install_stop_signals, is_root, os_bytes, path_from_bytes, raise_open_files_limit,
    user_name,
};

use crate::error::{Context, Error, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// The platform's name as snapshots keep it: `linux`, `macos`, `windows`, `freebsd` ...
pub fn platform() -> &'static str {
    std::env::consts::OS
}

/// The users and groups of this host.
pub fn owners() -> meta::Owners {
    sys::owners()
}

/// Options to open a file for writing that only its owner may read (mode 0600 on Unix, set when it is made).
/// Add `create_new`, `create`, `truncate` or `append` as needed.
pub fn private_file() -> OpenOptions {
    sys::private_file()
}

/// Makes a directory that only its owner may enter (mode 0700 on Unix), and its missing parents likewise; one that
/// is there already is left as it is.
pub fn create_private_dir(path: &Path) -> Result<()> {
    sys::create_private_dir(path).context(|| format!("creating the directory {}", path.display()))
}

/// Replaces the file at `path` by one with this content that only its owner may read: a temporary file beside it,
/// flushed to disk, then renamed. A symlink at `path` stays and its target is replaced.
pub fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let what = || format!("writing {}", path.display());
    let name = path
        .file_name()
        .ok_or_else(|| Error::failed("not the name of a file").context(what()))?;
    let parent = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}.tmp", crate::id::Id16::random()?.short()));
    let temporary = parent.join(temporary);
    let done = (|| {
        let mut file: File = private_file().create_new(true).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        drop(file);
        std::fs::rename(&temporary, path)?;
        sys::sync_dir(parent)
    })();
    if done.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    done.context(what)
}

#[cfg(test)]
mod tests;
