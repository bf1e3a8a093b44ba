//! An entry as deterministic CBOR.

use super::{Blob, Content, Entry, FileKind, FileTime, MAX_ENTRY, MAX_LEVELS, MAX_NAME, Piece};
use crate::codec::cbor::{Fields, Writer};
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
/// Fails ([`crate::error::Kind::Failed`]) when a name or the whole is too long, or a field is out of its range;
/// [`super::fit_entry`] moves what is long to chunks first.
pub fn encode_entry(name: &[u8], entry: &Entry) -> Result<Vec<u8>> {
    check_name(name)?;
    check_times(entry)?;
    check_contents(entry)?;
    let mut writer = Writer::with_capacity(192);
    writer.map(|map| {
        map.bytes(key::NAME, name);
        map.u64(key::KIND, entry.kind as u64);
        put_owner(map, entry);
        put_times_and_identity(map, entry);
        put_nonempty(map, key::LINK, &entry.link);
        if entry.rdev != (0, 0) {
            put_pair(map.key(key::RDEV), entry.rdev.0.into(), entry.rdev.1.into());
        }
        if entry.content != Content::default() {
            put_content(map.key(key::CONTENT), &entry.content);
        }
        put_blob(map, key::EXTENTS, &entry.extents);
        put_blob(map, key::XATTRS, &entry.xattrs);
        put_windows(map, entry);
        if entry.unstable {
            map.key(key::UNSTABLE).bool(true);
        }
    });
    let raw = writer.into_vec();
    if raw.len() > MAX_ENTRY {
        let len = raw.len();
        return Err(Error::failed(format!(
            "the metadata of one file takes {len} bytes, more than {MAX_ENTRY}"
        )));
    }
    Ok(raw)
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

fn check_times(entry: &Entry) -> Result<()> {
    let times = [Some(entry.mtime), Some(entry.ctime), entry.created];
    match times.into_iter().flatten().find(|t| t.nanos > 999_999_999) {
        Some(time) => Err(Error::failed(format!(
            "a file time has {} nanoseconds",
            time.nanos
        ))),
        None => Ok(()),
    }
}

fn check_contents(entry: &Entry) -> Result<()> {
    let blobs = [&entry.extents, &entry.xattrs, &entry.security];
    let stored = blobs.into_iter().filter_map(|b| {
        if let Some(Blob::Stored(c)) = b {
            Some(c)
        } else {
            None
        }
    });
    let streams = entry.streams.iter().map(|s| &s.content);
    for content in std::iter::once(&entry.content).chain(streams).chain(stored) {
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
    }
    match entry.streams.iter().find(|s| s.name.len() > MAX_NAME) {
        Some(stream) => Err(Error::failed(format!(
            "the name of a stream has {} bytes",
            stream.name.len()
        ))),
        None => Ok(()),
    }
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

fn put_nonempty(map: &mut Fields<'_>, key: u64, bytes: &[u8]) {
    if !bytes.is_empty() {
        map.bytes(key, bytes);
    }
}

fn put_owner(map: &mut Fields<'_>, entry: &Entry) {
    map.u64_nonzero(key::MODE, entry.mode.into());
    map.u64_nonzero(key::UID, entry.uid.into());
    map.u64_nonzero(key::GID, entry.gid.into());
    put_nonempty(map, key::USER, &entry.user);
    put_nonempty(map, key::GROUP, &entry.group);
}

fn put_times_and_identity(map: &mut Fields<'_>, entry: &Entry) {
    for (key, time) in [(key::MTIME, entry.mtime), (key::CTIME, entry.ctime)] {
        if time != FileTime::default() {
            put_time(map.key(key), time);
        }
    }
    map.u64_nonzero(key::SIZE, entry.size);
    map.u64_nonzero(key::INODE, entry.inode);
    map.u64_nonzero(key::DEVICE, entry.device);
    if let Some((device, inode)) = entry.hardlink {
        put_pair(map.key(key::HARDLINK), device, inode);
    }
}

fn put_windows(map: &mut Fields<'_>, entry: &Entry) {
    if let Some(attributes) = entry.win_attributes {
        map.u64(key::WIN_ATTRIBUTES, attributes.into());
    }
    if let Some(created) = entry.created {
        put_time(map.key(key::CREATED), created);
    }
    if !entry.streams.is_empty() {
        let w = map.key(key::STREAMS).array(entry.streams.len());
        for stream in &entry.streams {
            put_content(w.array(2).bytes(&stream.name), &stream.content);
        }
    }
    put_blob(map, key::SECURITY, &entry.security);
}

fn put_pair(w: &mut Writer, a: u64, b: u64) {
    w.array(2).u64(a).u64(b);
}

fn put_time(w: &mut Writer, time: FileTime) {
    w.array(2).i64(time.secs).u64(time.nanos.into());
}

fn put_content(w: &mut Writer, content: &Content) {
    put_pieces(w.array(2).u64(content.depth.into()), &content.pieces);
}

/// A content list: the array that entries and list chunks have in common.
pub fn put_pieces(w: &mut Writer, pieces: &[Piece]) {
    w.array(pieces.len());
    for piece in pieces {
        w.array(3)
            .bytes(piece.chunk)
            .u64(piece.offset)
            .u64(piece.len);
    }
}

fn put_blob(map: &mut Fields<'_>, key: u64, blob: &Option<Blob>) {
    match blob {
        None => {}
        Some(Blob::Inline(bytes)) => map.bytes(key, bytes),
        Some(Blob::Stored(content)) => put_content(map.key(key), content),
    }
}

/// The kind with this code.
pub fn kind_from(code: u64) -> Option<FileKind> {
    use FileKind::*;
    [File, Dir, Symlink, Fifo, CharDevice, BlockDevice, Junction]
        .into_iter()
        .find(|k| *k as u64 == code)
}
