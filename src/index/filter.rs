//! A blocked Bloom filter over chunk ids (Putze, Sanders, Singler: "Cache-, hash- and space-efficient Bloom filters").
//!
//! Chunk ids are keyed hashes, so their own bytes serve as the probes: bytes 8..16 choose a line of 512 bits (one cache
//! line), bytes 16..24 choose six bits in it. At ten bits a chunk about 1.3 % of absent ids pass.

use crate::id::Id;

/// Bits per line, and 64-bit words per line.
const LINE_BITS: u64 = 512;
pub(crate) const LINE_WORDS: usize = 8;
const BITS_PER_ROW: u64 = 10;
const PROBES: u32 = 6;

/// The filter of one segment.
#[derive(Default)]
pub(crate) struct Filter {
    words: Vec<u64>,
}

impl Filter {
    /// An empty filter sized for `rows` ids.
    pub(crate) fn new(rows: u64) -> Filter {
        let lines = rows.saturating_mul(BITS_PER_ROW).div_ceil(LINE_BITS).max(1);
        Filter {
            words: vec![0; lines as usize * LINE_WORDS],
        }
    }

    /// From its words; a length that is no whole number of lines gives a filter that lets everything pass.
    pub(crate) fn from_words(words: Vec<u64>) -> Filter {
        if words.len().is_multiple_of(LINE_WORDS) {
            Filter { words }
        } else {
            Filter::default()
        }
    }

    /// The words, for storing.
    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    /// Adds `id`.
    pub(crate) fn insert(&mut self, id: &Id) {
        let (start, bits) = probes(id, self.words.len() / LINE_WORDS);
        if let Some(line) = self.words.get_mut(start..start + LINE_WORDS) {
            for i in 0..PROBES {
                let bit = (bits >> (9 * i)) & (LINE_BITS - 1);
                line[(bit / 64) as usize] |= 1 << (bit % 64);
            }
        }
    }

    /// False only if `id` was never added.
    pub(crate) fn may_contain(&self, id: &Id) -> bool {
        let (start, bits) = probes(id, self.words.len() / LINE_WORDS);
        let Some(line) = self.words.get(start..start + LINE_WORDS) else {
            return true;
        };
        (0..PROBES).all(|i| {
            let bit = (bits >> (9 * i)) & (LINE_BITS - 1);
            line[(bit / 64) as usize] & (1 << (bit % 64)) != 0
        })
    }
}

/// The first word of the line of `id`, and the bits that choose within the line.
fn probes(id: &Id, lines: usize) -> (usize, u64) {
    let line = (u128::from(word(id, 8)) * lines as u128) >> 64;
    (line as usize * LINE_WORDS, word(id, 16))
}

/// Eight bytes of `id` from `at`, as a number.
pub(crate) fn word(id: &Id, at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&id.0[at..at + 8]);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_added_and_little_else() {
        let id = |n: u32| Id(*blake3::hash(&n.to_be_bytes()).as_bytes());
        let mut filter = Filter::new(10_000);
        (0..10_000).for_each(|n| filter.insert(&id(n)));
        assert!((0..10_000).all(|n| filter.may_contain(&id(n))));
        let false_hits = (10_000..20_000)
            .filter(|&n| filter.may_contain(&id(n)))
            .count();
        assert!(false_hits < 250, "{false_hits} of 10,000");
        assert_eq!(filter.words().len(), 10_000 * 10 / 512 * 8 + 8);
    }

    #[test]
    fn a_filter_without_words_lets_everything_pass() {
        assert!(Filter::from_words(vec![0; 3]).may_contain(&Id::ZERO));
    }
}
