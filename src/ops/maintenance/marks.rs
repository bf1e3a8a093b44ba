//! Which chunks the snapshots need: one bit for each row of the index.
//!
//! Memory: three bits a row, so 38 MB for 100 million chunks, beside what the index itself holds.

use super::table::Table;
use crate::error::{Error, Result};
use crate::format::entry::TreePath;
use crate::id::{Id, Id16};
use crate::index::{Base, Row};
use crate::ops::reach::{Need, Reached};
use crate::report::text::plural;
use std::sync::Arc;

/// Chunks that are nowhere are counted, and the first few named.
const NAMED_MISSING: usize = 5;
/// So many chunks are rescued between two looks; the next look finds the rest. Bounds memory.
const ENDANGERED: usize = 500_000;
/// Ids remembered to save lookups: many files of one leaf lie in one bundle. A power of two.
const RECENT: usize = 1 << 12;

/// A set of positions.
#[derive(Clone)]
pub struct Bits(Vec<u64>);

impl Bits {
    /// Room for `count` positions, none of them in.
    pub fn new(count: u64) -> Bits {
        Bits(vec![0; count.div_ceil(64) as usize])
    }

    /// Is `at` in?
    pub fn get(&self, at: u64) -> bool {
        self.0
            .get((at / 64) as usize)
            .is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// Puts `at` in.
    pub fn set(&mut self, at: u64) {
        if let Some(word) = self.0.get_mut((at / 64) as usize) {
            *word |= 1 << (at % 64);
        }
    }

    /// Takes `at` out.
    pub fn clear(&mut self, at: u64) {
        if let Some(word) = self.0.get_mut((at / 64) as usize) {
            *word &= !(1 << (at % 64));
        }
    }
}

/// A chunk that is needed and that nothing which stays holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endangered {
    /// Whose domain.
    pub domain: Id16,
    /// The epoch of its id.
    pub epoch: u32,
    /// The chunk.
    pub id: Id,
    /// 1 for data, 2 for metadata.
    pub kind: u8,
    /// A pack that stays and that no index object which stays names, if there is one: the chunk needs no copy then.
    pub pack: Option<u32>,
}

/// What marking has found.
pub struct Marks {
    /// Rows of chunks that are needed, in every place.
    pub needed: Bits,
    /// Of those, rows of chunks that are in more than one place.
    pub several: Bits,
    /// Chunks to rescue before anything is deleted.
    pub endangered: Vec<Endangered>,
    /// Rows of chunks that were walked as nodes or lists. The bytes of one may also be needed as a file's: then what is
    /// below it has not been seen yet.
    walked: Bits,
    /// How many chunks are needed.
    pub chunks: u64,
    /// Chunks that are nowhere: how many, and the first few.
    pub missing: u64,
    missing_names: Vec<(Id, TreePath)>,
    recent: Vec<(Id16, Id, bool)>,
}

impl Marks {
    /// Nothing marked yet.
    pub fn new(rows: u64) -> Marks {
        Marks {
            needed: Bits::new(rows),
            several: Bits::new(rows),
            walked: Bits::new(rows),
            endangered: Vec::new(),
            chunks: 0,
            missing: 0,
            missing_names: Vec::new(),
            recent: vec![(Id16::ZERO, Id::ZERO, false); RECENT],
        }
    }

    /// What is wrong with a backup that needs chunks which are nowhere; before it was walked there were `before` of them.
    pub fn lack(&self, before: u64) -> Error {
        let name = |(id, path): &(Id, TreePath)| match path.0.is_empty() {
            true => id.short(),
            false => {
                let path = crate::report::printable(&path.to_bytes());
                format!("{} of {path}", id.short())
            }
        };
        let names = self.missing_names.iter().skip(before as usize);
        let first: Vec<String> = names.map(name).collect();
        let named = match first.is_empty() {
            true => String::new(),
            false => format!(" (chunk {})", first.join(", ")),
        };
        Error::damaged(format!(
            "{} in no pack{named}",
            plural(
                self.missing - before,
                "chunk that it needs is",
                "chunks that it needs are"
            )
        ))
    }
}

/// Marks what one snapshot needs.
pub struct Marker<'a> {
    /// Where the bits go.
    pub marks: &'a mut Marks,
    /// All rows.
    pub base: &'a Arc<Base>,
    /// All packs.
    pub table: &'a Table,
    /// The snapshot's domain.
    pub domain: Id16,
    /// The epoch of its chunk ids.
    pub epoch: u32,
    /// Asked before every node.
    pub stop: &'a crate::report::Stop,
}

impl Reached for Marker<'_> {
    fn chunk(&mut self, need: Need, id: &Id, path: &TreePath) -> Result<bool> {
        let walks = need != Need::Data;
        if walks {
            self.stop.check()?;
        }
        let slot = usize::from(id.0[0]) << 8 | usize::from(id.0[1]);
        let slot = slot % RECENT;
        if self.marks.recent[slot] == (self.domain, *id, walks) {
            return Ok(false);
        }
        self.marks.recent[slot] = (self.domain, *id, walks);
        let mut rows: Vec<(u64, Row)> = Vec::new();
        let (table, domain) = (self.table, self.domain);
        self.base.find(id, &mut |at, row| {
            let ours = table.pack(row.pack).is_some_and(|p| p.domain == domain);
            if ours && table.readable(row.pack) {
                rows.push((at, row));
            }
        })?;
        let Some(&(first, row)) = rows.first() else {
            // Not remembered as seen: it counts once for each place that needs it, and is reported all the same.
            if self.marks.missing_names.len() < NAMED_MISSING {
                self.marks.missing_names.push((*id, path.clone()));
            }
            self.marks.missing += 1;
            return Ok(false);
        };
        let below = walks && !self.marks.walked.get(first);
        if below {
            self.marks.walked.set(first);
        }
        if self.marks.needed.get(first) {
            return Ok(below);
        }
        self.marks.chunks += 1;
        let good = rows.iter().filter(|(_, r)| table.good(r.pack)).count();
        for (at, _) in &rows {
            self.marks.needed.set(*at);
            if rows.len() > 1 {
                self.marks.several.set(*at);
            }
        }
        if good == 0 && self.marks.endangered.len() < ENDANGERED {
            let found = rows.iter().find(|(_, r)| table.loses_its_index(r.pack));
            self.marks.endangered.push(Endangered {
                domain,
                epoch: self.epoch,
                id: *id,
                kind: table.pack(row.pack).map_or(1, |p| p.kind),
                pack: found.map(|(_, r)| r.pack),
            });
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits() {
        let mut bits = Bits::new(130);
        for at in [0, 63, 64, 129] {
            assert!(!bits.get(at));
            bits.set(at);
            assert!(bits.get(at));
        }
        assert!(!bits.get(1) && !bits.get(128) && !bits.get(1000));
        bits.clear(64);
        assert!(!bits.get(64) && bits.get(63));
    }
}
