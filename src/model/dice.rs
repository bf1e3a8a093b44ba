//! Choices by chance that can be repeated.

/// Random numbers from a seed.
pub struct Dice(blake3::OutputReader);

impl Dice {
    /// The numbers of `seed`.
    pub fn new(seed: u64) -> Dice {
        Dice(
            blake3::Hasher::new()
                .update(&seed.to_le_bytes())
                .finalize_xof(),
        )
    }

    /// Less than `count`, which is small.
    pub fn below(&mut self, count: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        (u64::from_le_bytes(bytes) % count.max(1) as u64) as usize
    }
}
