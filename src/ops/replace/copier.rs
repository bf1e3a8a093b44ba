//! Copying chunks into new packs, for who looked once and does not renew it.

use crate::codec::compress;
use crate::crypto::{DomainKeys, Session};
use crate::error::{Error, Result};
use crate::format::container::ObjectKind;
use crate::format::index::{self as index_format, IndexPack};
use crate::format::pack::PackBuilder;
use crate::id::{Id, Id16};
use crate::repo::chunks::Chunks;
use crate::repo::reader::Reader;
use crate::repo::run::Open;
use crate::repo::{Repository, pack_key};
use crate::report::{Event, Observer, Progress, Stop};
use crate::units::Time;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Chunks asked for at a time.
const BATCH: usize = 8192;

/// Writes packs and index objects of one domain in one key epoch. Everything is put before the deadline of the look
/// that it rests on, or fails with `TooLate`.
pub struct Copier {
    repo: Arc<Repository>,
    session: Session,
    keys: Arc<DomainKeys>,
    not_after: Option<Time>,
    open: Mutex<Open>,
    made: Mutex<Vec<IndexPack>>,
    stored: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Copier {
    /// Copies are sealed in the epoch of the chunks' ids.
    pub fn new(
        repo: Arc<Repository>,
        domain: Id16,
        epoch: u32,
        not_after: Option<Time>,
    ) -> Result<Copier> {
        Ok(Copier {
            session: repo.keyring.session_at(epoch)?,
            keys: repo.keyring.domain(domain, epoch)?,
            repo,
            not_after,
            open: Mutex::default(),
            made: Mutex::default(),
            stored: AtomicU64::new(0),
        })
    }

    /// Copies chunks that `reader` can read. Gives those that no place gives whole.
    pub fn copy(
        &self,
        reader: &Reader,
        kind: ObjectKind,
        ids: &[Id],
        observer: &dyn Observer,
        stop: &Stop,
    ) -> Result<Vec<(Id, Error)>> {
        let mut failed = Vec::new();
        for batch in ids.chunks(BATCH) {
            stop.check()?;
            for (id, error) in reader.get_many(batch, &|id, raw| {
                stop.check()?;
                self.add(kind, id, raw)
            }) {
                match error.is_of_one_object() {
                    true => failed.push((id, error)),
                    false => return Err(error),
                }
            }
            observer.event(Event::Progress(Progress {
                transferred: self.stored.load(Ordering::Relaxed),
                ..Progress::default()
            }));
        }
        Ok(failed)
    }

    /// Takes a chunk, whose id the caller has checked.
    pub fn add(&self, kind: ObjectKind, id: &Id, raw: &[u8]) -> Result<()> {
        let payload = compress::pack_chunk(raw, self.repo.compression_level())?;
        let target = self.repo.pack_target(kind);
        let begin = || self.repo.begin_pack(kind, &self.session, &self.keys);
        let full = lock(&self.open).add(kind, id, raw.len(), &payload, target, &begin)?;
        compress::recycle(payload);
        full.map_or(Ok(()), |full| self.put(full))
    }

    fn put(&self, builder: PackBuilder) -> Result<()> {
        let (bytes, pack) = self.repo.seal_pack(builder)?;
        let key = pack_key(&pack.pack);
        self.repo
            .put_new(&key, &bytes, &pack.pack, self.not_after)?;
        self.stored.fetch_add(pack.size, Ordering::Relaxed);
        lock(&self.made).push(pack);
        Ok(())
    }

    /// Puts what is left in open packs; gives the packs made since the last call.
    pub fn finish(&self) -> Result<Vec<IndexPack>> {
        let target = self.repo.pack_target(ObjectKind::Data);
        let open = lock(&self.open).finish(target)?;
        open.into_iter().try_for_each(|pack| self.put(pack))?;
        Ok(std::mem::take(&mut *lock(&self.made)))
    }

    /// Puts index objects that name `packs`; gives how many.
    pub fn put_index(&self, packs: &[IndexPack]) -> Result<u64> {
        let mut count = 0;
        let cipher = self.repo.config.cipher;
        for made in index_format::seal(packs, &self.session, cipher, &self.keys)? {
            let name = made.sealed.name;
            let key = format!("index/{name}");
            self.repo
                .put_new(&key, &made.sealed.bytes, &name, self.not_after)?;
            self.stored
                .fetch_add(made.sealed.bytes.len() as u64, Ordering::Relaxed);
            count += 1;
        }
        Ok(count)
    }

    /// Bytes of all objects put.
    pub fn stored(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }
}
