//! A file's content as spans: which bytes of which chunk go where in the file. Lists of any length are read piece by
//! piece; what is held at once is one list chunk for each level.

use crate::codec::cbor::Reader;
use crate::error::{Error, Result};
use crate::format::tree::{Pieces, XattrList, decode_xattrs, read_blob};
use crate::format::{Blob, Entry, Extent, Piece};
use crate::repo::chunks::Chunks;

/// Longest encoded list of extents, raw bytes.
const MAX_EXTENTS: usize = 64 << 20;
/// Longest encoded list of extended attributes, raw bytes.
const MAX_XATTRS: usize = 16 << 20;

/// `len` bytes at `offset` of a chunk's raw bytes, which belong at `pos` of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// What to fetch, and where in it.
    pub piece: Piece,
    /// Where in the file.
    pub pos: u64,
}

/// The spans of a regular file, in order of position. Ends with an error if lists and lengths disagree.
pub struct Spans<'a> {
    pieces: Pieces<'a, dyn Chunks + 'a>,
    extents: Extents,
    /// What is left of the piece and of the extent that are being matched.
    piece: Option<Piece>,
    extent: Option<Extent>,
    done: bool,
}

impl<'a> Spans<'a> {
    /// The spans of `entry`.
    pub fn new(entry: &'a Entry, chunks: &'a dyn Chunks) -> Result<Self> {
        let extents = match &entry.extents {
            None => Extents::whole(entry.size),
            Some(blob) => Extents::decode(read_blob(chunks, blob, MAX_EXTENTS)?, entry.size)?,
        };
        let pieces = Pieces::new(chunks, &entry.content);
        Ok(Spans {
            pieces,
            extents,
            piece: None,
            extent: None,
            done: false,
        })
    }

    fn step(&mut self) -> Result<Option<Span>> {
        if self.piece.is_none() {
            self.piece = self.pieces.next().transpose()?;
        }
        if self.extent.is_none() {
            self.extent = self.extents.next_extent()?;
        }
        match (self.piece, self.extent) {
            (Some(piece), Some(extent)) => Ok(Some(self.overlap(piece, extent))),
            (None, None) => Ok(None),
            _ => Err(Error::damaged("its content and its length disagree")),
        }
    }

    fn overlap(&mut self, piece: Piece, extent: Extent) -> Span {
        let len = piece.len.min(extent.len);
        let rest = |left: u64| left - len;
        self.piece = (piece.len > len).then(|| Piece {
            offset: piece.offset + len,
            len: rest(piece.len),
            ..piece
        });
        self.extent = (extent.len > len).then(|| Extent {
            offset: extent.offset + len,
            len: rest(extent.len),
        });
        Span {
            piece: Piece { len, ..piece },
            pos: extent.offset,
        }
    }
}

impl Iterator for Spans<'_> {
    type Item = Result<Span>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let item = self.step().transpose();
        self.done = !matches!(item, Some(Ok(_)));
        item
    }
}

/// The parts of a file that are no holes, decoded one by one.
struct Extents {
    encoded: Vec<u8>,
    at: usize,
    left: usize,
    /// Nothing may begin before this position.
    free: u64,
    size: u64,
}

impl Extents {
    /// One extent that covers all of a file.
    fn whole(size: u64) -> Self {
        Extents {
            encoded: Vec::new(),
            at: 0,
            left: usize::from(size > 0),
            free: 0,
            size,
        }
    }

    fn decode(encoded: Vec<u8>, size: u64) -> Result<Self> {
        let mut reader = Reader::new(&encoded);
        let left = reader.array(usize::MAX)?;
        let at = reader.position();
        Ok(Extents {
            encoded,
            at,
            left,
            free: 0,
            size,
        })
    }

    fn next_extent(&mut self) -> Result<Option<Extent>> {
        let bad = || Error::damaged("its list of extents is not in order, or longer than the file");
        if self.left == 0 {
            return if self.at == self.encoded.len() {
                Ok(None)
            } else {
                Err(bad())
            };
        }
        self.left -= 1;
        let extent = match self.encoded.is_empty() {
            true => Extent {
                offset: 0,
                len: self.size,
            },
            false => self.decode_one()?,
        };
        match extent.offset.checked_add(extent.len) {
            Some(end) if extent.len > 0 && extent.offset >= self.free && end <= self.size => {
                self.free = end;
                Ok(Some(extent))
            }
            _ => Err(bad()),
        }
    }

    fn decode_one(&mut self) -> Result<Extent> {
        let mut reader = Reader::new(self.encoded.get(self.at..).unwrap_or_default());
        reader.array_of(2)?;
        let extent = Extent {
            offset: reader.u64()?,
            len: reader.u64()?,
        };
        self.at += reader.position();
        Ok(extent)
    }
}

/// Extended attributes from their blob.
pub fn xattrs(blob: &Blob, chunks: &dyn Chunks) -> Result<XattrList> {
    decode_xattrs(&read_blob(chunks, blob, MAX_XATTRS)?)
}

/// `len` bytes at `offset` of a chunk; an entry that points outside is damage.
pub fn part(raw: &[u8], offset: u64, len: u64) -> Result<&[u8]> {
    let start = usize::try_from(offset).ok();
    let end = offset
        .checked_add(len)
        .and_then(|e| usize::try_from(e).ok());
    start
        .zip(end)
        .and_then(|(start, end)| raw.get(start..end))
        .ok_or_else(|| Error::damaged("its entry points outside of a chunk"))
}
