//! Writing sealed objects: chunks are collected in one buffer, then sealed in place, in parallel.

use super::container::{
    FrameKind, Header, MAX_CHUNK, MAX_OBJECT, MAX_ROWS, ObjectKey, ObjectKind, Secret, TAG_LEN,
    TRAILER_LEN, Trailer, mac_of,
};
use super::pack::{Object, PackRow, ROW_LEN};
use crate::codec::cbor::Writer;
use crate::codec::compress;
use crate::codec::pad::padme;
use crate::codec::spare;
use crate::crypto::{Cipher, DomainKeys, Keyring, Session, random};
use crate::error::{Context, Error, Result};
use crate::id::{Id, Id16};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Room for the CBOR around the rows.
const DIRECTORY_HEAD_MAX: usize = 8;

/// An object ready for upload.
pub struct Sealed {
    /// SHA-256 of `bytes`: its name.
    pub name: Id,
    /// What it holds.
    pub kind: ObjectKind,
    /// The object.
    pub bytes: Vec<u8>,
    /// Its chunks, in order.
    pub rows: Vec<PackRow>,
}

/// Collects the chunks of one object and seals it. Every chunk is of one domain, in the session's key epoch.
pub struct PackBuilder {
    key: ObjectKey,
    kind: ObjectKind,
    repo: Id16,
    run: Id16,
    domain: Arc<DomainKeys>,
    /// The header, then the payloads, each followed by room for its tag.
    bytes: Vec<u8>,
    rows: Vec<PackRow>,
}

impl PackBuilder {
    /// Starts an object with a fresh salt.
    pub fn new(
        kind: ObjectKind,
        session: &Session,
        cipher: Cipher,
        domain: Arc<DomainKeys>,
    ) -> Result<Self> {
        let mut salt = [0; 16];
        random(&mut salt)?;
        Self::with_salt(kind, session, cipher, domain, salt)
    }

    /// As [`Self::new`] with a given salt: for test vectors only. A salt must never be used twice in a session.
    #[doc(hidden)]
    pub fn with_salt(
        kind: ObjectKind,
        session: &Session,
        cipher: Cipher,
        domain: Arc<DomainKeys>,
        salt: [u8; 16],
    ) -> Result<Self> {
        if domain.epoch != session.epoch {
            return Err(Error::failed(
                "an object's domain and session are of different key epochs",
            ));
        }
        let secret = match kind {
            ObjectKind::Index => Secret::Domain(domain.writer),
            _ => Secret::Session(session.ciphertext.clone()),
        };
        let header = Header {
            kind,
            cipher,
            epoch: session.epoch,
            salt,
            secret,
        };
        Ok(PackBuilder {
            key: ObjectKey::for_writing(&header, session, &domain)?,
            kind,
            repo: session.repo,
            run: session.run,
            domain,
            bytes: header.encode(),
            rows: Vec::new(),
        })
    }

    /// Makes room for a whole object of `bytes`, so that it does not move while it grows.
    pub fn reserve(&mut self, bytes: usize) {
        if self.bytes.capacity() < bytes {
            let mut room = spare::take(bytes);
            room.extend_from_slice(&self.bytes);
            self.bytes = room;
        }
    }

    /// Appends a chunk: its id (zero in index objects and snapshots), raw length, and what
    /// [`crate::codec::compress::pack_chunk`] made of it.
    pub fn add(&mut self, id: Id, raw_len: usize, stored_payload: &[u8]) -> Result<()> {
        let stored = stored_payload.len() + TAG_LEN;
        if raw_len > MAX_CHUNK || stored_payload.len() > raw_len || self.rows.len() >= MAX_ROWS {
            return Err(Error::failed("a chunk does not fit the format"));
        }
        if self.len_estimate() + (stored + ROW_LEN) as u64 > MAX_OBJECT * 7 / 8 {
            return Err(Error::failed("an object has grown too large"));
        }
        // Bounded by the two checks above, all of these fit.
        self.rows.push(PackRow {
            id,
            offset: self.bytes.len() as u32,
            stored: stored as u32,
            raw: raw_len as u32,
        });
        self.bytes.extend_from_slice(stored_payload);
        self.bytes.extend_from_slice(&[0; TAG_LEN]);
        Ok(())
    }

    /// The object's length if it ended now, before padding.
    pub fn len_estimate(&self) -> u64 {
        let directory = self.rows.len() * ROW_LEN + DIRECTORY_HEAD_MAX + TAG_LEN;
        (self.bytes.len() + directory + TRAILER_LEN) as u64
    }

    /// What it will be.
    pub fn kind(&self) -> ObjectKind {
        self.kind
    }

    /// Moves the chunks of `other` to the end of this one.
    pub fn absorb(&mut self, other: PackBuilder) -> Result<()> {
        for row in &other.rows {
            let start = row.offset as usize;
            let payload = other
                .bytes
                .get(start..start + row.stored as usize - TAG_LEN);
            self.add(row.id, row.raw as usize, payload.unwrap_or_default())?;
        }
        Ok(())
    }

    /// The chunks so far.
    pub fn rows(&self) -> &[PackRow] {
        &self.rows
    }

    /// No chunk yet?
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Can it take no more chunks, whatever their size?
    pub fn is_full(&self) -> bool {
        self.rows.len() >= MAX_ROWS
    }

    /// The domain that the chunks belong to.
    pub fn domain(&self) -> &Arc<DomainKeys> {
        &self.domain
    }

    /// Seals all frames in place, on all cores, pads, adds the trailer and hashes.
    pub fn finish(mut self) -> Result<Sealed> {
        let directory_offset = self.bytes.len();
        self.append_directory();
        self.seal_frames(directory_offset)?;

        let mut hash = Sha256::new_with_prefix(&self.bytes);
        let before = Id(hash.clone().finalize().into());
        let mut trailer = self.sealed_trailer(directory_offset, &before)?;
        let at = self.bytes.len() as u64;
        self.key.seal(FrameKind::Trailer, at, &mut trailer)?;
        hash.update(trailer);
        self.bytes.extend_from_slice(&trailer);
        Ok(Sealed {
            name: Id(hash.finalize().into()),
            kind: self.kind,
            bytes: self.bytes,
            rows: self.rows,
        })
    }

    /// The directory's plaintext, padded so that the whole object gets a Padme length, and room for its tag.
    fn append_directory(&mut self) {
        let mut rows = Vec::with_capacity(self.rows.len() * ROW_LEN);
        for row in &self.rows {
            rows.extend_from_slice(&row.encode());
        }
        let mut directory = Writer::with_capacity(rows.len() + DIRECTORY_HEAD_MAX);
        directory.map(|m| m.bytes(1, &rows));
        let directory = directory.into_vec();
        let unpadded = self.bytes.len() + directory.len() + TAG_LEN + TRAILER_LEN;
        let padded = padme(unpadded as u64) as usize;
        self.bytes.reserve_exact(padded - self.bytes.len());
        self.bytes.extend_from_slice(&directory);
        self.bytes.resize(padded - TRAILER_LEN, 0);
    }

    /// The frames tile the buffer, so it can be cut into slices of their own for the threads.
    fn seal_frames(&mut self, directory_offset: usize) -> Result<()> {
        let (head, directory) = self.bytes.split_at_mut(directory_offset);
        let mut rest = &mut head[self.kind.header_len()..];
        let mut frames = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let (frame, tail) = rest.split_at_mut(row.stored as usize);
            frames.push((u64::from(row.offset), frame));
            rest = tail;
        }
        let key = &self.key;
        frames
            .into_par_iter()
            .try_for_each(|(offset, frame)| key.seal(FrameKind::Chunk, offset, frame))?;
        key.seal(FrameKind::Directory, directory_offset as u64, directory)
    }

    /// The trailer's plaintext with room for its tag.
    fn sealed_trailer(&self, directory_offset: usize, before: &Id) -> Result<[u8; TRAILER_LEN]> {
        let stored = u32::try_from(self.bytes.len() - directory_offset);
        let trailer = Trailer {
            directory_offset: directory_offset as u64,
            directory_stored: stored
                .map_err(|_| Error::failed("a directory has grown too large"))?,
            frames: self.rows.len() as u32,
            run: self.run,
            writer: self.domain.writer,
            mac: mac_of(self.kind, &self.repo, &self.domain, &self.run, before),
        };
        let mut out = [0; TRAILER_LEN];
        out[..TRAILER_LEN - TAG_LEN].copy_from_slice(&trailer.encode());
        Ok(out)
    }
}

/// Reads a sealed object back before it is uploaded: MAC, directory, every frame opened, decompressed, and every
/// chunk id computed anew. Catches faults of memory, compression and encryption while the source is still there.
pub fn verify_sealed(sealed: &Sealed, keys: &Keyring) -> Result<()> {
    let check = || {
        let object = Object::open(&sealed.bytes, keys)?;
        if object.rows != sealed.rows
            || object.kind() != sealed.kind
            || Id::sha256(&sealed.bytes) != sealed.name
        {
            return Err(Error::damaged(
                "its directory or name differs from what was written",
            ));
        }
        object
            .rows
            .par_iter()
            .try_for_each(|row| object.chunk(row).map(spare::give))
    };
    check().context(|| {
        format!(
            "reading back a new {} object before upload",
            sealed.kind.name()
        )
    })
}

/// Seals `payloads` as an object that is no pack: an index object or a snapshot, one frame each.
pub(super) fn seal_payloads(
    kind: ObjectKind,
    payloads: &[&[u8]],
    session: &Session,
    cipher: Cipher,
    domain: &Arc<DomainKeys>,
) -> Result<Sealed> {
    let mut builder = PackBuilder::new(kind, session, cipher, domain.clone())?;
    for raw in payloads {
        builder.add(
            Id::ZERO,
            raw.len(),
            &compress::pack_chunk(raw, compress::DEFAULT_LEVEL)?,
        )?;
    }
    builder.finish()
}
