//! Bundles: many small files in one chunk.
//!
//! Files are appended in walk order. A bundle ends before it would exceed [`MAX_BUNDLE`], with its [`MAX_FILES`]th
//! file, and, once it has [`MIN_BUNDLE`] bytes, after a file whose keyed content hash H (the first 8 bytes of BLAKE3
//! with the tree key over `bundle` and the content) is below 2^64 * length / [`MEAN_BUNDLE`]. So the same files in
//! the same order make the same bundles wherever they lie (a renamed directory, another host of the domain), and an
//! edit changes its own bundle and few others. Readers do not depend on any of this.

use crate::codec::spare;
use crate::error::Result;
use crate::format::Piece;
use crate::id::Id;
use std::collections::HashMap;
use zeroize::Zeroizing;

/// Files below this length go to bundles, bytes.
pub const SMALL_FILE: u64 = 128 << 10;
/// A bundle does not grow beyond this length, bytes.
pub const MAX_BUNDLE: usize = 1 << 20;
/// A bundle is not ended by a hash below this length, bytes.
pub const MIN_BUNDLE: usize = 256 << 10;
/// Beyond [`MIN_BUNDLE`], so many bytes follow on average.
pub const MEAN_BUNDLE: usize = 384 << 10;
/// Most files in a bundle.
pub const MAX_FILES: usize = 4096;

/// Does a file of `size` bytes go to a bundle? (An empty one has no content at all.)
pub fn is_small(size: u64) -> bool {
    (1..SMALL_FILE).contains(&size)
}

/// Where a file went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// [`Bundle::number`] of the bundle.
    pub bundle: u64,
    /// Where in its bytes the file starts.
    pub offset: u64,
    /// The file's length in bytes.
    pub len: u64,
}

impl Position {
    /// The piece of content, once the bundle's chunk id is known.
    pub fn piece(&self, chunk: Id) -> Piece {
        Piece {
            chunk,
            offset: self.offset,
            len: self.len,
        }
    }
}

/// A finished bundle, to be stored as a data chunk.
#[derive(Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Counts from 0 in the order of finishing; [`Position::bundle`] refers to it.
    pub number: u64,
    /// The files, one after another.
    pub bytes: Vec<u8>,
    /// How many files.
    pub files: usize,
}

/// Fills bundles. Holds the bytes of one.
pub struct Bundler {
    key: Zeroizing<[u8; 32]>,
    number: u64,
    bytes: Vec<u8>,
    files: usize,
}

impl Bundler {
    /// `key` is the domain's tree key.
    pub fn new(key: &[u8; 32]) -> Self {
        Bundler {
            key: Zeroizing::new(*key),
            number: 0,
            bytes: Vec::new(),
            files: 0,
        }
    }

    /// Appends a file's bytes. `closed` gets the bundles that end before and with it: none, one or two.
    ///
    /// The position is valid even if it is in a bundle that `closed` has just been given.
    pub fn add(
        &mut self,
        file: &[u8],
        mut closed: impl FnMut(Bundle) -> Result<()>,
    ) -> Result<Position> {
        if self.files > 0 && self.bytes.len() + file.len() > MAX_BUNDLE {
            closed(self.close())?;
        }
        let position = Position {
            bundle: self.number,
            offset: self.bytes.len() as u64,
            len: file.len() as u64,
        };
        self.bytes.extend_from_slice(file);
        self.files += 1;
        if self.files >= MAX_FILES || (self.bytes.len() >= MIN_BUNDLE && self.ends_after(file)) {
            closed(self.close())?;
        }
        Ok(position)
    }

    /// The last bundle, if a file is in it.
    pub fn finish(mut self) -> Option<Bundle> {
        (self.files > 0).then(|| self.close())
    }

    /// Ends the open bundle early (for a checkpoint), if a file is in it.
    pub fn flush(&mut self) -> Option<Bundle> {
        (self.files > 0).then(|| self.close())
    }

    fn ends_after(&self, file: &[u8]) -> bool {
        let hash = blake3::Hasher::new_keyed(&self.key)
            .update(b"bundle")
            .update(file)
            .finalize();
        let hash = hash
            .as_bytes()
            .iter()
            .take(8)
            .fold(0u64, |n, b| n << 8 | u64::from(*b));
        u128::from(hash) * (MEAN_BUNDLE as u128) < (file.len() as u128) << 64
    }

    fn close(&mut self) -> Bundle {
        let next = spare::take(self.bytes.len());
        let bundle = Bundle {
            number: self.number,
            bytes: std::mem::replace(&mut self.bytes, next),
            files: self.files,
        };
        self.number += 1;
        self.files = 0;
        bundle
    }
}

/// Counts what a snapshot still uses of each bundle, to find those that are mostly dead weight.
///
/// Memory: about 50 bytes a bundle.
#[derive(Default)]
pub struct LiveBytes(HashMap<Id, u64>);

impl LiveBytes {
    /// Nothing counted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts the content of one small file ([`is_small`]). Count a hardlinked file once.
    pub fn count(&mut self, piece: &Piece) {
        let live = self.0.entry(piece.chunk).or_default();
        *live = live.saturating_add(piece.len);
    }

    /// The bundles of whose raw length, as `total` knows it, less than half is in use, sorted by id.
    /// Chunks unknown to `total` are left out.
    pub fn sparse(&self, mut total: impl FnMut(&Id) -> Option<u64>) -> Vec<Id> {
        let mut sparse: Vec<Id> = Vec::new();
        for (id, live) in &self.0 {
            if total(id).is_some_and(|total| *live < total.div_ceil(2)) {
                sparse.push(*id);
            }
        }
        sparse.sort();
        sparse
    }
}

#[cfg(test)]
mod tests;
