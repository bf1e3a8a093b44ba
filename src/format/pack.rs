//! Reading sealed objects: the directory, single chunks, whole objects. Writing them is in [`super::builder`].

use super::container::{
    FrameKind, MAX_CHUNK, MAX_ROWS, ObjectKey, ObjectKind, TAG_LEN, TRAILER_LEN, Trailer, be_u32,
    domain_of, raw_of,
};
use crate::codec::cbor::{Reader, required};
use crate::codec::spare;
use crate::crypto::{DomainKeys, Keyring};
use crate::error::{Context, Error, Result};
use crate::id::Id;

pub use super::builder::{PackBuilder, Sealed, verify_sealed};

/// Length of an encoded row.
pub const ROW_LEN: usize = 44;

/// Where a chunk is in its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackRow {
    /// The chunk's id; zero in index objects and snapshots.
    pub id: Id,
    /// Where its frame starts in the object.
    pub offset: u32,
    /// The frame's length, tag included.
    pub stored: u32,
    /// The chunk's length.
    pub raw: u32,
}

impl PackRow {
    /// The 44 bytes of the format.
    pub fn encode(&self) -> [u8; ROW_LEN] {
        let mut out = [0; ROW_LEN];
        out[..32].copy_from_slice(&self.id.0);
        out[32..36].copy_from_slice(&self.offset.to_be_bytes());
        out[36..40].copy_from_slice(&self.stored.to_be_bytes());
        out[40..].copy_from_slice(&self.raw.to_be_bytes());
        out
    }

    /// Reads a row; see [`Self::check`].
    pub fn decode(bytes: &[u8; ROW_LEN]) -> Self {
        let mut id = Id::ZERO;
        id.0.copy_from_slice(&bytes[..32]);
        PackRow {
            id,
            offset: be_u32(&bytes[32..36]),
            stored: be_u32(&bytes[36..40]),
            raw: be_u32(&bytes[40..]),
        }
    }

    /// Where its frame ends.
    pub fn end(&self) -> u64 {
        u64::from(self.offset) + u64::from(self.stored)
    }

    /// Refuses lengths that no chunk can have.
    pub fn check(&self) -> Result<()> {
        let payload = self.stored.checked_sub(TAG_LEN as u32);
        if self.raw as usize > MAX_CHUNK || payload.is_none_or(|payload| payload > self.raw) {
            return Err(Error::damaged(format!(
                "a chunk of {} bytes is stored in {}",
                self.raw, self.stored
            )));
        }
        Ok(())
    }
}

/// Opens the directory frame, whose place the trailer gives, and checks that its rows cover the chunk frames
/// without gap or overlap.
pub fn open_directory(key: &ObjectKey, trailer: &Trailer, frame: &[u8]) -> Result<Vec<PackRow>> {
    if frame.len() != trailer.directory_stored as usize {
        return Err(Error::damaged(
            "the directory has another length than the trailer says",
        ));
    }
    let mut frame = frame.to_vec();
    let plain = key
        .open(FrameKind::Directory, trailer.directory_offset, &mut frame)
        .context(|| "opening the directory")?;
    let rows = decode_directory(plain)?;
    if rows.len() != trailer.frames as usize {
        return Err(Error::damaged(format!(
            "{} chunks where the trailer says {}",
            rows.len(),
            trailer.frames
        )));
    }
    let mut at = key.kind().header_len() as u64;
    for row in &rows {
        row.check()?;
        if u64::from(row.offset) != at || key.kind().is_pack() == (row.id == Id::ZERO) {
            return Err(Error::damaged(
                "the rows of a directory do not fit their object",
            ));
        }
        at = row.end();
    }
    if at != trailer.directory_offset {
        return Err(Error::damaged("the rows of a directory do not reach it"));
    }
    Ok(rows)
}

/// The rows in a directory's plaintext: a CBOR map, then nothing but zero bytes.
fn decode_directory(plain: &[u8]) -> Result<Vec<PackRow>> {
    let mut bytes = None;
    let mut reader = Reader::new(plain);
    reader.map(|key, value| match key {
        1 => {
            bytes = Some(value.bytes(MAX_ROWS * ROW_LEN)?);
            Ok(true)
        }
        _ => Ok(false),
    })?;
    if reader.rest().iter().any(|byte| *byte != 0) {
        return Err(Error::damaged("the padding of a directory is not zero"));
    }
    decode_rows(required(bytes, "rows")?)
}

/// Rows one after another; lengths are checked by the caller.
pub(super) fn decode_rows(bytes: &[u8]) -> Result<Vec<PackRow>> {
    let (rows, rest) = bytes.as_chunks::<ROW_LEN>();
    if !rest.is_empty() || rows.len() > MAX_ROWS {
        return Err(Error::damaged(format!("{} bytes of rows", bytes.len())));
    }
    Ok(rows.iter().map(PackRow::decode).collect())
}

/// Opens one chunk of a pack: `frame` is the `row.stored` bytes at `row.offset`. Checks length, tag, compression
/// and, under the keys of the pack's domain, the chunk id.
pub fn open_chunk(
    key: &ObjectKey,
    domain: &DomainKeys,
    row: &PackRow,
    frame: &[u8],
) -> Result<Vec<u8>> {
    let raw = open_frame(key, row, frame)?;
    if domain.chunk_id(&raw) != row.id {
        return Err(Error::damaged(format!(
            "chunk {} holds other bytes than its id says",
            row.id.short()
        )));
    }
    Ok(raw)
}

/// As [`open_chunk`] without the chunk id: for index objects and snapshots, whose chunks have none.
pub fn open_frame(key: &ObjectKey, row: &PackRow, frame: &[u8]) -> Result<Vec<u8>> {
    row.check()?;
    if frame.len() != row.stored as usize {
        return Err(Error::damaged(format!(
            "a frame of {} bytes instead of {}",
            frame.len(),
            row.stored
        )));
    }
    let mut buffer = spare::take(frame.len());
    buffer.extend_from_slice(frame);
    let payload = key
        .open(FrameKind::Chunk, row.offset.into(), &mut buffer)?
        .len();
    buffer.truncate(payload);
    raw_of(buffer, row.raw as usize)
}

/// A whole object, opened: its MAC is right and its directory covers it.
pub struct Object<'b> {
    bytes: &'b [u8],
    key: ObjectKey,
    /// The trailer: run, writer.
    pub trailer: Trailer,
    /// The chunks, in order.
    pub rows: Vec<PackRow>,
    /// The keys of the object's domain.
    pub domain: std::sync::Arc<DomainKeys>,
}

impl<'b> Object<'b> {
    /// Opens `bytes`, whose name (SHA-256) the caller has checked.
    pub fn open(bytes: &'b [u8], keys: &Keyring) -> Result<Self> {
        let key = ObjectKey::from_header(bytes, keys)?;
        let trailer = key.open_trailer(bytes, bytes.len() as u64)?;
        let domain = domain_of(keys, &trailer, key.epoch())?;
        let before = bytes.get(..bytes.len() - TRAILER_LEN).unwrap_or_default();
        trailer.verify_mac(key.kind(), &keys.repo(), &domain, &Id::sha256(before))?;
        let directory = usize::try_from(trailer.directory_offset)
            .ok()
            .and_then(|at| before.get(at..));
        let directory =
            directory.ok_or_else(|| Error::damaged("the directory lies outside of its object"))?;
        let rows = open_directory(&key, &trailer, directory)?;
        Ok(Object {
            bytes,
            key,
            trailer,
            rows,
            domain,
        })
    }

    /// As [`Self::open`], and the object must be of this kind.
    pub fn open_kind(bytes: &'b [u8], keys: &Keyring, kind: ObjectKind) -> Result<Self> {
        let object = Self::open(bytes, keys)?;
        if object.kind() != kind {
            let (got, wanted) = (object.kind().name(), kind.name());
            return Err(Error::damaged(format!(
                "a {got} object lies where a {wanted} object should be"
            )));
        }
        Ok(object)
    }

    /// What it holds.
    pub fn kind(&self) -> ObjectKind {
        self.key.kind()
    }

    /// The key epoch.
    pub fn epoch(&self) -> u32 {
        self.key.epoch()
    }

    /// The raw bytes of a chunk of this object; in packs its id is checked.
    pub fn chunk(&self, row: &PackRow) -> Result<Vec<u8>> {
        let frame = usize::try_from(row.end())
            .ok()
            .and_then(|end| self.bytes.get(row.offset as usize..end));
        let frame = frame.ok_or_else(|| Error::damaged("a row points outside of its object"))?;
        match self.kind().is_pack() {
            true => open_chunk(&self.key, &self.domain, row, frame),
            false => open_frame(&self.key, row, frame),
        }
    }
}

#[cfg(test)]
mod tests;
