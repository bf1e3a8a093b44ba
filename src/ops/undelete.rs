//! Bringing a deleted backup back: a backup without a source.
//!
//! The run's view says which of the snapshot's chunks still count as present. Those that are only in packs that
//! maintenance is about to delete are read from there and stored anew; then the manifest is sealed again, under a new
//! name, since names are never used twice.

mod deleted;
#[cfg(test)]
mod tests;

pub use deleted::{Deleted, deleted, find};

use crate::error::{Context, Error, Kind, Result};
use crate::format::container::ObjectKind;
use crate::format::entry::TreePath;
use crate::format::record::Change;
use crate::format::snapshot::Manifest;
use crate::id::Id;
use crate::index::Index;
use crate::ops::reach::{Need, Reached, reach};
use crate::repo::Repository;
use crate::repo::chunks::Chunks;
use crate::repo::nodes::NodeStore;
use crate::repo::reader::Reader;
use crate::repo::records::{Deletion, Deletions};
use crate::repo::run::{Publication, Run, Written};
use crate::repo::snapshots::SnapshotFilter;
use crate::report::{Event, Observer, Stop};
use crate::storage::{Storage, Usage};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often a pass may be repeated because something that it relied on went away.
const MAX_PASSES: usize = 5;
/// Chunks that are asked for at once.
const BATCH: usize = 256;

/// What was brought back.
#[derive(Clone, Debug, Serialize)]
pub struct UndeleteReport {
    /// The name that the backup had.
    pub deleted: String,
    /// The name that it has now.
    pub snapshot: String,
    /// It was pinned when it was deleted, and is again.
    pub pinned: bool,
    /// Chunks that were stored anew, because maintenance is about to delete their packs.
    pub copied_chunks: u64,
    /// What went to the storage.
    pub written: Written,
    /// Requests and bytes, each way.
    pub usage: Usage,
}

/// Brings the snapshot of `deletion` back.
///
/// # Errors
/// `Failed` if it is there (again) already, or if data that it needs is gone; `RoleNeeded`; what the storage fails
/// with.
pub fn undelete(
    repo: Arc<Repository>,
    deletion: &Deletion,
    observer: Arc<dyn Observer>,
    stop: &Stop,
) -> Result<UndeleteReport> {
    repo.require_full("bringing backups back")?;
    let usage = repo.storage().usage();
    let manifest = repo.deleted_manifest(deletion)?;
    refuse_present(&repo, deletion, &manifest, &*observer)?;
    let keys = repo
        .keyring
        .domain(manifest.writer, manifest.domain_epoch)?;
    observer.event(Event::Phase("reading the index"));
    let run = Run::start_in(repo.clone(), keys, observer.clone(), stop.clone())?;
    let work = Undelete {
        repo: repo.clone(),
        run: run.clone(),
        manifest: Manifest {
            run: run.id(),
            ..manifest
        },
        observer,
        copied: AtomicU64::new(0),
    };
    let outcome = work.make();
    if outcome.is_err()
        && let Err(e) = run.salvage()
    {
        work.observer.event(Event::Debug(&format!(
            "what was uploaded could not be indexed: {e}"
        )));
    }
    run.close();
    let name = outcome.context(|| format!("bringing back backup {}", deletion.snapshot.short()))?;
    let pinned = pin_again(&repo, deletion, &name, &*work.observer).map_err(|e| {
        e.context(format!(
            "backup {} is back as {name}, and was pinned: pinning it again",
            deletion.snapshot.short()
        ))
        .hint_instead(format!("pin it with `corso backup pin {}`", name.short()))
    })?;
    Ok(UndeleteReport {
        deleted: deletion.snapshot.hex(),
        snapshot: name.hex(),
        pinned,
        copied_chunks: work.copied.load(Ordering::Relaxed),
        written: run.written(),
        usage: repo.storage().usage().since(&usage),
    })
}

/// A pin names a backup by its id, which is another one now. Was it pinned?
fn pin_again(
    repo: &Repository,
    deletion: &Deletion,
    name: &Id,
    observer: &dyn Observer,
) -> Result<bool> {
    let pins = repo.records(Deletions::None, observer)?.pins;
    let pinned = pins.contains(&deletion.snapshot);
    if pinned {
        repo.put_records(vec![Change::Pin(*name)], observer)?;
    }
    Ok(pinned)
}

/// A snapshot that was not deleted after all, or was brought back already.
fn refuse_present(
    repo: &Repository,
    deletion: &Deletion,
    manifest: &Manifest,
    observer: &dyn Observer,
) -> Result<()> {
    let filter = SnapshotFilter {
        host: Some(manifest.host.clone()),
        ..SnapshotFilter::default()
    };
    let (there, _) = repo.snapshots(&filter, observer)?;
    match there.iter().find(|s| deleted::same(&s.manifest, manifest)) {
        None => Ok(()),
        Some(s) if s.id == deletion.snapshot => Err(Error::failed(format!(
            "backup {} is not deleted",
            s.id.short()
        ))),
        Some(s) => Err(Error::failed(format!(
            "backup {} was brought back already: it is backup {}",
            deletion.snapshot.short(),
            s.id.short()
        ))),
    }
}

struct Undelete {
    repo: Arc<Repository>,
    run: Arc<Run>,
    manifest: Manifest,
    observer: Arc<dyn Observer>,
    copied: AtomicU64,
}

impl Undelete {
    fn make(&self) -> Result<Id> {
        let mut published = None;
        match self.passes(&mut published) {
            Err(e) => Err(self.withdraw(published, e)),
            name => name,
        }
    }

    /// Passes until the snapshot is published and whole. `published` is one whose put came too late, as long as it may
    /// lack data.
    fn passes(&self, published: &mut Option<Id>) -> Result<Id> {
        let mut doubt = false;
        for _ in 0..MAX_PASSES {
            // What was lost before this pass, this pass sees.
            self.run.take_loss();
            match self.pass() {
                // Moved while it was read, or gone for good: a new look at the index tells.
                Err(e) if e.is_damage() && !doubt => {
                    doubt = true;
                    continue;
                }
                Err(e) if e.is_damage() => return Err(too_late(&e)),
                passed => passed?,
            }
            self.run.flush()?;
            if let Some(name) = self.publish(published)? {
                return Ok(name);
            }
        }
        Err(Error::new(
            Kind::Changed,
            "maintenance took away what the backup needs, at every try",
        )
        .hint("try again while no maintenance runs"))
    }

    /// Makes every chunk of the snapshot present.
    fn pass(&self) -> Result<()> {
        let m = &self.manifest;
        let index = Arc::new(self.repo.readable_index(&*self.observer)?);
        let reader =
            Reader::with_index(self.repo.clone(), m.writer, m.domain_epoch, index.clone())?;
        let reader = Arc::new(reader);
        let nodes = NodeStore::new(
            self.repo.clone(),
            reader.keys().clone(),
            Some(reader.clone()),
        );
        self.observer
            .event(Event::Phase("looking for the backup's data"));
        let mut copy = Copy {
            work: self,
            index: &index,
            reader: &reader,
            missing: Vec::new(),
        };
        reach(&nodes, m, &mut copy)?;
        copy.store_missing()
    }

    /// Puts the snapshot. `None`: something that it relies on went away, and another pass is needed.
    fn publish(&self, published: &mut Option<Id>) -> Result<Option<Id>> {
        if self.run.take_loss() {
            return Ok(None);
        }
        // It was put so late that it was looked at again, and now all of it is there; unless that came late too.
        if published.is_some() {
            let whole = self.run.look_again()?;
            return Ok((*published).filter(|_| whole));
        }
        let sealed = self.run.seal_snapshot(&self.manifest)?;
        let name = sealed.name;
        let put = self.run.put_snapshot(&sealed)?;
        if put == Publication::None {
            return Ok(None);
        }
        *published = Some(name);
        if put == Publication::Late && !self.run.look_again()? {
            return Ok(None);
        }
        if let Some(cache) = self.repo.cache() {
            cache.put_node(&name, &sealed.bytes);
        }
        Ok(Some(name))
    }

    /// Takes a snapshot back that turned out not to be whole.
    fn withdraw(&self, published: Option<Id>, error: Error) -> Error {
        let Some(name) = published else { return error };
        match self.repo.storage.delete(&format!("snapshots/{name}")) {
            Ok(()) => error,
            Err(e) => error.context(format!(
                "backup {name} was written too late, may lack data, and could not be removed ({e})"
            )),
        }
    }
}

fn too_late(error: &Error) -> Error {
    Error::failed(format!(
        "it is too late: data that the backup needs is gone or damaged ({})",
        error.message()
    ))
}

/// Finds chunks that are not present and stores them anew.
struct Copy<'a> {
    work: &'a Undelete,
    index: &'a Index,
    reader: &'a Reader,
    missing: Vec<Id>,
}

impl Reached for Copy<'_> {
    fn chunk(&mut self, _: Need, id: &Id, _: &TreePath) -> Result<bool> {
        self.work.run.check()?;
        if !self.work.run.has(id)? && self.missing.last() != Some(id) {
            self.missing.push(*id);
        }
        if self.missing.len() >= BATCH {
            self.store_missing()?;
        }
        Ok(true)
    }
}

impl Copy<'_> {
    fn store_missing(&mut self) -> Result<()> {
        let missing = std::mem::take(&mut self.missing);
        let failed = self
            .reader
            .get_many(&missing, &|id, raw| self.store(id, raw));
        let worst = failed.into_iter().map(|(_, e)| e);
        // What is gone for good matters less than a storage that does not answer.
        worst.min_by_key(Error::is_damage).map_or(Ok(()), Err)
    }

    fn store(&self, id: &Id, raw: &[u8]) -> Result<()> {
        let run = &self.work.run;
        let found = self.index.lookup(&self.work.manifest.writer, id)?;
        let kind = match found.first() {
            Some(l) if l.kind == ObjectKind::Metadata as u8 => ObjectKind::Metadata,
            _ => ObjectKind::Data,
        };
        run.wait_for_room()?;
        if run.chunk(kind, id, raw)? {
            self.work.copied.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
