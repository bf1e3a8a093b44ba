//! What maintenance knows of each pack: which index objects name it, whether it exists, and since when.

use crate::id::{Id, Id16};
use crate::index::{Base, Pack};
use crate::repo::protocol::View;
use crate::units::Time;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Named by some index object that exists.
const NAMED: u8 = 1;
/// Named by one that no tombstone names.
const ALIVE: u8 = 2;
/// Named by a tombstone.
const DEAD: u8 = 4;
/// In the listing, with the size that the index says.
const EXISTS: u8 = 8;
/// Index objects disagree about it: it is left alone.
const DISPUTED: u8 = 16;
/// Said by an index object of a domain that it is not of.
const FOREIGN: u8 = 32;

/// A pack that exists and that no index object names.
#[derive(Clone, Copy, Debug)]
pub struct Stray {
    /// Its name.
    pub name: Id,
    /// Length in bytes.
    pub size: u64,
    /// When it was put.
    pub modified: Time,
}

/// The state of every pack of a [`Base`], by number. 13 bytes a pack.
pub struct Table {
    base: Arc<Base>,
    /// Numbers, sorted by the packs' names.
    by_name: Vec<u32>,
    flags: Vec<u8>,
    modified: Vec<i64>,
    /// Packs that exist and that no index object names.
    pub strays: Vec<Stray>,
    /// Packs that exist and that a tombstone names, whether or not the index does: name and size.
    pub buried: Vec<(Id, u64)>,
    /// Bytes of all packs that exist.
    pub bytes: u64,
    /// How many packs exist.
    pub count: u64,
    /// Packs that exist and about which index objects disagree.
    contested: Vec<Stray>,
}

impl Table {
    /// The table of `base` as `view` shows it, before packs are listed.
    pub fn new(base: Arc<Base>, view: &View) -> Table {
        let count = base.pack_count();
        let mut flags = vec![0; count];
        let mut by_name: Vec<u32> = (0..count as u32).collect();
        by_name.sort_unstable_by_key(|&n| base.pack(n).map(|p| p.name));
        for (object, packs) in base.objects() {
            let alive = match view.index.contains(object) {
                true => NAMED | ALIVE,
                false => NAMED,
            };
            packs.iter().for_each(|&n| flags[n as usize] |= alive);
        }
        for (n, pack) in base.packs().enumerate() {
            if view.dead_packs.contains(&pack.name) {
                flags[n] |= DEAD;
            }
        }
        let mut table = Table {
            modified: vec![0; count],
            base,
            by_name,
            flags,
            strays: Vec::new(),
            buried: Vec::new(),
            bytes: 0,
            count: 0,
            contested: Vec::new(),
        };
        table.mark_disputed();
        table
    }

    fn mark_disputed(&mut self) {
        for pair in 1..self.by_name.len() {
            let (a, b) = (self.by_name[pair - 1], self.by_name[pair]);
            let both = self.flag(a, NAMED) && self.flag(b, NAMED);
            if both && self.name(a) == self.name(b) {
                self.flags[a as usize] |= DISPUTED;
                self.flags[b as usize] |= DISPUTED;
            }
        }
    }

    /// Takes one pack of the listing.
    pub fn list(&mut self, name: Id, size: u64, modified: Time, dead: bool) {
        (self.bytes, self.count) = (self.bytes + size, self.count + 1);
        let (mut named, mut contested) = (false, false);
        let from = self
            .by_name
            .partition_point(|&n| self.name(n).is_some_and(|other| other < name));
        for at in from..self.by_name.len() {
            let number = self.by_name[at];
            match self.base.pack(number) {
                Some(pack) if pack.name == name => {
                    if pack.size == size {
                        self.flags[number as usize] |= EXISTS;
                        self.modified[number as usize] = modified.0;
                    }
                    named |= self.flag(number, NAMED);
                    contested |= self.flag(number, DISPUTED);
                }
                _ => break,
            }
        }
        if contested {
            self.contested.push(Stray {
                name,
                size,
                modified,
            });
        }
        match (dead, named) {
            (true, _) => self.buried.push((name, size)),
            (false, false) => self.strays.push(Stray {
                name,
                size,
                modified,
            }),
            _ => {}
        }
    }

    /// Packs that exist and that index objects of several domains name. Packs say themselves whose they are.
    pub fn contested(&self) -> Vec<Stray> {
        let several = |s: &&Stray| {
            let mut domains = self.domains(&s.name);
            let first = domains.next();
            domains.any(|d| Some(d) != first)
        };
        self.contested.iter().filter(several).copied().collect()
    }

    fn domains(&self, name: &Id) -> impl Iterator<Item = Id16> + '_ {
        let numbers = self.numbers(name).filter(|n| self.flag(*n, NAMED));
        numbers.filter_map(|n| self.base.pack(n).map(|p| p.domain))
    }

    /// `pack` is of `owner`: what index objects of other domains say of it does not count. Gives those domains.
    pub fn settle(&mut self, pack: &Stray, owner: &Id16) -> BTreeSet<Id16> {
        let numbers: Vec<u32> = self.numbers(&pack.name).collect();
        let (own, foreign): (Vec<u32>, Vec<u32>) = numbers
            .into_iter()
            .filter(|n| self.flag(*n, NAMED))
            .partition(|n| self.base.pack(*n).is_some_and(|p| p.domain == *owner));
        for n in &foreign {
            self.flags[*n as usize] &= !(NAMED | ALIVE | DISPUTED);
            self.flags[*n as usize] |= FOREIGN;
        }
        match own.as_slice() {
            [] if !foreign.iter().any(|n| self.dead(*n)) => self.strays.push(*pack),
            [one] => self.flags[*one as usize] &= !DISPUTED,
            _ => {}
        }
        let of = |n: &u32| self.base.pack(*n).map(|p| p.domain);
        foreign.iter().filter_map(of).collect()
    }

    /// Is it what an index object says of a pack of another domain? Then it says nothing.
    pub fn foreign(&self, number: u32) -> bool {
        self.flag(number, FOREIGN)
    }

    /// Pack `number`.
    pub fn pack(&self, number: u32) -> Option<&Pack> {
        self.base.pack(number)
    }

    /// How many packs there are numbers for.
    pub fn len(&self) -> usize {
        self.flags.len()
    }

    fn name(&self, number: u32) -> Option<Id> {
        self.base.pack(number).map(|p| p.name)
    }

    fn flag(&self, number: u32, flag: u8) -> bool {
        self.flags
            .get(number as usize)
            .is_some_and(|f| f & flag != 0)
    }

    /// Can be relied on: through an untombstoned index object, in an untombstoned pack, which exists.
    pub fn good(&self, number: u32) -> bool {
        let flags = self.flags.get(number as usize).copied().unwrap_or(0);
        flags & (ALIVE | EXISTS | DEAD) == ALIVE | EXISTS
    }

    /// Can be read now, whatever becomes of it.
    pub fn readable(&self, number: u32) -> bool {
        self.flag(number, EXISTS) && self.flag(number, NAMED)
    }

    /// Does a tombstone name it?
    pub fn dead(&self, number: u32) -> bool {
        self.flag(number, DEAD)
    }

    /// Is it where only index objects that a tombstone names say so, itself not tombstoned?
    pub fn loses_its_index(&self, number: u32) -> bool {
        self.readable(number) && !self.dead(number) && !self.flag(number, ALIVE)
    }

    /// Do index objects disagree about it?
    pub fn disputed(&self, number: u32) -> bool {
        self.flag(number, DISPUTED)
    }

    /// When it was put, by the storage's clock.
    pub fn modified(&self, number: u32) -> Time {
        Time(
            self.modified
                .get(number as usize)
                .copied()
                .unwrap_or(i64::MAX),
        )
    }

    /// The numbers under which `name` is known.
    pub fn numbers(&self, name: &Id) -> impl Iterator<Item = u32> + '_ {
        let name = *name;
        let from = self
            .by_name
            .partition_point(|&n| self.name(n).is_some_and(|other| other < name));
        self.by_name[from..]
            .iter()
            .copied()
            .take_while(move |&n| self.name(n) == Some(name))
    }
}
