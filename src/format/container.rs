//! The sealed container that packs, index objects and snapshots share: header, object key, frames, trailer.
//!
//! ```text
//! header | chunk frames | directory frame | trailer frame (last 96 bytes)
//! ```
//! See `corso-format(5)`, SEALED OBJECTS. What the frames hold is in [`super::pack`].

use super::check_magic;
use crate::codec::compress;
use crate::codec::spare;
use crate::crypto::aead::{self, AeadKey, Cipher};
use crate::crypto::{
    DomainKeys, Key, Keyring, Session, hmac_sha256, hmac_verify, kdf::hkdf_sha256, kem,
};
use crate::error::{Context, Error, Kind, Result};
use crate::id::{Id, Id16};

const MAGIC: &[u8; 8] = b"corso\0ob";
/// The format version of sealed objects.
pub const VERSION: u16 = 1;
/// Length of a header that carries an X-Wing ciphertext (all kinds but index objects).
pub const SEALED_HEADER_LEN: usize = PREFIX_LEN + kem::CIPHERTEXT_LEN;
/// Length of an index object's header.
pub const INDEX_HEADER_LEN: usize = PREFIX_LEN + Id16::LEN;
/// Length of the trailer frame, tag included.
pub const TRAILER_LEN: usize = TRAILER_PLAIN_LEN + aead::TAG_LEN;
/// Length of a frame's authentication tag.
pub const TAG_LEN: usize = aead::TAG_LEN;
/// The longest raw chunk.
pub const MAX_CHUNK: usize = 64 << 20;
/// The most chunks in one object.
pub const MAX_ROWS: usize = 1 << 16;
/// The longest object.
pub const MAX_OBJECT: u64 = 1 << 30;

const PREFIX_LEN: usize = 32;
const TRAILER_PLAIN_LEN: usize = 80;

/// What a sealed object holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ObjectKind {
    /// File content: chunks and bundles.
    Data = 1,
    /// Tree nodes and lists that do not fit into an entry.
    Metadata = 2,
    /// Where chunks are.
    Index = 3,
    /// A backup's manifest.
    Snapshot = 4,
}

impl ObjectKind {
    /// From its number in the format.
    pub fn from_number(number: u64) -> Result<Self> {
        match number {
            1 => Ok(ObjectKind::Data),
            2 => Ok(ObjectKind::Metadata),
            3 => Ok(ObjectKind::Index),
            4 => Ok(ObjectKind::Snapshot),
            other => Err(Error::damaged(format!("unknown kind of object {other}"))),
        }
    }

    /// Its name in key derivation and messages.
    pub fn name(self) -> &'static str {
        match self {
            ObjectKind::Data => "data",
            ObjectKind::Metadata => "metadata",
            ObjectKind::Index => "index",
            ObjectKind::Snapshot => "snapshot",
        }
    }

    /// Data or metadata pack?
    pub fn is_pack(self) -> bool {
        matches!(self, ObjectKind::Data | ObjectKind::Metadata)
    }

    /// Length of the header of this kind.
    pub fn header_len(self) -> usize {
        match self {
            ObjectKind::Index => INDEX_HEADER_LEN,
            _ => SEALED_HEADER_LEN,
        }
    }

    /// The longest object of this kind that a reader accepts.
    pub fn max_object(self) -> u64 {
        match self {
            ObjectKind::Data | ObjectKind::Metadata => MAX_OBJECT,
            ObjectKind::Index => 256 << 20,
            ObjectKind::Snapshot => 64 << 20,
        }
    }
}

/// Where the secret of an object comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// An X-Wing ciphertext: the run's shared secret.
    Session(Vec<u8>),
    /// The index key of this writer's domain.
    Domain(Id16),
}

/// The clear start of a sealed object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the object holds.
    pub kind: ObjectKind,
    /// What it is encrypted with.
    pub cipher: Cipher,
    /// The key epoch of its secret and of its domain.
    pub epoch: u32,
    /// Drawn afresh for every object.
    pub salt: [u8; 16],
    /// Where its secret comes from.
    pub secret: Secret,
}

impl Header {
    /// The header's bytes: [`ObjectKind::header_len`] of them.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.kind.header_len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&[self.kind as u8, self.cipher as u8]);
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(&self.salt);
        match &self.secret {
            Secret::Session(ciphertext) => out.extend_from_slice(ciphertext),
            Secret::Domain(writer) => out.extend_from_slice(&writer.0),
        }
        out
    }

    /// Reads the header at the start of `object`, of which at least the first [`SEALED_HEADER_LEN`] bytes
    /// (or all) are given.
    pub fn decode(object: &[u8]) -> Result<Self> {
        check_magic(object, MAGIC, VERSION, "a sealed object")?;
        let short = || Error::damaged("a sealed object ends within its header");
        let prefix: &[u8; PREFIX_LEN] = object.first_chunk().ok_or_else(short)?;
        let kind = ObjectKind::from_number(prefix[10].into())?;
        let cipher = Cipher::from_number(prefix[11].into())?;
        let epoch = be_u32(&prefix[12..16]);
        let salt = prefix[16..].try_into().map_err(|_| short())?;
        let tail = object
            .get(PREFIX_LEN..kind.header_len())
            .ok_or_else(short)?;
        let secret = match kind {
            ObjectKind::Index => Secret::Domain(Id16::from_slice(tail)?),
            _ => Secret::Session(tail.to_vec()),
        };
        Ok(Header {
            kind,
            cipher,
            epoch,
            salt,
            secret,
        })
    }
}

/// The key of one object, with what its header says. Cheap to keep: readers cache it by object.
pub struct ObjectKey {
    aead: AeadKey,
    kind: ObjectKind,
    epoch: u32,
    index_writer: Option<Id16>,
}

/// The domain's MAC and the position of the directory: the plaintext of the trailer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// Where the directory frame starts.
    pub directory_offset: u64,
    /// Its length, tag included.
    pub directory_stored: u32,
    /// Chunk frames in the object.
    pub frames: u32,
    /// The run that wrote it.
    pub run: Id16,
    /// Its domain.
    pub writer: Id16,
    /// See [`mac_of`].
    pub mac: [u8; 32],
}

/// What is encrypted in a frame; the first byte of its nonce and its associated data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// A chunk.
    Chunk = 1,
    /// The directory.
    Directory = 2,
    /// The trailer.
    Trailer = 3,
}

impl ObjectKey {
    /// The key of the object that starts with `object` (see [`Header::decode`]). Needs a full key, the session
    /// that sealed it, or for an index object its domain's keys: else [`Kind::RoleNeeded`].
    pub fn from_header(object: &[u8], keys: &Keyring) -> Result<Self> {
        let header = Header::decode(object)?;
        let secret = match &header.secret {
            Secret::Session(ciphertext) => keys.open_session(header.epoch, ciphertext)?,
            Secret::Domain(writer) => keys.domain(*writer, header.epoch)?.index.clone(),
        };
        Self::derive(&header, &secret, &keys.repo())
    }

    /// The key of a new object: its header, encoded, goes first.
    pub(super) fn for_writing(
        header: &Header,
        session: &Session,
        domain: &DomainKeys,
    ) -> Result<Self> {
        let secret = match header.secret {
            Secret::Session(_) => session.secret(),
            Secret::Domain(_) => &domain.index,
        };
        Self::derive(header, secret, &session.repo)
    }

    fn derive(header: &Header, secret: &Key, repo: &Id16) -> Result<Self> {
        let Header {
            kind,
            cipher,
            epoch,
            ..
        } = *header;
        let name = kind.name().as_bytes();
        let hash = Id::sha256(&header.encode());
        let info: [&[u8]; 6] = [
            b"corso/1/object/",
            name,
            &[0],
            &repo.0,
            &[cipher as u8],
            &hash.0,
        ];
        let key = hkdf_sha256(&header.salt, secret.bytes(), &info)?;
        let index_writer = match header.secret {
            Secret::Domain(writer) => Some(writer),
            Secret::Session(_) => None,
        };
        Ok(ObjectKey {
            aead: AeadKey::new(cipher, &key)?,
            kind,
            epoch,
            index_writer,
        })
    }

    /// What the object holds.
    pub fn kind(&self) -> ObjectKind {
        self.kind
    }

    /// The key epoch of the object's domain.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Seals a frame in place; its last 16 bytes become the tag. `offset` is where the frame starts in the object.
    pub(super) fn seal(&self, frame: FrameKind, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.aead.seal(nonce(frame, offset), &[frame as u8], buffer)
    }

    /// Opens a frame in place and gives its plaintext.
    pub fn open<'a>(
        &self,
        frame: FrameKind,
        offset: u64,
        buffer: &'a mut [u8],
    ) -> Result<&'a mut [u8]> {
        self.aead.open(nonce(frame, offset), &[frame as u8], buffer)
    }

    /// Opens the trailer: `tail` ends with the last [`TRAILER_LEN`] bytes of an object of `object_len` bytes.
    /// The positions in it are checked against that length.
    pub fn open_trailer(&self, tail: &[u8], object_len: u64) -> Result<Trailer> {
        let sealed: &[u8; TRAILER_LEN] = tail
            .last_chunk()
            .ok_or_else(|| Error::damaged("an object is too short"))?;
        let offset = object_len
            .checked_sub(TRAILER_LEN as u64)
            .filter(|_| object_len <= self.kind.max_object())
            .ok_or_else(|| {
                Error::damaged(format!(
                    "an object of {object_len} bytes is too short or too long"
                ))
            })?;
        let mut sealed = *sealed;
        let plain = self
            .open(FrameKind::Trailer, offset, &mut sealed)
            .context(|| "opening the trailer")?;
        let trailer = Trailer::decode(plain)?;
        trailer.check(self, offset)?;
        Ok(trailer)
    }
}

impl Trailer {
    pub(super) fn encode(&self) -> [u8; TRAILER_PLAIN_LEN] {
        let mut out = [0; TRAILER_PLAIN_LEN];
        out[..8].copy_from_slice(&self.directory_offset.to_be_bytes());
        out[8..12].copy_from_slice(&self.directory_stored.to_be_bytes());
        out[12..16].copy_from_slice(&self.frames.to_be_bytes());
        out[16..32].copy_from_slice(&self.run.0);
        out[32..48].copy_from_slice(&self.writer.0);
        out[48..].copy_from_slice(&self.mac);
        out
    }

    fn decode(plain: &[u8]) -> Result<Self> {
        let bytes: &[u8; TRAILER_PLAIN_LEN] = plain
            .try_into()
            .map_err(|_| Error::damaged("a trailer of the wrong length"))?;
        Ok(Trailer {
            directory_offset: u64::from(be_u32(&bytes[..4])) << 32
                | u64::from(be_u32(&bytes[4..8])),
            directory_stored: be_u32(&bytes[8..12]),
            frames: be_u32(&bytes[12..16]),
            run: Id16::from_slice(&bytes[16..32])?,
            writer: Id16::from_slice(&bytes[32..48])?,
            mac: Id::from_slice(&bytes[48..])?.0,
        })
    }

    /// The directory lies between header and trailer, and ends where the trailer starts.
    fn check(&self, key: &ObjectKey, trailer_offset: u64) -> Result<()> {
        let in_place = self.directory_offset >= key.kind.header_len() as u64
            && self
                .directory_offset
                .checked_add(self.directory_stored.into())
                == Some(trailer_offset)
            && self.directory_stored as usize > TAG_LEN;
        if !in_place || self.frames as usize > MAX_ROWS {
            return Err(Error::damaged("the trailer points outside of its object"));
        }
        if key.index_writer.is_some_and(|writer| writer != self.writer) {
            return Err(Error::damaged(
                "an index object names one writer in its header and another in its trailer",
            ));
        }
        Ok(())
    }

    /// Checks the domain's MAC, given the SHA-256 of all bytes before the trailer.
    pub fn verify_mac(
        &self,
        kind: ObjectKind,
        repo: &Id16,
        domain: &DomainKeys,
        before: &Id,
    ) -> Result<()> {
        if hmac_verify(
            &domain.mac,
            &mac_input(kind, repo, &self.writer, &self.run, before),
            &self.mac,
        ) {
            Ok(())
        } else {
            Err(Error::damaged(
                "an object's MAC is wrong: it was not written by the writer that it names",
            ))
        }
    }
}

/// HMAC-SHA256 under the domain's MAC key, of what the object is and the hash of all before its trailer.
pub(super) fn mac_of(
    kind: ObjectKind,
    repo: &Id16,
    domain: &DomainKeys,
    run: &Id16,
    before: &Id,
) -> [u8; 32] {
    hmac_sha256(
        &domain.mac,
        &mac_input(kind, repo, &domain.writer, run, before),
    )
}

fn mac_input<'a>(
    kind: ObjectKind,
    repo: &'a Id16,
    writer: &'a Id16,
    run: &'a Id16,
    before: &'a Id,
) -> [&'a [u8]; 6] {
    const KINDS: [[u8; 1]; 5] = [[0], [1], [2], [3], [4]];
    [
        b"corso/1/object-mac\0",
        &KINDS[kind as usize],
        &repo.0,
        &writer.0,
        &run.0,
        &before.0,
    ]
}

/// The offset of a frame in its object is the counter: no two frames of an object share one, and a frame opens
/// nowhere else.
fn nonce(frame: FrameKind, offset: u64) -> [u8; aead::NONCE_LEN] {
    let mut nonce = [0; aead::NONCE_LEN];
    nonce[0] = frame as u8;
    nonce[4..].copy_from_slice(&offset.to_be_bytes());
    nonce
}

/// The raw chunk in the opened payload of a frame.
pub(super) fn raw_of(payload: Vec<u8>, raw_len: usize) -> Result<Vec<u8>> {
    if payload.len() == raw_len {
        return Ok(payload);
    }
    // What is longer than usual is asked for there, where a refusal is no abort.
    let mut raw = spare::take(raw_len.min(spare::CHUNK));
    compress::unpack_into(&payload, raw_len, &mut raw)?;
    spare::give(payload);
    Ok(raw)
}

/// A big-endian number; shorter than four bytes cannot happen with the fixed slices here.
pub(super) fn be_u32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |n, byte| n << 8 | u32::from(*byte))
}

/// Wraps a role error with what it means for an object.
pub(super) fn domain_of(
    keys: &Keyring,
    trailer: &Trailer,
    epoch: u32,
) -> Result<std::sync::Arc<DomainKeys>> {
    keys.domain(trailer.writer, epoch)
        .map_err(|e| match e.kind() {
            Kind::RoleNeeded => e.context("checking an object's writer"),
            _ => e,
        })
}
