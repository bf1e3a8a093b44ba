//! An entry as deterministic CBOR.

use super::wire::{put_array, put_bytes, put_int, put_true, put_uint};
use super::{Blob, Content, Entry, FileKind, FileTime, MAX_ENTRY, MAX_LEVELS, MAX_NAME, Piece};
use crate::error::{Error, Result};

/// Map keys of an entry.
pub mod key {
    pub const NAME: u64 = 0;
    pub const KIND: u64 = 1;
    pub const MODE: u64 = 2;
    pub const UID: u64 = 3;
    pub const GID: u64 = 4;
    pub const USER: u64 = 5;
    pub const GROUP: u64 = 6;
    pub const MTIME: u64 = 7;
    pub const CTIME: u64 = 8;
    pub const SIZE: u64 = 9;
    pub const INODE: u64 = 10;
    pub const DEVICE: u64 = 11;
    pub const HARDLINK: u64 = 12;
    pub const LINK: u64 = 13;
    pub const RDEV: u64 = 14;
    pub const CONTENT: u64 = 15;
    pub const EXTENTS: u64 = 16;
    pub const XATTRS: u64 = 17;
    pub const WIN_ATTRIBUTES: u64 = 18;
    pub const CREATED: u64 = 19;
    pub const STREAMS: u64 = 20;
    pub const SECURITY: u64 = 21;
    pub const UNSTABLE: u64 = 22;
}

/// Encodes `entry` under its last path component `name`. Empty, zero and absent fields are left out.
///
/// Fails ([`crate::error::Kind::Failed`]) when the name or the whole is too long, or a time's nanoseconds are out of range;
/// [`super::fit_entry`] moves what is long to chunks first.
pub fn encode_entry(name: &[u8], entry: &Entry) -> Result<Vec<u8>> {
    check_name(name)?;
    let mut map = MapWriter {
        out: Vec::with_capacity(192),
        pairs: 0,
    };
    map.out.push(0);
    put_bytes(map.key(key::NAME), name);
    put_uint(map.key(key::KIND), entry.kind as u64);
    put_owner(&mut map, entry);
    put_times_and_identity(&mut map, entry)?;
    if !entry.link.is_empty() {
        put_bytes(map.key(key::LINK), &entry.link);
    }
    if entry.rdev != (0, 0) {
        put_pair(map.key(key::RDEV), entry.rdev.0.into(), entry.rdev.1.into());
    }
    if entry.content != Content::default() {
        put_content(map.key(key::CONTENT), &entry.content)?;
    }
    put_blob(&mut map, key::EXTENTS, &entry.extents)?;
    put_blob(&mut map, key::XATTRS, &entry.xattrs)?;
    put_windows(&mut map, entry)?;
    if entry.unstable {
        put_true(map.key(key::UNSTABLE));
    }
    // At most 23 pairs: the head of the map is the one byte reserved for it.
    if let Some(head) = map.out.first_mut() {
        *head = 0xa0 | map.pairs;
    }
    if map.out.len() > MAX_ENTRY {
        return Err(Error::failed(format!(
            "the metadata of one file takes {} bytes, more than {MAX_ENTRY}",
            map.out.len()
        )));
    }
    Ok(map.out)
}

/// A component must be usable as a file name on some platform: not empty, `.` or `..`, without `/` and NUL, not too long.
pub fn check_name(name: &[u8]) -> Result<()> {
    if name.is_empty()
        || name == b"."
        || name == b".."
        || name.iter().any(|b| matches!(b, 0 | b'/'))
    {
        return Err(Error::failed(format!(
            "{:?} cannot be the name of a file",
            String::from_utf8_lossy(name)
        )));
    }
    if name.len() > MAX_NAME {
        return Err(Error::failed(format!(
            "a file name of {} bytes is longer than {MAX_NAME}",
            name.len()
        )));
    }
    Ok(())
}

struct MapWriter {
    out: Vec<u8>,
    pairs: u8,
}

impl MapWriter {
    fn key(&mut self, key: u64) -> &mut Vec<u8> {
        self.pairs += 1;
        put_uint(&mut self.out, key);
        &mut self.out
    }

    fn number(&mut self, key: u64, value: u64) {
        if value != 0 {
            put_uint(self.key(key), value);
        }
    }
}

fn put_owner(map: &mut MapWriter, entry: &Entry) {
    map.number(key::MODE, entry.mode.into());
    map.number(key::UID, entry.uid.into());
    map.number(key::GID, entry.gid.into());
    if !entry.user.is_empty() {
        put_bytes(map.key(key::USER), &entry.user);
    }
    if !entry.group.is_empty() {
        put_bytes(map.key(key::GROUP), &entry.group);
    }
}

fn put_times_and_identity(map: &mut MapWriter, entry: &Entry) -> Result<()> {
    if entry.mtime != FileTime::default() {
        put_time(map.key(key::MTIME), entry.mtime)?;
    }
    if entry.ctime != FileTime::default() {
        put_time(map.key(key::CTIME), entry.ctime)?;
    }
    map.number(key::SIZE, entry.size);
    map.number(key::INODE, entry.inode);
    map.number(key::DEVICE, entry.device);
    if let Some((device, inode)) = entry.hardlink {
        put_pair(map.key(key::HARDLINK), device, inode);
    }
    Ok(())
}

fn put_windows(map: &mut MapWriter, entry: &Entry) -> Result<()> {
    if let Some(attributes) = entry.win_attributes {
        put_uint(map.key(key::WIN_ATTRIBUTES), attributes.into());
    }
    if let Some(created) = entry.created {
        put_time(map.key(key::CREATED), created)?;
    }
    if !entry.streams.is_empty() {
        let out = map.key(key::STREAMS);
        put_array(out, entry.streams.len());
        for stream in &entry.streams {
            put_array(out, 2);
            put_bytes(out, &stream.name);
            put_content(out, &stream.content)?;
        }
    }
    put_blob(map, key::SECURITY, &entry.security)
}

fn put_pair(out: &mut Vec<u8>, a: u64, b: u64) {
    put_array(out, 2);
    put_uint(out, a);
    put_uint(out, b);
}

fn put_time(out: &mut Vec<u8>, time: FileTime) -> Result<()> {
    if time.nanos > 999_999_999 {
        return Err(Error::failed(format!(
            "a file time has {} nanoseconds",
            time.nanos
        )));
    }
    put_array(out, 2);
    put_int(out, time.secs);
    put_uint(out, time.nanos.into());
    Ok(())
}

fn put_content(out: &mut Vec<u8>, content: &Content) -> Result<()> {
    if content.depth >= MAX_LEVELS {
        return Err(Error::failed(format!(
            "a content list has depth {}",
            content.depth
        )));
    }
    content
        .pieces
        .iter()
        .try_for_each(|piece| check_piece(piece, content.depth))?;
    put_array(out, 2);
    put_uint(out, content.depth.into());
    put_pieces(out, &content.pieces);
    Ok(())
}

/// A piece has bytes, ends below 2^64, and stands for a whole chunk where that holds a list.
pub fn check_piece(piece: &Piece, depth: u8) -> Result<()> {
    if piece.len == 0
        || piece.offset.checked_add(piece.len).is_none()
        || (depth > 0 && piece.offset != 0)
    {
        return Err(Error::damaged("a piece of content is empty or misplaced"));
    }
    Ok(())
}

/// A content list: the array that entries and list chunks have in common.
pub fn put_pieces(out: &mut Vec<u8>, pieces: &[Piece]) {
    put_array(out, pieces.len());
    for piece in pieces {
        put_array(out, 3);
        put_bytes(out, &piece.chunk.0);
        put_uint(out, piece.offset);
        put_uint(out, piece.len);
    }
}

fn put_blob(map: &mut MapWriter, key: u64, blob: &Option<Blob>) -> Result<()> {
    match blob {
        None => Ok(()),
        Some(Blob::Inline(bytes)) => {
            put_bytes(map.key(key), bytes);
            Ok(())
        }
        Some(Blob::Stored(content)) => put_content(map.key(key), content),
    }
}

/// The code of a kind, and back.
pub fn kind_from(code: u64) -> Option<FileKind> {
    use FileKind::*;
    [File, Dir, Symlink, Fifo, CharDevice, BlockDevice, Junction]
        .into_iter()
        .find(|k| *k as u64 == code)
}
