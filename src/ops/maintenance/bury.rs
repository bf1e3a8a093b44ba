//! Mark: what no snapshot needs is moved out of, renamed in no index object, and named in a tombstone.

use super::active::Active;
use super::look::Look;
use super::marks::{Bits, Marks};
use super::plan::{self, Candidate, Sums};
use super::{MaintenanceOptions, rewrite};
use crate::error::Result;
use crate::format::container::ObjectKind;
use crate::id::{Id, Id16};
use crate::ops::replace::{self, Copier, Indexer};
use crate::repo::protocol::Grace;
use crate::report::{Event, Observer, Stop};
use crate::units::Time;
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// Rows of packs that are moved in one go; bounds memory.
const ROWS: u64 = 500_000;

/// What marking did.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Buried {
    /// Packs that were named in a tombstone.
    pub packs_buried: u64,
    /// Bytes of them.
    pub bytes_buried: u64,
    /// Of those packs, how many no index object named: left by runs that died.
    pub strays: u64,
    /// Index objects that were replaced.
    pub index_replaced: u64,
    /// Index objects that took their place.
    pub index_written: u64,
    /// Bytes put, copies and index objects.
    pub bytes_written: u64,
    /// Packs that could not be moved because they are damaged.
    pub damaged: u64,
}

/// Which packs go, by number; and those that are moved first.
struct Doomed {
    dropped: Vec<u32>,
    repacked: Vec<u32>,
    strays: Vec<(Id, u64)>,
    sums: Sums,
    /// Rows that are needed, each chunk in one place.
    keep: Bits,
}

/// Two ages that matter.
#[derive(Clone, Copy, Debug)]
pub struct Ages {
    /// What is younger is left alone.
    pub old: Grace,
    /// What is put rests on a look that is younger than half of this.
    pub fresh: Grace,
}

/// Moves, rewrites and buries. Without `marks` only index objects are merged.
pub fn bury(
    look: &mut Look,
    marks: Option<&Marks>,
    ages: Ages,
    options: &MaintenanceOptions,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<(Sums, Buried)> {
    let mut done = Buried::default();
    let not_after = ages.fresh.deadline(&look.view);
    let doomed = match marks {
        Some(marks) => decide(look, marks, ages.old, options)?,
        None => Doomed {
            dropped: Vec::new(),
            repacked: Vec::new(),
            strays: Vec::new(),
            sums: Sums::default(),
            keep: Bits::new(0),
        },
    };
    let mut gone: HashMap<Id, u64> = doomed.strays.iter().copied().collect();
    done.strays = gone.len() as u64;
    let size = |look: &Look, n: &u32| look.table.pack(*n).map(|p| (p.name, p.size));
    gone.extend(doomed.dropped.iter().filter_map(|n| size(look, n)));
    let mut indexer = Indexer::new(look.repo.clone(), not_after);
    if options.dry_run {
        gone.extend(doomed.repacked.iter().filter_map(|n| size(look, n)));
    } else if !doomed.repacked.is_empty() {
        observer.event(Event::Phase("repacking"));
        let mut mover = Mover {
            look,
            keep: &doomed.keep,
            fresh: ages.fresh,
            not_after,
            copiers: HashMap::new(),
            observer,
            stop,
            damaged: 0,
        };
        let moved = mover.run(&doomed.repacked)?;
        done.damaged = mover.damaged;
        for (key, copier) in &mover.copiers {
            for pack in copier.finish()? {
                indexer.add(*key, pack)?;
            }
            done.bytes_written += copier.stored();
        }
        gone.extend(moved.iter().filter_map(|n| size(look, n)));
    }
    let names: HashSet<Id> = gone.keys().copied().collect();
    let replaced = rewrite::choose(look, &names);
    done.packs_buried = names.len() as u64;
    done.bytes_buried = gone.values().sum();
    done.index_replaced = replaced.len() as u64;
    if options.dry_run {
        return Ok((doomed.sums, done));
    }
    // Index objects first, then what names the old ones and the packs.
    observer.event(Event::Phase("writing index objects"));
    let stays = |pack: &Id| !names.contains(pack) && !look.view.dead_packs.contains(pack);
    indexer.add_from(&replaced, &stays, stop)?;
    indexer.finish()?;
    done.index_written = indexer.written;
    done.bytes_written += indexer.bytes;
    let mut packs: Vec<Id> = names.into_iter().collect();
    packs.sort_unstable();
    replace::bury(&look.repo, &packs, &replaced, not_after)?;
    Ok((doomed.sums, done))
}

fn decide(
    look: &Look,
    marks: &Marks,
    grace: Grace,
    options: &MaintenanceOptions,
) -> Result<Doomed> {
    let table = &look.table;
    let (keep, loads) = keepers(look, marks)?;
    let mut active = Active::new(look, grace);
    let old = |modified: Time| grace.0.is_zero() || modified.plus(grace.0) <= look.view.time;
    let mut sorts: HashMap<(Id16, u8), u32> = HashMap::new();
    let (mut dropped, mut candidates) = (Vec::new(), Vec::new());
    let mut freed = (0, 0);
    for number in 0..table.len() as u32 {
        let Some(pack) = table.pack(number) else {
            continue;
        };
        if !table.good(number) || table.disputed(number) || !old(table.modified(number)) {
            continue;
        }
        if look.frozen.has(&pack.domain) {
            continue;
        }
        let load = loads[number as usize];
        if load.live == 0 {
            if active.wrote(&pack.name, pack.size)? {
                continue;
            }
            freed = (freed.0 + 1, freed.1 + pack.size);
            dropped.push(number);
            continue;
        }
        let next = sorts.len() as u32;
        candidates.push(Candidate {
            number,
            sort: *sorts.entry((pack.domain, pack.kind)).or_insert(next),
            size: pack.size,
            live: load.live,
            waste: load.frames - load.live,
            target: look
                .repo
                .pack_target(ObjectKind::from_number(pack.kind.into())?),
        });
    }
    let mut strays = Vec::new();
    for stray in table.strays.iter().filter(|s| old(s.modified)) {
        if !active.wrote(&stray.name, stray.size)?
            && !look.may_be_frozen(&stray.name, stray.size)?
        {
            freed = (freed.0 + 1, freed.1 + stray.size);
            strays.push((stray.name, stray.size));
        }
    }
    let mut repacked = plan::choose(&candidates, &options.prices, options.max_repack);
    let mut alive = HashSet::new();
    for number in &repacked {
        if let Some(pack) = table.pack(*number)
            && active.wrote(&pack.name, pack.size)?
        {
            alive.insert(*number);
        }
    }
    repacked.retain(|n| !alive.contains(n));
    let sums = plan::sums(&candidates, &repacked, freed, &options.prices);
    Ok(Doomed {
        dropped,
        repacked,
        strays,
        sums,
        keep,
    })
}

/// Bytes of frames in a pack: all, and those that are kept for.
#[derive(Clone, Copy, Default)]
struct Load {
    frames: u64,
    live: u64,
}

/// One place for each needed chunk, and how much each pack then holds: of several copies the one counts that lies among
/// most of what is needed anyway.
fn keepers(look: &Look, marks: &Marks) -> Result<(Bits, Vec<Load>)> {
    let table = &look.table;
    let mut keep = marks.needed.clone();
    let mut loads = vec![Load::default(); table.len()];
    look.base.scan(&mut |at, row| {
        let load = &mut loads[row.pack as usize];
        load.frames += u64::from(row.stored);
        if !table.good(row.pack) {
            keep.clear(at);
        } else if keep.get(at) && !marks.several.get(at) {
            load.live += u64::from(row.stored);
        }
        Ok(())
    })?;
    let alone: Vec<u64> = loads.iter().map(|l| l.live).collect();
    look.base.scan(&mut |at, row| {
        if !keep.get(at) || !marks.several.get(at) {
            return Ok(());
        }
        let domain = table.pack(row.pack).map(|p| p.domain);
        let mut best: Option<(u64, u64)> = None;
        look.base.find(&row.id, &mut |position, other| {
            let same = table.pack(other.pack).map(|p| p.domain) == domain;
            if same && table.good(other.pack) {
                // Of equals the first in the index, so that all rows of a chunk agree.
                let rank = (alone[other.pack as usize], u64::MAX - position);
                best = best.max(Some(rank));
            }
        })?;
        match best == Some((alone[row.pack as usize], u64::MAX - at)) {
            true => loads[row.pack as usize].live += u64::from(row.stored),
            false => keep.clear(at),
        }
        Ok(())
    })?;
    Ok((keep, loads))
}

/// Copies what is needed of packs.
struct Mover<'a> {
    look: &'a mut Look,
    keep: &'a Bits,
    fresh: Grace,
    not_after: Option<Time>,
    copiers: HashMap<(Id16, u32), Copier>,
    observer: &'a dyn Observer,
    stop: &'a Stop,
    damaged: u64,
}

impl Mover<'_> {
    /// Gives the packs of which all is copied. Ends early where time is short: the next maintenance goes on.
    fn run(&mut self, numbers: &[u32]) -> Result<Vec<u32>> {
        let mut moved = Vec::new();
        let mut rest = numbers;
        while !rest.is_empty() && !self.time_is_short() {
            let mut rows = 0;
            let fits = |n: &&u32| {
                rows += self.look.table.pack(**n).map_or(0, |p| u64::from(p.rows));
                rows <= ROWS
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let (now, later) = rest.split_at(count);
            self.batch(now, &mut moved)?;
            rest = later;
        }
        Ok(moved)
    }

    fn time_is_short(&self) -> bool {
        let view = &self.look.view;
        let margin = self.fresh.0 / 8;
        self.fresh
            .deadline(view)
            .is_some_and(|d| self.look.repo.storage.now() >= d.minus(margin))
    }

    fn batch(&mut self, numbers: &[u32], moved: &mut Vec<u32>) -> Result<()> {
        let wanted: HashSet<u32> = numbers.iter().copied().collect();
        let mut ids: HashMap<u32, Vec<Id>> = HashMap::new();
        self.look.base.scan(&mut |at, row| {
            if wanted.contains(&row.pack) && self.keep.get(at) {
                ids.entry(row.pack).or_default().push(row.id);
            }
            Ok(())
        })?;
        for number in numbers {
            if self.time_is_short() {
                break;
            }
            let ids = ids.remove(number).unwrap_or_default();
            match self.pack(*number, &ids) {
                Ok(true) => moved.push(*number),
                Ok(false) => {}
                Err(e) if e.is_of_one_object() => {
                    self.tell(*number, &e);
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn pack(&mut self, number: u32, ids: &[Id]) -> Result<bool> {
        let Some(pack) = self.look.table.pack(number) else {
            return Ok(false);
        };
        let (name, domain) = (pack.name, pack.domain);
        let kind = ObjectKind::from_number(pack.kind.into())?;
        let epoch = self.look.epoch_of(&name)?;
        let key = (domain, epoch);
        if !self.copiers.contains_key(&key) {
            let copier = Copier::new(self.look.repo.clone(), domain, epoch, self.not_after)?;
            self.copiers.insert(key, copier);
        }
        let reader = self.look.reader(domain, epoch, false)?;
        let Some(copier) = self.copiers.get(&key) else {
            return Ok(false);
        };
        let failed = copier.copy(&reader, kind, ids, self.observer, self.stop)?;
        match failed.into_iter().next() {
            None => Ok(true),
            Some((_, e)) => {
                self.tell(number, &e);
                Ok(false)
            }
        }
    }

    fn tell(&mut self, number: u32, error: &crate::error::Error) {
        self.damaged += 1;
        let name = self.look.table.pack(number).map(|p| p.name.hex());
        self.observer.event(Event::Warning(&format!(
            "pack {} is left as it is: {error}; run `corso repo check`",
            name.unwrap_or_default()
        )));
    }
}
