//! Damaged packs: what of them still opens is stored anew, then they are taken out of use.
//!
//! A chunk that is lost is then in no pack that counts, so the next backup that meets it at its source stores it again,
//! and with that every older backup that needs it is whole again.

use super::index::{missing, names, note_unread};
use super::{MAX_NAMES, in_time};
use crate::error::{Error, Kind, Result};
use crate::format::container::{MAX_OBJECT, ObjectKey, ObjectKind};
use crate::format::pack::{Object, PackRow};
use crate::id::{Id, Id16};
use crate::index::{Index, IndexPack, Pack, Place};
use crate::ops::check::{CheckReport, Subset, What, read_packs};
use crate::ops::replace::{Copier, Indexer, bury};
use crate::ops::survey::{Descriptions, Frames, Health, Survey, chunk, frames, rows_of};
use crate::repo::chunks::Chunks;
use crate::repo::patience::opened;
use crate::repo::protocol::Grace;
use crate::repo::reader::Reader;
use crate::repo::{Repository, pack_key};
use crate::report::{Event, Observer, Stop};
use crate::storage::Usage;
use crate::units::Time;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Which packs to repair.
#[derive(Clone, Debug, Default)]
pub struct PacksOptions {
    /// Beginnings of names, as a check gives them.
    pub packs: Vec<String>,
    /// Read all packs, and repair what is damaged.
    pub read_data: bool,
    /// Say what would be done, and write nothing.
    pub dry_run: bool,
}

/// What was done to packs, or would be.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PacksReport {
    /// Nothing was written.
    pub dry_run: bool,
    /// Packs that are taken out of use because they are damaged.
    pub packs_damaged: Vec<String>,
    /// Packs that are taken out of use because they are not there.
    pub packs_missing: Vec<String>,
    /// Packs that were named and are whole.
    pub packs_whole: Vec<String>,
    /// Objects that are there and cannot be read now: they stay. The first thousand.
    pub unread: Vec<String>,
    /// Chunks stored anew.
    pub chunks_salvaged: u64,
    /// Chunks that are whole elsewhere.
    pub chunks_elsewhere: u64,
    /// Chunks that are whole nowhere.
    pub chunks_lost: u64,
    /// Their ids, the first thousand.
    pub lost: Vec<String>,
    /// Bytes put.
    pub bytes_written: u64,
    /// Index objects put.
    pub index_written: u64,
    /// Index objects that these replace: named in a tombstone.
    pub index_replaced: u64,
    /// Requests and bytes.
    pub usage: Usage,
}

/// Salvages what damaged packs still hold and takes them out of use.
///
/// # Errors
/// `RoleNeeded`, `Usage` for a name that fits no pack or several, a stop, what the storage fails with.
pub fn repair_packs(
    repo: &Arc<Repository>,
    options: &PacksOptions,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<PacksReport> {
    repo.require_full("repairing packs")?;
    let before = repo.storage().usage();
    let mut report = in_time(observer, stop, &mut || {
        let survey = Survey::take(repo, observer, stop)?;
        let mut unread = Vec::new();
        let targets = targets(repo, &survey, options, observer, stop, &mut unread)?;
        let missing = missing(repo, &survey)?;
        Repair {
            not_after: Grace(repo.config().grace).deadline(&survey.view),
            good: good_index(&survey, &targets),
            repo,
            survey: &survey,
            dry_run: options.dry_run,
            stop,
            observer,
            copiers: HashMap::new(),
            said: survey.descriptions(),
            taken: HashSet::new(),
            report: PacksReport {
                dry_run: options.dry_run,
                unread,
                ..PacksReport::default()
            },
        }
        .run(&targets, &missing)
    })?;
    report.usage = repo.storage().usage().since(&before);
    Ok(report)
}

/// The packs that are there and may be damaged. Those that a tombstone names are maintenance's.
fn targets(
    repo: &Arc<Repository>,
    survey: &Survey,
    options: &PacksOptions,
    observer: &dyn Observer,
    stop: &Stop,
    unread: &mut Vec<String>,
) -> Result<BTreeSet<Id>> {
    let mut found = BTreeSet::new();
    for prefix in &options.packs {
        found.extend(resolve(survey, prefix)?);
    }
    survey.each_described(&mut |pack| {
        if survey
            .packs
            .get(&pack.name)
            .is_some_and(|size| *size != pack.size)
        {
            found.insert(pack.name);
        }
    });
    if options.read_data {
        let (mut seen, mut health) = (CheckReport::default(), Health::of(survey));
        read_packs(
            repo,
            survey,
            &Subset::All,
            observer,
            stop,
            &mut seen,
            &mut health,
        )?;
        for finding in seen.findings.iter().filter(|f| f.what == What::Unreadable) {
            note_unread(unread, observer, &finding.object, &finding.message);
        }
        let damaged = seen.findings.iter().filter(|f| f.what == What::Pack);
        found.extend(damaged.filter_map(|f| f.object.rsplit('/').next()?.parse::<Id>().ok()));
    }
    found.retain(|id| !survey.view.dead_packs.contains(id));
    Ok(found)
}

/// The pack that `prefix` names; none if it is known and not there, which is found anyway.
fn resolve(survey: &Survey, prefix: &str) -> Result<Option<Id>> {
    let wanted = prefix.to_ascii_lowercase();
    let mut known: BTreeSet<Id> = survey.packs.keys().copied().collect();
    survey.each_described(&mut |pack| {
        known.insert(pack.name);
    });
    let mut matching = known.iter().filter(|id| id.hex().starts_with(&wanted));
    match (matching.next(), matching.next()) {
        (Some(one), None) if !wanted.is_empty() => {
            Ok(survey.packs.contains_key(one).then_some(*one))
        }
        (None, _) => Err(Error::usage(format!(
            "there is no pack whose name begins with {prefix:?}"
        ))),
        _ => Err(Error::usage(format!(
            "several packs have names that begin with {prefix:?}"
        ))),
    }
}

/// What can be relied on: packs that are there, that no tombstone names, and that are not under repair.
fn good_index(survey: &Survey, targets: &BTreeSet<Id>) -> Arc<Index> {
    let index = Index::over(survey.index.base(), Place::Memory);
    index.set_view(&|object| survey.view.index.contains(object), &|pack| {
        survey.packs.contains_key(pack)
            && !survey.view.dead_packs.contains(pack)
            && !targets.contains(pack)
    });
    Arc::new(index)
}

/// What a pack under repair turned out to be.
enum State {
    Whole,
    Damaged,
    /// It cannot be read now, so nothing is known of it.
    Unread,
}

struct Repair<'a> {
    repo: &'a Arc<Repository>,
    survey: &'a Survey,
    /// Without the packs under repair.
    good: Arc<Index>,
    not_after: Option<Time>,
    dry_run: bool,
    stop: &'a Stop,
    observer: &'a dyn Observer,
    copiers: HashMap<(Id16, u32), (Copier, Reader)>,
    said: Descriptions,
    /// Chunks that have been dealt with.
    taken: HashSet<(Id16, Id)>,
    report: PacksReport,
}

impl Repair<'_> {
    fn run(mut self, targets: &BTreeSet<Id>, missing: &BTreeSet<Id>) -> Result<PacksReport> {
        self.observer.event(Event::Phase("salvaging"));
        let mut damaged = BTreeSet::new();
        let mut lost: Vec<(Id16, Id)> = Vec::new();
        let gone: HashSet<Id> = targets.iter().chain(missing).copied().collect();
        let mut rows = rows_of(&self.survey.index, &gone)?;
        for id in targets {
            self.stop.check()?;
            let said = rows.remove(id).unwrap_or_default();
            match self.salvage(id, &said, &mut lost)? {
                State::Damaged => drop(damaged.insert(*id)),
                State::Whole => self.report.packs_whole.push(id.hex()),
                State::Unread => {}
            }
        }
        for (_, said) in rows {
            lost.extend(said.iter().map(|(writer, row)| (*writer, row.id)));
        }
        self.count_lost(lost)?;
        self.report.packs_damaged = names(damaged.iter());
        self.report.packs_missing = names(missing.iter());
        self.replace(damaged.union(missing).copied().collect())?;
        Ok(self.report)
    }

    /// Stores anew what opens and is not whole elsewhere.
    fn salvage(
        &mut self,
        id: &Id,
        said: &[(Id16, PackRow)],
        lost: &mut Vec<(Id16, Id)>,
    ) -> Result<State> {
        let (repo, key) = (self.repo, pack_key(id));
        let bytes = match repo.ask(&key, MAX_OBJECT) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == Kind::Damaged => Vec::new(),
            Err(e) if e.is_unreadable() => {
                note_unread(&mut self.report.unread, self.observer, &key, &e);
                return Ok(State::Unread);
            }
            Err(e) => return Err(e),
        };
        let Frames { header, good, bad } = frames(self.repo, &bytes, said)?;
        if bad.is_empty() && self.is_whole(id, &bytes) {
            return Ok(State::Whole);
        }
        if header.is_none()
            && Id::sha256(&bytes) == *id
            && let Err(e) = opened(Object::open(&bytes, &self.repo.keyring))
            && e.is_unreadable()
        {
            // As it was put: another key may open it.
            note_unread(&mut self.report.unread, self.observer, &key, &e);
            return Ok(State::Unread);
        }
        lost.extend(bad.iter().map(|(writer, row)| (*writer, row.id)));
        let Some((epoch, kind)) = header else {
            return Ok(State::Damaged);
        };
        let key = ObjectKey::from_header(&bytes, &self.repo.keyring)?;
        for (writer, row) in &good {
            self.stop.check()?;
            if self.taken.contains(&(*writer, row.id)) {
                continue;
            }
            if self.is_elsewhere(*writer, epoch, &row.id)? {
                self.report.chunks_elsewhere += 1;
            } else if let Some(raw) = chunk(self.repo, &key, &bytes, writer, row) {
                self.report.chunks_salvaged += 1;
                self.store(*writer, epoch, kind, &row.id, &raw)?;
            }
            self.taken.insert((*writer, row.id));
        }
        Ok(State::Damaged)
    }

    /// Hash, MAC and directory are right, and so is what the index says.
    fn is_whole(&self, id: &Id, bytes: &[u8]) -> bool {
        if Id::sha256(bytes) != *id {
            return false;
        }
        Object::open(bytes, &self.repo.keyring).is_ok_and(|object| {
            let pack = IndexPack::of(*id, bytes.len() as u64, &object);
            let right = Pack::new(&object.trailer.writer, &pack).digest;
            self.said.of(id).iter().all(|digest| *digest == right)
        })
    }

    /// Is there another copy, that can be read? One is not believed to be whole before the other goes.
    fn is_elsewhere(&mut self, writer: Id16, epoch: u32, id: &Id) -> Result<bool> {
        if !self.good.contains(&writer, id)? {
            return Ok(false);
        }
        match self.tools(writer, epoch)?.1.get(id) {
            Ok(_) => Ok(true),
            Err(e) if e.is_of_one_object() => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn tools(&mut self, writer: Id16, epoch: u32) -> Result<&(Copier, Reader)> {
        match self.copiers.entry((writer, epoch)) {
            std::collections::hash_map::Entry::Occupied(e) => Ok(e.into_mut()),
            std::collections::hash_map::Entry::Vacant(e) => {
                let copier = Copier::new(self.repo.clone(), writer, epoch, self.not_after)?;
                let index = self.good.clone();
                let reader = Reader::with_index(self.repo.clone(), writer, epoch, index)?;
                Ok(e.insert((copier, reader)))
            }
        }
    }

    fn store(
        &mut self,
        writer: Id16,
        epoch: u32,
        kind: ObjectKind,
        id: &Id,
        raw: &[u8],
    ) -> Result<()> {
        match self.dry_run {
            true => Ok(()),
            false => self.tools(writer, epoch)?.0.add(kind, id, raw),
        }
    }

    /// Of what was in damaged places, what is nowhere else.
    fn count_lost(&mut self, lost: Vec<(Id16, Id)>) -> Result<()> {
        let mut counted = HashSet::new();
        for (writer, id) in lost {
            let saved = self.taken.contains(&(writer, id)) || self.good.contains(&writer, &id)?;
            if !saved && counted.insert((writer, id)) && counted.len() <= MAX_NAMES {
                self.report.lost.push(id.hex());
            }
        }
        self.report.chunks_lost = counted.len() as u64;
        Ok(())
    }

    /// Copies first, then index objects, then the tombstone.
    fn replace(&mut self, gone: HashSet<Id>) -> Result<()> {
        let replaced = self.survey.naming(&gone);
        self.report.index_replaced = replaced.len() as u64;
        if self.dry_run || gone.is_empty() {
            return Ok(());
        }
        let mut indexer = Indexer::new(self.repo.clone(), self.not_after);
        for (key, (copier, _)) in &self.copiers {
            for pack in copier.finish()? {
                indexer.add(*key, pack)?;
            }
            self.report.bytes_written += copier.stored();
        }
        indexer.add_from(&replaced, &self.survey.staying(&gone), self.stop)?;
        indexer.finish()?;
        self.report.index_written = indexer.written;
        let mut packs: Vec<Id> = gone.into_iter().collect();
        packs.sort_unstable();
        bury(self.repo, &packs, &replaced, self.not_after)
    }
}
