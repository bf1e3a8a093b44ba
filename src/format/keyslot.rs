//! `keys/<slot>`: a passphrase's way to the keys.

use super::config::Config;
use super::{check_magic, container::be_u32};
use crate::codec::cbor::{Reader, Writer, required};
use crate::crypto::kdf::KdfParams;
use crate::crypto::kem::{PUBLIC_LEN, PublicKey};
use crate::crypto::keyring::WriterEpoch;
use crate::crypto::{DomainKeys, Key, Keyring, Passphrase, Role, random, wrap};
use crate::error::{Context, Error, Kind, Result};
use crate::id::{Id, Id16};
use crate::units::Time;
use std::sync::Arc;
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"corso\0ky";
/// The format version of key slots.
pub const VERSION: u16 = 1;
/// The longest slot.
pub const MAX_SLOT: usize = 64 << 10;
/// The longest label, in bytes.
pub const MAX_LABEL: usize = 256;
/// The most key epochs in the slot of a full key.
pub const MAX_FULL_EPOCHS: usize = 256;
/// The most key epochs in the slot of a writer: the newest are kept.
pub const MAX_WRITER_EPOCHS: usize = 32;
const CHECKSUM_LEN: usize = 32;

/// The clear part of a slot: what can be listed without a passphrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The slot's name under `keys/`.
    pub id: Id16,
    /// How the passphrase becomes a key.
    pub kdf: KdfParams,
    /// What the slot holds.
    pub role: Role,
    /// The user's name for it.
    pub label: String,
    /// The writer; zero for a full key.
    pub writer: Id16,
    /// When it was made.
    pub created: Time,
}

impl Slot {
    /// The clear part of a new slot for `keys`: random id and salt, the usual cost.
    pub fn new(keys: &Keyring, label: &str, created: Time) -> Result<Self> {
        Ok(Slot {
            id: Id16::random()?,
            kdf: KdfParams::generate()?,
            role: keys.role(),
            label: label.to_string(),
            writer: keys.writer_id(),
            created,
        })
    }

    fn encode(&self) -> Result<Vec<u8>> {
        if self.label.len() > MAX_LABEL {
            return Err(Error::usage(format!(
                "the label is longer than {MAX_LABEL} bytes"
            )));
        }
        let KdfParams {
            memory_kib,
            passes,
            lanes,
            salt,
        } = self.kdf;
        let mut w = Writer::new();
        w.map(|m| {
            m.bytes(1, self.id);
            let kdf = m.key(2).array(5).u64(1);
            kdf.u64(memory_kib.into())
                .u64(passes.into())
                .u64(lanes.into())
                .bytes(salt);
            m.u64(3, self.role as u64);
            m.text(4, &self.label);
            m.bytes(5, self.writer);
            m.i64(6, self.created.0);
        });
        let clear = w.into_vec();
        let len = (clear.len() as u32).to_be_bytes();
        Ok([MAGIC, VERSION.to_be_bytes().as_slice(), &len, &clear].concat())
    }

    /// Reads the clear part of a slot. Damage is found by the checksum at its end, so that it is not
    /// taken for a wrong passphrase later.
    pub fn decode(object: &[u8]) -> Result<Self> {
        Ok(split(object)?.0)
    }

    fn decode_clear(clear: &[u8]) -> Result<Self> {
        let (mut id, mut kdf, mut role, mut label) = (None, None, None, None);
        let (mut writer, mut created) = (None, None);
        let mut r = Reader::new(clear);
        r.map(|key, r| {
            match key {
                1 => id = Some(r.id16()?),
                2 => kdf = Some(decode_kdf(r)?),
                3 => role = Some(Role::from_number(r.u64()?)?),
                4 => label = Some(r.text(MAX_LABEL)?.to_string()),
                5 => writer = Some(r.id16()?),
                6 => created = Some(Time(r.i64()?)),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        r.finish()?;
        let slot = Slot {
            id: required(id, "slot id")?,
            kdf: required(kdf, "key derivation")?,
            role: required(role, "role")?,
            label: required(label, "label")?,
            writer: required(writer, "writer id")?,
            created: required(created, "creation time")?,
        };
        if (slot.role == Role::Full) != (slot.writer == Id16::ZERO) {
            return Err(Error::damaged("a key's role and writer id do not agree"));
        }
        Ok(slot)
    }
}

fn decode_kdf(r: &mut Reader<'_>) -> Result<KdfParams> {
    r.array_of(5)?;
    match r.u64()? {
        1 => {}
        other => return Err(super::newer(&format!("a key with derivation {other}"))),
    }
    let kdf = KdfParams {
        memory_kib: r.u32()?,
        passes: r.u32()?,
        lanes: r.u32()?,
        salt: r.fixed()?,
    };
    kdf.check()?;
    Ok(kdf)
}

/// The slot object that gives `keys` for `passphrase`. `config` is the bytes of the repository's config object.
pub fn seal(
    slot: &Slot,
    keys: &Keyring,
    config: &[u8],
    passphrase: &Passphrase,
) -> Result<Vec<u8>> {
    let mut nonce = [0; wrap::NONCE_LEN];
    random(&mut nonce)?;
    seal_deterministic(slot, keys, config, passphrase, nonce)
}

/// As [`seal`] with a given nonce: for test vectors only.
#[doc(hidden)]
pub fn seal_deterministic(
    slot: &Slot,
    keys: &Keyring,
    config: &[u8],
    passphrase: &Passphrase,
    nonce: [u8; wrap::NONCE_LEN],
) -> Result<Vec<u8>> {
    if slot.role != keys.role() || slot.writer != keys.writer_id() {
        return Err(Error::failed("a key slot for another key"));
    }
    let mut object = slot.encode()?;
    let secret = encode_secret(keys, &Id::sha256(config))?;
    let wrapped = wrap::seal(&slot.kdf.derive(passphrase)?, &nonce, &secret, &object)?;
    object.extend_from_slice(&wrapped);
    let checksum = Id::sha256(&object);
    object.extend_from_slice(&checksum.0);
    if object.len() > MAX_SLOT {
        return Err(Error::failed("a key slot has grown too large"));
    }
    Ok(object)
}

/// Opens a slot: its clear part and the keys. [`Kind::PassphraseWrong`] if the passphrase is not its own;
/// [`Kind::Damaged`] if the slot is damaged or belongs to another `config` (given as the object's bytes).
pub fn open(object: &[u8], config: &[u8], passphrase: &Passphrase) -> Result<(Slot, Keyring)> {
    let repo = Config::decode(config)?.repo;
    let (slot, clear, wrapped) = split(object)?;
    let failed = || format!("opening key {}", slot.id);
    let secret = wrap::open(&slot.kdf.derive(passphrase)?, wrapped, clear).context(failed)?;
    let keys = decode_secret(&secret, &slot, repo, &Id::sha256(config)).context(failed)?;
    Ok((slot, keys))
}

/// The clear part decoded, the bytes that are associated data, and the wrapped secret.
fn split(object: &[u8]) -> Result<(Slot, &[u8], &[u8])> {
    check_magic(object, MAGIC, VERSION, "a key slot")?;
    if object.len() > MAX_SLOT {
        return Err(Error::damaged("a key slot is too long"));
    }
    let short = || Error::damaged("a key slot is too short");
    let (body, checksum) = object
        .split_last_chunk::<CHECKSUM_LEN>()
        .ok_or_else(short)?;
    if Id::sha256(body).0 != *checksum {
        return Err(Error::damaged("a key slot's checksum does not match")
            .hint("use another key, or a copy of it"));
    }
    let len = be_u32(body.get(10..14).ok_or_else(short)?) as usize;
    let (head, wrapped) = body
        .split_at_checked(14usize.saturating_add(len))
        .ok_or_else(short)?;
    let slot =
        Slot::decode_clear(head.get(14..).unwrap_or_default()).context(|| "reading a key slot")?;
    Ok((slot, head, wrapped))
}

fn encode_secret(keys: &Keyring, config: &Id) -> Result<Zeroizing<Vec<u8>>> {
    // Room for all: a buffer that moves while it grows leaves copies behind.
    let mut w = Writer::with_capacity(MAX_SLOT);
    let roots: Vec<_> = match keys.role() {
        Role::Full => keys.roots()?.collect(),
        Role::Writer => Vec::new(),
    };
    let domains: Vec<_> = keys.writer_epochs().collect();
    if roots.len() > MAX_FULL_EPOCHS || domains.len() > MAX_WRITER_EPOCHS {
        return Err(Error::failed("too many key epochs for one slot"));
    }
    w.map(|m| {
        m.bytes(1, config);
        match keys.role() {
            Role::Full => {
                let w = m.key(2).array(roots.len());
                for (epoch, root) in roots {
                    w.array(2).u64(epoch.into()).bytes(root.bytes());
                }
            }
            Role::Writer => {
                let w = m.key(3).array(domains.len());
                for WriterEpoch { domain: d, public } in domains {
                    w.array(7).u64(d.epoch.into());
                    for key in [&d.chunk_id, &d.chunker, &d.index, &d.mac, &d.tree] {
                        w.bytes(key.bytes());
                    }
                    w.bytes(public.bytes());
                }
            }
        }
    });
    Ok(Zeroizing::new(w.into_vec()))
}

fn decode_secret(secret: &[u8], slot: &Slot, repo: Id16, config: &Id) -> Result<Keyring> {
    let (mut bound_to, mut roots, mut domains) = (None, None, None);
    let mut r = Reader::new(secret);
    r.map(|key, r| {
        match key {
            1 => bound_to = Some(r.id()?),
            2 => {
                roots = Some(r.list(MAX_FULL_EPOCHS, |r| {
                    r.array_of(2)?;
                    Ok((r.u32()?, Key::from_slice(r.bytes(Key::LEN)?)?))
                })?)
            }
            3 => domains = Some(r.list(MAX_WRITER_EPOCHS, |r| decode_domain(r, slot.writer))?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    r.finish()?;
    if required(bound_to, "config")? != *config {
        return Err(Error::new(
            Kind::Damaged,
            "the repository's config is not the one that this key was made for",
        )
        .hint("the config object was changed or replaced: restore it from a copy"));
    }
    match (slot.role, roots, domains) {
        (Role::Full, Some(roots), None) => {
            ascending(roots.iter().map(|(epoch, _)| *epoch))?;
            Keyring::full(repo, roots)
        }
        (Role::Writer, None, Some(domains)) => {
            ascending(domains.iter().map(|d| d.domain.epoch))?;
            Keyring::writer(repo, slot.writer, domains)
        }
        _ => Err(Error::damaged(
            "a key holds other secrets than its role says",
        )),
    }
}

fn decode_domain(r: &mut Reader<'_>, writer: Id16) -> Result<WriterEpoch> {
    r.array_of(7)?;
    let epoch = r.u32()?;
    let mut key = || Key::from_slice(r.bytes(Key::LEN)?);
    let (chunk_id, chunker, index, mac, tree) = (key()?, key()?, key()?, key()?, key()?);
    let public = PublicKey::from_slice(r.bytes(PUBLIC_LEN)?)?;
    let domain = Arc::new(DomainKeys {
        writer,
        epoch,
        chunk_id,
        chunker,
        index,
        mac,
        tree,
    });
    Ok(WriterEpoch { domain, public })
}

fn ascending(epochs: impl Iterator<Item = u32> + Clone) -> Result<()> {
    if epochs.clone().zip(epochs.skip(1)).all(|(a, b)| a < b) {
        Ok(())
    } else {
        Err(Error::damaged("the key epochs of a slot do not ascend"))
    }
}

#[cfg(test)]
mod tests;
