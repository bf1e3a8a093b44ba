//! The packs that a run is filling.

use crate::error::Result;
use crate::format::pack::PackBuilder;
use crate::id::Id16;

/// Packs being filled. Two data packs are open at a time and chunks go to either at random.
#[derive(Default)]
pub struct Open {
    pub data: [Option<PackBuilder>; 2],
    pub meta: Option<PackBuilder>,
    /// Bits for the random choice.
    pub coins: u64,
    pub coins_left: u32,
}

impl Open {
    /// 0 or 1, from the system's random source.
    pub fn toss(&mut self) -> Result<usize> {
        if self.coins_left == 0 {
            let bytes = Id16::random()?.0;
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[..8]);
            (self.coins, self.coins_left) = (u64::from_be_bytes(word), 64);
        }
        let coin = (self.coins & 1) as usize;
        self.coins >>= 1;
        self.coins_left -= 1;
        Ok(coin)
    }
}

/// Two half-filled data packs at the end of a run become one where they fit: small packs cost requests.
pub fn merge_small(packs: Vec<PackBuilder>, target: usize) -> Result<Vec<PackBuilder>> {
    let mut out: Vec<PackBuilder> = Vec::new();
    for pack in packs {
        match out.last_mut() {
            Some(last)
                if last.kind() == pack.kind()
                    && last.len_estimate() + pack.len_estimate() <= target as u64 =>
            {
                last.absorb(pack)?;
            }
            _ => out.push(pack),
        }
    }
    Ok(out)
}
