//! The target side of a restore: a directory tree that is written to without ever following a symbolic link in it.
//!
//! [`Target`] is the destination folder. [`Dir`] is one open directory below it; every operation names a single
//! component inside an open directory, so nothing that somebody else does to the tree meanwhile (a directory swapped
//! for a link) can lead a write outside of it.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use unix::{Dir, Target, is_own, is_unsupported, read_exact_at, write_all_at};
#[cfg(windows)]
pub use windows::{Dir, Target, is_own, is_unsupported, read_exact_at, write_all_at};

use crate::error::{Error, Result};
use crate::format::{FileKind, FileTime, TreePath};
use crate::fs::path::{self, Platform};
use std::io;
use std::sync::Arc;

impl Target {
    /// The name here of component `part` of a snapshot's path, which has `depth` components before it. Refuses what
    /// cannot be a file name, and what would lead out of its directory.
    pub fn name<'a>(&self, depth: usize, part: &'a [u8]) -> Result<&'a [u8]> {
        path::component(depth, part, self.from, Platform::HERE)
    }

    /// The directory for snapshot path `at`. With `make`, missing directories are created, for the user alone where
    /// the system can.
    ///
    /// Errors name the component that is in the way.
    pub fn dir(&self, at: &TreePath, make: bool) -> Result<Arc<Dir>> {
        self.walk(at, make)?
            .ok_or_else(|| Error::failed("its directory is not there"))
    }

    /// Like [`Self::dir`]; `None` if a component is missing.
    pub fn dir_if_there(&self, at: &TreePath) -> Result<Option<Arc<Dir>>> {
        self.walk(at, false)
    }
}

/// What a name in the target is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// `None` for what a snapshot cannot hold (a socket).
    pub kind: Option<FileKind>,
    /// Length in bytes.
    pub size: u64,
    /// Modification time.
    pub mtime: FileTime,
    /// Device and inode.
    pub identity: (u64, u64),
    /// Number of names.
    pub links: u64,
    /// Permission, set-id and sticky bits.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
}

/// Metadata to apply to a restored file.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// Permission, set-id and sticky bits.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// Modification time.
    pub mtime: FileTime,
    /// Extended attributes, ACLs included: name and value.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Creation time; applied on Windows.
    pub created: Option<FileTime>,
    /// Windows file attributes; applied there.
    pub win_attributes: Option<u32>,
}

/// What this run may set.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Set owner and group.
    pub owner: bool,
    /// Keep set-user-id and set-group-id bits (only ever where the owner was set too).
    pub set_id: bool,
}

/// What could not be applied, although the file itself is fine.
#[derive(Debug, Default)]
pub struct Applied {
    /// Set-id bits were in the snapshot and left out.
    pub set_id_dropped: bool,
    /// The owner was to be set and the system refused.
    pub owner: Option<io::Error>,
    /// Extended attributes that the system refused.
    pub xattrs: Vec<(Vec<u8>, io::Error)>,
}

/// How a finished temporary file got its final name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// It has it.
    Done,
    /// The name is taken, and it was not to be replaced; the temporary file is still there.
    Taken,
}
