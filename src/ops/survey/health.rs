//! Which places of chunks are known to be good for nothing.

use super::Survey;
use crate::error::{Error, Result};
use crate::format::pack::PackRow;
use crate::id::{Id, Id16};
use crate::index::{Index, Location};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What is known of packs: which exist, and what in them is damaged.
pub struct Health {
    index: Arc<Index>,
    sizes: HashMap<Id, u64>,
    dead: HashSet<Id>,
    /// Packs of which nothing can be read.
    bad: HashSet<Id>,
    /// Frames that do not open, by pack and offset.
    frames: HashMap<Id, HashSet<u32>>,
    /// Some of the index cannot be read now.
    partial: bool,
}

/// Where a chunk is to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// In a pack that stays.
    Yes,
    /// Only in packs that a tombstone names; maintenance copies it before it deletes them.
    Dying,
    /// Nowhere.
    No,
}

impl Health {
    /// What the listing and the tombstones of `survey` say.
    pub fn of(survey: &Survey) -> Health {
        Health {
            index: survey.index.clone(),
            sizes: survey.packs.clone(),
            dead: survey.view.dead_packs.clone(),
            bad: HashSet::new(),
            frames: HashMap::new(),
            partial: survey.damaged_index.values().any(Error::is_unreadable),
        }
    }

    /// Some of the index cannot be read now: what seems to be nowhere may be named there.
    pub fn is_partial(&self) -> bool {
        self.partial
    }

    /// Nothing of this pack can be read.
    pub fn set_bad(&mut self, pack: Id) {
        self.bad.insert(pack);
    }

    /// These frames of `pack` do not open.
    pub fn set_bad_frames(&mut self, pack: Id, rows: &[PackRow]) {
        let frames = self.frames.entry(pack).or_default();
        frames.extend(rows.iter().map(|row| row.offset));
    }

    /// Does nothing speak against this place of a chunk?
    pub fn is_good(&self, place: &Location) -> bool {
        // In a pack that became shorter, what lies before the cut may still open.
        let there = self
            .sizes
            .get(&place.pack)
            .is_some_and(|size| u64::from(place.offset) + u64::from(place.stored) <= *size);
        let bad_frame = |frames: &HashSet<u32>| frames.contains(&place.offset);
        there
            && !self.bad.contains(&place.pack)
            && !self.frames.get(&place.pack).is_some_and(bad_frame)
    }

    /// Where chunk `id` of `writer`'s domain is to be had.
    pub fn held(&self, writer: &Id16, id: &Id) -> Result<Held> {
        let places = self.index.lookup(writer, id)?;
        let mut held = Held::No;
        for place in places.iter().filter(|p| self.is_good(p)) {
            if !self.dead.contains(&place.pack) {
                return Ok(Held::Yes);
            }
            held = Held::Dying;
        }
        Ok(held)
    }
}
