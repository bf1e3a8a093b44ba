//! Paths: from the source's form to the snapshot's, and from there to a place under a destination.
//!
//! The mapping is part of the format; see `corso-format(5)`, PATHS. All rules are pure functions over bytes, so each
//! platform's are testable on every other. Windows names are WTF-8.

mod target;
#[cfg(test)]
mod tests;
mod unix;
mod windows;

pub use target::{component, fold, relative, under};

use crate::error::{Context, Error, Result};
use crate::format::TreePath;
use crate::report::printable;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Whose rules for paths apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Components between slashes; every byte but `/` and zero may be in a name.
    Unix,
    /// Drives, shares and backslashes.
    Windows,
}

impl Platform {
    /// The one that this program runs on.
    pub const HERE: Platform = if cfg!(windows) {
        Platform::Windows
    } else {
        Platform::Unix
    };

    /// From the platform text of a snapshot (`linux`, `windows` ...).
    pub fn of(text: &str) -> Platform {
        if text == "windows" {
            Platform::Windows
        } else {
            Platform::Unix
        }
    }
}

/// A path that is to be backed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Where it goes in the snapshot.
    pub path: TreePath,
    /// Was it written with a trailing slash? Then a symlink in its place is followed, as everywhere on Unix.
    pub follow: bool,
}

impl Source {
    /// From a path as a person gave it, relative to the current directory. Only a path with `..` is looked up in the
    /// file system (up to its last `..`), as `..` means another directory after a symlink.
    pub fn new(given: &OsStr) -> Result<Source> {
        let what = || format!("source {}", printable(given.as_encoded_bytes()));
        Self::resolve(given).context(what)
    }

    fn resolve(given: &OsStr) -> Result<Source> {
        let given = match upto_last_parent(Path::new(given)) {
            None => PathBuf::from(given),
            Some((lookup, rest)) => std::fs::canonicalize(&lookup)
                .context(|| "cannot resolve the path up to \"..\"")?
                .join(rest),
        };
        let bytes = super::os_bytes(given.as_os_str());
        let directory = if is_absolute(&bytes, Platform::HERE) {
            Vec::new()
        } else {
            let current =
                std::env::current_dir().context(|| "cannot find the current directory")?;
            super::os_bytes(current.as_os_str())
        };
        let path = to_tree(&bytes, &directory, Platform::HERE)?;
        Ok(Source {
            path,
            follow: names_directory(&bytes, Platform::HERE),
        })
    }

    /// The absolute path as this platform writes it: what a snapshot's list of sources holds.
    pub fn absolute(&self) -> Vec<u8> {
        to_native(&self.path, Platform::HERE)
    }
}

/// Splits after the last `..`, if there is one.
fn upto_last_parent(path: &Path) -> Option<(PathBuf, PathBuf)> {
    use std::path::Component;
    let parts: Vec<Component<'_>> = path.components().collect();
    let last = parts
        .iter()
        .rposition(|part| *part == Component::ParentDir)?;
    let (lookup, rest) = parts.split_at(last + 1);
    let mut rest: PathBuf = rest.iter().collect();
    // `components` drops a trailing slash, which matters.
    if names_directory(path.as_os_str().as_encoded_bytes(), Platform::HERE)
        && !rest.as_os_str().is_empty()
    {
        rest.push("");
    }
    Some((lookup.iter().collect(), rest))
}

/// Does the path need no current directory?
pub fn is_absolute(path: &[u8], platform: Platform) -> bool {
    match platform {
        Platform::Unix => path.first() == Some(&b'/'),
        Platform::Windows => windows::is_absolute(path),
    }
}

/// Does the path end in a separator or in `.`, so that it means a directory even where a symlink is?
fn names_directory(path: &[u8], platform: Platform) -> bool {
    let separator = |b: &u8| *b == b'/' || (platform == Platform::Windows && *b == b'\\');
    match path {
        [] => false,
        [b'.'] => true,
        [.., before, b'.'] => separator(before),
        [.., last] => separator(last),
    }
}

/// A source path to its place in a snapshot. `directory` is the absolute current directory, unused for an absolute
/// path. `.` goes away; `..` removes the component before it (callers that can look resolve it first).
pub fn to_tree(path: &[u8], directory: &[u8], platform: Platform) -> Result<TreePath> {
    if path.is_empty() {
        return Err(Error::usage("the path is empty"));
    }
    if path.contains(&0) {
        return Err(Error::usage("the path contains a zero byte"));
    }
    match platform {
        Platform::Unix => unix::to_tree(path, directory),
        Platform::Windows => windows::to_tree(path, directory),
    }
}

/// A path in a snapshot as its platform writes it: `/a/b`, `C:\a`, `\\srv\share\a`. The inverse of [`to_tree`].
pub fn to_native(path: &TreePath, platform: Platform) -> Vec<u8> {
    match platform {
        Platform::Unix => path.to_bytes(),
        Platform::Windows => windows::to_native(path),
    }
}

/// What a person types for a path inside a snapshot: `/a/b`, and for a snapshot of Windows also `C:\a\b`, `C:/a/b`,
/// `\\srv\share\a` and `/C:/a/b`. Relative paths and `..` are refused.
pub fn parse_inside(typed: &[u8], platform: Platform) -> Result<TreePath> {
    let refuse = |why: &str| {
        let form = if platform == Platform::Windows {
            "C:\\dir\\file"
        } else {
            "/dir/file"
        };
        let text = format!("{} {why}", printable(typed));
        Err(Error::usage(text).hint(format!(
            "give a path inside the backup in full, such as {form}"
        )))
    };
    if typed.contains(&0) {
        return refuse("contains a zero byte");
    }
    let windows = platform == Platform::Windows;
    let slashed = typed.first() == Some(&b'/');
    let path = if windows && windows::is_absolute(typed) {
        windows::to_tree(typed, b"")?
    } else if slashed {
        let separator = |b: &u8| *b == b'/' || (windows && *b == b'\\');
        let parts = typed
            .split(separator)
            .filter(|part| !matches!(part, [] | [b'.']));
        let mut path = TreePath(parts.map(<[u8]>::to_vec).collect());
        if windows && let Some(drive) = path.0.first_mut().filter(|first| windows::is_drive(first))
        {
            drive.make_ascii_uppercase();
        }
        path
    } else {
        return refuse("is not an absolute path");
    };
    if path.0.iter().any(|part| part == b"..") {
        return refuse("contains \"..\"");
    }
    Ok(path)
}
