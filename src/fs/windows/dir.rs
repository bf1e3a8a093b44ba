//! Directories by path. A path is verbatim (`\\?\C:\a`): of any length below 32,767 units, its names taken as they are.

use super::{handle, os_bytes, path_from_bytes};
use crate::format::{Entry, Extent, FileKind, FileTime};
use crate::fs::meta::{FileState, Owners, Xattrs};
use crate::fs::names::Names;
use crate::fs::walk::Look;
use crate::fs::wire;
use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use windows_sys::Win32::Foundation::{
    ERROR_CALL_NOT_IMPLEMENTED, ERROR_INVALID_FUNCTION, ERROR_INVALID_LEVEL,
    ERROR_INVALID_PARAMETER, ERROR_NOT_SUPPORTED, ERROR_SHARING_VIOLATION,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_READONLY, FILE_FLAG_BACKUP_SEMANTICS,
    FILE_FLAG_OPEN_REPARSE_POINT, FILE_READ_ATTRIBUTES,
};

/// The tag of a symbolic link; see [`wire::MOUNT_POINT`] for the other that is kept.
const SYMLINK: u32 = 0xa000_000c;
/// Set in the tag of what stands for another file, as links do (Microsoft, `IsReparseTagNameSurrogate`).
const NAME_SURROGATE: u32 = 0x2000_0000;

/// A directory of the source: a real one, or one that stands above drives and shares.
pub struct Dir {
    /// The components so far: `C:`, `Users` or `UNC`, `server`, `share` ...
    parts: Vec<Vec<u8>>,
    /// The volume's serial number; 0 above drives.
    device: u64,
}

impl Dir {
    /// The directory above all drives and `UNC`.
    pub fn root() -> io::Result<Arc<Dir>> {
        Ok(Arc::new(Dir {
            parts: Vec::new(),
            device: 0,
        }))
    }

    /// Opens the subdirectory `name`; a link or junction is an error unless `follow`.
    pub fn open_dir(self: &Arc<Self>, name: &[u8], follow: bool) -> io::Result<Arc<Dir>> {
        let mut device = 0;
        if let Some(path) = self.place(name) {
            let info = handle::info(&meta_handle(&path, follow)?)?;
            if info.attributes & FILE_ATTRIBUTE_DIRECTORY == 0 || info.tag & NAME_SURROGATE != 0 {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            device = info.identity.0;
        }
        let mut parts = self.parts.clone();
        parts.push(name.to_vec());
        Ok(Arc::new(Dir { parts, device }))
    }

    /// The volume that holds the directory.
    pub fn device(&self) -> u64 {
        self.device
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

    /// What `name` is; a link or junction itself unless `follow`.
    pub fn look(self: &Arc<Self>, name: &[u8], follow: bool, _: &Owners) -> io::Result<Look> {
        let Some(path) = self.place(name) else {
            return Ok(Look::Entry(Box::new(Entry::new(FileKind::Dir))));
        };
        let info = match meta_handle(&path, follow) {
            Ok(file) => handle::info(&file)?,
            // Windows keeps some of its own files (the paging file) closed even to this; a listing still tells.
            Err(e) if handle::is(&e, ERROR_SHARING_VIOLATION) => {
                from_listing(&std::fs::symlink_metadata(&path)?)
            }
            Err(e) => return Err(e),
        };
        let Some(kind) = kind(&info) else {
            return Ok(Look::Other("an unknown kind of reparse point"));
        };
        let mut entry = entry(kind, &info);
        if matches!(kind, FileKind::Symlink | FileKind::Junction) {
            entry.link = os_bytes(std::fs::read_link(&path)?.as_os_str());
        }
        Ok(Look::Entry(Box::new(entry)))
    }

    /// Opens the regular file `name` for reading; never follows a link.
    pub fn open_file(self: &Arc<Self>, name: &[u8]) -> io::Result<File> {
        let path = self.place(name).ok_or(io::ErrorKind::NotFound)?;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
            .open(&path)?;
        let info = handle::info(&file)?;
        // Files that the system compresses, deduplicates or keeps in a cloud are reparse points as well: only opened
        // as what they stand for do they give their content.
        match info.tag {
            0 => Ok(file),
            tag if tag & NAME_SURROGATE != 0 => Err(io::Error::other("a link has taken its place")),
            _ => File::open(path),
        }
    }

    /// Windows has none.
    pub fn xattrs(self: &Arc<Self>, _: &[u8], _: bool, _: &Entry) -> io::Result<Xattrs> {
        Ok(Vec::new())
    }

    /// The names of the alternate streams of `name`, sorted; none where the file system has none.
    pub fn streams(self: &Arc<Self>, name: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let Some(path) = self.place(name) else {
            return Ok(Vec::new());
        };
        let info = match handle::stream_info(&meta_handle(&path, false)?) {
            Ok(info) => info,
            Err(e) if has_no_streams(&e) => return Ok(Vec::new()),
            Err(e) => return Err(e),
        };
        let names = wire::stream_names(&info)
            .ok_or_else(|| io::Error::other("the system's list of streams makes no sense"))?;
        Ok(names
            .iter()
            .map(|name| os_bytes(&OsString::from_wide(name)))
            .collect())
    }

    /// Opens the alternate stream `stream` of `name` for reading.
    pub fn open_stream(self: &Arc<Self>, name: &[u8], stream: &[u8]) -> io::Result<File> {
        let path = self.place(name).ok_or(io::ErrorKind::NotFound)?;
        let mut path = path.into_os_string();
        path.push(":");
        path.push(path_from_bytes(stream));
        File::open(path)
    }

    /// Where `name` is; `None` for what stands above drives and shares.
    fn place(&self, name: &[u8]) -> Option<PathBuf> {
        let mut parts = self.parts.clone();
        parts.push(name.to_vec());
        verbatim(&parts)
    }
}

/// Opens a file, directory, link or junction for its metadata alone, which no one else's lock prevents.
pub fn meta_handle(path: &Path, follow: bool) -> io::Result<File> {
    let link = if follow {
        0
    } else {
        FILE_FLAG_OPEN_REPARSE_POINT
    };
    OpenOptions::new()
        .access_mode(FILE_READ_ATTRIBUTES)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | link)
        .open(path)
}

/// `\\?\C:\a` or `\\?\UNC\server\share\a`.
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

/// The kind; `None` for what stands for something that is not known here.
pub fn kind(info: &handle::Info) -> Option<FileKind> {
    match info.tag {
        SYMLINK => Some(FileKind::Symlink),
        wire::MOUNT_POINT => Some(FileKind::Junction),
        tag if tag & NAME_SURROGATE != 0 => None,
        _ if info.attributes & FILE_ATTRIBUTE_DIRECTORY != 0 => Some(FileKind::Dir),
        _ => Some(FileKind::File),
    }
}

fn entry(kind: FileKind, info: &handle::Info) -> Entry {
    let mut entry = Entry::new(kind);
    // What a restore on Unix gives it.
    entry.mode = match (kind, info.attributes & FILE_ATTRIBUTE_READONLY) {
        (FileKind::File, 0) => 0o644,
        (FileKind::File, _) => 0o444,
        _ => 0o755,
    };
    entry.mtime = info.written;
    entry.ctime = info.changed;
    entry.created = Some(info.created);
    entry.win_attributes = Some(info.attributes);
    (entry.device, entry.inode) = info.identity;
    if kind == FileKind::File {
        entry.size = info.size;
        entry.hardlink = (info.links > 1).then_some(info.identity);
    }
    entry
}

/// What a listing of the directory tells: all but the identity.
fn from_listing(meta: &Metadata) -> handle::Info {
    handle::Info {
        attributes: meta.file_attributes(),
        // A link is never locked.
        tag: 0,
        created: super::times::from_ticks(meta.creation_time() as i64),
        written: super::times::from_ticks(meta.last_write_time() as i64),
        changed: FileTime::default(),
        size: meta.file_size(),
        links: 1,
        identity: (0, 0),
    }
}

/// FAT, network drives and Wine have no streams, and say so in several ways.
fn has_no_streams(error: &io::Error) -> bool {
    [
        ERROR_CALL_NOT_IMPLEMENTED,
        ERROR_INVALID_FUNCTION,
        ERROR_INVALID_LEVEL,
        ERROR_INVALID_PARAMETER,
        ERROR_NOT_SUPPORTED,
    ]
    .iter()
    .any(|number| handle::is(error, *number))
}

/// The state of an open file.
pub fn file_state(file: &File) -> io::Result<FileState> {
    let info = handle::info(file)?;
    Ok(FileState {
        size: info.size,
        allocated: info.size,
        mtime: info.written,
        ctime: info.changed,
        identity: info.identity,
        regular: kind(&info) == Some(FileKind::File),
    })
}

/// Holes are stored as zeros, which compress to nothing.
pub fn extents(_: &File, _: u64, _: usize) -> io::Result<Option<Vec<Extent>>> {
    Ok(None)
}
