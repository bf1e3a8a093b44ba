//! What an entry carries beside its content: extents, extended attributes, descriptors; and where they go when long.

use super::encode::encode_entry;
use super::list::{ListBuilder, Pieces, Sink};
use super::node::NodeSource;
use super::{Blob, Content, Entry, Extent, INLINE, NODE_LIMIT, Piece};
use crate::codec::cbor::{Reader, Writer};
use crate::error::{Error, Result};

/// Longest encoded list of extents, bytes.
pub const EXTENTS_LIMIT: usize = 64 << 20;
/// Longest encoded list of extended attributes, bytes.
pub const XATTRS_LIMIT: usize = 16 << 20;
/// Longest name of an extended attribute, bytes.
const XATTR_NAME: usize = 1024;

/// Extended attributes: (name, value), sorted by name.
pub type XattrList = Vec<(Vec<u8>, Vec<u8>)>;

/// Encodes the extents of a sparse file: ascending, not touching, each of at least one byte.
pub fn encode_extents(extents: &[Extent]) -> Result<Vec<u8>> {
    let mut out = Writer::with_capacity(extents.len() * 11 + 5);
    out.array(extents.len());
    let mut end = None;
    for extent in extents {
        end = Some(extent_end(extent, end)?);
        out.array(2).u64(extent.offset).u64(extent.len);
    }
    Ok(out.into_vec())
}

/// Decodes what [`encode_extents`] wrote, with the same checks.
pub fn decode_extents(bytes: &[u8]) -> Result<Vec<Extent>> {
    if bytes.len() > EXTENTS_LIMIT {
        return Err(Error::damaged(format!(
            "a list of extents has {} bytes",
            bytes.len()
        )));
    }
    let mut r = Reader::new(bytes);
    let mut extents = Vec::new();
    let mut end = None;
    for _ in 0..r.array(usize::MAX)? {
        r.array_of(2)?;
        let extent = Extent {
            offset: r.u64()?,
            len: r.u64()?,
        };
        end = Some(extent_end(&extent, end)?);
        extents.push(extent);
    }
    r.finish()?;
    Ok(extents)
}

/// Where `extent` ends, if it lies beyond the one that ends at `before` with a hole between.
fn extent_end(extent: &Extent, before: Option<u64>) -> Result<u64> {
    match extent.offset.checked_add(extent.len) {
        Some(end) if extent.len > 0 && before.is_none_or(|before| before < extent.offset) => {
            Ok(end)
        }
        _ => Err(Error::damaged(
            "the extents of a sparse file are empty, touching or out of order",
        )),
    }
}

/// Encodes extended attributes; sorts them by name. A name that comes twice is an error.
pub fn encode_xattrs(mut xattrs: XattrList) -> Result<Vec<u8>> {
    xattrs.sort();
    let mut out = Writer::new();
    out.array(xattrs.len());
    let mut last: &[u8] = &[];
    for (name, value) in &xattrs {
        check_xattr_name(name, last)?;
        last = name;
        out.array(2).bytes(name).bytes(value);
    }
    if out.len() > XATTRS_LIMIT {
        return Err(Error::failed(format!(
            "its extended attributes take {} bytes",
            out.len()
        )));
    }
    Ok(out.into_vec())
}

/// Decodes what [`encode_xattrs`] wrote.
pub fn decode_xattrs(bytes: &[u8]) -> Result<XattrList> {
    if bytes.len() > XATTRS_LIMIT {
        return Err(Error::damaged(format!(
            "a list of extended attributes has {} bytes",
            bytes.len()
        )));
    }
    let mut r = Reader::new(bytes);
    let mut xattrs = XattrList::new();
    let mut last: &[u8] = &[];
    for _ in 0..r.array(usize::MAX)? {
        r.array_of(2)?;
        let name = r.bytes(XATTR_NAME)?;
        check_xattr_name(name, last)?;
        last = name;
        xattrs.push((name.to_vec(), r.bytes(XATTRS_LIMIT)?.to_vec()));
    }
    r.finish()?;
    Ok(xattrs)
}

fn check_xattr_name(name: &[u8], last: &[u8]) -> Result<()> {
    if name <= last || name.len() > XATTR_NAME {
        return Err(Error::damaged(
            "the names of extended attributes are empty, too long or out of order",
        ));
    }
    Ok(())
}

/// Keeps `bytes` inline if they take at most [`INLINE`] bytes, else stores them through `sink`, up to 1 MiB a chunk.
pub fn store_blob(bytes: Vec<u8>, sink: &mut Sink<'_>) -> Result<Blob> {
    if bytes.len() <= INLINE {
        Ok(Blob::Inline(bytes))
    } else {
        store_bytes(&bytes, sink)
    }
}

fn store_bytes(bytes: &[u8], sink: &mut Sink<'_>) -> Result<Blob> {
    let mut list = ListBuilder::new();
    for part in bytes.chunks(NODE_LIMIT) {
        let chunk = sink(part.to_vec())?;
        list.push(
            Piece {
                chunk,
                offset: 0,
                len: part.len() as u64,
            },
            sink,
        )?;
    }
    list.finish(sink).map(Blob::Stored)
}

/// The bytes of `blob`, which may have at most `limit`.
pub fn read_blob<S: NodeSource + ?Sized>(source: &S, blob: &Blob, limit: usize) -> Result<Vec<u8>> {
    let content = match blob {
        Blob::Inline(bytes) if bytes.len() <= limit => return Ok(bytes.clone()),
        Blob::Inline(bytes) => return Err(too_long(bytes.len() as u64, limit)),
        Blob::Stored(content) => content,
    };
    if content.len() > limit as u64 {
        return Err(too_long(content.len(), limit));
    }
    // The pieces add up to the content's length, so `out` stays within the limit.
    let mut out = Vec::new();
    for piece in Pieces::new(source, content) {
        let piece = piece?;
        let raw = source.node(&piece.chunk)?;
        let end = piece.offset.saturating_add(piece.len);
        let part = raw.get(piece.offset as usize..usize::try_from(end).unwrap_or(usize::MAX));
        out.extend_from_slice(
            part.ok_or_else(|| Error::damaged("a piece of metadata lies outside of its chunk"))?,
        );
    }
    Ok(out)
}

fn too_long(len: u64, limit: usize) -> Error {
    Error::damaged(format!(
        "metadata of a file takes {len} bytes, more than {limit}"
    ))
}

/// Makes `entry` fit into [`super::MAX_ENTRY`] bytes under the path component `name`: moves what is longer than [`INLINE`]
/// to chunks, then, while the whole is too long, the rest of its blobs and its content lists, the longest first.
///
/// Fails if that does not suffice (hundreds of alternate streams, say).
pub fn fit_entry(name: &[u8], entry: &mut Entry, sink: &mut Sink<'_>) -> Result<()> {
    for blob in blobs(entry) {
        if let Blob::Inline(bytes) = blob
            && bytes.len() > INLINE
        {
            *blob = store_bytes(bytes, sink)?;
        }
    }
    for content in contents(entry) {
        if encoded_content(content) > INLINE {
            deepen(content, sink)?;
        }
    }
    loop {
        let error = match encode_entry(name, entry) {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        if !spill_longest(entry, sink)? {
            return Err(error);
        }
    }
}

/// Moves the longest part that may shrink; `false` if none would.
fn spill_longest(entry: &mut Entry, sink: &mut Sink<'_>) -> Result<bool> {
    // A stored blob or deeper list takes about 50 bytes itself.
    const WORTH: usize = 64;
    let blob = blobs(entry)
        .filter_map(|b| {
            if let Blob::Inline(bytes) = b {
                Some(bytes.len())
            } else {
                None
            }
        })
        .max();
    let list = contents(entry).map(|c| encoded_content(c)).max();
    let (blob, list) = (blob.unwrap_or(0), list.unwrap_or(0));
    if blob.max(list) <= WORTH {
        return Ok(false);
    }
    if blob >= list {
        for candidate in blobs(entry) {
            if let Blob::Inline(bytes) = candidate
                && bytes.len() == blob
            {
                *candidate = store_bytes(bytes, sink)?;
                return Ok(true);
            }
        }
    }
    match contents(entry).find(|c| encoded_content(c) == list) {
        Some(content) => deepen(content, sink).map(|()| true),
        None => Ok(false),
    }
}

fn blobs(entry: &mut Entry) -> impl Iterator<Item = &mut Blob> {
    [&mut entry.extents, &mut entry.xattrs, &mut entry.security]
        .into_iter()
        .flatten()
}

fn contents(entry: &mut Entry) -> impl Iterator<Item = &mut Content> {
    std::iter::once(&mut entry.content).chain(entry.streams.iter_mut().map(|s| &mut s.content))
}

/// Encoded length of the list of a content, about.
fn encoded_content(content: &Content) -> usize {
    content.pieces.len() * 45
}

/// Replaces a list by one piece of the next depth.
fn deepen(content: &mut Content, sink: &mut Sink<'_>) -> Result<()> {
    let len = content.len();
    let mut raw = Writer::new();
    super::encode::put_pieces(&mut raw, &content.pieces);
    if raw.len() > NODE_LIMIT {
        return Err(Error::failed(
            "a content list was not built with a list builder",
        ));
    }
    let chunk = sink(raw.into_vec())?;
    *content = Content {
        depth: content.depth + 1,
        pieces: vec![Piece {
            chunk,
            offset: 0,
            len,
        }],
    };
    Ok(())
}
