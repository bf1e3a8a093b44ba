//! Reading packs whole: hash, MAC, directory, the index's rows, every chunk.

use super::packs::known;
use super::report::{CheckReport, What};
use super::subset::Subset;
use crate::error::{Error, Result};
use crate::format::container::MAX_OBJECT;
use crate::format::pack::{Object, PackRow};
use crate::id::Id;
use crate::index::{IndexPack, Pack};
use crate::ops::survey::{Descriptions, Health, Survey, frames, rows_of};
use crate::repo::gate::Gate;
use crate::repo::patience::opened;
use crate::repo::{Repository, pack_key};
use crate::report::{Event, Observer, Progress, Stop};
use crate::units::MIB;
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Packs at a time.
const READERS: usize = 4;
/// Bytes of packs in memory; one larger pack may come alone.
const MEMORY: u64 = 160 * MIB;

/// Damaged packs whose rows are in memory at a time.
const SUSPECTS: usize = 16;

/// What came of reading a pack.
enum Verdict {
    /// It is whole, and what the index says.
    Whole,
    /// It is not: these rows do not open, the rest does.
    Rows(String, Vec<PackRow>),
    /// It is damaged; what of it can be read has to be tried.
    Damaged(String),
    /// It cannot be read now.
    Unreadable(Error),
}

struct Work<'a> {
    repo: &'a Repository,
    packs: Vec<(Id, u64)>,
    /// What the index says of each pack.
    said: Descriptions,
    next: AtomicUsize,
    gate: Gate,
    stop: &'a Stop,
}

/// Reads the packs that `subset` chooses.
pub fn read(
    repo: &Repository,
    survey: &Survey,
    subset: &Subset,
    observer: &dyn Observer,
    stop: &Stop,
    report: &mut CheckReport,
    health: &mut Health,
) -> Result<()> {
    observer.event(Event::Phase("reading packs"));
    let packs = subset.choose(known(survey))?;
    let bytes_total = packs.iter().map(|(_, size)| size).sum();
    let work = Work {
        repo,
        said: survey.descriptions(),
        next: AtomicUsize::new(0),
        gate: Gate::new(MEMORY),
        stop,
        packs,
    };
    let outcome = Mutex::new((report, health, HashMap::new(), Ok(())));
    let take = |name: &Id, size: u64, verdict: Result<Verdict>| {
        let (report, health, suspects, failed) =
            &mut *outcome.lock().unwrap_or_else(PoisonError::into_inner);
        match verdict {
            Ok(Verdict::Unreadable(e)) => report.add_failure(What::Pack, pack_key(name), &e),
            Ok(verdict) => {
                report.packs_read += 1;
                report.bytes_read += size;
                match verdict {
                    Verdict::Unreadable(_) => {}
                    Verdict::Whole => {}
                    Verdict::Rows(why, rows) => {
                        report.add(What::Pack, pack_key(name), why);
                        health.set_bad_frames(*name, &rows);
                    }
                    Verdict::Damaged(why) => drop(suspects.insert(*name, why)),
                }
            }
            Err(e) => {
                work.next.store(work.packs.len(), Ordering::Relaxed);
                if failed.is_ok() {
                    *failed = Err(e);
                }
            }
        }
        observer.event(Event::Progress(Progress {
            files: report.packs_read,
            files_total: work.packs.len() as u64,
            bytes: report.bytes_read,
            bytes_total,
            transferred: report.bytes_read,
            errors: (report.findings.len() + suspects.len()) as u64,
        }));
    };
    std::thread::scope(|scope| {
        (0..READERS.min(work.packs.len())).for_each(|_| drop(scope.spawn(|| work.run(&take))));
    });
    let (report, health, suspects, done) =
        outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    done?;
    try_suspects(repo, survey, suspects, stop, report, health)
}

/// Tries each chunk of damaged packs by itself, so that no more counts as lost than is.
fn try_suspects(
    repo: &Repository,
    survey: &Survey,
    suspects: HashMap<Id, String>,
    stop: &Stop,
    report: &mut CheckReport,
    health: &mut Health,
) -> Result<()> {
    if suspects.is_empty() {
        return Ok(());
    }
    let names: Vec<Id> = suspects.keys().copied().collect();
    for some in names.chunks(SUSPECTS) {
        let mut rows = rows_of(&survey.index, &some.iter().copied().collect())?;
        for name in some {
            stop.check()?;
            let why = suspects.get(name).cloned().unwrap_or_default();
            let said = rows.remove(name).unwrap_or_default();
            let key = pack_key(name);
            match repo.ask(&key, MAX_OBJECT) {
                Ok(bytes) => {
                    let tried = frames(repo, &bytes, &said)?;
                    let bad: Vec<PackRow> = tried.bad.iter().map(|(_, row)| *row).collect();
                    let of = bad.len() + tried.good.len();
                    let why = format!("{why}; {} of its {of} chunks do not open", bad.len());
                    report.add(What::Pack, pack_key(name), why);
                    health.set_bad_frames(*name, &bad);
                }
                Err(e) if e.is_damage() => {
                    report.add(What::Pack, pack_key(name), e.message());
                    health.set_bad(*name);
                }
                Err(e) if e.is_of_one_object() => report.add_failure(What::Pack, key, &e),
                Err(e) => return Err(e),
            }
        }
    }
    Ok(())
}

impl Work<'_> {
    fn run(&self, take: &(dyn Fn(&Id, u64, Result<Verdict>) + Sync)) {
        while let Some((name, size)) = self.packs.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if !self.gate.enter(*size, &|| self.stop.requested()) {
                take(name, *size, self.stop.check().map(|()| Verdict::Whole));
                return;
            }
            let said = self.said.of(name);
            let verdict = self
                .stop
                .check()
                .and_then(|()| examine(self.repo, name, said));
            self.gate.leave(*size);
            take(name, *size, verdict);
        }
    }
}

/// Reads a pack and holds it against what the index says of it.
fn examine(repo: &Repository, name: &Id, said: &[[u8; 16]]) -> Result<Verdict> {
    let key = pack_key(name);
    let examined = repo.ask(&key, MAX_OBJECT).and_then(|bytes| {
        if Id::sha256(&bytes) != *name {
            return Err(Error::damaged("its bytes do not have the hash of its name"));
        }
        let object = opened(Object::open(&bytes, &repo.keyring))?;
        Ok(compare(&object, name, bytes.len() as u64, said))
    });
    match examined {
        // Deleted since it was listed: if that matters, the try says so.
        Err(e) if e.is_damage() => Ok(Verdict::Damaged(e.message())),
        Err(e) if e.is_of_one_object() => Ok(Verdict::Unreadable(e)),
        Err(e) => Err(e.context(format!("reading {key}"))),
        whole => whole,
    }
}

fn compare(object: &Object<'_>, name: &Id, size: u64, said: &[[u8; 16]]) -> Verdict {
    let bad: Vec<PackRow> = object
        .rows
        .par_iter()
        .filter(|row| object.chunk(row).is_err())
        .copied()
        .collect();
    let whole = IndexPack::of(*name, size, object);
    let digest = Pack::new(&object.trailer.writer, &whole).digest;
    if !bad.is_empty() {
        let why = format!(
            "{} of its {} chunks do not open",
            bad.len(),
            object.rows.len()
        );
        return Verdict::Rows(why, bad);
    }
    match said.iter().all(|d| *d == digest) {
        true => Verdict::Whole,
        false => Verdict::Rows("the index describes it wrongly".into(), Vec::new()),
    }
}
