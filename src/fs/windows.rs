//! The Windows side of the source, on the standard library alone: attributes, creation time, streams, security
//! descriptors and hardlink identity are not read yet.

use super::meta::{FileState, Owners, Xattrs};
use super::names::Names;
use super::walk::Look;
use crate::error::Result;
use crate::format::{Entry, FileKind, FileTime};
use crate::report::Stop;
use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Opens a reparse point itself instead of what it points to (`FILE_FLAG_OPEN_REPARSE_POINT`).
const OPEN_REPARSE_POINT: u32 = 0x0020_0000;

/// A directory of the source: a real one, or one that stands above drives and shares.
pub struct Dir {
    /// The components so far: `C:`, `Users` or `UNC`, `server`, `share` ...
    parts: Vec<Vec<u8>>,
}

impl Dir {
    /// The directory above all drives and `UNC`.
    pub fn root() -> io::Result<Arc<Dir>> {
        Ok(Arc::new(Dir { parts: Vec::new() }))
    }

    /// Opens the subdirectory `name`.
    pub fn open_dir(self: &Arc<Self>, name: &[u8], follow: bool) -> io::Result<Arc<Dir>> {
        if let Some(path) = self.place(name) {
            let found = if follow {
                std::fs::metadata(path)?
            } else {
                std::fs::symlink_metadata(path)?
            };
            if !found.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
        }
        let mut parts = self.parts.clone();
        parts.push(name.to_vec());
        Ok(Arc::new(Dir { parts }))
    }

    /// Always the same: file systems are not told apart yet.
    pub fn device(&self) -> u64 {
        0
    }

    /// The sorted names in the directory.
    pub fn list(self: &Arc<Self>) -> io::Result<Names> {
        let mut names = Names::default();
        if let Some(path) = verbatim(&self.parts) {
            for entry in std::fs::read_dir(path)? {
                names.push(&os_bytes(&entry?.file_name()))?;
            }
        }
        names.sort();
        Ok(names)
    }

    /// What `name` is; a symlink itself unless `follow`.
    pub fn look(self: &Arc<Self>, name: &[u8], follow: bool, _: &Owners) -> io::Result<Look> {
        let Some(path) = self.place(name) else {
            return Ok(Look::Entry(Box::new(Entry::new(FileKind::Dir))));
        };
        let meta = if follow {
            std::fs::metadata(&path)?
        } else {
            std::fs::symlink_metadata(&path)?
        };
        let mut entry = if meta.is_symlink() {
            let mut entry = Entry::new(FileKind::Symlink);
            entry.link = os_bytes(std::fs::read_link(&path)?.as_os_str());
            entry
        } else if meta.is_dir() {
            Entry::new(FileKind::Dir)
        } else if meta.is_file() {
            Entry::new(FileKind::File)
        } else {
            return Ok(Look::Other("an unknown reparse point"));
        };
        entry.mtime = time(meta.modified());
        entry.win_attributes = Some(meta.file_attributes());
        if entry.kind == FileKind::File {
            entry.size = meta.len();
        }
        Ok(Look::Entry(Box::new(entry)))
    }

    /// Opens the regular file `name` for reading; never follows a reparse point.
    pub fn open_file(self: &Arc<Self>, name: &[u8]) -> io::Result<File> {
        let path = self.place(name).ok_or(io::ErrorKind::NotFound)?;
        OpenOptions::new()
            .read(true)
            .custom_flags(OPEN_REPARSE_POINT)
            .open(path)
    }

    /// Windows has none.
    pub fn xattrs(self: &Arc<Self>, _: &[u8], _: bool, _: &Entry) -> io::Result<Xattrs> {
        Ok(Vec::new())
    }

    /// Where `name` is; `None` for what stands above drives and shares.
    fn place(&self, name: &[u8]) -> Option<PathBuf> {
        let mut parts = self.parts.clone();
        parts.push(name.to_vec());
        verbatim(&parts)
    }
}

/// `\\?\C:\a` or `\\?\UNC\server\share\a`: such a path may be long and its names are taken as they are.
fn verbatim(parts: &[Vec<u8>]) -> Option<PathBuf> {
    let root = match parts {
        [] => return None,
        [unc, rest @ ..] if unc == b"UNC" => (rest.len() >= 2).then_some(3)?,
        _ => 1,
    };
    let mut path = OsString::from(r"\\?");
    for part in parts {
        path.push(r"\");
        path.push(path_from_bytes(part));
    }
    if parts.len() == root {
        path.push(r"\");
    }
    Some(path.into())
}

/// The state of an open file.
pub fn file_state(file: &File) -> io::Result<FileState> {
    let meta: Metadata = file.metadata()?;
    Ok(FileState {
        size: meta.len(),
        allocated: meta.len(),
        mtime: time(meta.modified()),
        ctime: FileTime::default(),
        identity: (0, 0),
        regular: meta.is_file(),
    })
}

/// Holes are not looked for yet.
pub fn extents(_: &File, _: u64, _: usize) -> io::Result<Option<Vec<crate::format::Extent>>> {
    Ok(None)
}

fn time(time: io::Result<SystemTime>) -> FileTime {
    let Ok(time) = time else {
        return FileTime::default();
    };
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => FileTime {
            secs: after.as_secs() as i64,
            nanos: after.subsec_nanos(),
        },
        Err(before) => {
            let before = before.duration();
            let (secs, nanos) = (-(before.as_secs() as i64), before.subsec_nanos());
            if nanos == 0 {
                FileTime { secs, nanos }
            } else {
                FileTime {
                    secs: secs - 1,
                    nanos: 1_000_000_000 - nanos,
                }
            }
        }
    }
}

/// Owners are security identifiers here, which are kept another way.
pub fn owners() -> Owners {
    Owners::default()
}

/// Windows has no root; an administrator's rights show when they are used.
pub fn is_root() -> bool {
    false
}

/// The host's name.
pub fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "unknown".into())
}

/// The user's name.
pub fn user_name() -> String {
    std::env::var("USERNAME").unwrap_or_else(|_| "unknown".into())
}

/// The bytes of a path or name as it goes into a snapshot: WTF-8.
pub fn os_bytes(text: &OsStr) -> Vec<u8> {
    text.as_encoded_bytes().to_vec()
}

/// The path that has these bytes of WTF-8; invalid ones become the replacement character.
pub fn path_from_bytes(bytes: &[u8]) -> PathBuf {
    let mut wide: Vec<u16> = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        let valid = match std::str::from_utf8(rest) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&rest[..error.valid_up_to()]).unwrap_or_default(),
        };
        wide.extend(valid.encode_utf16());
        rest = &rest[valid.len()..];
        rest = match rest {
            [] => rest,
            // A lone surrogate in WTF-8: 1110_1101 101x_xxxx 10xx_xxxx.
            [0xed, b @ 0xa0..=0xbf, c @ 0x80..=0xbf, more @ ..] => {
                wide.push(0xd000 | u16::from(b & 0x3f) << 6 | u16::from(c & 0x3f));
                more
            }
            [_, more @ ..] => {
                wide.push(0xfffd);
                more
            }
        };
    }
    OsString::from_wide(&wide).into()
}

/// Options to open a file that only its owner may read: a profile's folders are private by inheritance.
pub fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    options
}

/// Makes a directory and its missing parents; private where its parent is.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(path)
}

/// A rename is durable without more.
pub fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}

/// There is no such limit.
pub fn raise_open_files_limit() {}

/// Not possible without a console handler, which is not written yet: Ctrl-C ends the process at once.
pub fn install_stop_signals(_: &Stop) -> Result<()> {
    Ok(())
}
