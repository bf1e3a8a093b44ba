//! One open directory and what can be done with a name in it. No operation follows a link.

use crate::format::{Entry, FileKind, FileTime};
use crate::fs::restore::{Found, Placed};
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// An open directory.
pub struct Dir(pub(super) File);

/// Only the owner, until the metadata is applied.
const PRIVATE_DIR: Mode = Mode::RWXU;

impl Dir {
    /// Opens the destination itself, following links in its path.
    pub(super) fn open_root(path: &Path) -> io::Result<Dir> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Dir(File::from(fs::open(path, flags, Mode::empty())?)))
    }

    /// Opens the directory `name`; a link of that name is an error.
    pub fn open_dir(&self, name: &[u8]) -> io::Result<Dir> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Dir(File::from(fs::openat(
            &self.0,
            name,
            flags,
            Mode::empty(),
        )?)))
    }

    /// Creates the directory `name` with mode 0700.
    pub fn make_dir(&self, name: &[u8]) -> io::Result<()> {
        Ok(fs::mkdirat(&self.0, name, PRIVATE_DIR)?)
    }

    /// What is there under `name`; `None` if nothing is.
    pub fn look(&self, name: &[u8]) -> io::Result<Option<Found>> {
        match fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(found(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// What this directory itself is.
    pub fn found(&self) -> io::Result<Found> {
        Ok(found(&fs::fstat(&self.0)?))
    }

    /// Lets the owner into a directory that is there already; its mode is set again at the end.
    pub fn let_owner_in(&self, name: &[u8], mode: u32) -> io::Result<()> {
        let mode = Mode::from_raw_mode((mode | 0o700) as _);
        Ok(fs::chmodat(&self.0, name, mode, AtFlags::empty())?)
    }

    /// Creates an empty file for reading and writing, mode 0600; an existing name is an error.
    pub fn create_file(&self, name: &[u8]) -> io::Result<File> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(fs::openat(
            &self.0,
            name,
            flags,
            Mode::RUSR | Mode::WUSR,
        )?))
    }

    /// Opens a file that [`Self::create_file`] made, for writing.
    pub fn open_write(&self, name: &[u8]) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        regular(File::from(fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    /// Opens a regular file for reading; anything else is an error, and a fifo does not block.
    pub fn open_read(&self, name: &[u8]) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        regular(File::from(fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    /// Makes the symbolic link that `entry` describes.
    pub fn make_symlink(&self, name: &[u8], entry: &Entry) -> io::Result<()> {
        Ok(fs::symlinkat(entry.link.as_slice(), &self.0, name)?)
    }

    /// There are no alternate streams here.
    pub fn create_stream(&self, _: &[u8], _: &[u8]) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes a fifo or a device node with mode 0600; `rdev` is major and minor.
    pub fn make_special(&self, name: &[u8], kind: FileKind, rdev: (u32, u32)) -> io::Result<()> {
        let (kind, dev) = match kind {
            FileKind::Fifo => (FileType::Fifo, 0),
            FileKind::CharDevice => (FileType::CharacterDevice, fs::makedev(rdev.0, rdev.1)),
            FileKind::BlockDevice => (FileType::BlockDevice, fs::makedev(rdev.0, rdev.1)),
            _ => return Err(Errno::INVAL.into()),
        };
        Ok(make_node(self, name, kind, dev)?)
    }

    /// Makes `name` another name of the file `from` in `from_dir`.
    pub fn make_link(&self, from_dir: &Dir, from: &[u8], name: &[u8]) -> io::Result<()> {
        Ok(fs::linkat(
            &from_dir.0,
            from,
            &self.0,
            name,
            AtFlags::empty(),
        )?)
    }

    /// Removes a name that is no directory.
    pub fn remove(&self, name: &[u8]) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Removes an empty directory.
    pub fn remove_dir(&self, name: &[u8]) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Gives the finished `temp` its final name at once. Without `replace`, a name that is taken stays as it is.
    pub fn place(&self, temp: &[u8], name: &[u8], replace: bool) -> io::Result<Placed> {
        if replace {
            fs::renameat(&self.0, temp, &self.0, name)?;
            return Ok(Placed::Done);
        }
        match rename_if_free(self, temp, name) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => self.link_over(temp, name),
            Err(Errno::EXIST) => Ok(Placed::Taken),
            Err(e) => Err(e.into()),
            Ok(()) => Ok(Placed::Done),
        }
    }

    /// Where the file system has no rename that spares an existing name: link, then remove the old name.
    fn link_over(&self, temp: &[u8], name: &[u8]) -> io::Result<Placed> {
        match fs::linkat(&self.0, temp, &self.0, name, AtFlags::empty()) {
            Ok(()) => {
                self.remove(temp)?;
                Ok(Placed::Done)
            }
            Err(Errno::EXIST) => Ok(Placed::Taken),
            // No hard links either (FAT): the check and the rename are two steps there.
            Err(Errno::PERM | Errno::NOTSUP | Errno::NOSYS) if self.look(name)?.is_none() => {
                fs::renameat(&self.0, temp, &self.0, name)?;
                Ok(Placed::Done)
            }
            Err(Errno::PERM | Errno::NOTSUP | Errno::NOSYS) => Ok(Placed::Taken),
            Err(e) => Err(e.into()),
        }
    }

    /// Would a file created here get an ACL from this directory?
    pub fn hands_down_acl(&self) -> bool {
        use xattr::FileExt;
        matches!(self.0.get_xattr("system.posix_acl_default"), Ok(Some(_)))
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_if_free(dir: &Dir, temp: &[u8], name: &[u8]) -> Result<(), Errno> {
    fs::renameat_with(&dir.0, temp, &dir.0, name, fs::RenameFlags::NOREPLACE)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_if_free(_: &Dir, _: &[u8], _: &[u8]) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

#[cfg(not(target_vendor = "apple"))]
fn make_node(dir: &Dir, name: &[u8], kind: FileType, dev: fs::Dev) -> Result<(), Errno> {
    fs::mknodat(&dir.0, name, kind, Mode::RUSR | Mode::WUSR, dev)
}

#[cfg(target_vendor = "apple")]
fn make_node(_: &Dir, _: &[u8], _: FileType, _: fs::Dev) -> Result<(), Errno> {
    Err(Errno::NOTSUP)
}

/// Refuses everything but a regular file.
fn regular(file: File) -> io::Result<File> {
    let kind = FileType::from_raw_mode(fs::fstat(&file)?.st_mode);
    if kind == FileType::RegularFile {
        return Ok(file);
    }
    Err(io::Error::other("it is not a regular file any more"))
}

#[allow(clippy::unnecessary_cast)] // The fields' types differ between platforms.
pub(super) fn found(stat: &fs::Stat) -> Found {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Some(FileKind::File),
        FileType::Directory => Some(FileKind::Dir),
        FileType::Symlink => Some(FileKind::Symlink),
        FileType::Fifo => Some(FileKind::Fifo),
        FileType::CharacterDevice => Some(FileKind::CharDevice),
        FileType::BlockDevice => Some(FileKind::BlockDevice),
        _ => None,
    };
    Found {
        kind,
        size: stat.st_size as u64,
        mtime: FileTime {
            secs: stat.st_mtime as i64,
            nanos: stat.st_mtime_nsec as u32,
        },
        identity: (stat.st_dev as u64, stat.st_ino as u64),
        links: stat.st_nlink as u64,
        mode: stat.st_mode as u32 & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
    }
}

/// Bytes as the string type that the xattr crate takes.
pub(super) fn os(name: &[u8]) -> &std::ffi::OsStr {
    std::ffi::OsStr::from_bytes(name)
}
