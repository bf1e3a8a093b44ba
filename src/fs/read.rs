//! One regular file of the source while it is read.

use super::meta::FileState;
use super::sys;
use crate::error::{Context, Error, Result};
use crate::format::{Entry, Extent};
use std::fs::File;
use std::io;

/// A file with more extents than this has its smallest holes stored as zeros.
pub const MAX_EXTENTS: usize = 1 << 20;

/// An open regular file and what its inode said when it was opened. `Read`s from the start.
pub struct SourceFile {
    file: File,
    state: FileState,
}

impl SourceFile {
    /// Takes a file that was just opened; fails if it is not the one that `seen` describes.
    pub(super) fn new(file: File, seen: &Entry) -> Result<Self> {
        let state = sys::file_state(&file).context(|| "cannot read the metadata")?;
        if !state.regular || state.identity != (seen.device, seen.inode) {
            return Err(Error::failed(
                "the file was replaced by another one while the backup ran",
            ));
        }
        Ok(SourceFile { file, state })
    }

    /// Length in bytes when it was opened, holes included.
    pub fn size(&self) -> u64 {
        self.state.size
    }

    /// What the inode said when it was opened. [`FileState::update`] brings an entry up to it.
    pub fn state(&self) -> FileState {
        self.state
    }

    /// The open file; its offset is where reading goes on.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Is the file as it was when opened (size, modification and change time)? Asked after the last read: false means
    /// that what was read may mix two versions.
    pub fn still_same(&self) -> Result<bool> {
        let now = sys::file_state(&self.file).context(|| "cannot read the metadata")?;
        Ok(self.state.same_content(&now))
    }

    /// The parts that are not holes, ascending and not touching; `None` for a file without holes, or where the file
    /// system cannot tell. Costs nothing for a file that is as large on disk as it is long. Moves the file's offset
    /// to the start.
    pub fn extents(&self) -> Result<Option<Vec<Extent>>> {
        if self.state.allocated >= self.state.size {
            return Ok(None);
        }
        sys::extents(&self.file, self.state.size, MAX_EXTENTS)
            .context(|| "cannot read where the file's holes are")
    }
}

impl io::Read for SourceFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

/// Gathers extents in ascending order; joins neighbours over the smallest holes when there are too many.
#[cfg(any(unix, test))]
pub(super) struct Extents {
    list: Vec<Extent>,
    limit: usize,
    /// Holes shorter than this are stored as zeros.
    smallest: u64,
}

#[cfg(any(unix, test))]
impl Extents {
    /// No extents yet, never more than `limit`.
    pub(super) fn new(limit: usize) -> Self {
        Extents {
            list: Vec::new(),
            limit: limit.max(1),
            smallest: 1,
        }
    }

    /// Adds the extent from `start` to `end`.
    pub(super) fn push(&mut self, start: u64, end: u64) {
        if start < end {
            Self::join(&mut self.list, start, end, self.smallest);
        }
        while self.list.len() > self.limit {
            self.smallest = self.smallest.saturating_mul(2).max(4096);
            let list = std::mem::take(&mut self.list);
            for extent in list {
                Self::join(
                    &mut self.list,
                    extent.offset,
                    extent.offset + extent.len,
                    self.smallest,
                );
            }
        }
    }

    fn join(list: &mut Vec<Extent>, start: u64, end: u64, smallest: u64) {
        match list.last_mut() {
            Some(last) if start < (last.offset + last.len).saturating_add(smallest) => {
                last.len = end.max(last.offset + last.len) - last.offset;
            }
            _ => list.push(Extent {
                offset: start,
                len: end - start,
            }),
        }
    }

    /// The extents of a file of `size` bytes; `None` if they cover it.
    pub(super) fn finish(self, size: u64) -> Option<Vec<Extent>> {
        match self.list.as_slice() {
            [all] if all.offset == 0 && all.len == size => None,
            _ => Some(self.list),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn touching_extents_join_and_a_full_cover_is_none() {
        let mut extents = Extents::new(10);
        extents.push(0, 4096);
        extents.push(4096, 8192);
        assert_eq!(extents.finish(8192), None);
        assert_eq!(Extents::new(10).finish(5), Some(vec![]));
    }

    #[test]
    fn too_many_extents_join_over_their_smallest_holes() {
        let mut extents = Extents::new(3);
        for (start, end) in [
            (0, 10),
            (4096, 8192),
            (12_288, 12_290),
            (1 << 30, (1 << 30) + 1),
            (1 << 40, (1 << 40) + 1),
        ] {
            extents.push(start, end);
        }
        let list = extents.finish(u64::MAX).unwrap();
        assert_eq!(list.len(), 3);
        assert_eq!(
            list[0],
            Extent {
                offset: 0,
                len: 12_290
            }
        );
    }
}
