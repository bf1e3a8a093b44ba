//! Which chunk is where: bounded-memory lookup over immutable sorted segments.
//!
//! The repository's index objects are turned into local [`segment`] files, sorted by chunk id and read by offset; in
//! memory stay one 8-byte key per 4 KiB of rows, about 10 bits of filter per chunk, and the table of packs.
//!
//! * [`sync`] brings the local segments in line with the index objects that the repository holds now, and gives a
//!   [`Base`]: the segments, and which index object names which pack.
//! * [`Index`] is a base, a view of it (which index objects and packs count), and the packs added during this run.
//!
//! A pack's rows belong to one entry in the table of packs, however many index objects name it: showing and hiding
//! rows costs time in the number of packs, not of rows.

pub mod base;
mod compact;
mod filter;
mod heal;
pub mod lookup;
mod manifest;
mod merge;
mod output;
mod own;
pub(crate) mod place;
pub mod segment;
mod sync;
mod writer;

pub use crate::format::index::IndexPack;
pub use crate::format::pack::PackRow;
pub use base::Base;
pub use heal::Refetch;
pub use lookup::{Index, SortedRow};
pub use place::Place;
pub use sync::{Sink, Synced, sync};

use crate::id::{Id, Id16};

/// One chunk in one pack, as segments hold it. Rows are ordered by id, then pack, then offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// Chunk id.
    pub id: Id,
    /// Position in the table of packs that the row belongs to.
    pub pack: u32,
    /// Where its frame begins in the pack.
    pub offset: u32,
    /// Length of the frame, tag included.
    pub stored: u32,
    /// Length of the chunk.
    pub raw: u32,
}

impl Row {
    /// The row as a pack's own directory has it.
    pub fn in_pack(&self) -> PackRow {
        PackRow {
            id: self.id,
            offset: self.offset,
            stored: self.stored,
            raw: self.raw,
        }
    }
}

/// One pack in a table of packs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// Name of the pack.
    pub name: Id,
    /// The domain (writer id) of its chunks; zero for the full keys.
    pub domain: Id16,
    /// Size of the pack in bytes.
    pub size: u64,
    /// 1 for data, 2 for metadata.
    pub kind: u8,
    /// How many rows it has.
    pub rows: u32,
    /// Hash of all that is said of the pack. Index objects that say the same of a pack share one entry; should two
    /// disagree, each has its own, and is shown and hidden on its own.
    pub digest: [u8; 16],
}

impl Pack {
    /// The table entry for `pack`, as an index object of `domain` describes it.
    pub fn new(domain: &Id16, pack: &IndexPack) -> Pack {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(&pack.pack.0)
            .update(&domain.0)
            .update(&pack.size.to_be_bytes())
            .update(&[pack.kind]);
        for row in &pack.rows {
            hasher.update(&row.encode());
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        let rows = pack.rows.len() as u32;
        Pack {
            name: pack.pack,
            domain: *domain,
            size: pack.size,
            kind: pack.kind,
            rows,
            digest,
        }
    }
}

/// Where a chunk can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// Name of the pack.
    pub pack: Id,
    /// Size of the pack in bytes.
    pub size: u64,
    /// 1 for data, 2 for metadata.
    pub kind: u8,
    /// Where the chunk's frame begins in the pack.
    pub offset: u32,
    /// Length of the frame, tag included.
    pub stored: u32,
    /// Length of the chunk.
    pub raw: u32,
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
