//! Content lists: inline while short, otherwise a tree of list chunks, built and read with bounded memory.

use super::decode;
use super::encode::{check_piece, put_pieces};
use super::node::{NodeSource, head_len, is_boundary, leading_u64};
use super::{Content, INLINE, MAX_LEVELS, MAX_NODE, NODE_LIMIT, Piece};
use crate::codec::cbor::{Reader, Writer};
use crate::error::{Context, Error, Result};
use crate::id::Id;

/// Takes a raw list chunk (or part of a blob) for storage as metadata and returns its chunk id.
pub type Sink<'a> = dyn FnMut(Vec<u8>) -> Result<Id> + 'a;

#[derive(Default)]
struct Level {
    pieces: Vec<Piece>,
    /// Encoded, without the head of the array.
    size: usize,
    written: bool,
}

/// Builds a file's [`Content`] piece by piece: a list of more than [`INLINE`] bytes goes to list chunks, whose ends
/// are chosen by the chunk ids, so an insertion into a large file leaves most of its list chunks as they were.
#[derive(Default)]
pub struct ListBuilder {
    levels: Vec<Level>,
}

impl ListBuilder {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a piece of data; `len` must not be 0.
    pub fn push(&mut self, piece: Piece, sink: &mut Sink<'_>) -> Result<()> {
        check_piece(&piece, 0)?;
        self.add(0, piece, sink)
    }

    /// Writes what is open and returns the content for the entry.
    pub fn finish(mut self, sink: &mut Sink<'_>) -> Result<Content> {
        let mut depth = 0;
        while let Some(level) = self.levels.get_mut(depth) {
            if !level.written && level.size + head_len(level.pieces.len() as u64) <= INLINE {
                return Ok(Content {
                    depth: depth as u8,
                    pieces: std::mem::take(&mut level.pieces),
                });
            }
            if !level.pieces.is_empty() {
                self.flush(depth, sink)?;
            }
            depth += 1;
        }
        Ok(Content::default())
    }

    fn add(&mut self, depth: usize, piece: Piece, sink: &mut Sink<'_>) -> Result<()> {
        if self.levels.len() <= depth {
            self.levels.push(Level::default());
        }
        let len = piece_len(&piece);
        if self
            .levels
            .get(depth)
            .is_some_and(|level| level.size + len > MAX_NODE)
        {
            self.flush(depth, sink)?;
        }
        let Some(level) = self.levels.get_mut(depth) else {
            return Ok(());
        };
        level.pieces.push(piece);
        level.size += len;
        if is_boundary(level.size, len, || leading_u64(&piece.chunk.0)) {
            self.flush(depth, sink)
        } else {
            Ok(())
        }
    }

    fn flush(&mut self, depth: usize, sink: &mut Sink<'_>) -> Result<()> {
        let Some(level) = self.levels.get_mut(depth) else {
            return Ok(());
        };
        if depth + 1 >= usize::from(MAX_LEVELS) {
            return Err(Error::failed("a content list has too many levels"));
        }
        let level = std::mem::replace(
            level,
            Level {
                written: true,
                ..Level::default()
            },
        );
        let len = level
            .pieces
            .iter()
            .try_fold(0u64, |n, p| n.checked_add(p.len));
        let len = len.ok_or_else(|| Error::failed("a content list is longer than 2^64 bytes"))?;
        let mut raw = Writer::with_capacity(level.size + 5);
        put_pieces(&mut raw, &level.pieces);
        let chunk = sink(raw.into_vec())?;
        self.add(
            depth + 1,
            Piece {
                chunk,
                offset: 0,
                len,
            },
            sink,
        )
    }
}

/// Encoded length of a piece.
fn piece_len(piece: &Piece) -> usize {
    1 + 34 + head_len(piece.offset) + head_len(piece.len)
}

/// The pieces of data of a content, in order; list chunks are read as they are reached. Ends after the first error.
///
/// Memory: one list chunk a level. The pieces add up to [`Content::len`] exactly.
pub struct Pieces<'a, S: ?Sized> {
    source: &'a S,
    /// Lists being read, with the depth of each.
    open: Vec<(u8, std::vec::IntoIter<Piece>)>,
    list_chunks: Vec<Id>,
}

impl<'a, S: NodeSource + ?Sized> Pieces<'a, S> {
    /// Reads list chunks from `source`.
    pub fn new(source: &'a S, content: &Content) -> Self {
        Pieces {
            source,
            open: vec![(content.depth, content.pieces.clone().into_iter())],
            list_chunks: Vec::new(),
        }
    }

    /// The list chunks read since the last call, for those who mark what is in use.
    pub fn take_list_chunks(&mut self) -> Vec<Id> {
        std::mem::take(&mut self.list_chunks)
    }

    fn step(&mut self) -> Result<Option<Piece>> {
        while let Some((depth, list)) = self.open.last_mut() {
            let depth = *depth;
            match list.next() {
                None => {
                    self.open.pop();
                }
                Some(piece) if depth == 0 => return Ok(Some(piece)),
                Some(piece) => {
                    let pieces = self.load(&piece, depth - 1);
                    let pieces = pieces
                        .context(|| format!("reading content list {}", piece.chunk.short()))?;
                    self.open.push((depth - 1, pieces.into_iter()));
                }
            }
        }
        Ok(None)
    }

    fn load(&mut self, piece: &Piece, depth: u8) -> Result<Vec<Piece>> {
        let pieces = read_list(self.source, piece, depth)?;
        self.list_chunks.push(piece.chunk);
        Ok(pieces)
    }
}

/// The pieces in the list chunk that `piece` names, itself a list of `depth`.
pub fn read_list<S: NodeSource + ?Sized>(
    source: &S,
    piece: &Piece,
    depth: u8,
) -> Result<Vec<Piece>> {
    let raw = source.node(&piece.chunk)?;
    if raw.len() > NODE_LIMIT {
        return Err(Error::damaged(format!(
            "it has {} bytes, more than {NODE_LIMIT}",
            raw.len()
        )));
    }
    let mut r = Reader::new(&raw);
    let pieces = decode::pieces(&mut r, depth)?;
    r.finish()?;
    if pieces.iter().map(|p| p.len).sum::<u64>() != piece.len {
        return Err(Error::damaged("its length is not what the list above says"));
    }
    Ok(pieces)
}

impl<S: NodeSource + ?Sized> Iterator for Pieces<'_, S> {
    type Item = Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.step().transpose();
        if matches!(item, Some(Err(_))) {
            self.open.clear();
        }
        item
    }
}
