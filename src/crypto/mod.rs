//! Passphrases, keys, and what each key may do.
//!
//! Argon2id, HKDF, X-Wing and the key-committing wrap come from orion; bulk encryption from ring; chunk ids are
//! keyed BLAKE3. Nothing here reads or writes objects: see [`crate::format`] for what is sealed and how.

pub mod aead;
pub mod kdf;
pub mod kem;
pub mod keyring;
pub mod passphrase;
pub mod wrap;

pub use aead::{AeadKey, Cipher};
pub use keyring::{DomainKeys, Keyring, Role, Session};
pub use passphrase::Passphrase;

use crate::error::{Error, Result};
use zeroize::Zeroizing;

/// A 32-byte secret: erased when dropped, never printed.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// Takes over `bytes`.
    pub fn new(bytes: [u8; 32]) -> Self {
        Key(Zeroizing::new(bytes))
    }

    /// Fresh from the operating system's random source.
    pub fn random() -> Result<Self> {
        let mut key = Key::new([0; 32]);
        random(key.0.as_mut_slice())?;
        Ok(key)
    }

    /// From exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        let bytes = bytes
            .try_into()
            .map_err(|_| Error::damaged(format!("a key of {} bytes", bytes.len())))?;
        Ok(Key::new(bytes))
    }

    /// The secret.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn bytes_mut(&mut self) -> &mut [u8; 32] {
        &mut self.0
    }
}

/// Fills `out` from the operating system's random source.
pub fn random(out: &mut [u8]) -> Result<()> {
    #[cfg(test)]
    if crate::model::plan::fill(out) {
        return Ok(());
    }
    getrandom::fill(out)
        .map_err(|e| Error::failed("reading the system's random source").with_source(e.to_string()))
}

/// HMAC-SHA256 of `parts`, one after another (RFC 2104).
pub fn hmac_sha256(key: &Key, parts: &[&[u8]]) -> [u8; 32] {
    use hmac::Mac;
    keyed_hmac(key, parts).finalize().into_bytes().into()
}

/// Compares an HMAC-SHA256 in constant time.
pub fn hmac_verify(key: &Key, parts: &[&[u8]], tag: &[u8; 32]) -> bool {
    use hmac::Mac;
    keyed_hmac(key, parts).verify_slice(tag).is_ok()
}

fn keyed_hmac(key: &Key, parts: &[&[u8]]) -> hmac::Hmac<sha2::Sha256> {
    use hmac::{KeyInit, Mac};
    // 32 bytes are shorter than the block of SHA-256: zero-filled to it, the key is used as it is.
    let mut block = Zeroizing::new([0u8; 64]);
    block[..32].copy_from_slice(key.bytes());
    let mut mac = <hmac::Hmac<sha2::Sha256> as KeyInit>::new((&*block).into());
    for part in parts {
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_matches_a_published_value() {
        // RFC 4231, test case 1, whose key is 20 bytes: HMAC fills keys with zeros, so 32 bytes give the same.
        let mut key = [0u8; 32];
        key[..20].fill(0x0b);
        let key = Key::new(key);
        let tag = hmac_sha256(&key, &[b"Hi ", b"There"]);
        assert_eq!(
            hex::encode(tag),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert!(hmac_verify(&key, &[b"Hi There"], &tag));
        assert!(!hmac_verify(&key, &[b"hi There"], &tag));
    }
}
