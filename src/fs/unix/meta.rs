//! From an inode to an entry.
// The widths of `Stat`'s fields differ between platforms.
#![allow(clippy::unnecessary_cast)]

use crate::format::{Entry, FileKind, FileTime};
use crate::fs::meta::{FileState, Owners};
use rustix::fs::{FileType, Stat};

/// Device and inode.
pub fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

/// The kind; `None` for what is not kept (sockets).
pub fn kind(stat: &Stat) -> Option<FileKind> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Some(FileKind::File),
        FileType::Directory => Some(FileKind::Dir),
        FileType::Symlink => Some(FileKind::Symlink),
        FileType::Fifo => Some(FileKind::Fifo),
        FileType::CharacterDevice => Some(FileKind::CharDevice),
        FileType::BlockDevice => Some(FileKind::BlockDevice),
        _ => None,
    }
}

/// The entry of an inode, with neither link target nor content.
pub fn entry(kind: FileKind, stat: &Stat, owners: &Owners) -> Entry {
    let mut entry = Entry::new(kind);
    entry.mode = stat.st_mode as u32 & 0o7777;
    entry.uid = stat.st_uid;
    entry.gid = stat.st_gid;
    entry.user = owners.user(stat.st_uid).to_vec();
    entry.group = owners.group(stat.st_gid).to_vec();
    entry.mtime = time(stat.st_mtime as i64, stat.st_mtime_nsec as i64);
    entry.ctime = time(stat.st_ctime as i64, stat.st_ctime_nsec as i64);
    (entry.device, entry.inode) = identity(stat);
    if kind == FileKind::File {
        entry.size = stat.st_size as u64;
    }
    if kind != FileKind::Dir && stat.st_nlink > 1 {
        entry.hardlink = Some(identity(stat));
    }
    if matches!(kind, FileKind::CharDevice | FileKind::BlockDevice) {
        entry.rdev = (
            rustix::fs::major(stat.st_rdev) as u32,
            rustix::fs::minor(stat.st_rdev) as u32,
        );
    }
    entry
}

/// The state of an open file.
pub fn state(stat: &Stat) -> FileState {
    FileState {
        size: stat.st_size as u64,
        // st_blocks counts units of 512 bytes whatever the file system's block size is.
        allocated: (stat.st_blocks as u64).saturating_mul(512),
        mtime: time(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
        ctime: time(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        identity: identity(stat),
        regular: FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile,
    }
}

/// Some network file systems give nanoseconds out of range: they are cut to it.
fn time(secs: i64, nanos: i64) -> FileTime {
    FileTime {
        secs,
        nanos: nanos.clamp(0, 999_999_999) as u32,
    }
}
