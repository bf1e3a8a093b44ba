//! 32-byte ids (object names, chunk ids) and 16-byte ids (repository, writer, run, key slot).

use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

macro_rules! fixed_id {
    ($(#[$doc:meta])* $name:ident, $len:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;
            /// All zero bytes.
            pub const ZERO: $name = $name([0; $len]);

            /// From a slice of exactly [`Self::LEN`] bytes.
            pub fn from_slice(bytes: &[u8]) -> Result<Self> {
                bytes.try_into().map($name).map_err(|_| {
                    Error::damaged(format!("an id has {} bytes instead of {}", bytes.len(), $len))
                })
            }

            /// Fresh from the operating system's random source.
            pub fn random() -> Result<Self> {
                let mut bytes = [0; $len];
                #[cfg(test)]
                if crate::model::plan::fill(&mut bytes) {
                    return Ok($name(bytes));
                }
                getrandom::fill(&mut bytes)
                    .map_err(|e| Error::failed("reading the system's random source").with_source(e.to_string()))?;
                Ok($name(bytes))
            }

            /// Lower-case hexadecimal.
            pub fn hex(&self) -> String {
                hex::encode(self.0)
            }

            /// The first eight hexadecimal digits, for people.
            pub fn short(&self) -> String {
                hex::encode(&self.0[..4])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.hex())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.hex())
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;
            /// Accepts exactly the lower-case form that [`Self::hex`] gives.
            fn from_str(text: &str) -> Result<Self> {
                let mut bytes = [0; $len];
                if text.bytes().any(|b| b.is_ascii_uppercase()) || hex::decode_to_slice(text, &mut bytes).is_err() {
                    return Err(Error::damaged(format!("{:?} is not a name of {} hexadecimal digits", text, $len * 2)));
                }
                Ok($name(bytes))
            }
        }
    };
}

fixed_id!(
    /// An object's name (SHA-256 of its bytes) or a chunk's id (keyed BLAKE3 of its raw bytes).
    Id,
    32
);
fixed_id!(
    /// A repository, writer (domain), run or key slot id. A writer id of zero is domain 0, that of the full keys.
    Id16,
    16
);

impl Id {
    /// SHA-256 of `bytes`: the name of an object with that content.
    pub fn sha256(bytes: &[u8]) -> Self {
        use sha2::Digest;
        Id(sha2::Sha256::digest(bytes).into())
    }
}

/// How the name of an object begins, as somebody types it: 4 to 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// `None` if `text` is not one.
    pub fn parse(text: &str) -> Option<Prefix> {
        let fits = (4..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        fits.then(|| Prefix(text.to_ascii_lowercase()))
    }

    /// Does `id` begin with it?
    pub fn begins(&self, id: &impl fmt::Display) -> bool {
        id.to_string().starts_with(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trip_and_refusals() {
        let id = Id::sha256(b"");
        assert_eq!(
            id.hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(id.hex().parse::<Id>().unwrap(), id);
        assert!(id.hex().to_uppercase().parse::<Id>().is_err());
        assert!("00".parse::<Id>().is_err());
        assert!(Id16::from_slice(&[0; 15]).is_err());
    }
}
