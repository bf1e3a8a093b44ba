//! The index of a run: a base, what of it counts, and what the run has added.

use super::base::Base;
use super::heal::{Refetch, rebuild};
use super::merge::Merge;
use super::own::{FREEZE_ROWS, Own};
use super::place::Place;
use super::sync::Synced;
use super::{IndexPack, Location, Pack, Row};
use crate::error::{Error, Result};
use crate::id::{Id, Id16};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Says whether an index object or a pack of that name counts.
pub type Counts<'a> = &'a dyn Fn(&Id) -> bool;

/// Which chunk is where, for many threads.
///
/// A location counts only through an index object that counts, and in a pack that counts (see [`Index::set_view`]);
/// a pack added by this run counts at once. All lookups name the domain: a pack of another domain never answers.
pub struct Index {
    state: RwLock<State>,
    /// Chunks that this run is about to store, by domain and id, and how many packs have been added.
    claims: Mutex<(HashSet<(Id16, Id)>, u64)>,
    /// Where rows come from again when the local cache is damaged.
    refetch: Option<Refetch>,
    /// Positions of segments that have been written anew.
    healed: Mutex<HashSet<usize>>,
}

/// A lookup that met more damaged segments than this gives up.
const MAX_HEALS: usize = 64;

struct State {
    base: Arc<Base>,
    /// By the number of a pack of the base.
    visible: Vec<bool>,
    own: Own,
}

/// A visible row, as [`Index::for_each_sorted`] gives it.
#[derive(Clone, Copy, Debug)]
pub struct SortedRow<'a> {
    /// The row; its `pack` is the number in the base, or for packs of this run a number counted on from there.
    pub row: Row,
    /// Its pack.
    pub pack: &'a Pack,
}

impl Index {
    /// An index in which everything in `synced` counts.
    pub fn new(synced: &Synced) -> Index {
        Index::over(synced.base.clone(), synced.place.clone())
    }

    /// An index over `base` in which everything counts; rows added later spill to `place`.
    pub fn over(base: Arc<Base>, place: Place) -> Index {
        Index::with_limit(base, place, FREEZE_ROWS)
    }

    pub(crate) fn with_limit(base: Arc<Base>, place: Place, freeze_at: usize) -> Index {
        let mut state = State {
            base,
            visible: Vec::new(),
            own: Own::new(place, freeze_at),
        };
        state.set_view(&|_| true, &|_| true);
        Index {
            state: RwLock::new(state),
            claims: Mutex::default(),
            refetch: None,
            healed: Mutex::default(),
        }
    }

    /// The same, with a source of rows from which lookups mend a damaged cache by themselves.
    pub fn healing(mut self, refetch: Refetch) -> Index {
        self.refetch = Some(refetch);
        self
    }

    /// The base below.
    pub fn base(&self) -> Arc<Base> {
        self.read().base.clone()
    }

    /// Says anew what counts: `object` for index objects (this run's own included), `pack` for packs.
    pub fn set_view(&self, object: Counts<'_>, pack: Counts<'_>) {
        self.write().set_view(object, pack);
    }

    /// Puts a newly synced base in place of the old one, and says what counts. The run's own packs stay.
    pub fn replace(&self, base: Arc<Base>, object: Counts<'_>, pack: Counts<'_>) {
        let mut state = self.write();
        state.base = base;
        state.set_view(object, pack);
    }

    /// All places that count where chunk `id` of `domain` can be had; none if it is absent.
    ///
    /// A damaged cache is mended under way (see [`Index::healing`]); without a source of rows it is
    /// [`crate::error::Kind::Damaged`].
    pub fn lookup(&self, domain: &Id16, id: &Id) -> Result<Vec<Location>> {
        for _ in 0..MAX_HEALS {
            let (base, answer) = {
                let state = self.read();
                match state.lookup(domain, id) {
                    Ok(found) => return Ok(found),
                    Err(bad) => (state.base.clone(), bad),
                }
            };
            let (segment, error) = answer;
            self.heal(&base, segment, error)?;
        }
        Err(Error::failed("the index cache fails again and again"))
    }

    /// Puts a new segment in place of segment `position` of `base`, which failed with `error`.
    fn heal(&self, base: &Arc<Base>, position: usize, error: Error) -> Result<()> {
        let Some(refetch) = &self.refetch else {
            return Err(error);
        };
        let mut healed = self.healed.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have mended it while this one waited.
        if !Arc::ptr_eq(base, &self.base()) {
            return Ok(());
        }
        // Where a new segment does not last either, the disk cannot be trusted.
        let place = match healed.insert(position) {
            true => self.read().own.place().clone(),
            false => Place::Memory,
        };
        let segment = rebuild(base, position, &place, refetch)?;
        let mut state = self.write();
        if Arc::ptr_eq(base, &state.base) {
            state.base = Arc::new(base.with_segment(position, segment));
        }
        Ok(())
    }

    /// Whether chunk `id` of `domain` can be had. Mostly answered by the filters alone when it is absent.
    pub fn contains(&self, domain: &Id16, id: &Id) -> Result<bool> {
        Ok(!self.lookup(domain, id)?.is_empty())
    }

    /// True if the caller is to store the chunk: it is absent, and nobody else has claimed it. The claim ends when a
    /// pack with the chunk is added, or by [`Index::unclaim`].
    pub fn claim(&self, domain: &Id16, id: &Id) -> Result<bool> {
        let added = self.claims().1;
        if self.contains(domain, id)? {
            return Ok(false);
        }
        let mut claims = self.claims();
        if claims.0.contains(&(*domain, *id)) {
            return Ok(false);
        }
        // A pack that came since then may have brought the chunk.
        if claims.1 != added && self.contains(domain, id)? {
            return Ok(false);
        }
        Ok(claims.0.insert((*domain, *id)))
    }

    /// Gives a claim up: the chunk was not stored.
    pub fn unclaim(&self, domain: &Id16, id: &Id) {
        self.claims().0.remove(&(*domain, *id));
    }

    /// Adds a pack that this run has uploaded. It counts at once, and its chunks are no longer claimed.
    pub fn add(&self, domain: &Id16, pack: &IndexPack) -> Result<()> {
        self.write().own.add(domain, pack)?;
        let mut claims = self.claims();
        claims.1 += 1;
        for row in &pack.rows {
            claims.0.remove(&(*domain, row.id));
        }
        Ok(())
    }

    /// Index object `object` now names these packs of this run: from the next view on they count through it alone.
    pub fn indexed(&self, object: &Id, packs: &[Id]) {
        let names: HashSet<&Id> = packs.iter().collect();
        for own in &mut self.write().own.packs {
            if names.contains(&own.pack.name) && !own.objects.contains(object) {
                own.objects.push(*object);
            }
        }
    }

    /// The run's own packs that no index object names yet are lost: they count no more. Gives their names.
    pub fn forget_unindexed(&self) -> Vec<Id> {
        let mut names = Vec::new();
        for own in self
            .write()
            .own
            .packs
            .iter_mut()
            .filter(|p| p.objects.is_empty() && !p.lost)
        {
            (own.lost, own.visible) = (true, false);
            names.push(own.pack.name);
        }
        names
    }

    /// Calls `each` with every row that counts, in the order of ids, all domains together. Packs added meanwhile are
    /// not seen.
    pub fn for_each_sorted(&self, each: &mut dyn FnMut(SortedRow<'_>) -> Result<()>) -> Result<()> {
        let (base, packs, active, frozen) = {
            let state = self.read();
            let own = state
                .own
                .packs
                .iter()
                .map(|p| p.visible.then(|| p.pack.clone()));
            let visible = state
                .base
                .packs()
                .zip(&state.visible)
                .map(|(p, v)| v.then(|| p.clone()));
            let packs: Vec<Option<Pack>> = visible.chain(own).collect();
            let (active, frozen) = state.own.snapshot();
            (state.base.clone(), packs, active, frozen)
        };
        let (shared, own_start) = (base.segments().len(), base.pack_count() as u32);
        let translate = |source: usize, row: Row| {
            let number = if source < shared {
                base.number(source, row.pack)?
            } else {
                row.pack.checked_add(own_start)?
            };
            packs.get(number as usize)?.as_ref()?;
            Some(Row {
                pack: number,
                ..row
            })
        };
        let mut merge = Merge::new(
            base.segments().iter().chain(&frozen).map(|s| &**s),
            translate,
        );
        merge.add(active.into_iter().map(Ok));
        let mut seen: Vec<Row> = Vec::new();
        for row in merge {
            let row = row?;
            let Some(pack) = packs.get(row.pack as usize).and_then(Option::as_ref) else {
                continue;
            };
            if seen.first().is_some_and(|r| r.id != row.id) {
                seen.clear();
            }
            let same = |r: &&Row| {
                r.offset == row.offset
                    && packs[r.pack as usize]
                        .as_ref()
                        .is_some_and(|p| p.name == pack.name)
            };
            if seen.iter().find(same).is_none() {
                seen.push(row);
                each(SortedRow { row, pack })?;
            }
        }
        Ok(())
    }

    /// Calls `each` with every pack that counts, once for each way in which index objects describe it.
    pub fn for_each_pack(&self, each: &mut dyn FnMut(&Pack)) {
        let state = self.read();
        state
            .base
            .packs()
            .zip(&state.visible)
            .filter(|(_, visible)| **visible)
            .for_each(|(p, _)| each(p));
        state
            .own
            .packs
            .iter()
            .filter(|p| p.visible)
            .for_each(|p| each(&p.pack));
    }

    /// Bytes held in memory, about.
    pub fn heap(&self) -> usize {
        let claims = self.claims().0.capacity() * 49;
        let state = self.read();
        state.base.heap() + state.visible.capacity() + state.own.heap() + claims
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn claims(&self) -> MutexGuard<'_, (HashSet<(Id16, Id)>, u64)> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn set_view(&mut self, object: Counts<'_>, pack: Counts<'_>) {
        let mut visible = vec![false; self.base.pack_count()];
        for (_, packs) in self.base.objects().filter(|(id, _)| object(id)) {
            for &number in packs {
                visible[number as usize] = true;
            }
        }
        for (visible, p) in visible.iter_mut().zip(self.base.packs()) {
            *visible = *visible && pack(&p.name);
        }
        self.visible = visible;
        for own in &mut self.own.packs {
            let named = if own.objects.is_empty() {
                !own.lost
            } else {
                own.objects.iter().any(object)
            };
            own.visible = named && pack(&own.pack.name);
        }
    }

    /// On failure also the position of the segment that failed.
    fn lookup(&self, domain: &Id16, id: &Id) -> Result<Vec<Location>, (usize, Error)> {
        let (mut found, mut rows) = (Vec::new(), Vec::new());
        for (position, segment) in self.base.segments().iter().enumerate() {
            segment.lookup(id, &mut rows).map_err(|e| (position, e))?;
            for row in rows.drain(..) {
                let number = self.base.number(position, row.pack);
                let pack = number.and_then(|n| self.base.pack(n));
                let (Some(number), Some(pack)) = (number, pack) else {
                    return Err((position, stray()));
                };
                if self.visible.get(number as usize) == Some(&true) {
                    push(&mut found, domain, pack, &row);
                }
            }
        }
        self.own.lookup(id, &mut rows);
        for row in rows {
            if let Some(own) = self.own.packs.get(row.pack as usize)
                && own.visible
            {
                push(&mut found, domain, &own.pack, &row);
            }
        }
        Ok(found)
    }
}

/// Adds a location unless it is of another domain or known already: a pack can be in the base and the run's own.
fn push(found: &mut Vec<Location>, domain: &Id16, pack: &Pack, row: &Row) {
    let known = found
        .iter()
        .any(|l| l.pack == pack.name && l.offset == row.offset);
    if pack.domain == *domain && !known {
        let Pack {
            name, size, kind, ..
        } = *pack;
        found.push(Location {
            pack: name,
            size,
            kind,
            offset: row.offset,
            stored: row.stored,
            raw: row.raw,
        });
    }
}

fn stray() -> Error {
    Error::damaged("the index cache has a row of an unknown pack")
}
