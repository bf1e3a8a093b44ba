//! Argon2id (RFC 9106, version 0x13) for passphrases and HKDF-SHA256 (RFC 5869) for everything else.

use super::{Key, Passphrase};
use crate::error::{Error, Kind, Result};
use orion::hazardous::kdf::argon2::{Argon2, CostParams, ID, Sequential};
use orion::hazardous::kdf::hkdf::{Hkdf, SHA256};

/// Readers refuse more memory than this: a hostile key slot must not take the host down.
pub const MAX_MEMORY_KIB: u32 = 1 << 20;
/// Readers refuse more passes than this.
pub const MAX_PASSES: u32 = 16;
/// Readers refuse more lanes than this.
pub const MAX_LANES: u32 = 4;

/// The cost and salt of an Argon2id derivation, kept in the clear part of a key slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KdfParams {
    /// Memory in KiB, at least 8 a lane.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
    /// Random, one per slot.
    pub salt: [u8; 16],
}

impl KdfParams {
    /// What new slots use: 64 MiB, 3 passes, 1 lane, and a fresh salt.
    pub fn generate() -> Result<Self> {
        let mut salt = [0; 16];
        super::random(&mut salt)?;
        Ok(KdfParams {
            memory_kib: 64 << 10,
            passes: 3,
            lanes: 1,
            salt,
        })
    }

    /// Refuses parameters outside of what RFC 9106 and this program allow.
    pub fn check(&self) -> Result<()> {
        let KdfParams {
            memory_kib,
            passes,
            lanes,
            ..
        } = *self;
        let sane = (1..=MAX_LANES).contains(&lanes)
            && (1..=MAX_PASSES).contains(&passes)
            && (8 * lanes..=MAX_MEMORY_KIB).contains(&memory_kib);
        if sane {
            return Ok(());
        }
        Err(Error::damaged(format!(
            "the key derivation asks for {memory_kib} KiB, {passes} passes and {lanes} lanes; at most \
             {MAX_MEMORY_KIB} KiB, {MAX_PASSES} passes and {MAX_LANES} lanes are accepted"
        )))
    }

    /// The key that `passphrase` gives. Takes about 0.1 s with the usual cost.
    pub fn derive(&self, passphrase: &Passphrase) -> Result<Key> {
        self.check()?;
        self.check_memory()?;
        let failed = |_| Error::failed("deriving a key from the passphrase");
        let cost = CostParams::new(self.passes, self.memory_kib, self.lanes).map_err(failed)?;
        let mut key = Key::new([0; 32]);
        Argon2::<ID, Sequential>::derive_key(
            passphrase.bytes(),
            &self.salt,
            &cost,
            None,
            None,
            key.bytes_mut(),
        )
        .map_err(failed)?;
        Ok(key)
    }

    /// The derivation itself aborts the process when the memory is not there, so the same amount is tried first.
    fn check_memory(&self) -> Result<()> {
        let bytes = self.memory_kib as usize * 1024;
        let mut trial: Vec<u8> = Vec::new();
        let enough = trial.try_reserve_exact(bytes).is_ok();
        std::hint::black_box(&trial);
        if enough {
            return Ok(());
        }
        Err(Error::new(
            Kind::Failed,
            format!(
                "not enough memory to open the key: {} MiB are needed",
                bytes >> 20
            ),
        ))
    }
}

/// HKDF-SHA256: 32 bytes from `ikm`, with the concatenation of `info` saying what for. An empty salt is the
/// RFC's default (32 zero bytes).
pub fn hkdf_sha256(salt: &[u8], ikm: &[u8; 32], info: &[&[u8]]) -> Result<Key> {
    let mut key = Key::new([0; 32]);
    Hkdf::<SHA256>::derive_key(salt, ikm, Some(&info.concat()), key.bytes_mut())
        .map_err(|_| Error::failed("deriving a key"))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(memory_kib: u32, passes: u32, lanes: u32) -> KdfParams {
        KdfParams {
            memory_kib,
            passes,
            lanes,
            salt: *b"0123456789abcdef",
        }
    }

    #[test]
    fn hostile_costs_are_refused_before_use() {
        let passphrase = Passphrase::new("x");
        for bad in [
            params(MAX_MEMORY_KIB + 1, 1, 1),
            params(u32::MAX, 1, 1),
            params(64, MAX_PASSES + 1, 1),
            params(64, 1, MAX_LANES + 1),
            params(64, 0, 1),
            params(64, 1, 0),
            params(15, 1, 2),
        ] {
            assert!(bad.derive(&passphrase).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn argon2id_matches_the_reference_implementation() {
        // argon2-cffi: hash_secret_raw(b"password", b"0123456789abcdef", 2, 64, 1, 32, Type.ID), version 19.
        let key = params(64, 2, 1)
            .derive(&Passphrase::new("password"))
            .unwrap();
        assert_eq!(
            hex::encode(key.bytes()),
            "fb83b5711fd91df630b63677dee62ccd13ee6f0c4897d856b49542b9b1e9975b"
        );
    }

    #[test]
    fn hkdf_matches_an_independent_implementation() {
        let key = hkdf_sha256(b"", &[7; 32], &[b"cor", b"so"]).unwrap();
        assert_eq!(
            hex::encode(key.bytes()),
            "002651b73b51092ab1d25706da8999fff2d1593203c005b4a21e7eebe508b400"
        );
        let key = hkdf_sha256(b"salt", &[7; 32], &[b"corso"]).unwrap();
        assert_eq!(
            hex::encode(key.bytes()),
            "d0c24605a90d3652a7557c40226eabe31e3901d87ee917932d9e5505d573e484"
        );
    }
}
