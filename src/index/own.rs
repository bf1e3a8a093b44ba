//! The packs that this run has added, their rows bounded in memory: full runs of rows become temporary segments.

use super::compact::{Load, choose};
use super::merge::Merge;
use super::place::Place;
use super::segment::Segment;
use super::writer::write_sorted;
use super::{IndexPack, Pack, Row};
use crate::error::{Error, Result};
use crate::id::{Id, Id16};
use std::collections::BTreeSet;

/// Rows kept in memory before they become a segment.
pub(crate) const FREEZE_ROWS: usize = 1 << 16;

/// A pack of this run.
pub(crate) struct OwnPack {
    pub(crate) pack: Pack,
    /// The index objects that name it. While there are none, the pack counts because this run holds it.
    pub(crate) objects: Vec<Id>,
    pub(crate) visible: bool,
    /// Given up: it never counts again on its own.
    pub(crate) lost: bool,
}

/// The packs of this run.
pub(crate) struct Own {
    place: Place,
    freeze_at: usize,
    pub(crate) packs: Vec<OwnPack>,
    active: BTreeSet<Row>,
    frozen: Vec<std::sync::Arc<Segment>>,
}

impl Own {
    pub(crate) fn new(place: Place, freeze_at: usize) -> Own {
        Own {
            place,
            freeze_at,
            packs: Vec::new(),
            active: BTreeSet::new(),
            frozen: Vec::new(),
        }
    }

    /// Adds a pack, visible from now on.
    pub(crate) fn add(&mut self, domain: &Id16, pack: &IndexPack) -> Result<()> {
        let number = u32::try_from(self.packs.len())
            .map_err(|_| Error::failed("one run has written more than 2^32 packs"))?;
        self.packs.push(OwnPack {
            pack: Pack::new(domain, pack),
            objects: Vec::new(),
            visible: true,
            lost: false,
        });
        for r in &pack.rows {
            self.active.insert(Row {
                id: r.id,
                pack: number,
                offset: r.offset,
                stored: r.stored,
                raw: r.raw,
            });
        }
        if self.active.len() >= self.freeze_at {
            self.freeze()
        } else {
            Ok(())
        }
    }

    /// Turns the rows in memory into a segment, and merges segments of like size. What a full disk does not take goes
    /// to memory.
    fn freeze(&mut self) -> Result<()> {
        let rows = || self.active.iter().map(|r| Ok(*r));
        let count = self.active.len() as u64;
        let segment = match write_sorted(&self.place, count, Vec::new(), rows()) {
            Ok(segment) => segment,
            Err(_) => {
                self.place = Place::Memory;
                write_sorted(&self.place, count, Vec::new(), rows())?
            }
        };
        self.active.clear();
        self.frozen.push(segment.into());
        let loads: Vec<Load> = self
            .frozen
            .iter()
            .map(|s| Load {
                live: s.rows(),
                total: s.rows(),
            })
            .collect();
        let group = choose(&loads);
        if group.is_empty() {
            return Ok(());
        }
        let total = group.iter().map(|&i| loads[i].live).sum();
        let merge = Merge::new(group.iter().map(|&i| &*self.frozen[i]), |_, row| Some(row));
        // Not being able to merge costs time, not correctness.
        if let Ok(merged) = write_sorted(&self.place, total, Vec::new(), merge) {
            let mut position = 0..;
            self.frozen
                .retain(|_| position.next().is_some_and(|i| !group.contains(&i)));
            self.frozen.push(merged.into());
        }
        Ok(())
    }

    /// Where segments go.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Adds all rows of `id` to `found`. A segment that cannot be read any more has none: chunks that count as absent
    /// cost an upload.
    pub(crate) fn lookup(&self, id: &Id, found: &mut Vec<Row>) {
        let from = Row {
            id: *id,
            pack: 0,
            offset: 0,
            stored: 0,
            raw: 0,
        };
        found.extend(self.active.range(from..).take_while(|r| r.id == *id));
        for segment in &self.frozen {
            let before = found.len();
            if segment.lookup(id, found).is_err() {
                found.truncate(before);
            }
        }
    }

    /// The rows in memory and the segments, for a scan.
    pub(crate) fn snapshot(&self) -> (Vec<Row>, Vec<std::sync::Arc<Segment>>) {
        (self.active.iter().copied().collect(), self.frozen.clone())
    }

    /// Bytes held in memory, about.
    pub(crate) fn heap(&self) -> usize {
        let packs = self.packs.len() * (size_of::<OwnPack>() + 32);
        packs + self.active.len() * 60 + self.frozen.iter().map(|s| s.heap()).sum::<usize>()
    }
}
