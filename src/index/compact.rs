//! Keeps the number of segments in the logarithm of the number of rows, and rewrites dead rows away.
//!
//! After compaction every segment is more than twice as large as all smaller ones together, so n rows lie in at most
//! log3(n) + 1 segments, and a row is rewritten O(log n) times (O'Neil et al., "The log-structured merge-tree").

use super::manifest::{PackRef, Set};
use super::merge::Merge;
use super::place::Place;
use super::segment::Segment;
use super::writer::write_sorted;
use super::{Pack, Row};
use crate::error::Result;
use std::sync::Arc;

/// Live and total rows of a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) live: u64,
    pub(crate) total: u64,
}

/// Which segments to merge into one, by position; none when all is well.
pub(crate) fn choose(loads: &[Load]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..loads.len()).collect();
    order.sort_by_key(|&i| loads[i].live);
    let (mut sum, mut prefix) = (0u64, 0);
    for (n, &i) in order.iter().enumerate() {
        if n > 0 && loads[i].live <= 2 * sum {
            prefix = n + 1;
        }
        sum += loads[i].live;
    }
    let mostly_dead = |i: &usize| loads[*i].live * 2 < loads[*i].total;
    let (merged, rest) = order.split_at(prefix);
    merged
        .iter()
        .copied()
        .chain(rest.iter().copied().filter(mostly_dead))
        .collect()
}

/// Drops dead segments and merges others where [`choose`] says so. True if the set has changed.
pub(crate) fn compact(set: &mut Set, place: &Place) -> Result<bool> {
    let live = live_packs(set);
    let loads: Vec<Load> = set
        .segments
        .iter()
        .zip(&live)
        .map(|(s, l)| load(s, l))
        .collect();
    let group = choose(&loads);
    if group.is_empty() {
        return Ok(false);
    }
    let numbering = Numbering::new(set, &group, &live);
    let merged = numbering.merge(set, &group, place)?;
    numbering.apply(set, merged);
    Ok(true)
}

/// For each segment, which of its packs some object names.
fn live_packs(set: &Set) -> Vec<Vec<bool>> {
    let mut live: Vec<Vec<bool>> = set
        .segments
        .iter()
        .map(|s| vec![false; s.packs().len()])
        .collect();
    for r in set.objects.values().flatten() {
        live[r.segment as usize][r.pack as usize] = true;
    }
    live
}

fn load(segment: &Segment, live: &[bool]) -> Load {
    let rows = segment
        .packs()
        .iter()
        .zip(live)
        .filter(|(_, live)| **live)
        .map(|(p, _)| u64::from(p.rows));
    // A segment without live rows counts as mostly dead, an empty one too.
    Load {
        live: rows.sum(),
        total: segment.rows().max(1),
    }
}

/// Where packs go in a merge: per segment and pack, the number in the merged segment.
struct Numbering {
    /// For segments that stay: their new position. For merged ones: nothing.
    positions: Vec<Option<u32>>,
    /// For merged segments: the new number of each live pack.
    packs: Vec<Vec<Option<u32>>>,
    table: Vec<Pack>,
}

impl Numbering {
    fn new(set: &Set, group: &[usize], live: &[Vec<bool>]) -> Numbering {
        let mut stay = 0..;
        let positions = (0..set.segments.len()).map(|i| {
            if group.contains(&i) {
                None
            } else {
                stay.next()
            }
        });
        let mut numbering = Numbering {
            positions: positions.collect(),
            packs: vec![Vec::new(); live.len()],
            table: Vec::new(),
        };
        for &i in group {
            for (pack, live) in set.segments[i].packs().iter().zip(&live[i]) {
                numbering.packs[i].push(live.then_some(numbering.table.len() as u32));
                if *live {
                    numbering.table.push(pack.clone());
                }
            }
        }
        numbering
    }

    fn merge(&self, set: &Set, group: &[usize], place: &Place) -> Result<Option<Segment>> {
        if self.table.is_empty() {
            return Ok(None);
        }
        let rows = self.table.iter().map(|p| u64::from(p.rows)).sum();
        let renumber = |source: usize, row: Row| {
            let number = self.packs[group[source]]
                .get(row.pack as usize)
                .copied()
                .flatten()?;
            Some(Row {
                pack: number,
                ..row
            })
        };
        let merge = Merge::new(group.iter().map(|&i| &*set.segments[i]), renumber);
        write_sorted(place, rows, self.table.clone(), merge).map(Some)
    }

    fn apply(&self, set: &mut Set, merged: Option<Segment>) {
        let old = std::mem::take(&mut set.segments);
        set.segments = old
            .into_iter()
            .zip(&self.positions)
            .filter(|(_, p)| p.is_some())
            .map(|(s, _)| s)
            .collect();
        let last = set.segments.len() as u32;
        set.segments.extend(merged.map(Arc::new));
        for r in set.objects.values_mut().flatten() {
            match self.positions[r.segment as usize] {
                Some(segment) => r.segment = segment,
                None => {
                    // Live, since this object names it.
                    let pack = self.packs[r.segment as usize][r.pack as usize].unwrap_or_default();
                    *r = PackRef {
                        segment: last,
                        pack,
                    };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(sizes: &[u64]) -> Vec<Load> {
        sizes.iter().map(|&n| Load { live: n, total: n }).collect()
    }

    #[test]
    fn merges_what_is_of_a_size() {
        assert!(choose(&full(&[100, 10, 1])).is_empty());
        assert_eq!(choose(&full(&[100, 10, 10, 1])), [3, 1, 2]);
        assert_eq!(choose(&full(&[100, 60, 1, 1])), [2, 3, 1, 0]);
        assert_eq!(choose(&full(&[200, 60, 1, 1])), [2, 3]);
        assert_eq!(choose(&[Load { live: 4, total: 10 }]), [0]);
        assert_eq!(choose(&[Load { live: 5, total: 10 }]), [0; 0]);
    }

    #[test]
    fn the_number_of_segments_is_logarithmic() {
        let mut sizes: Vec<u64> = Vec::new();
        let mut rewritten = 0;
        for n in 0..2000 {
            sizes.push(1 + n % 7);
            let group = choose(&full(&sizes));
            if !group.is_empty() {
                let sum: u64 = group.iter().map(|&i| sizes[i]).sum();
                rewritten += sum;
                sizes = (0..sizes.len())
                    .filter(|i| !group.contains(i))
                    .map(|i| sizes[i])
                    .collect();
                sizes.push(sum);
            }
            assert!(sizes.len() <= 9, "{sizes:?}");
        }
        assert!(rewritten < 8000 * 14, "{rewritten}");
    }
}
