//! The key-committing wrap of a key slot's secret.
//!
//! Committing matters here: the key comes from a passphrase, and without it one crafted slot could open under many
//! candidate passphrases at once (a partitioning oracle: Len, Grubbs, Ristenpart, USENIX Security 2021).
//! XChaCha20-Poly1305 alone does not commit to its key, so a hash of the key, the nonce and the associated data goes
//! along, from the same HKDF that gives the encryption key (Albertini et al., "How to Abuse and Fix Authenticated
//! Encryption Without Key Commitment", USENIX Security 2022, section 5).

use super::{Key, kdf::hkdf_sha256};
use crate::error::{Error, Kind, Result};
use crate::id::Id;
use orion::hazardous::aead::xchacha20poly1305::{Nonce, SecretKey, XChaCha20Poly1305};
use zeroize::Zeroizing;

/// Length of the nonce, which comes first.
pub const NONCE_LEN: usize = 24;
/// Length of the commitment, which comes second.
pub const COMMITMENT_LEN: usize = 32;
/// Length of the tag, which comes last.
pub const TAG_LEN: usize = 16;

/// `nonce || commitment || ciphertext || tag`. The nonce is the caller's: random, never used twice with one key.
pub fn seal(key: &Key, nonce: &[u8; NONCE_LEN], plain: &[u8], aad: &[u8]) -> Result<Vec<u8>> {
    let (secret, commitment) = derive(key, nonce, aad)?;
    let mut out = [nonce, commitment.bytes().as_slice()].concat();
    let at = out.len();
    out.resize(at + plain.len() + TAG_LEN, 0);
    XChaCha20Poly1305::seal(
        &secret,
        &Nonce::from(*nonce),
        plain,
        Some(aad),
        &mut out[at..],
    )
    .map_err(|_| Error::failed("wrapping a key"))?;
    Ok(out)
}

/// Opens what [`seal`] gave. A wrong key and a changed byte cannot be told apart: [`Kind::PassphraseWrong`].
pub fn open(key: &Key, wrapped: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let too_short = || Error::damaged("a wrapped key is too short");
    let wrong = || {
        Error::new(
            Kind::PassphraseWrong,
            "the passphrase does not open this key",
        )
    };
    let (nonce, rest) = wrapped
        .split_first_chunk::<NONCE_LEN>()
        .ok_or_else(too_short)?;
    let (claimed, sealed) = rest
        .split_first_chunk::<COMMITMENT_LEN>()
        .ok_or_else(too_short)?;
    let len = sealed.len().checked_sub(TAG_LEN).ok_or_else(too_short)?;
    let (secret, commitment) = derive(key, nonce, aad)?;
    if orion::util::secure_cmp(commitment.bytes(), claimed).is_err() {
        return Err(wrong());
    }
    let mut plain = Zeroizing::new(vec![0; len]);
    XChaCha20Poly1305::open(&secret, &Nonce::from(*nonce), sealed, Some(aad), &mut plain)
        .map_err(|_| wrong())?;
    Ok(plain)
}

/// The encryption key and the commitment.
fn derive(key: &Key, nonce: &[u8; NONCE_LEN], aad: &[u8]) -> Result<(SecretKey, Key)> {
    let commitment = hkdf_sha256(
        nonce,
        key.bytes(),
        &[b"corso/1/wrap-commitment", &[0], &Id::sha256(aad).0],
    )?;
    let secret = hkdf_sha256(nonce, key.bytes(), &[b"corso/1/wrap-key", &[0]])?;
    let secret =
        SecretKey::try_from(secret.bytes()).map_err(|_| Error::failed("preparing a key"))?;
    Ok((secret, commitment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_byte_is_noticed() {
        let key = Key::new([1; 32]);
        let wrapped = seal(&key, &[2; 24], b"secret", b"clear").unwrap();
        assert_eq!(**open(&key, &wrapped, b"clear").unwrap(), *b"secret");
        assert!(open(&key, &wrapped, b"cleaR").is_err());
        assert!(open(&Key::new([3; 32]), &wrapped, b"clear").is_err());
        for at in 0..wrapped.len() {
            let mut bad = wrapped.clone();
            bad[at] ^= 1;
            assert_eq!(
                open(&key, &bad, b"clear").unwrap_err().kind(),
                Kind::PassphraseWrong
            );
            assert!(open(&key, &wrapped[..at], b"clear").is_err());
        }
    }
}
