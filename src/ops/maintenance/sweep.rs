//! Deleting what tombstones name, a grace period after them, once nothing needs it any more.

use super::frozen::Spared;
use super::locks::Kept;
use super::look::Look;
use super::marks::{Endangered, Marks};
use crate::error::{Error, Kind, Result};
use crate::format::container::ObjectKind;
use crate::format::index::IndexPack;
use crate::format::pack::PackRow;
use crate::id::{Id, Id16};
#[cfg(test)]
use crate::model::bugs::{Bug, planted};
use crate::ops::replace::Copier;
use crate::repo::chunks::Chunks;
use crate::repo::pack_key;
use crate::repo::protocol::{Buried, Grace, View};
use crate::report::{Event, Observer, Stop};
use crate::units::Time;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Chunks decoded at a time.
const BATCH: usize = 8192;
/// Rows held in memory at a time.
const ROWS: u64 = 2_000_000;
/// Objects deleted with one call.
const DELETES: usize = 1000;

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Swept {
    /// Tombstones whose grace period is over.
    pub tombstones_due: u64,
    /// Packs deleted.
    pub packs_deleted: u64,
    /// Bytes of them.
    pub bytes_deleted: u64,
    /// Index objects deleted.
    pub index_deleted: u64,
    /// Tombstones deleted.
    pub tombstones_deleted: u64,
    /// Objects that could not be deleted.
    pub refused: u64,
    /// Objects that stay until their lock ends, in a storage that keeps them in place.
    pub locked: u64,
    /// When the first of those locks ends.
    #[serde(skip)]
    pub locked_until: Option<Time>,
}

/// The tombstones of `view` that may be acted on: a full key made them, and `grace` has passed by the storage's clock.
pub fn due(view: &View, grace: Grace) -> Vec<Buried> {
    // With no grace period nothing else runs, and times do not matter: those of some storages are whole seconds.
    let over = |b: &Buried| grace.0.is_zero() || b.modified.plus(grace.0) <= view.time;
    let ripe = |b: &&Buried| b.authentic && b.stone.is_some() && over(b);
    view.tombstones.iter().filter(ripe).cloned().collect()
}

/// What a rescue did.
#[derive(Default)]
pub struct Rescued {
    /// Chunks copied.
    pub copied: u64,
    /// Index objects put.
    pub indexed: u64,
    /// Domains with a chunk of which no copy is whole, and why.
    pub lost: Vec<(Id16, Error)>,
}

/// Copies what is needed and would go; names in new index objects what would be lost track of.
///
/// # Errors
/// `TooLate`.
pub fn rescue(
    look: &mut Look,
    endangered: &[Endangered],
    fresh: Grace,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<Rescued> {
    observer.event(Event::Phase("rescuing chunks"));
    let not_after = fresh.deadline(&look.view);
    let mut groups: BTreeMap<(Id16, u32), Vec<&Endangered>> = BTreeMap::new();
    for chunk in endangered {
        groups
            .entry((chunk.domain, chunk.epoch))
            .or_default()
            .push(chunk);
    }
    let mut rescued = Rescued::default();
    for ((domain, epoch), chunks) in groups {
        let copier = Copier::new(look.repo.clone(), domain, epoch, not_after)?;
        let reader = look.reader(domain, epoch, false)?;
        for kind in [ObjectKind::Data, ObjectKind::Metadata] {
            let mut ids: Vec<Id> = chunks
                .iter()
                .filter(|c| c.pack.is_none() && c.kind == kind as u8)
                .map(|c| c.id)
                .collect();
            ids.sort_unstable();
            ids.dedup();
            let failed = copier.copy(&reader, kind, &ids, observer, stop)?;
            rescued.copied += (ids.len() - failed.len()) as u64;
            if let Some((_, e)) = failed.into_iter().next() {
                if !e.is_of_one_object() {
                    return Err(e);
                }
                rescued.lost.push((domain, e));
            }
        }
        let mut packs = copier.finish()?;
        packs.extend(packs_of(look, chunks.iter().filter_map(|c| c.pack))?);
        rescued.indexed += u64::from(!packs.is_empty());
        copier.put_index(&packs)?;
    }
    Ok(rescued)
}

/// Packs with all their rows, as the index has them: as many as fit into memory, at least one.
fn packs_of(look: &Look, wanted: impl Iterator<Item = u32>) -> Result<Vec<IndexPack>> {
    let mut numbers = BTreeSet::new();
    let mut budget = ROWS;
    for number in wanted {
        let rows = look.table.pack(number).map_or(0, |p| u64::from(p.rows));
        if numbers.is_empty() || (rows <= budget && !numbers.contains(&number)) {
            numbers.insert(number);
            budget = budget.saturating_sub(rows);
        }
    }
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows: HashMap<u32, Vec<PackRow>> = HashMap::new();
    look.base.scan(&mut |_, row| {
        if numbers.contains(&row.pack) {
            rows.entry(row.pack).or_default().push(row.in_pack());
        }
        Ok(())
    })?;
    let made = numbers.iter().filter_map(|number| {
        let mut rows = rows.remove(number)?;
        let pack = look.table.pack(*number)?;
        rows.sort_unstable_by_key(|r| r.offset);
        Some(IndexPack {
            pack: pack.name,
            size: pack.size,
            kind: pack.kind,
            rows,
        })
    });
    Ok(made.collect())
}

/// Decodes the copy that stays of every needed chunk in the packs that are about to go. Gives those that have none.
pub fn verify(
    look: &mut Look,
    marks: &Marks,
    stones: &[Buried],
    spared: &Spared,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<Vec<Endangered>> {
    let going: HashSet<Id> = packs_in(stones).filter(|id| !spared.has(id)).collect();
    if going.is_empty() {
        return Ok(Vec::new());
    }
    observer.event(Event::Phase("checking the copies that stay"));
    let (mut bad, mut from) = (Vec::new(), 0);
    while let Some(round) = needed_in(look, marks, &going, from)? {
        from = round.next;
        for ((domain, epoch, kind), mut ids) in round.wanted {
            ids.sort_unstable();
            ids.dedup();
            let reader = look.reader(domain, epoch, true)?;
            for batch in ids.chunks(BATCH) {
                stop.check()?;
                for (id, error) in reader.get_many(batch, &|_, _| stop.check()) {
                    if !error.is_of_one_object() {
                        return Err(error);
                    }
                    bad.push(Endangered {
                        domain,
                        epoch,
                        id,
                        kind,
                        pack: None,
                    });
                }
            }
        }
        if from == u64::MAX {
            break;
        }
    }
    Ok(bad)
}

/// Needed chunks in packs that are about to go, by domain, epoch and kind; and the position to go on from.
struct Round {
    wanted: BTreeMap<(Id16, u32, u8), Vec<Id>>,
    next: u64,
}

/// The next round from position `from` on, as large as memory allows; `None` if there is nothing left.
fn needed_in(look: &Look, marks: &Marks, going: &HashSet<Id>, from: u64) -> Result<Option<Round>> {
    let mut epochs: HashMap<u32, u32> = HashMap::new();
    let mut wanted: BTreeMap<(Id16, u32, u8), Vec<Id>> = BTreeMap::new();
    let (mut count, mut next) = (0, u64::MAX);
    look.base.scan(&mut |at, row| {
        if at < from || at >= next || !marks.needed.get(at) {
            return Ok(());
        }
        let Some(pack) = look
            .table
            .pack(row.pack)
            .filter(|p| going.contains(&p.name))
        else {
            return Ok(());
        };
        if !look.table.readable(row.pack) {
            return Ok(());
        }
        if count >= ROWS {
            next = at;
            return Ok(());
        }
        let epoch = match epochs.get(&row.pack) {
            Some(epoch) => *epoch,
            None => {
                let epoch = look.epoch_of(&pack.name)?;
                epochs.insert(row.pack, epoch);
                epoch
            }
        };
        let group = wanted.entry((pack.domain, epoch, pack.kind)).or_default();
        group.push(row.id);
        count += 1;
        Ok(())
    })?;
    Ok((count > 0).then_some(Round { wanted, next }))
}

fn packs_in(stones: &[Buried]) -> impl Iterator<Item = Id> + '_ {
    let named = stones.iter().filter_map(|b| b.stone.as_deref());
    named.flat_map(|s| s.packs.iter().copied())
}

/// Deletes: index objects, then packs, then the tombstones themselves. What may not be deleted is counted; its tombstone
/// stays, and so does that of what is `spared`.
pub fn delete(
    look: &Look,
    stones: &[Buried],
    spared: &Spared,
    dry_run: bool,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<Swept> {
    let mut swept = Swept {
        tombstones_due: stones.len() as u64,
        ..Swept::default()
    };
    if stones.is_empty() {
        return Ok(swept);
    }
    observer.event(Event::Phase("deleting"));
    let mut deleter = Deleter {
        look,
        dry_run,
        observer,
        stop,
        refused: HashSet::new(),
        told: false,
        kept: Kept::default(),
    };
    let index: BTreeSet<Id> = stones
        .iter()
        .filter_map(|b| b.stone.as_deref())
        .flat_map(|s| s.index.iter().copied())
        .filter(|id| look.view.leaving.contains(id) && !spared.has(id))
        .collect();
    deleter.delete(index.iter().map(|id| (*id, format!("index/{id}"))))?;
    swept.index_deleted = deleter.count(&index);
    // A pack goes only after every index object that is to go has gone.
    let going: HashSet<Id> = packs_in(stones).filter(|id| !spared.has(id)).collect();
    let existing: Vec<(Id, u64)> = look
        .table
        .buried
        .iter()
        .filter(|(id, _)| going.contains(id))
        .copied()
        .collect();
    deleter.delete(existing.iter().map(|(id, _)| (*id, pack_key(id))))?;
    for (id, size) in &existing {
        if !deleter.refused.contains(id) {
            swept.packs_deleted += 1;
            swept.bytes_deleted += size;
        }
    }
    let named: HashSet<Id> = look
        .base
        .objects()
        .filter(|(object, _)| !index.contains(object) || deleter.refused.contains(object))
        .flat_map(|(_, packs)| packs.iter().filter(|n| !look.table.foreign(**n)))
        .filter_map(|n| look.table.pack(*n))
        .map(|pack| pack.name)
        .filter(|name| going.contains(name))
        .collect();
    #[cfg(test)]
    let named = match planted(Bug::StoneGone) {
        true => HashSet::new(),
        false => named,
    };
    let finished: BTreeSet<Id> = stones
        .iter()
        .filter(|b| {
            b.stone.as_deref().is_some_and(|s| {
                let gone = |id: &Id| !deleter.refused.contains(id) && !spared.has(id);
                s.packs.iter().all(|id| gone(id) && !named.contains(id)) && s.index.iter().all(gone)
            })
        })
        .map(|b| b.name)
        .collect();
    deleter.delete(finished.iter().map(|id| (*id, format!("tombstones/{id}"))))?;
    swept.tombstones_deleted = deleter.count(&finished);
    swept.locked = deleter.kept.count;
    swept.locked_until = deleter.kept.until;
    swept.refused = (deleter.refused.len() as u64).saturating_sub(swept.locked);
    Ok(swept)
}

/// Deletes records; gives how many.
pub fn forget_records(
    look: &Look,
    names: &[Id],
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<u64> {
    let mut deleter = Deleter {
        look,
        dry_run: false,
        observer,
        stop,
        refused: HashSet::new(),
        told: false,
        kept: Kept::default(),
    };
    deleter.delete(names.iter().map(|id| (*id, format!("records/{id}"))))?;
    Ok((names.len() - deleter.refused.len()) as u64)
}

struct Deleter<'a> {
    look: &'a Look,
    dry_run: bool,
    observer: &'a dyn Observer,
    stop: &'a Stop,
    refused: HashSet<Id>,
    told: bool,
    /// Those of them that are locked.
    kept: Kept,
}

impl Deleter<'_> {
    fn delete(&mut self, objects: impl Iterator<Item = (Id, String)>) -> Result<()> {
        if self.dry_run {
            return Ok(());
        }
        let (ids, keys): (Vec<Id>, Vec<String>) = objects.unzip();
        for (ids, keys) in ids.chunks(DELETES).zip(keys.chunks(DELETES)) {
            self.stop.check()?;
            let results = self.look.repo.storage.delete_many(keys);
            for ((id, key), result) in ids.iter().zip(keys).zip(results) {
                match result {
                    Ok(()) => {}
                    Err(e) if e.kind() == Kind::ObjectMissing => {}
                    Err(e) if e.kind() == Kind::PermissionDenied => self.refuse(*id, key, &e),
                    Err(e) => return Err(e.context(format!("deleting {key}"))),
                }
            }
        }
        Ok(())
    }

    fn refuse(&mut self, id: Id, key: &str, error: &Error) {
        self.refused.insert(id);
        if self.kept.explains(&self.look.repo, key, error) {
            return;
        }
        if !std::mem::replace(&mut self.told, true) {
            self.observer.event(Event::Warning(&format!(
                "these credentials may not delete ({key}: {error}); run maintenance with ones that may, to free the space"
            )));
        }
    }

    fn count(&self, of: &BTreeSet<Id>) -> u64 {
        of.iter().filter(|id| !self.refused.contains(id)).count() as u64
    }
}
