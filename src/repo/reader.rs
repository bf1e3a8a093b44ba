//! Reading chunks: which ranges of which packs to ask for, and handing out verified raw bytes.
//!
//! Ranges are widened to a grid of 256 KiB, so that requests do not tell where chunks begin; neighbours are read
//! together. Every location of a chunk is tried before it counts as unreadable.

use super::Repository;
use super::chunks::Chunks;
use super::gate::Gate;
use crate::codec::spare;
use crate::crypto::DomainKeys;
use crate::error::{Error, Kind, Result};
use crate::format::container::{ObjectKey, ObjectKind, SEALED_HEADER_LEN as HEADER_LEN};
use crate::format::pack::{self, PackRow};
use crate::id::{Id, Id16};
use crate::index::{Index, Location};
use crate::report::{Observer, Silent};
use crate::units::{KIB, MIB};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Requests begin and end on multiples of this (or at the object's end).
const GRID: u64 = 256 * KIB;
/// Two wanted runs of a pack with at most this much between them are read as one.
const GAP: u64 = 512 * KIB;
/// Longest single request.
const MAX_RANGE: u64 = 8 * MIB;
/// Ranges that are on their way or being handed out, in bytes: where nothing else needs memory, and beside uploads.
const ALONE: u64 = 96 * MIB;
const BESIDE: u64 = 32 * MIB;
/// How many requests' chunks are opened and handed out at a time: each needs room for a whole chunk beside the range.
const HANDING: u64 = 4;
/// Metadata packs up to this size are read whole.
const MAX_META: u64 = 12 * MIB;
/// An index younger than this is not read again because of a chunk that cannot be had.
const RELOAD: Duration = Duration::from_secs(10);
/// A pack that could not be read is not asked for again for so long: its chunks come one by one.
const SHUT: Duration = Duration::from_secs(60);
/// Whole metadata packs kept in memory.
const META_PACKS: usize = 3;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Chunks of one domain of a repository. Shared by any number of threads.
pub struct Reader {
    repo: Arc<Repository>,
    writer: Id16,
    keys: Arc<DomainKeys>,
    index: Arc<Index>,
    /// When the index was read again; none where it is another's, who keeps it up to date.
    reloaded: Option<Mutex<Option<Instant>>>,
    /// Object keys, by pack: 32 bytes each, so all that a run touches are kept.
    pack_keys: Mutex<HashMap<Id, Arc<Mutex<PackKey>>>>,
    /// The last few metadata packs, whole.
    meta: Mutex<VecDeque<(Id, Arc<Vec<u8>>)>>,
    /// Packs that could not be read, since when and why.
    shut: Mutex<HashMap<Id, (Instant, Error)>>,
    /// The ranges of `get_many`. Entered before a key slot is locked.
    room: Gate,
    /// Who hands out chunks, one each.
    handing: Gate,
}

/// The object key of a pack, once its header is read. Locked while that is on its way, so that it is asked for once.
type PackKey = Option<Arc<ObjectKey>>;

/// One request: a range of a pack, and the rows that it serves, in order of offset.
struct Fetch {
    pack: Id,
    start: u64,
    end: u64,
    rows: Vec<PackRow>,
}

impl Reader {
    /// A reader of the chunks of `writer`'s domain under the keys of `epoch`, on a fresh view.
    ///
    /// # Errors
    /// `RoleNeeded` for a writer key, and what listing and reading the index may fail with.
    pub fn new(
        repo: Arc<Repository>,
        writer: Id16,
        epoch: u32,
        observer: &dyn Observer,
    ) -> Result<Reader> {
        repo.require_full("reading backups")?;
        let index = repo.readable_index(observer)?;
        let mut reader = Self::with_index(repo, writer, epoch, Arc::new(index))?;
        reader.reloaded = Some(Mutex::default());
        reader.room = Gate::new(ALONE);
        Ok(reader)
    }

    /// A reader on an index that is loaded already.
    pub fn with_index(
        repo: Arc<Repository>,
        writer: Id16,
        epoch: u32,
        index: Arc<Index>,
    ) -> Result<Reader> {
        let keys = repo.keyring.domain(writer, epoch)?;
        Ok(Reader {
            repo,
            writer,
            keys,
            index,
            reloaded: None,
            pack_keys: Mutex::default(),
            meta: Mutex::default(),
            shut: Mutex::default(),
            room: Gate::new(BESIDE),
            handing: Gate::new(HANDING),
        })
    }

    /// The keys of the domain.
    pub fn keys(&self) -> &Arc<DomainKeys> {
        &self.keys
    }

    fn locations(&self, id: &Id) -> Result<Vec<Location>> {
        let found = self.index.lookup(&self.writer, id)?;
        if found.is_empty() {
            return Err(Error::damaged(format!(
                "chunk {} is in no pack that the index knows",
                id.short()
            ))
            .hint("other files are not affected; keep the repository as it is until it can be repaired"));
        }
        Ok(found)
    }

    /// Asks for bytes of a pack.
    ///
    /// # Errors
    /// Those that are of one object stand for this pack; others end everything.
    fn ask(&self, pack: &Id, get: impl FnOnce(&str) -> Result<Vec<u8>>) -> Result<Vec<u8>> {
        if let Some((since, error)) = lock(&self.shut).get(pack)
            && since.elapsed() < SHUT
        {
            return Err(error.again());
        }
        let key = super::put::pack_key(pack);
        let got = self.repo.patience.judge(&key, get(&key));
        if let Err(e) = &got
            && e.is_unreadable()
        {
            lock(&self.shut).insert(*pack, (Instant::now(), e.again()));
        }
        got
    }

    fn ask_range(&self, pack: &Id, start: u64, end: u64) -> Result<Vec<u8>> {
        let storage = &self.repo.storage;
        self.ask(pack, |key| storage.get_range(key, start, end - start))
    }

    fn key_slot(&self, pack: &Id) -> Arc<Mutex<PackKey>> {
        lock(&self.pack_keys).entry(*pack).or_default().clone()
    }

    /// The key of a pack, whose `slot` the caller has locked. Asks for the `header` if there is none.
    fn pack_key(
        &self,
        pack: &Id,
        slot: &mut PackKey,
        header: Option<&[u8]>,
    ) -> Result<Arc<ObjectKey>> {
        if let Some(key) = slot {
            return Ok(key.clone());
        }
        let fetched;
        let header = match header {
            Some(bytes) => bytes,
            None => {
                // Headers are all alike, so this range tells nothing.
                fetched = self.ask_range(pack, 0, HEADER_LEN as u64)?;
                &fetched
            }
        };
        let key = Arc::new(ObjectKey::from_header(header, &self.repo.keyring)?);
        Ok(slot.insert(key).clone())
    }

    /// Bytes of a pack and its key. Whoever reads the beginning has the header, and others that come meanwhile wait for
    /// it.
    fn range_and_key(&self, pack: &Id, start: u64, end: u64) -> Result<(Vec<u8>, Arc<ObjectKey>)> {
        let slot = self.key_slot(pack);
        let early = (start == 0).then(|| lock(&slot));
        let mut early = early.filter(|known| known.is_none());
        let bytes = self.ask_range(pack, start, end)?;
        let header = early.as_ref().and_then(|_| bytes.get(..HEADER_LEN));
        let mut slot = early.take().unwrap_or_else(|| lock(&slot));
        let key = self.pack_key(pack, &mut slot, header)?;
        drop(slot);
        Ok((bytes, key))
    }

    /// A metadata pack, whole and with the hash that its name says.
    fn meta_pack(&self, location: &Location) -> Result<Arc<Vec<u8>>> {
        if let Some((_, bytes)) = lock(&self.meta).iter().find(|(id, _)| *id == location.pack) {
            return Ok(bytes.clone());
        }
        let storage = &self.repo.storage;
        let bytes = self.ask(&location.pack, |key| storage.get(key, location.size))?;
        let bytes = Arc::new(bytes);
        if Id::sha256(&bytes) != location.pack {
            return Err(Error::damaged(format!(
                "pack {} does not have the hash of its name",
                location.pack
            )));
        }
        let mut meta = lock(&self.meta);
        meta.push_back((location.pack, bytes.clone()));
        if meta.len() > META_PACKS {
            meta.pop_front();
        }
        Ok(bytes)
    }

    fn read_at(&self, id: &Id, location: &Location) -> Result<Vec<u8>> {
        let row = row_of(id, location);
        if location.kind == ObjectKind::Metadata as u8 && location.size <= MAX_META {
            let bytes = self.meta_pack(location)?;
            let slot = self.key_slot(&location.pack);
            let key = self.pack_key(&location.pack, &mut lock(&slot), bytes.get(..HEADER_LEN))?;
            return pack::open_chunk(&key, &self.keys, &row, frame_of(&row, 0, &bytes)?);
        }
        let (start, end) = widen(
            row.offset as u64,
            row.offset as u64 + row.stored as u64,
            location.size,
        );
        let (bytes, key) = self.range_and_key(&location.pack, start, end)?;
        pack::open_chunk(&key, &self.keys, &row, frame_of(&row, start, &bytes)?)
    }

    /// Tries every location of a chunk.
    fn read(&self, id: &Id) -> Result<Vec<u8>> {
        self.twice(|| self.read_known(id))
    }

    /// Once more with the index as it is now, where a chunk cannot be had: maintenance may have moved it.
    fn twice<T>(&self, act: impl Fn() -> Result<T>) -> Result<T> {
        let began = Instant::now();
        match act() {
            Err(e) if e.is_of_one_object() && self.reload(began)? => act(),
            other => other,
        }
    }

    /// Reads the index again, unless that was done a moment ago. `true` if it was read after `began`.
    fn reload(&self, began: Instant) -> Result<bool> {
        let Some(reloaded) = &self.reloaded else {
            return Ok(false);
        };
        let mut reloaded = lock(reloaded);
        match *reloaded {
            Some(time) if time >= began => return Ok(true),
            Some(time) if time.elapsed() < RELOAD => return Ok(false),
            _ => {}
        }
        let read = match self.repo.reload_readable(&self.index, &Silent) {
            Ok(()) => true,
            // What is known already has to do.
            Err(e) if e.is_of_one_object() => false,
            Err(e) => return Err(e),
        };
        *reloaded = Some(Instant::now());
        Ok(read)
    }

    /// Where no location gives it, a reason that may pass is told rather than damage.
    fn read_known(&self, id: &Id) -> Result<Vec<u8>> {
        let mut why = Error::damaged(format!("chunk {} cannot be had", id.short()));
        for location in self.locations(id)? {
            let e = match self.read_at(id, &location) {
                Ok(raw) => return Ok(raw),
                Err(e) if !e.is_of_one_object() => return Err(e),
                Err(e) => e.context(format!("chunk {} in pack {}", id.short(), location.pack)),
            };
            if e.is_unreadable() {
                why = e;
            } else if why.is_damage() {
                why = e.with_kind(Kind::Damaged).hint("other files are not affected; keep the repository as it is until it can be repaired");
            }
        }
        Err(why)
    }

    /// Fetches one range and hands out what it holds, taking it off `left`. Gives the ids that it could not.
    fn fetch(
        &self,
        fetch: &Fetch,
        each: &(dyn Fn(&Id, &[u8]) -> Result<()> + Sync),
        left: &mut Vec<Id>,
    ) -> Result<Vec<Id>> {
        let all = || fetch.rows.iter().map(|r| r.id).collect();
        let _room = self.room.hold(fetch.end - fetch.start);
        let (bytes, key) = match self.range_and_key(&fetch.pack, fetch.start, fetch.end) {
            Err(e) if e.is_of_one_object() => return Ok(all()),
            other => other?,
        };
        let turn = self.handing.hold(1);
        let failed = self.hand_out(fetch, &bytes, &key, each, left);
        drop(turn);
        spare::give(bytes);
        failed
    }

    /// Opens the chunks of one range and hands them out, taking them off `left`. Gives those that do not open.
    fn hand_out(
        &self,
        fetch: &Fetch,
        bytes: &[u8],
        key: &ObjectKey,
        each: &(dyn Fn(&Id, &[u8]) -> Result<()> + Sync),
        left: &mut Vec<Id>,
    ) -> Result<Vec<Id>> {
        let mut failed = Vec::new();
        for row in &fetch.rows {
            match frame_of(row, fetch.start, bytes)
                .and_then(|f| pack::open_chunk(key, &self.keys, row, f))
            {
                Ok(raw) => {
                    each(&row.id, &raw).map_err(Error::of_all)?;
                    spare::give(raw);
                    left.retain(|l| *l != row.id);
                }
                Err(_) => failed.push(row.id),
            }
        }
        Ok(failed)
    }

    /// Which ranges to read for `ids`, by pack and offset; and the ids that are nowhere.
    fn plan(&self, ids: &[Id]) -> (Vec<Fetch>, Vec<(Id, Error)>) {
        let mut wanted: Vec<Id> = ids.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let mut missing = Vec::new();
        let mut by_pack: BTreeMap<Id, (u64, Vec<PackRow>)> = BTreeMap::new();
        for id in wanted {
            match self.twice(|| self.locations(&id)) {
                Ok(found) => {
                    let location = &found[0];
                    let entry = by_pack
                        .entry(location.pack)
                        .or_insert((location.size, Vec::new()));
                    entry.1.push(row_of(&id, location));
                }
                Err(e) => missing.push((id, e)),
            }
        }
        let mut plan = Vec::new();
        for (pack, (size, rows)) in by_pack {
            coalesce(pack, size, rows, &mut plan);
        }
        (plan, missing)
    }
}

fn row_of(id: &Id, location: &Location) -> PackRow {
    PackRow {
        id: *id,
        offset: location.offset,
        stored: location.stored,
        raw: location.raw,
    }
}

/// The frame of `row` inside `bytes`, which begin at `start` of the pack.
fn frame_of<'a>(row: &PackRow, start: u64, bytes: &'a [u8]) -> Result<&'a [u8]> {
    let from = u64::from(row.offset)
        .checked_sub(start)
        .and_then(|n| usize::try_from(n).ok());
    from.and_then(|from| bytes.get(from..from.checked_add(row.stored as usize)?))
        .ok_or_else(|| Error::damaged(format!("chunk {} lies outside of its pack", row.id.short())))
}

/// Widens to the grid, within an object of `size` bytes.
fn widen(start: u64, end: u64, size: u64) -> (u64, u64) {
    (
        start / GRID * GRID,
        end.div_ceil(GRID).saturating_mul(GRID).min(size.max(end)),
    )
}

/// Cuts the wanted rows of one pack into requests.
fn coalesce(pack: Id, size: u64, mut rows: Vec<PackRow>, plan: &mut Vec<Fetch>) {
    rows.sort_unstable_by_key(|r| r.offset);
    let mut current: Option<Fetch> = None;
    for row in rows {
        let (start, end) = widen(
            u64::from(row.offset),
            u64::from(row.offset) + u64::from(row.stored),
            size,
        );
        match &mut current {
            Some(fetch) if start <= fetch.end + GAP && end - fetch.start <= MAX_RANGE => {
                fetch.end = fetch.end.max(end);
                fetch.rows.push(row);
            }
            _ => plan.extend(current.replace(Fetch {
                pack,
                start,
                end,
                rows: vec![row],
            })),
        }
    }
    plan.extend(current);
}

impl Chunks for Reader {
    fn get(&self, id: &Id) -> Result<Vec<u8>> {
        self.read(id)
    }

    fn get_many(
        &self,
        ids: &[Id],
        each: &(dyn Fn(&Id, &[u8]) -> Result<()> + Sync),
    ) -> Vec<(Id, Error)> {
        let (plan, missing) = self.plan(ids);
        let job = Job {
            reader: self,
            each,
            next: AtomicUsize::new(0),
            outcome: Mutex::new((missing, None)),
        };
        match self.repo.threads.fetchers.min(plan.len()) {
            0 | 1 => job.work(&plan),
            several => std::thread::scope(|scope| {
                for _ in 0..several {
                    scope.spawn(|| job.work(&plan));
                }
            }),
        }
        let (mut failed, ended) = job
            .outcome
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((error, undelivered)) = ended {
            // What was not begun was not delivered either.
            let rest = plan
                .iter()
                .skip(job.next.into_inner())
                .flat_map(|f| f.rows.iter().map(|r| r.id));
            let like = |id| (id, error.again());
            failed.extend(undelivered.into_iter().chain(rest).map(like));
        }
        failed
    }
}

/// What failed by itself; and what ended everything, with the ids that were not delivered because of it.
type Outcome = (Vec<(Id, Error)>, Option<(Error, Vec<Id>)>);

/// One call of `get_many`, shared by its threads.
struct Job<'a> {
    reader: &'a Reader,
    each: &'a (dyn Fn(&Id, &[u8]) -> Result<()> + Sync),
    next: AtomicUsize,
    outcome: Mutex<Outcome>,
}

impl Job<'_> {
    fn work(&self, plan: &[Fetch]) {
        while lock(&self.outcome).1.is_none() {
            let Some(fetch) = plan.get(self.next.fetch_add(1, Relaxed)) else {
                return;
            };
            let mut left: Vec<Id> = fetch.rows.iter().map(|r| r.id).collect();
            if let Err(e) = self.serve(fetch, &mut left) {
                let mut outcome = lock(&self.outcome);
                outcome.1.get_or_insert((e, Vec::new())).1.extend(left);
            }
        }
    }

    /// Hands out what one request holds; `left` are the ids that are not done with.
    fn serve(&self, fetch: &Fetch, left: &mut Vec<Id>) -> Result<()> {
        let failed = self.reader.fetch(fetch, self.each, left)?;
        // Other locations, one by one: this is rare.
        for id in failed {
            match self.reader.read(&id) {
                Ok(raw) => (self.each)(&id, &raw).map_err(Error::of_all)?,
                Err(e) if e.is_of_one_object() => lock(&self.outcome).0.push((id, e)),
                Err(e) => return Err(e),
            }
            left.retain(|l| *l != id);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::index::{self as index_format, IndexPack};
    use crate::ops::testing::{World, noise};
    use crate::repo::InitOptions;
    use crate::storage::Storage;
    use crate::storage::fault::Op;
    use crate::storage::memory::{Phase, Request};

    fn row(offset: u64, stored: u64) -> PackRow {
        PackRow {
            id: Id([offset as u8; 32]),
            offset: offset as u32,
            stored: stored as u32,
            raw: 1,
        }
    }

    #[test]
    fn requests_lie_on_the_grid() {
        assert_eq!(widen(1, 2, 10 * MIB), (0, GRID));
        assert_eq!(widen(GRID - 1, GRID + 1, 10 * MIB), (0, 2 * GRID));
        assert_eq!(
            widen(GRID, 2 * GRID - 5, 2 * GRID - 3),
            (GRID, 2 * GRID - 3)
        );
    }

    #[test]
    fn a_packs_header_costs_no_request() {
        let world = World::empty(&InitOptions::default(), false);
        world.write("large", &noise(28 << 20, 1));
        world.backup();
        let mut ids = Vec::new();
        for key in world.keys("index/") {
            let bytes = world.storage.get(&key, u64::MAX).unwrap();
            let each = &mut |_: &Id16, pack: IndexPack| {
                ids.extend(pack.rows.iter().map(|row| row.id));
                Ok(())
            };
            index_format::open(&bytes, &world.repo.keyring, each).unwrap();
        }
        let epoch = world.repo.keyring.newest_epoch();
        let cost = || {
            let reader = Reader::new(world.repo.clone(), Id16::ZERO, epoch, &Silent).unwrap();
            let requests = reader.plan(&ids).0.len() as u64;
            assert!(requests >= 4, "{requests}");
            // The first range, which is that of the header as a rule, is the last to come.
            let asked = Arc::new(AtomicUsize::new(0));
            world
                .storage
                .set_hook(Some(Arc::new(move |request: &Request| {
                    let ranged = (request.op, request.phase) == (Op::GetRange, Phase::Sent);
                    if ranged && asked.fetch_add(1, Relaxed) == 0 {
                        std::thread::sleep(Duration::from_millis(300));
                    }
                    Ok(())
                })));
            let before = world.storage.usage();
            assert!(reader.get_many(&ids, &|_, _| Ok(())).is_empty());
            world.storage.usage().since(&before).get - requests
        };
        assert!((0..3).any(|_| cost() == 0));
    }

    #[test]
    fn neighbours_are_read_together_up_to_a_bound() {
        let mut plan = Vec::new();
        let rows = (0..32).map(|n| row(n * MIB, MIB)).collect();
        coalesce(Id::ZERO, 32 * MIB, rows, &mut plan);
        assert!(plan.iter().all(|f| f.end - f.start <= MAX_RANGE));
        assert_eq!(plan.iter().map(|f| f.rows.len()).sum::<usize>(), 32);
        assert!(plan.len() <= 4);
        plan.clear();
        coalesce(
            Id::ZERO,
            32 * MIB,
            vec![row(0, 10), row(20 * MIB, 10)],
            &mut plan,
        );
        assert_eq!(plan.len(), 2);
    }
}
