//! Which packs go, and which are worth moving: pure decisions on numbers.

use super::prices::Prices;
use crate::units::MIB;

/// Repacking must have paid for itself after this many months.
const MONTHS: f64 = 6.0;
/// A pack of which less than this share is waste is left alone, however cheap moving it is.
const MIN_WASTE: f64 = 0.05;
/// The same where everything is free.
const MIN_WASTE_FREE: f64 = 0.25;
/// A pack below this share of the target is small.
const SMALL: u64 = 4;
/// So many small packs of one sort are made into larger ones.
const MANY_SMALL: usize = 10;
/// One request reads about this much.
const READ: u64 = 8 * MIB;

/// One pack that may be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its number.
    pub number: u32,
    /// Packs are moved together within one sort: a domain and a kind.
    pub sort: u32,
    /// Length in bytes.
    pub size: u64,
    /// Bytes of its frames that are needed.
    pub live: u64,
    /// Bytes of its frames that are not. What an object needs around its frames is neither.
    pub waste: u64,
    /// The size that packs of its sort should have.
    pub target: u64,
}

impl Candidate {
    fn gets(&self) -> u64 {
        1 + self.live.div_ceil(READ)
    }

    /// What moving it gains, less what it costs.
    fn gain(&self, prices: &Prices) -> f64 {
        let puts = self.live as f64 / self.target.max(1) as f64;
        let cost = prices.to_move(self.live, self.gets(), 0) + prices.put * puts / 1000.0;
        prices.to_hold(self.waste, MONTHS) - cost
    }

    fn pays(&self, prices: &Prices) -> bool {
        let share = self.waste as f64 / self.size.max(1) as f64;
        match prices.is_free() {
            true => share >= MIN_WASTE_FREE,
            false => share >= MIN_WASTE && self.gain(prices) > 0.0,
        }
    }

    fn small(&self) -> bool {
        self.size < self.target / SMALL
    }
}

/// What a plan comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Sums {
    /// Packs that are dropped whole.
    pub packs_dropped: u64,
    /// Packs of which something is moved.
    pub packs_repacked: u64,
    /// Bytes that the storage will hold less, once all is deleted.
    pub bytes_freed: u64,
    /// Bytes to download and put again.
    pub bytes_moved: u64,
    /// GET requests for that, about.
    pub gets: u64,
    /// PUT requests for that, about.
    pub puts: u64,
    /// What it costs once, in the currency of the price table.
    pub cost: f64,
    /// What it saves each month.
    pub saved_monthly: f64,
    /// Bytes that are not needed and stay, since moving what is beside them costs more.
    pub bytes_wasted: u64,
}

/// Chooses what to move: best gain for the bytes first, up to `limit` bytes. Gives the numbers in that order.
pub fn choose(candidates: &[Candidate], prices: &Prices, limit: u64) -> Vec<u32> {
    let mut chosen: Vec<&Candidate> = candidates.iter().filter(|c| c.pays(prices)).collect();
    let mut sorts: Vec<u32> = candidates.iter().map(|c| c.sort).collect();
    sorts.sort_unstable();
    sorts.dedup();
    for sort in sorts {
        let small = |c: &&Candidate| c.sort == sort && c.small();
        let all: Vec<&Candidate> = candidates.iter().filter(small).collect();
        // Each is moved once for each four-fold growth at most, so this ends.
        if all.len() >= MANY_SMALL {
            chosen.extend(all.into_iter().filter(|c| !c.pays(prices)));
        }
    }
    let share = |c: &Candidate| c.waste as f64 / (c.live + 1) as f64;
    chosen.sort_by(|a, b| share(b).total_cmp(&share(a)).then(a.number.cmp(&b.number)));
    let mut moved = 0u64;
    chosen.retain(|c| match moved.saturating_add(c.live) <= limit {
        true => {
            moved += c.live;
            true
        }
        false => false,
    });
    chosen.into_iter().map(|c| c.number).collect()
}

/// Adds up what moving `chosen` and dropping `dropped` (count, bytes) comes to.
pub fn sums(
    candidates: &[Candidate],
    chosen: &[u32],
    dropped: (u64, u64),
    prices: &Prices,
) -> Sums {
    let mut sums = Sums {
        packs_dropped: dropped.0,
        bytes_freed: dropped.1,
        ..Sums::default()
    };
    let chosen: std::collections::HashSet<u32> = chosen.iter().copied().collect();
    let mut puts = 0.0;
    for c in candidates {
        if chosen.contains(&c.number) {
            sums.packs_repacked += 1;
            sums.bytes_freed += c.waste;
            sums.bytes_moved += c.live;
            sums.gets += c.gets();
            puts += c.live as f64 / c.target.max(1) as f64;
        } else {
            sums.bytes_wasted += c.waste;
        }
    }
    sums.puts = f64::ceil(puts) as u64;
    sums.cost = prices.to_move(sums.bytes_moved, sums.gets, sums.puts);
    sums.saved_monthly = prices.to_hold(sums.bytes_freed, 1.0);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(number: u32, size: u64, live: u64) -> Candidate {
        Candidate {
            number,
            sort: 0,
            size: size * MIB,
            live: live * MIB,
            waste: (size - live) * MIB,
            target: 32 * MIB,
        }
    }

    #[test]
    fn moves_what_pays() {
        let packs = [
            pack(0, 32, 31),
            pack(1, 32, 10),
            pack(2, 32, 20),
            pack(3, 32, 1),
        ];
        // 6 months at 2.3 cents against 9 cents of egress: 40 % of waste is worth it.
        assert_eq!(choose(&packs, &Prices::default(), u64::MAX), [3, 1]);
        let near = Prices::parse("egress=0").unwrap();
        assert_eq!(choose(&packs, &near, u64::MAX), [3, 1, 2]);
        assert_eq!(choose(&packs, &Prices::FREE, u64::MAX), [3, 1, 2]);
        assert_eq!(choose(&packs, &Prices::FREE, 5 * MIB), [3]);
        assert!(choose(&packs, &Prices::FREE, 0).is_empty());
        let sums = sums(&packs, &[3, 1], (2, 7), &Prices::default());
        assert_eq!((sums.packs_repacked, sums.bytes_moved), (2, 11 * MIB));
        assert_eq!(sums.bytes_freed, 7 + 53 * MIB);
        assert_eq!(sums.bytes_wasted, 13 * MIB);
        assert!(sums.cost > 0.0 && sums.saved_monthly > 0.0);
    }

    #[test]
    fn many_small_packs_become_few() {
        let few: Vec<_> = (0..9).map(|n| pack(n, 1, 1)).collect();
        assert!(choose(&few, &Prices::default(), u64::MAX).is_empty());
        let many: Vec<_> = (0..10).map(|n| pack(n, 1, 1)).collect();
        assert_eq!(choose(&many, &Prices::default(), u64::MAX).len(), 10);
        let large: Vec<_> = (0..20).map(|n| pack(n, 9, 9)).collect();
        assert!(choose(&large, &Prices::default(), u64::MAX).is_empty());
    }
}
