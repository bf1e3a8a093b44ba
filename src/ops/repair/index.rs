//! The index from the packs alone.
//!
//! 1. Packs that no intact index object describes, or that two describe in different ways, are read whole, checked
//!    down to the MAC of their domain, and named in new index objects. Packs that a tombstone names are left alone.
//! 2. Packs that are named and not there: new index objects without them take the place of the old ones, and a
//!    tombstone names both, so that nobody relies on them and the next backup stores their chunks again.
//! 3. What nobody can read is deleted: see [`Doomed`].

use super::{MAX_NAMES, in_time};
use crate::error::{Error, Kind, Result};
use crate::format::container::MAX_OBJECT;
use crate::format::pack::Object;
use crate::id::{Id, Id16};
use crate::index::{IndexPack, Pack};
use crate::ops::replace::{Indexer, bury};
use crate::ops::survey::{Descriptions, Survey, read_object};
use crate::repo::patience::opened;
use crate::repo::protocol::Grace;
use crate::repo::{Repository, pack_key};
use crate::report::{Event, Observer, Progress, Stop};
use crate::storage::Usage;
use serde::Serialize;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// Packs read at a time.
const READERS: usize = 4;

/// How to repair the index.
#[derive(Clone, Copy, Debug, Default)]
pub struct IndexOptions {
    /// Read every pack, and trust no description.
    pub all: bool,
    /// Say what would be done, and write nothing.
    pub dry_run: bool,
}

/// What was done to the index, or would be.
#[derive(Clone, Debug, Default, Serialize)]
pub struct IndexReport {
    /// Nothing was written.
    pub dry_run: bool,
    /// Packs that were read.
    pub packs_read: u64,
    /// Packs that were described anew.
    pub packs_indexed: u64,
    /// Packs that the index named and that are not there; the first thousand.
    pub packs_missing: Vec<String>,
    /// Packs that are damaged, so that they could not be described; the first thousand.
    pub packs_damaged: Vec<String>,
    /// Index objects put.
    pub index_written: u64,
    /// Index objects that new ones replace: named in a tombstone.
    pub index_replaced: u64,
    /// Unreadable index objects that were deleted.
    pub index_deleted: Vec<String>,
    /// Unreadable or forged tombstones that were deleted.
    pub tombstones_deleted: Vec<String>,
    /// Objects that are there and cannot be read now: they stay, and what they say is not known. The first thousand.
    pub unread: Vec<String>,
    /// Objects that these credentials may not delete.
    pub refused: u64,
    /// Requests and bytes.
    pub usage: Usage,
}

/// Rebuilds what is wrong with the index.
///
/// # Errors
/// `RoleNeeded`, a stop, what the storage fails with.
pub fn repair_index(
    repo: &Arc<Repository>,
    options: &IndexOptions,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<IndexReport> {
    repo.require_full("repairing the index")?;
    let before = repo.storage().usage();
    let mut report = in_time(observer, stop, &mut || {
        let survey = Survey::take(repo, observer, stop)?;
        Repair {
            repo,
            options,
            observer,
            stop,
            report: IndexReport {
                dry_run: options.dry_run,
                ..IndexReport::default()
            },
            survey,
        }
        .run()
    })?;
    report.usage = repo.storage().usage().since(&before);
    Ok(report)
}

struct Repair<'a> {
    repo: &'a Arc<Repository>,
    survey: Survey,
    options: &'a IndexOptions,
    observer: &'a dyn Observer,
    stop: &'a Stop,
    report: IndexReport,
}

/// A pack as it is: its domain and epoch, and what the index should say.
type Described = ((Id16, u32), IndexPack);

impl Repair<'_> {
    fn run(mut self) -> Result<IndexReport> {
        let not_after = Grace(self.repo.config().grace).deadline(&self.survey.view);
        let said = self.survey.descriptions();
        let mut indexer = Indexer::new(self.repo.clone(), not_after);
        let (missing, wrong) = {
            let missing = missing(self.repo, &self.survey)?;
            (missing, self.describe(&said, &mut indexer)?)
        };
        let gone: HashSet<Id> = missing.iter().chain(&wrong).copied().collect();
        let replaced = self.survey.naming(&gone);
        self.report.index_replaced = replaced.len() as u64;
        self.report.packs_missing = names(missing.iter());
        if !self.options.dry_run {
            self.observer.event(Event::Phase("writing index objects"));
            let (repo, survey) = (self.repo, &self.survey);
            indexer.add_from(&replaced, &survey.staying(&gone), self.stop)?;
            indexer.finish()?;
            let missing: Vec<Id> = missing.into_iter().collect();
            bury(repo, &missing, &replaced, not_after)?;
        }
        self.report.index_written = indexer.written;
        self.delete_unreadable()?;
        Ok(self.report)
    }

    /// Reads the packs that need it and gives their descriptions to `indexer`. Gives those that were described wrongly.
    fn describe(&mut self, said: &Descriptions, indexer: &mut Indexer) -> Result<HashSet<Id>> {
        let survey = &self.survey;
        let doubtful = |id: &&Id| {
            let once = said.of(id).len() == 1;
            !survey.view.dead_packs.contains(*id) && (self.options.all || !once)
        };
        let mut packs: Vec<Id> = survey.packs.keys().filter(doubtful).copied().collect();
        packs.sort_unstable();
        if !packs.is_empty() {
            self.observer.event(Event::Phase("reading packs"));
        }
        let (mut wrong, mut damaged) = (HashSet::new(), Vec::new());
        for some in packs.chunks(READERS) {
            self.stop.check()?;
            let read = |id: &Id| read_pack(self.repo, id);
            let all = crate::repo::threads::each_at_once(READERS, some, &read);
            for (id, described) in some.iter().zip(all) {
                self.report.packs_read += 1;
                let (key, pack) = match described {
                    Ok(described) => described,
                    Err(e) if e.kind() == Kind::ObjectMissing => continue,
                    Err(e) if e.kind() == Kind::Damaged => {
                        damaged.push(*id);
                        continue;
                    }
                    Err(e) if e.is_of_one_object() => {
                        note_unread(&mut self.report.unread, self.observer, &pack_key(id), &e);
                        continue;
                    }
                    Err(e) => return Err(e),
                };
                let right = Pack::new(&key.0, &pack).digest;
                match said.of(id) {
                    [one] if *one == right => continue,
                    [] => {}
                    _ => drop(wrong.insert(*id)),
                }
                self.report.packs_indexed += 1;
                if !self.options.dry_run {
                    indexer.add(key, pack)?;
                }
            }
            self.observer.event(Event::Progress(Progress {
                files: self.report.packs_read,
                files_total: packs.len() as u64,
                ..Progress::default()
            }));
        }
        self.report.packs_damaged = names(damaged.iter());
        Ok(wrong)
    }

    /// Deletes what nobody can use.
    ///
    /// An index object whose bytes do not have the hash of its name, or do not open, is passed over by every reader.
    /// What it named is named by the index objects just put, as far as it exists. Whoever read it while it was whole
    /// sees at renewal that it went away, and finds the same packs through the new ones. A tombstone cannot do this: a
    /// sweep stops at what it cannot read.
    ///
    /// A tombstone that nobody can read names nothing, for anybody, and no sweep acts on it. One without this
    /// repository's seal only keeps backups from using what it names: without it they use it again.
    fn delete_unreadable(&mut self) -> Result<()> {
        let index: Vec<Id> = self.survey.damaged_index.keys().copied().collect();
        for name in index {
            let key = format!("index/{name}");
            // Once more: what the network spoiled is whole at rest.
            let again = read_object(self.repo, &key, &name, crate::format::index::MAX_OBJECT)
                .and_then(|bytes| {
                    let keys = &self.repo.keyring;
                    opened(crate::format::index::open(&bytes, keys, &mut |_, _| Ok(())))
                });
            match again {
                Err(e) if e.kind() == Kind::Damaged => {}
                Err(e) if e.kind() == Kind::ObjectMissing => continue,
                Err(e) if e.is_of_one_object() => {
                    note_unread(&mut self.report.unread, self.observer, &key, &e);
                    continue;
                }
                Err(e) => return Err(e),
                Ok(()) => continue,
            }
            if self.delete(&key)? {
                self.report.index_deleted.push(name.hex());
            }
        }
        let epochs: BTreeSet<u32> = self.repo.keyring.epochs().into_iter().collect();
        let stones: Vec<(Id, bool)> = self
            .survey
            .view
            .tombstones
            .iter()
            // Bytes of another tombstone carry a seal, and not the hash of this name.
            .filter(|b| !b.authentic || b.stone.is_none())
            .map(|b| (b.name, b.stone.is_none()))
            .collect();
        for (name, unreadable) in stones {
            let key = format!("tombstones/{name}");
            if (unreadable || self.is_forged(&key, &epochs)?) && self.delete(&key)? {
                self.report.tombstones_deleted.push(name.hex());
            }
        }
        Ok(())
    }

    /// Was it not made with a key of this repository? Not known, if its key epoch is one that this key does not hold.
    fn is_forged(&self, key: &str, epochs: &BTreeSet<u32>) -> Result<bool> {
        let limit = crate::format::tombstone::MAX_LEN as u64;
        let bytes = match self.repo.storage().get(key, limit) {
            Ok(bytes) => bytes,
            Err(e) if e.is_of_one_object() => return Ok(false),
            Err(e) => return Err(e),
        };
        let epoch = bytes.get(10..14).and_then(|b| b.try_into().ok());
        let epoch = epoch.map(u32::from_be_bytes).unwrap_or_default();
        let sealed = crate::format::tombstone::verify(&bytes, &self.repo.keyring);
        Ok(epochs.contains(&epoch) && sealed == Some(false))
    }

    /// Without permission to delete, all else is done and this is told.
    fn delete(&mut self, key: &str) -> Result<bool> {
        if self.options.dry_run {
            return Ok(true);
        }
        match self.repo.storage().delete(key) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == Kind::PermissionDenied => {
                self.report.refused += 1;
                let text = format!("these credentials may not delete {key}: {e}");
                self.observer.event(Event::Warning(&text));
                Ok(false)
            }
            Err(e) => Err(e.context(format!("deleting {key}"))),
        }
    }
}

/// The packs that index objects which count name, that no tombstone names, and that are not there.
pub fn missing(repo: &Repository, survey: &Survey) -> Result<BTreeSet<Id>> {
    let mut gone = BTreeSet::new();
    survey.each_described(&mut |pack| {
        let listed = survey.packs.contains_key(&pack.name);
        if !listed && !survey.view.dead_packs.contains(&pack.name) {
            gone.insert(pack.name);
        }
    });
    let mut sure = BTreeSet::new();
    for pack in gone {
        // A listing is not proof enough for something final.
        let key = pack_key(&pack);
        match repo.patience.judge(&key, repo.storage().head(&key)) {
            Err(e) if e.kind() == Kind::ObjectMissing => drop(sure.insert(pack)),
            // Without the permission to list, S3 denies what is not there.
            Err(e) if e.is_of_one_object() => {}
            Err(e) => return Err(e),
            Ok(_) => {}
        }
    }
    Ok(sure)
}

/// Reads a pack and checks hash, MAC and directory: without the MAC a writer could plant rows in another's domain.
fn read_pack(repo: &Repository, id: &Id) -> Result<Described> {
    let key = pack_key(id);
    let bytes = read_object(repo, &key, id, MAX_OBJECT)?;
    let object = opened(Object::open(&bytes, &repo.keyring))?;
    if !object.kind().is_pack() {
        return Err(Error::damaged(format!("{key} is no pack")));
    }
    let pack = IndexPack::of(*id, bytes.len() as u64, &object);
    Ok(((object.trailer.writer, object.epoch()), pack))
}

/// Notes an object that cannot be read now, and says why.
pub fn note_unread(
    noted: &mut Vec<String>,
    observer: &dyn Observer,
    key: &str,
    why: &dyn std::fmt::Display,
) {
    let text = format!("{key} cannot be read now, and stays as it is: {why}");
    observer.event(Event::Warning(&text));
    if noted.len() < MAX_NAMES {
        noted.push(key.to_owned());
    }
}

/// The first names of `ids`.
pub fn names<'a>(ids: impl Iterator<Item = &'a Id>) -> Vec<String> {
    ids.take(MAX_NAMES).map(|id| id.hex()).collect()
}
