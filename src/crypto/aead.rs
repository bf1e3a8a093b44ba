//! Bulk encryption: AES-256-GCM or ChaCha20-Poly1305 from ring, in place, with explicit nonces.
//!
//! Nonces are counters here, never random, and a key lives for one object: see [`crate::format::container`].

use super::Key;
use crate::error::{Error, Kind, Result};
use ring::aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

/// Length of a nonce.
pub const NONCE_LEN: usize = 12;
/// Length of a tag.
pub const TAG_LEN: usize = 16;

/// The bulk cipher of a repository, chosen once in `config`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Cipher {
    /// AES-256-GCM: the default, fastest on every processor with AES instructions.
    Aes256Gcm = 1,
    /// ChaCha20-Poly1305 (RFC 8439): for processors without.
    ChaCha20Poly1305 = 2,
}

impl Cipher {
    /// From its number in the format.
    pub fn from_number(number: u64) -> Result<Self> {
        match number {
            1 => Ok(Cipher::Aes256Gcm),
            2 => Ok(Cipher::ChaCha20Poly1305),
            other => Err(Error::new(
                Kind::NewerFormat,
                format!("unknown cipher {other}"),
            )),
        }
    }

    /// The usual name.
    pub fn name(self) -> &'static str {
        match self {
            Cipher::Aes256Gcm => "AES-256-GCM",
            Cipher::ChaCha20Poly1305 => "ChaCha20-Poly1305",
        }
    }
}

/// A key ready for use. (ring keeps the expanded key; it is freed, not erased, when dropped: it opens one object.)
pub struct AeadKey(LessSafeKey);

impl AeadKey {
    /// Expands `key` for `cipher`.
    pub fn new(cipher: Cipher, key: &Key) -> Result<Self> {
        let algorithm = match cipher {
            Cipher::Aes256Gcm => &AES_256_GCM,
            Cipher::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        };
        let key = UnboundKey::new(algorithm, key.bytes())
            .map_err(|_| Error::failed("preparing an object's key"))?;
        Ok(AeadKey(LessSafeKey::new(key)))
    }

    /// Encrypts all of `buffer` but its last 16 bytes, which become the tag.
    pub fn seal(&self, nonce: [u8; NONCE_LEN], aad: &[u8], buffer: &mut [u8]) -> Result<()> {
        let failed = || Error::failed("encrypting a frame");
        let at = buffer.len().checked_sub(TAG_LEN).ok_or_else(failed)?;
        let (plain, tag_out) = buffer.split_at_mut(at);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(aad), plain)
            .map_err(|_| failed())?;
        tag_out.copy_from_slice(tag.as_ref());
        Ok(())
    }

    /// Verifies and decrypts `buffer` in place; gives the plaintext, its first `buffer.len() - 16` bytes.
    pub fn open<'a>(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        buffer: &'a mut [u8],
    ) -> Result<&'a mut [u8]> {
        self.0
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(aad), buffer)
            .map_err(|_| {
                Error::damaged("a frame does not open: it was changed, or sealed with another key")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ciphers_round_trip_and_notice_changes() {
        for cipher in [Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305] {
            assert_eq!(Cipher::from_number(cipher as u64).unwrap(), cipher);
            let key = AeadKey::new(cipher, &Key::new([5; 32])).unwrap();
            let mut sealed = b"hello................".to_vec();
            key.seal([1; 12], b"a", &mut sealed).unwrap();
            assert_eq!(
                key.open([1; 12], b"a", &mut sealed.clone()).unwrap(),
                b"hello"
            );
            assert!(key.open([2; 12], b"a", &mut sealed.clone()).is_err());
            assert!(key.open([1; 12], b"b", &mut sealed.clone()).is_err());
            for at in 0..sealed.len() {
                let mut bad = sealed.clone();
                bad[at] ^= 0x80;
                assert!(key.open([1; 12], b"a", &mut bad).is_err());
                assert!(key.open([1; 12], b"a", &mut sealed.clone()[..at]).is_err());
            }
        }
        assert_eq!(
            Cipher::from_number(3).unwrap_err().kind(),
            Kind::NewerFormat
        );
    }

    #[test]
    fn a_buffer_without_room_for_the_tag_is_refused() {
        let key = AeadKey::new(Cipher::Aes256Gcm, &Key::new([5; 32])).unwrap();
        assert!(key.seal([0; 12], b"", &mut [0; 15]).is_err());
    }
}
