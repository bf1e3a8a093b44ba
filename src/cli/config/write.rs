//! Replacing the configuration file: private, and whole or not at all.

use crate::error::{Context, Error, Result};
use crate::id::Id16;
use crate::report::printable;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes `text` to `path` through a temporary file beside it, with mode 0600. A symbolic link stays one; its
/// target is replaced.
pub fn replace(path: &Path, text: &str) -> Result<()> {
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let shown = printable(path.as_os_str().as_encoded_bytes());
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", Id16::random()?.short()));
    let temporary = path.with_file_name(name);
    let written = create(&temporary)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
        })
        .and_then(|()| std::fs::rename(&temporary, &path));
    written.map_err(|e| {
        // Best effort: the first failure is the one to report.
        let _ = std::fs::remove_file(&temporary);
        Error::io(format!("writing the configuration file {shown}"), e)
            .hint("mend the folder's permissions, set CORSO_CONFIG_DIR, or name another file with --config-file")
    })
}

/// Moves the file at `path` to the first free name of `path.old`, `path.old.1`, ...
pub fn set_aside(path: &Path) -> Result<PathBuf> {
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let shown = printable(path.as_os_str().as_encoded_bytes());
    for n in 0..1000 {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(if n == 0 {
            ".old".to_owned()
        } else {
            format!(".old.{n}")
        });
        let aside = path.with_file_name(name);
        // Claiming the name first means that two runs at once never overwrite each other's copy.
        if create(&aside).is_ok() {
            let moved = std::fs::rename(&path, &aside);
            return moved
                .context(|| format!("setting aside the configuration file {shown}"))
                .map(|()| aside);
        }
    }
    Err(Error::failed(format!(
        "cannot set aside the configuration file {shown}"
    )))
}

#[cfg(unix)]
fn create(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

#[cfg(not(unix))]
fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}
