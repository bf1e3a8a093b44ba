//! The target on Windows, on the standard library alone. Links are looked for before every step, not excluded by the
//! system as on Unix: a restore into a folder that somebody hostile can write to is not safe here.

use super::{Applied, Found, Meta, Placed, Policy};
use crate::error::{Context, Error, Result};
use crate::format::{FileKind, FileTime, TreePath};
use crate::fs::path::{self, Platform};
use std::fs::{File, FileTimes, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Open a reparse point itself (Microsoft, CreateFileW).
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
const FILE_ATTRIBUTE_REPARSE_POINT: u32 = 0x400;
/// 100 ns intervals from 1601-01-01 to 1970-01-01 (Microsoft, FILETIME).
const EPOCH: i64 = 116_444_736_000_000_000;

/// Every file that can be opened for writing counts as ours.
pub fn is_own(_: &Found) -> bool {
    true
}

/// Extended attributes do not exist here.
pub fn is_unsupported(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

/// Writes all of `bytes` at `pos`.
pub fn write_all_at(file: &File, mut bytes: &[u8], mut pos: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = file.seek_write(bytes, pos)?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(n..).unwrap_or_default();
        pos += n as u64;
    }
    Ok(())
}

/// Fills `bytes` from `pos`; a file that ends earlier is an error.
pub fn read_exact_at(file: &File, bytes: &mut [u8], mut pos: u64) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let n = file.seek_read(rest, pos)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        rest = rest.get_mut(n..).unwrap_or_default();
        pos += n as u64;
    }
    Ok(())
}

/// The destination of a restore.
pub struct Target {
    root: PathBuf,
    from: Platform,
}

impl Target {
    /// Opens the destination folder, creating it and its parents where they are missing.
    pub fn create(at: &Path, from: Platform) -> Result<Target> {
        std::fs::create_dir_all(at)
            .context(|| format!("creating the destination {}", at.display()))?;
        Target::open_or_absent(at, from)
    }

    /// Opens the destination folder; if there is nothing of that name, everything in it is absent too.
    pub fn open_or_absent(at: &Path, from: Platform) -> Result<Target> {
        // The canonical form is a verbatim path, which has no length limit of 260 characters.
        let root = std::fs::canonicalize(at).unwrap_or_else(|_| at.to_path_buf());
        Ok(Target { root, from })
    }

    /// The name here of component `part` of a snapshot's path, which has `depth` components before it. Refuses what
    /// cannot be a file name, and what would lead out of its directory.
    pub fn name<'a>(&self, depth: usize, part: &'a [u8]) -> Result<&'a [u8]> {
        path::component(depth, part, self.from, Platform::HERE)
    }

    /// The directory for snapshot path `at`. With `make`, missing directories are created.
    pub fn dir(&self, at: &TreePath, make: bool) -> Result<Arc<Dir>> {
        self.walk(at, make)?
            .ok_or_else(|| Error::failed("its directory is not there"))
    }

    /// Like [`Self::dir`]; `None` if a component is missing.
    pub fn dir_if_there(&self, at: &TreePath) -> Result<Option<Arc<Dir>>> {
        self.walk(at, false)
    }

    fn walk(&self, at: &TreePath, make: bool) -> Result<Option<Arc<Dir>>> {
        let mut path = self.root.clone();
        for (depth, part) in at.0.iter().enumerate() {
            path.push(text(self.name(depth, part)?)?);
            match std::fs::symlink_metadata(&path) {
                Ok(meta) if kind(&meta) == Some(FileKind::Dir) => {}
                Ok(_) => {
                    return Err(Error::failed(format!("{} is no directory", path.display()))
                        .hint("a file or link is in its place; move it away"));
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound && make => {
                    std::fs::create_dir(&path).context(|| "creating a directory")?;
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(e) => return Err(Error::io("opening its directory", e)),
            }
        }
        Ok(Some(Arc::new(Dir(path))))
    }
}

/// One directory.
pub struct Dir(PathBuf);

impl Dir {
    fn at(&self, name: &[u8]) -> io::Result<PathBuf> {
        let name =
            text(name).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e.message()))?;
        Ok(self.0.join(name))
    }

    /// What is there under `name`; `None` if nothing is.
    pub fn look(&self, name: &[u8]) -> io::Result<Option<Found>> {
        match std::fs::symlink_metadata(self.at(name)?) {
            Ok(meta) => Ok(Some(found(&meta))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Creates the directory `name`.
    pub fn make_dir(&self, name: &[u8]) -> io::Result<()> {
        std::fs::create_dir(self.at(name)?)
    }

    /// Directories have no mode here.
    pub fn let_owner_in(&self, _: &[u8], _: u32) -> io::Result<()> {
        Ok(())
    }

    /// Creates an empty file for reading and writing; an existing name is an error.
    pub fn create_file(&self, name: &[u8]) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        options.open(self.at(name)?)
    }

    /// Opens a file that [`Self::create_file`] made, for writing.
    pub fn open_write(&self, name: &[u8]) -> io::Result<File> {
        self.open(name, true)
    }

    /// Opens a regular file for reading; anything else is an error.
    pub fn open_read(&self, name: &[u8]) -> io::Result<File> {
        self.open(name, false)
    }

    fn open(&self, name: &[u8], write: bool) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(write)
            .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
        let file = options.open(self.at(name)?)?;
        match kind(&file.metadata()?) {
            Some(FileKind::File) => Ok(file),
            _ => Err(io::Error::other("it is not a regular file any more")),
        }
    }

    /// Makes a symbolic link to a file.
    pub fn make_symlink(&self, name: &[u8], target: &[u8]) -> io::Result<()> {
        let target = std::str::from_utf8(target)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        std::os::windows::fs::symlink_file(target, self.at(name)?)
    }

    /// There are no fifos and device nodes here.
    pub fn make_special(&self, _: &[u8], _: FileKind, _: (u32, u32)) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes `name` another name of the file `from` in `from_dir`.
    pub fn make_link(&self, from_dir: &Dir, from: &[u8], name: &[u8]) -> io::Result<()> {
        std::fs::hard_link(from_dir.at(from)?, self.at(name)?)
    }

    /// Removes a name that is no directory.
    pub fn remove(&self, name: &[u8]) -> io::Result<()> {
        std::fs::remove_file(self.at(name)?)
    }

    /// Removes an empty directory.
    pub fn remove_dir(&self, name: &[u8]) -> io::Result<()> {
        std::fs::remove_dir(self.at(name)?)
    }

    /// Gives the finished `temp` its final name. Without `replace`, a name that is taken stays as it is.
    pub fn place(&self, temp: &[u8], name: &[u8], replace: bool) -> io::Result<Placed> {
        if !replace && self.look(name)?.is_some() {
            return Ok(Placed::Taken);
        }
        std::fs::rename(self.at(temp)?, self.at(name)?)?;
        Ok(Placed::Done)
    }

    /// There are no ACLs of this kind here.
    pub fn hands_down_acl(&self) -> bool {
        false
    }

    /// Applies the time of `meta` to an open file.
    pub fn apply_file(&self, file: &File, meta: &Meta, _: Policy, _: bool) -> Result<Applied> {
        let times = FileTimes::new().set_modified(system_time(meta.mtime));
        file.set_times(times)
            .context(|| "setting the modification time")?;
        Ok(Applied::default())
    }

    /// Directory times need a handle that the standard library does not give; they stay as they are.
    pub fn apply_self(&self, _: &Meta, _: Policy) -> Result<Applied> {
        Ok(Applied::default())
    }

    /// Links have no metadata to apply.
    pub fn apply_name(&self, _: &[u8], _: FileKind, _: &Meta, _: Policy) -> Result<Applied> {
        Ok(Applied::default())
    }
}

/// A name that is valid UTF-8; unpaired surrogates are refused.
fn text(name: &[u8]) -> Result<&str> {
    std::str::from_utf8(name).map_err(|_| {
        let shown = crate::report::printable(name);
        Error::failed(format!("{shown:?} cannot be a file name on this system"))
    })
}

fn kind(meta: &Metadata) -> Option<FileKind> {
    let kind = meta.file_type();
    match () {
        _ if kind.is_symlink() => Some(FileKind::Symlink),
        _ if meta.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0 => Some(FileKind::Junction),
        _ if kind.is_dir() => Some(FileKind::Dir),
        _ if kind.is_file() => Some(FileKind::File),
        _ => None,
    }
}

fn found(meta: &Metadata) -> Found {
    let ticks = (meta.last_write_time() as i64).saturating_sub(EPOCH);
    Found {
        kind: kind(meta),
        size: meta.file_size(),
        mtime: FileTime {
            secs: ticks.div_euclid(10_000_000),
            nanos: (ticks.rem_euclid(10_000_000) * 100) as u32,
        },
        // Unknown without opening the file: no two files are taken for the same.
        identity: unknown_identity(),
        links: 1,
        mode: 0,
        uid: 0,
        gid: 0,
    }
}

fn unknown_identity() -> (u64, u64) {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    (u64::MAX, NEXT.fetch_add(1, Ordering::Relaxed))
}

fn system_time(time: FileTime) -> SystemTime {
    let part = Duration::from_nanos(u64::from(time.nanos));
    let whole = Duration::from_secs(time.secs.unsigned_abs());
    let base = match time.secs < 0 {
        true => UNIX_EPOCH.checked_sub(whole),
        false => UNIX_EPOCH.checked_add(whole),
    };
    base.and_then(|t| t.checked_add(part)).unwrap_or(UNIX_EPOCH)
}
