//! One entry without what is lost of it.
//!
//! A lost run of bytes becomes a hole: the file keeps its length, and its extents say what of it there is. It is marked
//! as unstable, so that the next backup reads it again whatever its times say.

use crate::error::Result;
use crate::format::container::ObjectKind;
use crate::format::entry::{Blob, Content, Entry, Extent, Piece};
use crate::format::tree::{self, ListBuilder, read_blob, read_list};
use crate::id::{Id, Id16};
use crate::ops::reach::each_content;
use crate::ops::survey::{Health, Held};
use crate::repo::chunks::Chunks;
use crate::repo::run::Run;

/// Longest list of extents, bytes.
const MAX_EXTENTS: usize = 64 << 20;
/// Longest of the other blobs, bytes.
const MAX_BLOB: usize = 16 << 20;

/// Where chunks of one domain are, and where new ones go.
pub struct Mender<'a> {
    /// What is where.
    pub health: &'a Health,
    /// The domain.
    pub writer: Id16,
    /// Reads chunks.
    pub chunks: &'a dyn Chunks,
    /// Stores chunks.
    pub run: &'a Run,
}

/// What was lost of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Content bytes that became holes.
    pub bytes: u64,
    /// Extended attributes, descriptors, streams.
    pub extras: bool,
}

/// Some bytes of a file: in a chunk, or lost.
struct Part {
    piece: Option<Piece>,
    len: u64,
}

impl Mender<'_> {
    /// Makes `entry`, under the path component `name`, one that needs nothing but what is there. What lies only in packs
    /// that a tombstone names is stored anew.
    pub fn mend(&self, name: &[u8], entry: &mut Entry) -> Result<Cut> {
        let mut cut = Cut::default();
        if self.is_whole(entry)? {
            return Ok(cut);
        }
        self.content(entry, &mut cut)?;
        for blob in [&mut entry.xattrs, &mut entry.security] {
            if let Some(Blob::Stored(_)) = blob {
                let raw = blob.as_ref().map(|b| read_blob(self.chunks, b, MAX_BLOB));
                *blob = match raw.transpose() {
                    Ok(raw) => raw
                        .map(|raw| tree::store_blob(raw, &mut self.sink()))
                        .transpose()?,
                    Err(e) if e.is_damage() => None,
                    Err(e) => return Err(e),
                };
                cut.extras |= blob.is_none();
            }
        }
        let streams = std::mem::take(&mut entry.streams);
        for mut stream in streams {
            let mut parts = Vec::new();
            self.parts(&stream.content, &mut parts)?;
            match parts.iter().all(|p| p.piece.is_some()) {
                true => {
                    stream.content = self.list(&parts)?;
                    entry.streams.push(stream);
                }
                false => cut.extras = true,
            }
        }
        entry.unstable |= cut.bytes > 0;
        tree::fit_entry(name, entry, &mut self.sink())?;
        Ok(cut)
    }

    /// Is every chunk that the entry needs in a pack that stays?
    fn is_whole(&self, entry: &Entry) -> Result<bool> {
        let mut whole = true;
        each_content(entry, &mut |content| {
            whole = whole && self.stays(content)?;
            Ok(())
        })?;
        Ok(whole)
    }

    fn stays(&self, content: &Content) -> Result<bool> {
        for piece in &content.pieces {
            if !self.is_sure(&piece.chunk)? {
                return Ok(false);
            }
            if let Some(depth) = content.depth.checked_sub(1) {
                let pieces = match read_list(self.chunks, piece, depth) {
                    Ok(pieces) => pieces,
                    Err(e) if e.is_damage() => return Ok(false),
                    Err(e) => return Err(e),
                };
                if !self.stays(&Content { depth, pieces })? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn content(&self, entry: &mut Entry, cut: &mut Cut) -> Result<()> {
        let old = match &entry.extents {
            None if entry.size == 0 => Vec::new(),
            None => vec![Extent {
                offset: 0,
                len: entry.size,
            }],
            Some(blob) => match read_blob(self.chunks, blob, MAX_EXTENTS)
                .and_then(|raw| tree::decode_extents(&raw))
            {
                Ok(extents) => extents,
                Err(e) if e.is_damage() => {
                    // Where its bytes belong is not known any more.
                    cut.bytes = entry.content.len();
                    entry.content = Content::default();
                    entry.extents = Some(Blob::Inline(tree::encode_extents(&[])?));
                    return Ok(());
                }
                Err(e) => return Err(e),
            },
        };
        let mut parts = Vec::new();
        self.parts(&entry.content, &mut parts)?;
        cut.bytes = parts
            .iter()
            .filter(|p| p.piece.is_none())
            .map(|p| p.len)
            .sum();
        entry.content = self.list(&parts)?;
        if cut.bytes > 0 || entry.extents.is_some() {
            let kept = kept(&old, &parts);
            entry.extents = Some(tree::store_blob(
                tree::encode_extents(&kept)?,
                &mut self.sink(),
            )?);
        }
        Ok(())
    }

    /// The parts of a content, in order, each of them there (in a pack that stays, from now on) or lost.
    fn parts(&self, content: &Content, to: &mut Vec<Part>) -> Result<()> {
        for piece in &content.pieces {
            let lost = Part {
                piece: None,
                len: piece.len,
            };
            match content.depth.checked_sub(1) {
                None => {
                    let there = self.secure(&piece.chunk)?;
                    to.push(Part {
                        piece: there.then_some(*piece),
                        ..lost
                    });
                }
                Some(depth) => match read_list(self.chunks, piece, depth) {
                    Ok(pieces) => self.parts(&Content { depth, pieces }, to)?,
                    Err(e) if e.is_damage() => to.push(lost),
                    Err(e) => return Err(e),
                },
            }
        }
        Ok(())
    }

    /// Can the run rely on this chunk? Its view is younger than what is known of packs, and counts; what is known to be
    /// damaged does not get better.
    fn is_sure(&self, id: &Id) -> Result<bool> {
        Ok(self.run.has(id)? && self.health.held(&self.writer, id)? == Held::Yes)
    }

    /// Is the chunk in a pack that stays? If it is in another only, it is stored anew. What seemed to be nowhere may have
    /// come back, or have moved: it counts as lost if it cannot be read.
    fn secure(&self, id: &Id) -> Result<bool> {
        if self.is_sure(id)? {
            return Ok(true);
        }
        match self.chunks.get(id) {
            Ok(raw) => {
                self.run.wait_for_room()?;
                self.run.chunk(ObjectKind::Data, id, &raw).map(|_| true)
            }
            Err(e) if e.is_damage() => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn list(&self, parts: &[Part]) -> Result<Content> {
        let mut list = ListBuilder::new();
        for piece in parts.iter().filter_map(|p| p.piece) {
            list.push(piece, &mut self.sink())?;
        }
        list.finish(&mut self.sink())
    }

    /// Stores a metadata chunk.
    pub fn store(&self, raw: &[u8]) -> Result<Id> {
        self.run.wait_for_room()?;
        let id = self.run.keys().chunk_id(raw);
        self.run.chunk(ObjectKind::Metadata, &id, raw)?;
        Ok(id)
    }

    fn sink(&self) -> impl FnMut(Vec<u8>) -> Result<Id> {
        |raw| self.store(&raw)
    }
}

/// The extents of what is left: `parts`, laid one after another into the extents `old`, less those that are lost.
fn kept(old: &[Extent], parts: &[Part]) -> Vec<Extent> {
    let mut kept: Vec<Extent> = Vec::new();
    let mut old = old.iter().copied();
    let mut room = Extent { offset: 0, len: 0 };
    for part in parts {
        let mut left = part.len;
        while left > 0 {
            if room.len == 0 {
                match old.next() {
                    Some(next) => room = next,
                    // Content beyond its extents: a reader refuses the entry anyway.
                    None => return kept,
                }
            }
            let now = left.min(room.len);
            if part.piece.is_some() {
                match kept.last_mut() {
                    Some(last) if last.offset + last.len == room.offset => last.len += now,
                    _ => kept.push(Extent {
                        offset: room.offset,
                        len: now,
                    }),
                }
            }
            room = Extent {
                offset: room.offset.saturating_add(now),
                len: room.len - now,
            };
            left -= now;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(len: u64, there: bool) -> Part {
        let piece = Piece {
            chunk: Id::ZERO,
            offset: 0,
            len,
        };
        Part {
            piece: there.then_some(piece),
            len,
        }
    }

    #[test]
    fn holes_are_where_parts_are_lost() {
        let whole = [Extent { offset: 0, len: 30 }];
        let parts = [part(10, true), part(10, false), part(10, true)];
        let two = [
            Extent { offset: 0, len: 10 },
            Extent {
                offset: 20,
                len: 10,
            },
        ];
        assert_eq!(kept(&whole, &parts), two);
        let touching = [part(10, true), part(20, true)];
        assert_eq!(kept(&whole, &touching), whole);
        assert_eq!(kept(&whole, &[part(30, false)]), []);
        let sparse = [
            Extent { offset: 0, len: 15 },
            Extent {
                offset: 100,
                len: 15,
            },
        ];
        let want = [
            Extent { offset: 0, len: 10 },
            Extent {
                offset: 105,
                len: 10,
            },
        ];
        assert_eq!(kept(&sparse, &parts), want);
    }
}
