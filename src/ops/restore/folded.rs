//! Names in one directory that a file system without case takes for the same: only the first is restored, as the
//! others would replace it.

use crate::fs::path::{Platform, fold};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// The names of one directory, as hashes with a random key: eight bytes each, and nobody can choose collisions.
#[derive(Default)]
pub struct Folded {
    seen: HashSet<u64>,
    key: RandomState,
}

impl Folded {
    /// Adds `name`; is it the same, on `platform`, as one before?
    pub fn clashes(&mut self, name: &[u8], platform: Platform) -> bool {
        fold(name, platform).is_some_and(|folded| !self.seen.insert(self.key.hash_one(folded)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_clash_on_windows_only() {
        let mut windows = Folded::default();
        for name in ["A", "b", "ÄTNA", "straße", "strasse"] {
            assert!(
                !windows.clashes(name.as_bytes(), Platform::Windows),
                "{name}"
            );
        }
        for name in ["a", "B", "ätna", "STRASSE"] {
            assert!(
                windows.clashes(name.as_bytes(), Platform::Windows),
                "{name}"
            );
        }
        // A lone surrogate is a character without case.
        assert!(!windows.clashes(b"\xed\xa0\x80x", Platform::Windows));
        assert!(windows.clashes(b"\xed\xa0\x80X", Platform::Windows));
        let mut unix = Folded::default();
        assert!(!unix.clashes(b"a", Platform::Unix) && !unix.clashes(b"a", Platform::Unix));
    }
}
