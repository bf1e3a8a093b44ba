//! An entry from CBOR. The input is hostile: its length is bounded before anything is copied out of it.

use super::encode::{check_piece, key, kind_from};
use super::{
    Blob, Content, Entry, FileKind, FileTime, MAX_ENTRY, MAX_LEVELS, MAX_NAME, Piece, Stream,
};
use crate::codec::cbor::Reader;
use crate::error::{Error, Result};

/// Decodes exactly one entry: its name (last path component) and the rest. Unknown keys are skipped.
///
/// Malformed input is [`crate::error::Kind::Damaged`]; what is allocated stays within a small multiple of `bytes`.
pub fn decode_entry(bytes: &[u8]) -> Result<(Vec<u8>, Entry)> {
    if bytes.len() > MAX_ENTRY {
        return Err(Error::damaged(format!(
            "an entry has {} bytes, more than {MAX_ENTRY}",
            bytes.len()
        )));
    }
    let mut r = Reader::new(bytes);
    let mut name: &[u8] = &[];
    let mut kind = None;
    let mut entry = Entry::new(FileKind::File);
    r.map(|key, r| {
        match key {
            key::NAME => name = r.bytes(MAX_NAME)?,
            key::KIND => kind = kind_from(r.u64()?),
            _ => return field(r, key, &mut entry),
        }
        Ok(true)
    })?;
    r.finish()?;
    entry.kind =
        kind.ok_or_else(|| Error::damaged("an entry has no kind, or one unknown to this version"))?;
    if name.is_empty() {
        return Err(Error::damaged("an entry has no name"));
    }
    Ok((name.to_vec(), entry))
}

/// The bytes of the next entry of a node, bounded, not yet looked into.
pub fn entry_bytes<'a>(data: &'a [u8], r: &mut Reader<'a>) -> Result<&'a [u8]> {
    let start = r.position();
    r.skip()?;
    let bytes = data.get(start..r.position()).unwrap_or_default();
    if bytes.len() > MAX_ENTRY {
        return Err(Error::damaged(format!(
            "an entry has {} bytes, more than {MAX_ENTRY}",
            bytes.len()
        )));
    }
    Ok(bytes)
}

fn field(r: &mut Reader<'_>, key: u64, entry: &mut Entry) -> Result<bool> {
    match key {
        key::MODE => entry.mode = r.u32()?,
        key::UID => entry.uid = r.u32()?,
        key::GID => entry.gid = r.u32()?,
        key::USER => entry.user = r.bytes(MAX_ENTRY)?.to_vec(),
        key::GROUP => entry.group = r.bytes(MAX_ENTRY)?.to_vec(),
        key::MTIME => entry.mtime = time(r)?,
        key::CTIME => entry.ctime = time(r)?,
        key::SIZE => entry.size = r.u64()?,
        key::INODE => entry.inode = r.u64()?,
        key::DEVICE => entry.device = r.u64()?,
        key::HARDLINK => {
            r.array_of(2)?;
            entry.hardlink = Some((r.u64()?, r.u64()?));
        }
        key::LINK => entry.link = r.bytes(MAX_ENTRY)?.to_vec(),
        key::RDEV => {
            r.array_of(2)?;
            entry.rdev = (r.u32()?, r.u32()?);
        }
        key::CONTENT => entry.content = content(r)?,
        key::EXTENTS => entry.extents = Some(blob(r)?),
        key::XATTRS => entry.xattrs = Some(blob(r)?),
        key::WIN_ATTRIBUTES => entry.win_attributes = Some(r.u32()?),
        key::CREATED => entry.created = Some(time(r)?),
        key::STREAMS => entry.streams = streams(r)?,
        key::SECURITY => entry.security = Some(blob(r)?),
        key::UNSTABLE => entry.unstable = r.bool()?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn time(r: &mut Reader<'_>) -> Result<FileTime> {
    r.array_of(2)?;
    let time = FileTime {
        secs: r.i64()?,
        nanos: r.u32()?,
    };
    if time.nanos > 999_999_999 {
        return Err(Error::damaged(
            "a file time has a billion nanoseconds or more",
        ));
    }
    Ok(time)
}

fn content(r: &mut Reader<'_>) -> Result<Content> {
    r.array_of(2)?;
    let depth = r.u64()?;
    match u8::try_from(depth) {
        Ok(depth) if depth < MAX_LEVELS => Ok(Content {
            depth,
            pieces: pieces(r, depth)?,
        }),
        _ => Err(Error::damaged(format!("a content list has depth {depth}"))),
    }
}

/// A content list of `depth`. The total length must fit 64 bits.
pub fn pieces(r: &mut Reader<'_>, depth: u8) -> Result<Vec<Piece>> {
    const SHORTEST: usize = 37;
    let n = r.array(usize::MAX)?;
    // `array` has bounded n by the bytes left; a piece takes at least SHORTEST of them.
    let mut pieces = Vec::with_capacity(n / SHORTEST + 1);
    let mut total = 0u64;
    for _ in 0..n {
        r.array_of(3)?;
        let piece = Piece {
            chunk: r.id()?,
            offset: r.u64()?,
            len: r.u64()?,
        };
        total = total
            .checked_add(piece.len)
            .ok_or_else(|| Error::damaged("a content list is longer than 2^64 bytes"))?;
        check_piece(&piece, depth)?;
        pieces.push(piece);
    }
    Ok(pieces)
}

/// Major type of a byte string, in the top bits of its head.
const BYTE_STRING: u8 = 2;

fn blob(r: &mut Reader<'_>) -> Result<Blob> {
    if r.rest()
        .first()
        .is_some_and(|head| head >> 5 == BYTE_STRING)
    {
        Ok(Blob::Inline(r.bytes(MAX_ENTRY)?.to_vec()))
    } else {
        content(r).map(Blob::Stored)
    }
}

fn streams(r: &mut Reader<'_>) -> Result<Vec<Stream>> {
    r.list(usize::MAX, |r| {
        r.array_of(2)?;
        Ok(Stream {
            name: r.bytes(MAX_NAME)?.to_vec(),
            content: content(r)?,
        })
    })
}
