//! X-Wing (ML-KEM-768 and X25519, draft-connolly-cfrg-xwing-kem-10): sealing to a public key, so that a writer can
//! encrypt what it cannot read.

use super::Key;
use crate::error::{Error, Result};
use orion::KP;
use orion::hazardous::kem::xwing;

/// Length of a public key.
pub const PUBLIC_LEN: usize = xwing::EK_SIZE;
/// Length of a ciphertext.
pub const CIPHERTEXT_LEN: usize = xwing::CIPHERTEXT_SIZE;
/// Length of the randomness of one encapsulation.
pub const ESEED_LEN: usize = xwing::ESEED_SIZE;

const _: () = assert!(PUBLIC_LEN == 1216 && CIPHERTEXT_LEN == 1120 && ESEED_LEN == 64);

/// A key to seal to.
#[derive(Clone)]
pub struct PublicKey(xwing::EncapsulationKey);

impl PublicKey {
    /// From its 1216 bytes; the ML-KEM part is checked as FIPS 203 asks.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        xwing::EncapsulationKey::try_from(bytes)
            .map(PublicKey)
            .map_err(|_| Error::damaged("a bad X-Wing public key"))
    }

    /// Its 1216 bytes.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// A fresh shared secret and the 1120-byte ciphertext that carries it.
    pub fn encapsulate(&self) -> Result<(Key, Vec<u8>)> {
        let eseed = xwing::Eseed::generate()
            .map_err(|_| Error::failed("reading the system's random source"))?;
        self.encapsulate_with(&eseed)
    }

    /// As [`Self::encapsulate`], from given randomness: for test vectors only.
    #[doc(hidden)]
    pub fn encapsulate_deterministic(&self, eseed: [u8; ESEED_LEN]) -> Result<(Key, Vec<u8>)> {
        self.encapsulate_with(&xwing::Eseed::from(eseed))
    }

    fn encapsulate_with(&self, eseed: &xwing::Eseed) -> Result<(Key, Vec<u8>)> {
        let (secret, ciphertext) = self
            .0
            .encap_deterministic(eseed)
            .map_err(|_| Error::failed("sealing to the repository's public key"))?;
        Ok((key_of(&secret)?, ciphertext.as_ref().to_vec()))
    }
}

/// The key pair of an epoch, expanded from its 32-byte seed.
pub struct KeyPair(xwing::KeyPair);

impl KeyPair {
    /// Expands the seed; costs about as much as an encapsulation.
    pub fn from_seed(seed: &Key) -> Result<Self> {
        let failed = |_| Error::failed("expanding the repository's key pair");
        let seed = xwing::DecapsulationKey::try_from(seed.bytes()).map_err(failed)?;
        xwing::KeyPair::try_from(&seed).map(KeyPair).map_err(failed)
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.public().clone())
    }

    /// The shared secret in `ciphertext`. A changed ciphertext of the right length gives another, useless secret
    /// (implicit rejection): what it should open will not open.
    pub fn decapsulate(&self, ciphertext: &[u8]) -> Result<Key> {
        let bad = |_| Error::damaged("a bad X-Wing ciphertext");
        let ciphertext = xwing::Ciphertext::try_from(ciphertext).map_err(bad)?;
        key_of(&self.0.decap(&ciphertext).map_err(bad)?)
    }
}

fn key_of(secret: &xwing::SharedSecret) -> Result<Key> {
    Key::from_slice(secret.unprotected_as_ref::<[u8]>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first test vector of the draft (appendix C); long values by their SHA-256.
    #[test]
    fn matches_the_draft() {
        let seed = hex::decode("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26")
            .unwrap();
        let eseed = hex::decode(
            "3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e2\
             35b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2",
        )
        .unwrap();
        let pair = KeyPair::from_seed(&Key::from_slice(&seed).unwrap()).unwrap();
        let (secret, ciphertext) = pair
            .public()
            .encapsulate_deterministic(eseed.try_into().unwrap())
            .unwrap();
        assert_eq!(
            hex::encode(secret.bytes()),
            "d2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384"
        );
        assert_eq!(
            pair.decapsulate(&ciphertext).unwrap().bytes(),
            secret.bytes()
        );
        assert_eq!(hex::encode(&pair.public().bytes()[..8]), "e2236b35a8c24b39");
    }

    #[test]
    fn hostile_lengths_are_refused_and_changes_give_another_secret() {
        let pair = KeyPair::from_seed(&Key::new([1; 32])).unwrap();
        let (secret, ciphertext) = pair.public().encapsulate().unwrap();
        assert!(pair.decapsulate(&ciphertext[1..]).is_err());
        assert!(pair.decapsulate(&[]).is_err());
        assert!(PublicKey::from_slice(&[0xff; PUBLIC_LEN]).is_err());
        assert!(PublicKey::from_slice(&pair.public().bytes()[1..]).is_err());
        for at in [0, 500, CIPHERTEXT_LEN - 1] {
            let mut bad = ciphertext.clone();
            bad[at] ^= 1;
            assert!(
                pair.decapsulate(&bad)
                    .map_or(true, |other| other.bytes() != secret.bytes())
            );
        }
    }
}
