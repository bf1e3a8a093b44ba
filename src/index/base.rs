//! The rows that the repository's index objects give, and which object names which pack.

use super::manifest::Set;
use super::segment::{Scan, Segment};
use super::{Pack, Row};
use crate::error::{Error, Result};
use crate::id::Id;
use std::sync::Arc;

/// What [`super::sync`] gives: immutable, cheap to share between several [`super::Index`]es with different views.
#[derive(Default)]
pub struct Base {
    segments: Vec<Arc<Segment>>,
    /// The number of the first pack of each segment in the table of all packs.
    starts: Vec<u32>,
    packs: u32,
    /// Index objects by name, with the numbers of the packs that they name.
    objects: Vec<(Id, Box<[u32]>)>,
}

impl Base {
    pub(crate) fn new(set: Set) -> Base {
        let mut base = Base::default();
        for segment in &set.segments {
            base.starts.push(base.packs);
            // Cannot overflow: a set of more than 2^32 packs is refused when it is made.
            base.packs = base.packs.saturating_add(segment.packs().len() as u32);
        }
        let starts = &base.starts;
        let number =
            |r: &super::manifest::PackRef| starts.get(r.segment as usize).map(|s| s + r.pack);
        base.objects = set
            .objects
            .iter()
            .map(|(id, refs)| (*id, refs.iter().filter_map(number).collect()))
            .collect();
        base.segments = set.segments;
        base
    }

    /// Back to the form that is changed by a sync.
    pub(crate) fn to_set(&self) -> Set {
        let reference = |n: &u32| {
            let segment = self.starts.partition_point(|s| s <= n) - 1;
            super::manifest::PackRef {
                segment: segment as u32,
                pack: n - self.starts[segment],
            }
        };
        let objects = self
            .objects
            .iter()
            .map(|(id, packs)| (*id, packs.iter().map(reference).collect()));
        Set {
            segments: self.segments.clone(),
            objects: objects.collect(),
        }
    }

    /// The same with another segment, of the same packs, at `position`.
    pub(crate) fn with_segment(&self, position: usize, segment: Segment) -> Base {
        let mut segments = self.segments.clone();
        if let Some(place) = segments.get_mut(position) {
            *place = Arc::new(segment);
        }
        Base {
            segments,
            starts: self.starts.clone(),
            packs: self.packs,
            objects: self.objects.clone(),
        }
    }

    pub(crate) fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// The number, in the table of all packs, of pack `pack` of segment `segment`.
    pub(crate) fn number(&self, segment: usize, pack: u32) -> Option<u32> {
        let packs = self.segments.get(segment)?.packs().len();
        ((pack as usize) < packs).then(|| self.starts[segment] + pack)
    }

    /// How many packs the table has.
    pub fn pack_count(&self) -> usize {
        self.packs as usize
    }

    /// Pack `number` of the table.
    pub fn pack(&self, number: u32) -> Option<&Pack> {
        let segment = self
            .starts
            .partition_point(|&s| s <= number)
            .checked_sub(1)?;
        self.segments[segment]
            .packs()
            .get((number - self.starts[segment]) as usize)
    }

    /// All packs in the order of their numbers. Those that no object names any more are still among them.
    pub fn packs(&self) -> impl Iterator<Item = &Pack> {
        self.segments.iter().flat_map(|s| s.packs())
    }

    /// The index objects that the base covers, by name, each with the numbers of its packs.
    pub fn objects(&self) -> impl Iterator<Item = (&Id, &[u32])> {
        self.objects.iter().map(|(id, packs)| (id, &packs[..]))
    }

    /// Calls `each` with every row of chunk `id`, whatever its domain and whether or not it counts: its position among
    /// all rows, and the row, whose `pack` is a number in the table of all packs.
    pub fn find(&self, id: &Id, each: &mut dyn FnMut(u64, Row)) -> Result<()> {
        let mut before = 0;
        for (segment, &start) in self.segments.iter().zip(&self.starts) {
            segment.find(id, &mut |at, row| {
                let pack = start.saturating_add(row.pack);
                each(before + at, Row { pack, ..row });
            })?;
            before += segment.rows();
        }
        Ok(())
    }

    /// Calls `each` with every row in the order of positions (see [`Base::find`]).
    pub fn scan(&self, each: &mut dyn FnMut(u64, Row) -> Result<()>) -> Result<()> {
        let mut position = 0;
        for (number, segment) in self.segments.iter().enumerate() {
            for row in Scan::new(segment) {
                let row = row?;
                let pack = self.number(number, row.pack).ok_or_else(|| {
                    Error::damaged("the index cache has a row of an unknown pack")
                })?;
                each(position, Row { pack, ..row })?;
                position += 1;
            }
        }
        Ok(())
    }

    /// Reads every block, and fails at one that is damaged, which a further sync builds anew.
    pub(crate) fn verify(&self) -> Result<()> {
        self.segments
            .iter()
            .try_for_each(|s| Scan::new(s).try_for_each(|row| row.map(drop)))
    }

    /// How many rows the segments hold, dead ones included.
    pub fn rows(&self) -> u64 {
        self.segments.iter().map(|s| s.rows()).sum()
    }

    /// Bytes held in memory.
    pub fn heap(&self) -> usize {
        self.segments.iter().map(|s| s.heap()).sum::<usize>()
            + self
                .objects
                .iter()
                .map(|(_, p)| size_of::<(Id, Box<[u32]>)>() + p.len() * 4)
                .sum::<usize>()
    }
}
