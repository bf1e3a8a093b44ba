//! Tombstones: packs and index objects that maintenance will delete. Final, never withdrawn.

use super::control;
use crate::codec::cbor::{Reader, Writer, required};
use crate::crypto::Keyring;
use crate::error::{Error, Result};
use crate::id::{Id, Id16};

/// Longest object, bytes.
pub const MAX_LEN: usize = 64 << 20;
const MAGIC: &[u8; 8] = b"corso\0tb";

/// What a tombstone names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tombstone {
    /// Packs.
    pub packs: Vec<Id>,
    /// Index objects.
    pub index: Vec<Id>,
    /// Random, so that no name is used twice.
    pub nonce: Id16,
}

/// The object's bytes; its name is their SHA-256. Full keys only.
pub fn encode(stone: &Tombstone, keyring: &Keyring) -> Result<Vec<u8>> {
    let mut w = Writer::new();
    w.map(|f| {
        f.bytes(1, concat(&stone.packs));
        f.bytes(2, concat(&stone.index));
        f.bytes(3, stone.nonce);
    });
    let bytes = control::seal(MAGIC, &w.into_vec(), keyring)?;
    match bytes.len() <= MAX_LEN {
        true => Ok(bytes),
        false => Err(Error::failed("a tombstone names too many objects")),
    }
}

/// Reads a tombstone. Whether it is this repository's is for [`verify`] to say.
pub fn decode(bytes: &[u8]) -> Result<Tombstone> {
    if bytes.len() > MAX_LEN {
        return Err(Error::damaged("this tombstone is too long"));
    }
    let mut r = Reader::new(control::open(MAGIC, bytes, "tombstone")?);
    let (mut packs, mut index, mut nonce) = (None, None, None);
    r.map(|key, r| {
        match key {
            1 => packs = Some(split(r.bytes(MAX_LEN)?)?),
            2 => index = Some(split(r.bytes(MAX_LEN)?)?),
            3 => nonce = Some(r.id16()?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    r.finish()?;
    Ok(Tombstone {
        packs: required(packs, "packs")?,
        index: required(index, "index objects")?,
        nonce: required(nonce, "nonce")?,
    })
}

/// Was the tombstone made with a full key of this repository? `None`: a writer key cannot tell.
pub fn verify(bytes: &[u8], keyring: &Keyring) -> Option<bool> {
    control::verify(bytes, keyring)
}

fn concat(ids: &[Id]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.0).collect()
}

fn split(bytes: &[u8]) -> Result<Vec<Id>> {
    let (ids, rest) = bytes.as_chunks::<32>();
    match rest.is_empty() {
        true => Ok(ids.iter().map(|id| Id(*id)).collect()),
        false => Err(Error::damaged("a list of names is cut short")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_seal() {
        let keyring = Keyring::generate(Id16([1; 16])).unwrap();
        let stone = Tombstone {
            packs: vec![Id([1; 32]), Id([2; 32])],
            index: vec![Id([3; 32])],
            nonce: Id16([4; 16]),
        };
        let bytes = encode(&stone, &keyring).unwrap();
        assert_eq!(decode(&bytes).unwrap(), stone);
        assert_eq!(verify(&bytes, &keyring), Some(true));
        let other = Keyring::generate(Id16([1; 16])).unwrap();
        assert_eq!(verify(&bytes, &other), Some(false));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert_eq!(verify(&bad, &keyring), Some(false), "{at}");
            let _ = decode(&bad);
            let _ = decode(&bad[..at]);
        }
    }
}
