//! Brings the local segments in line with the index objects of the repository.

use super::base::Base;
use super::compact::compact;
use super::manifest::{self, PackRef, Set};
use super::place::{Place, private_file, private_folder};
use super::segment::Segment;
use super::writer::{RUN_ROWS, Writer};
use super::{IndexPack, Pack, Row};
use crate::error::{Context, Error, Kind, Result};
use crate::id::{Id, Id16};
use std::collections::{BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;

/// What a sync gives.
pub struct Synced {
    /// The rows of the index objects asked for.
    pub base: Arc<Base>,
    /// Where rows added later may go.
    pub place: Place,
    /// What went wrong with the cache, and cost only time or memory. One line each.
    pub warnings: Vec<String>,
}

/// Takes the index objects that are missing locally, in any order; several may be under way at once.
pub struct Sink {
    writer: Writer,
    /// Where packs are known from, by their digest.
    known: HashMap<[u8; 16], PackRef>,
    /// The number of the segment being written.
    segment: u32,
    packs: u32,
    open: HashMap<Id, Vec<PackRef>>,
    done: Vec<(Id, Vec<PackRef>)>,
    /// When a segment is written anew: the numbers of its packs that have not come yet, by their digest.
    wanted: Option<HashMap<[u8; 16], u32>>,
    /// Why the cache could not take a pack.
    fault: Option<Error>,
}

impl Sink {
    fn new(set: &Set, place: &Place, limit: usize) -> Sink {
        let mut known = HashMap::new();
        for (segment, s) in set.segments.iter().enumerate() {
            for (pack, p) in s.packs().iter().enumerate() {
                known.insert(
                    p.digest,
                    PackRef {
                        segment: segment as u32,
                        pack: pack as u32,
                    },
                );
            }
        }
        let packs = known.len() as u32;
        let writer = Writer::new(place.clone(), limit);
        let segment = set.segments.len() as u32;
        Sink {
            writer,
            known,
            segment,
            packs,
            open: HashMap::new(),
            done: Vec::new(),
            wanted: None,
            fault: None,
        }
    }

    /// Takes only the rows of `packs`, for one segment with this table of packs; `wanted` has their numbers in it.
    pub(super) fn for_packs(
        packs: Vec<Pack>,
        wanted: HashMap<[u8; 16], u32>,
        place: &Place,
        limit: usize,
    ) -> Sink {
        let mut sink = Sink::new(&Set::default(), place, limit);
        sink.writer.set_packs(packs);
        sink.wanted = Some(wanted);
        sink
    }

    /// The segment of [`Sink::for_packs`].
    pub(super) fn into_segment(self) -> Result<Segment> {
        self.writer.finish()
    }

    /// Why the cache could not take a pack, if that happened.
    pub(super) fn take_fault(&mut self) -> Option<Error> {
        self.fault.take()
    }

    /// Index object `object`, of `domain`, names `pack`. On an error give up and return it: the sync goes on without
    /// the folder.
    pub fn pack(&mut self, object: &Id, domain: &Id16, pack: &IndexPack) -> Result<()> {
        match self.take(object, domain, pack) {
            Ok(()) => Ok(()),
            Err(e) => {
                // Of a kind that the caller cannot take for a fault of the index object.
                let reply = Error::failed(e.message()).of_all();
                self.fault = Some(e);
                Err(reply)
            }
        }
    }

    fn take(&mut self, object: &Id, domain: &Id16, pack: &IndexPack) -> Result<()> {
        let entry = Pack::new(domain, pack);
        if let Some(wanted) = &mut self.wanted {
            return match wanted.remove(&entry.digest) {
                Some(number) => self.push_rows(number, pack),
                None => Ok(()),
            };
        }
        let place = match self.known.get(&entry.digest) {
            Some(place) => *place,
            None => {
                self.packs = self
                    .packs
                    .checked_add(1)
                    .ok_or_else(|| Error::failed("too many packs in the index"))?;
                let digest = entry.digest;
                let number = self.writer.add_pack(entry)?;
                self.push_rows(number, pack)?;
                let place = PackRef {
                    segment: self.segment,
                    pack: number,
                };
                self.known.insert(digest, place);
                place
            }
        };
        self.open.entry(*object).or_default().push(place);
        Ok(())
    }

    fn push_rows(&mut self, number: u32, pack: &IndexPack) -> Result<()> {
        pack.rows.iter().try_for_each(|r| {
            self.writer.push(Row {
                id: r.id,
                pack: number,
                offset: r.offset,
                stored: r.stored,
                raw: r.raw,
            })
        })
    }

    /// All packs of `object` have been given (none, for an object that this key cannot open and need not ask for
    /// again). An object that is never done does not count, and is asked for again by the next sync.
    pub fn done(&mut self, object: &Id) {
        let mut packs = self.open.remove(object).unwrap_or_default();
        packs.sort_unstable();
        packs.dedup();
        self.done.push((*object, packs));
    }

    /// Adds the new segment and the objects that are done to `set`.
    fn finish(self, set: &mut Set) -> Result<()> {
        if self.writer.is_empty() {
            set.objects.extend(self.done);
            return Ok(());
        }
        set.segments.push(Arc::new(self.writer.finish()?));
        set.objects.extend(self.done);
        Ok(())
    }
}

/// Whose fault a failed attempt is.
enum Fault {
    /// The cache's: try another way.
    Cache(Error),
    /// Everything else: give up.
    Other(Error),
}

/// How the folder may be used.
enum Access {
    /// The lock is ours until the file is closed.
    Owner(#[expect(dead_code, reason = "held for its lock")] File),
    /// Another process has the lock: read, and keep new segments to ourselves.
    Guest,
    /// There is no folder.
    None,
}

/// Brings the segments in `dir` (none: in memory) in line with `current`, the names of all index objects that the
/// repository holds now.
///
/// `fetch` is called with the names of those that are missing locally, and gives their packs to the sink; it is called
/// again from the start should the cache fail under way. Its errors end the sync, after what is done has been kept.
/// `previous`, the base of an earlier sync of the same run, saves fetching again where the folder cannot be written.
///
/// A damaged, foreign or unusable cache is never an error: it is rebuilt, or done without.
pub fn sync(
    dir: Option<&Path>,
    previous: Option<&Base>,
    current: &[Id],
    fetch: &mut dyn FnMut(&[Id], &mut Sink) -> Result<()>,
) -> Result<Synced> {
    sync_with(dir, previous, current, fetch, RUN_ROWS)
}

pub(crate) fn sync_with(
    dir: Option<&Path>,
    previous: Option<&Base>,
    current: &[Id],
    fetch: &mut dyn FnMut(&[Id], &mut Sink) -> Result<()>,
    limit: usize,
) -> Result<Synced> {
    let mut warnings = Vec::new();
    let (mut access, mut place) = match dir.map(|d| (d, lock(d))) {
        None => (Access::None, Place::Memory),
        Some((dir, Ok(access))) => (access, Place::Folder(dir.to_owned())),
        Some((_, Err(e))) => {
            warnings.push(format!("no index cache, using memory instead: {e}"));
            (Access::None, Place::Memory)
        }
    };
    let mut job = Job {
        current: current.iter().copied().collect(),
        previous,
        fetch,
        limit,
        trust: true,
    };
    loop {
        match job.attempt(&access, &place, dir, &mut warnings) {
            Ok(set) => {
                return Ok(Synced {
                    base: Arc::new(Base::new(set)),
                    place,
                    warnings,
                });
            }
            Err(Fault::Other(e)) => return Err(e),
            Err(Fault::Cache(e)) if e.kind() == Kind::Damaged && job.trust => {
                warnings.push(format!("{}; building it anew", e.message()));
                job.trust = false;
            }
            Err(Fault::Cache(e)) if place != Place::Memory => {
                warnings.push(format!(
                    "no room for the index cache, using memory instead: {}",
                    e.message()
                ));
                (access, place) = (Access::None, Place::Memory);
            }
            Err(Fault::Cache(e)) => return Err(e),
        }
    }
}

struct Job<'a> {
    current: BTreeSet<Id>,
    previous: Option<&'a Base>,
    fetch: &'a mut dyn FnMut(&[Id], &mut Sink) -> Result<()>,
    limit: usize,
    /// False once old segments have turned out to be damaged.
    trust: bool,
}

impl Job<'_> {
    fn attempt(
        &mut self,
        access: &Access,
        place: &Place,
        dir: Option<&Path>,
        warnings: &mut Vec<String>,
    ) -> Result<Set, Fault> {
        let mut set = match (access, self.previous, dir) {
            _ if !self.trust => Set::default(),
            (Access::Guest | Access::None, Some(base), _) => base.to_set(),
            (_, _, Some(dir)) => manifest::load(dir),
            (_, _, None) => Set::default(),
        };
        let before = set.objects.len();
        set.objects.retain(|id, _| self.current.contains(id));
        let missing: Vec<Id> = self
            .current
            .iter()
            .filter(|id| !set.objects.contains_key(id))
            .copied()
            .collect();
        let mut changed = set.objects.len() != before || !self.trust;
        let mut outcome = Ok(());
        if !missing.is_empty() {
            let mut sink = Sink::new(&set, place, self.limit);
            outcome = (self.fetch)(&missing, &mut sink);
            if let Some(e) = sink.take_fault() {
                return Err(Fault::Cache(e));
            }
            changed = true;
            sink.finish(&mut set).map_err(Fault::Cache)?;
        }
        // Never pull segment files into memory, nor rewrite what others share.
        let ours =
            matches!(access, Access::Owner(_)) || set.segments.iter().all(|s| s.name().is_none());
        if changed && ours {
            tidy(&mut set, place, warnings).map_err(Fault::Cache)?;
        }
        if let (true, Access::Owner(_), Place::Folder(dir)) = (changed, access, place) {
            manifest::store(dir, &set).map_err(Fault::Cache)?;
        }
        outcome.map(|()| set).map_err(Fault::Other)
    }
}

/// Compacts; a failure to do so costs only time, unless it shows that a segment is damaged.
fn tidy(set: &mut Set, place: &Place, warnings: &mut Vec<String>) -> Result<()> {
    match compact(set, place) {
        Err(e) if e.kind() != Kind::Damaged => {
            warnings.push(format!("could not tidy the index cache: {}", e.message()));
            Ok(())
        }
        other => other.map(|_| ()),
    }
}

/// Makes the folder, and tries to become the one who may change it.
fn lock(dir: &Path) -> Result<Access> {
    let path = dir.join("lock");
    private_folder(dir).context(|| format!("creating {}", dir.display()))?;
    let file = private_file(
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false),
        &path,
    )
    .context(|| format!("opening {}", path.display()))?;
    // Any failure, such as a file system without locks, is as good as a lock held by another.
    Ok(if file.try_lock().is_ok() {
        Access::Owner(file)
    } else {
        Access::Guest
    })
}
