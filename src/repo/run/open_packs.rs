//! The packs that are being filled.

use crate::error::Result;
use crate::format::container::ObjectKind;
use crate::format::pack::PackBuilder;
use crate::id::{Id, Id16};

/// Packs being filled. Two data packs are open at a time and chunks go to either at random.
#[derive(Default)]
pub struct Open {
    data: [Option<PackBuilder>; 2],
    meta: Option<PackBuilder>,
    /// Bits for the random choice.
    coins: u64,
    coins_left: u32,
}

impl Open {
    /// Takes a chunk of `raw_len` bytes, packed as `payload`. Packs are ended at about `target` bytes and begun with
    /// `begin`. Gives the pack that had no room left, to be sealed.
    pub fn add(
        &mut self,
        kind: ObjectKind,
        id: &Id,
        raw_len: usize,
        payload: &[u8],
        target: u64,
        begin: &dyn Fn() -> Result<PackBuilder>,
    ) -> Result<Option<PackBuilder>> {
        let slot = match kind {
            ObjectKind::Metadata => &mut self.meta,
            _ => {
                let coin = self.toss()?;
                &mut self.data[coin]
            }
        };
        let full = slot.take_if(|b| {
            !b.is_empty() && (b.is_full() || b.len_estimate() + payload.len() as u64 > target)
        });
        let builder = match slot {
            Some(builder) => builder,
            None => slot.insert(begin()?),
        };
        builder.add(*id, raw_len, payload)?;
        Ok(full)
    }

    /// What is left, half-filled packs put together as far as `target` bytes allow: small packs cost requests.
    pub fn finish(&mut self, target: u64) -> Result<Vec<PackBuilder>> {
        let Open { data, meta, .. } = self;
        let [a, b] = data;
        let packs = [a.take(), b.take(), meta.take()];
        let mut out: Vec<PackBuilder> = Vec::new();
        for pack in packs.into_iter().flatten().filter(|b| !b.is_empty()) {
            match out.last_mut() {
                Some(last)
                    if last.kind() == pack.kind()
                        && last.len_estimate() + pack.len_estimate() <= target =>
                {
                    last.absorb(pack)?;
                }
                _ => out.push(pack),
            }
        }
        Ok(out)
    }

    /// 0 or 1, from the system's random source.
    fn toss(&mut self) -> Result<usize> {
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
