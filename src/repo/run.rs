//! A writing run: chunks go in, packs and index objects come out, on a view that is kept fresh.
//!
//! `chunk` may be called from many threads. Packs are sealed, checked and uploaded by a few threads of their own;
//! producers wait in front of the [`Gate`]s, so memory is bounded whatever is backed up. Nothing here blocks a rayon
//! worker: sealing needs them.

mod counters;
mod open_packs;
mod renewal;

use crate::codec::spare;
use counters::Counters;
pub use counters::Written;
pub(crate) use open_packs::Open;

use super::Repository;
use super::gate::Gate;
use super::protocol::{Grace, View, Viewer};
use super::threads::caught;
use crate::codec::compress;
use crate::crypto::{DomainKeys, Session};
use crate::error::{Error, Kind, Result};
use crate::format::container::ObjectKind;
use crate::format::index::{self as index_format, IndexPack};
use crate::format::pack::{PackBuilder, Sealed};
use crate::id::{Id, Id16};
use crate::index::Index;
use crate::report::{Observer, Stop};
use crate::storage::Stored;
use crate::units::MIB;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Producers wait while more than this is sealed or on its way, in bytes: with packs of 32 MiB they go on beside two
/// uploads, so that a slow answer to one of them holds up nothing.
const UPLOAD_BYTES: u64 = 64 * MIB;
/// An index object is written at least this often, so that an interrupted run's uploads are found again.
const CHECKPOINT: Duration = Duration::from_secs(240);

/// What became of the put of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publication {
    /// Nothing was put: something that the run relied on went away.
    None,
    /// It is there, and all that it needs.
    InTime,
    /// It is there, and came later than a sweep may have looked: [`Run::look_again`] says whether it is whole.
    Late,
}

struct Unindexed {
    packs: Vec<IndexPack>,
    since: Instant,
}

/// A writing run of one repository. Shared by the threads that feed it.
pub struct Run {
    repo: Arc<Repository>,
    /// Names the run; its X-Wing encapsulation serves all objects of the run.
    session: Session,
    keys: Arc<DomainKeys>,
    writer: Id16,
    index: Arc<Index>,
    grace: Grace,
    viewer: Mutex<Viewer>,
    view: RwLock<View>,
    lost: AtomicBool,
    /// Counts the renewals that could not continue the view before.
    breaks: AtomicU64,
    open: Mutex<Open>,
    unindexed: Mutex<Unindexed>,
    uploads: Mutex<Option<crossbeam_channel::Sender<PackBuilder>>>,
    upload_gate: Gate,
    failure: Mutex<Option<Error>>,
    failed: AtomicBool,
    counters: Counters,
    observer: Arc<dyn Observer>,
    stop: Stop,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Run {
    /// Starts a run: takes a view, brings the local index in line, starts the uploaders.
    ///
    /// # Errors
    /// Whatever listing and reading tombstones and index objects may fail with.
    pub fn start(
        repo: Arc<Repository>,
        observer: Arc<dyn Observer>,
        stop: Stop,
    ) -> Result<Arc<Run>> {
        let domain = repo.own_domain()?;
        Self::start_in(repo, domain, observer, stop)
    }

    /// The same in any domain: whose chunks it reuses and stores, and in which epoch.
    pub fn start_in(
        repo: Arc<Repository>,
        keys: Arc<DomainKeys>,
        observer: Arc<dyn Observer>,
        stop: Stop,
    ) -> Result<Arc<Run>> {
        let mut viewer = Viewer::new(repo.storage.clone());
        let (view, index) = repo.view_and_index(&mut viewer, &*observer)?;
        let session = repo.keyring.session_at(keys.epoch)?;
        let (sender, receiver) = crossbeam_channel::unbounded();
        let run = Arc::new(Run {
            grace: Grace(repo.config.grace),
            writer: keys.writer,
            repo,
            session,
            keys,
            index: Arc::new(index),
            viewer: Mutex::new(viewer),
            view: RwLock::new(view),
            lost: AtomicBool::new(false),
            breaks: AtomicU64::new(0),
            open: Mutex::default(),
            unindexed: Mutex::new(Unindexed {
                packs: Vec::new(),
                since: Instant::now(),
            }),
            uploads: Mutex::new(Some(sender)),
            upload_gate: Gate::new(UPLOAD_BYTES),
            failure: Mutex::new(None),
            failed: AtomicBool::new(false),
            counters: Counters::default(),
            observer,
            stop,
        });
        Ok(run).inspect(|run| {
            for _ in 0..run.repo.threads.uploaders {
                run.spawn_uploader(receiver.clone());
            }
        })
    }

    fn spawn_uploader(
        self: &Arc<Self>,
        work: crossbeam_channel::Receiver<PackBuilder>,
    ) -> JoinHandle<()> {
        let run = self.clone();
        std::thread::spawn(move || {
            for builder in work {
                let bytes = builder.len_estimate();
                // After a failure the queue is only drained.
                if !run.failed()
                    && let Err(e) = caught("uploading a pack", || run.upload(builder))
                {
                    run.fail(e);
                }
                run.upload_gate.leave(bytes);
            }
        })
    }

    /// Does work go to the pool?
    pub(crate) fn pooled(&self) -> bool {
        self.repo.threads.pool
    }

    /// The keys of the domain that this run writes for.
    pub fn keys(&self) -> &Arc<DomainKeys> {
        &self.keys
    }

    /// The run's id, drawn with its session.
    pub fn id(&self) -> Id16 {
        self.session.run
    }

    /// The epoch whose keys this run writes with.
    pub fn epoch(&self) -> u32 {
        self.session.epoch
    }

    /// The chunk lookup, own packs included.
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// The request that ends the run early.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Records the first failure; everything else winds down.
    pub fn fail(&self, error: Error) {
        lock(&self.failure).get_or_insert(error);
        self.failed.store(true, Ordering::SeqCst);
    }

    /// Has something failed, or was a stop asked for?
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.stop.requested()
    }

    /// The failure, if any; the stop counts as one. Every caller gets it.
    pub fn check(&self) -> Result<()> {
        if let Some(e) = &*lock(&self.failure) {
            return Err(e.again());
        }
        self.stop.check()
    }

    /// Waits until there is room for more chunks; producers call this before they make one.
    pub fn wait_for_room(&self) -> Result<()> {
        self.upload_gate.wait_below(UPLOAD_BYTES, &|| self.failed());
        self.check()
    }

    /// Does a chunk count as present: visible in the view, or uploaded by this run?
    pub fn has(&self, id: &Id) -> Result<bool> {
        self.index.contains(&self.writer, id)
    }

    /// Stores a chunk unless it is present. `id` must be its id in this run's domain. Does not block on the network.
    ///
    /// `true` if it was new.
    pub fn chunk(&self, kind: ObjectKind, id: &Id, raw: &[u8]) -> Result<bool> {
        if !self.index.claim(&self.writer, id)? {
            self.counters.reused_chunks.fetch_add(1, Ordering::Relaxed);
            return Ok(false);
        }
        let payload = compress::pack_chunk(raw, self.repo.compression_level())?;
        self.add(kind, id, raw.len(), &payload)?;
        compress::recycle(payload);
        self.counters.chunks.fetch_add(1, Ordering::Relaxed);
        self.counters
            .raw_bytes
            .fetch_add(raw.len() as u64, Ordering::Relaxed);
        if kind == ObjectKind::Data {
            self.counters
                .raw_data_bytes
                .fetch_add(raw.len() as u64, Ordering::Relaxed);
        }
        Ok(true)
    }

    fn add(&self, kind: ObjectKind, id: &Id, raw_len: usize, payload: &[u8]) -> Result<()> {
        let target = self.repo.pack_target(kind);
        let begin = || self.repo.begin_pack(kind, &self.session, &self.keys);
        let full = lock(&self.open).add(kind, id, raw_len, payload, target, &begin)?;
        full.map_or(Ok(()), |full| self.send(full))
    }

    fn send(&self, builder: PackBuilder) -> Result<()> {
        if self.repo.threads.uploaders == 0 {
            return self.upload(builder);
        }
        self.upload_gate.force(builder.len_estimate());
        match &*lock(&self.uploads) {
            Some(sender) => sender
                .send(builder)
                .map_err(|_| Error::failed("the uploaders have stopped")),
            None => Err(Error::failed("the run is over")),
        }
    }

    /// Seals a pack, reads it back from its sealed form, uploads it, and makes its chunks visible.
    fn upload(&self, builder: PackBuilder) -> Result<()> {
        let kind = builder.kind();
        let (bytes, pack) = self.repo.seal_pack(builder)?;
        let breaks = self.breaks.load(Ordering::SeqCst);
        self.put(&super::pack_key(&pack.pack), &bytes, &pack.pack)?;
        spare::give(bytes);
        let due = {
            // Held throughout: a break comes before all of this, or after it.
            let mut unindexed = lock(&self.unindexed);
            if self.breaks.load(Ordering::SeqCst) != breaks {
                // Put on a view that was not continued: the pack counts as lost, its chunks are free to come again.
                pack.rows
                    .iter()
                    .for_each(|row| self.index.unclaim(&self.writer, &row.id));
                self.lost.store(true, Ordering::SeqCst);
                return Ok(());
            }
            self.index.add(&self.writer, &pack)?;
            unindexed.packs.push(pack);
            unindexed.since.elapsed() >= CHECKPOINT
        };
        let counter = match kind {
            ObjectKind::Metadata => &self.counters.metadata_packs,
            _ => &self.counters.data_packs,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if due { self.write_index() } else { Ok(()) }
    }

    /// Writes index objects for the packs that no index object names yet.
    fn write_index(&self) -> Result<()> {
        let (packs, breaks) = {
            let mut unindexed = lock(&self.unindexed);
            unindexed.since = Instant::now();
            (
                std::mem::take(&mut unindexed.packs),
                self.breaks.load(Ordering::SeqCst),
            )
        };
        let dead = self.view().dead_packs;
        let packs: Vec<IndexPack> = packs
            .into_iter()
            .filter(|p| !dead.contains(&p.pack))
            .collect();
        if packs.is_empty() {
            return Ok(());
        }
        for made in index_format::seal(&packs, &self.session, self.repo.config.cipher, &self.keys)?
        {
            let name = made.sealed.name;
            // After a break the packs count as lost, and an index object that names them would be a lie.
            let still = || self.breaks.load(Ordering::SeqCst) == breaks;
            if self
                .put_while(&format!("index/{name}"), &made.sealed.bytes, &name, &still)?
                .is_none()
            {
                return Ok(());
            }
            self.counters.index_objects.fetch_add(1, Ordering::Relaxed);
            self.index.indexed(&name, &made.packs);
        }
        Ok(())
    }

    /// Puts an object, on a view that is young enough at the very moment that is signed.
    pub fn put(&self, key: &str, bytes: &[u8], name: &Id) -> Result<Stored> {
        let stored = self.put_while(key, bytes, name, &|| true)?;
        stored.ok_or_else(|| Error::failed("a put was given up"))
    }

    /// The same, unless a renewal on the way made `still` false: then `None`, and nothing was put.
    fn put_while(
        &self,
        key: &str,
        bytes: &[u8],
        name: &Id,
        still: &dyn Fn() -> bool,
    ) -> Result<Option<Stored>> {
        for renewed in 0..renewal::MOST_FOR_ONE_PUT {
            self.rest_before(renewed)?;
            let deadline = self.fresh_deadline()?;
            if !still() {
                return Ok(None);
            }
            let stored = match self.repo.put_new(key, bytes, name, deadline) {
                Err(e) if e.kind() == Kind::TooLate => continue,
                other => other?,
            };
            self.counters
                .stored_bytes
                .fetch_add(bytes.len() as u64, Ordering::Relaxed);
            return Ok(Some(stored));
        }
        Err(self.always_too_late())
    }

    /// Puts the snapshot, unless a renewal took something away.
    pub fn put_snapshot(&self, snapshot: &Sealed) -> Result<Publication> {
        let (name, still) = (snapshot.name, || !self.is_lossy());
        let key = format!("snapshots/{name}");
        let stored = self.put_while(&key, &snapshot.bytes, &name, &still)?;
        Ok(match stored {
            None => Publication::None,
            Some(stored) if self.grace.slept_through(&self.view(), stored.date) => {
                Publication::Late
            }
            Some(_) => Publication::InTime,
        })
    }

    /// Seals a snapshot of this run.
    pub fn seal_snapshot(&self, manifest: &crate::format::snapshot::Manifest) -> Result<Sealed> {
        crate::format::snapshot::seal(manifest, &self.session, self.repo.config.cipher, &self.keys)
    }

    /// Takes a newer view whatever the age of the present one. Is all there that this run relied on?
    pub fn look_again(&self) -> Result<bool> {
        let mut viewer = lock(&self.viewer);
        self.take_newer(&mut viewer)?;
        Ok(!self.is_lossy())
    }

    /// Has a renewal taken something away that nobody has asked for yet?
    pub fn is_lossy(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }

    /// Did a renewal take something away since the last call?
    pub fn take_loss(&self) -> bool {
        self.lost.swap(false, Ordering::SeqCst)
    }

    /// Sends what is in open packs, waits for all uploads, and writes the index objects.
    pub fn flush(&self) -> Result<()> {
        let target = self.repo.pack_target(ObjectKind::Data);
        let open = lock(&self.open).finish(target)?;
        for builder in open {
            self.send(builder)?;
        }
        self.upload_gate.wait_below(0, &|| false);
        self.check()?;
        self.write_index()
    }

    /// After an interrupt: names what was uploaded in index objects, so that the next run finds it.
    pub fn salvage(&self) -> Result<()> {
        *lock(&self.open) = Open::default();
        self.upload_gate.wait_below(0, &|| false);
        self.write_index()
    }

    /// The view in force.
    pub fn view(&self) -> View {
        self.view
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The rules on age in force.
    pub fn grace(&self) -> Grace {
        self.grace
    }

    /// What was written so far.
    pub fn written(&self) -> Written {
        self.counters.read()
    }

    /// Ends the uploaders.
    pub fn close(&self) {
        lock(&self.uploads).take();
    }
}
