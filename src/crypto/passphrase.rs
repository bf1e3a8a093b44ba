//! A passphrase in memory.

use zeroize::Zeroizing;

/// What the user typed: erased when dropped, never printed.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Takes over `bytes` as they are: no normalisation, no trimming.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Passphrase(Zeroizing::new(bytes.into()))
    }

    /// Nothing at all?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The secret itself.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Passphrase {
    /// For the question typed twice; both sides are the user's own, so the time it takes reveals nothing.
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
