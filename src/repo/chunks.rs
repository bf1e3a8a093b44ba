//! Where readers get chunks from: one trait, so that restore can be run and tested without a repository.

use crate::error::{Error, Result};
use crate::format::tree::NodeSource;
use crate::id::Id;

/// Gives the raw bytes of chunks. Whatever an implementation hands out is verified: the bytes hash to the id that was
/// asked for, so callers never see a damaged chunk.
pub trait Chunks: Send + Sync {
    /// One chunk. An error of one object ([`Error::is_of_one_object`]) when no location of the chunk gives it whole:
    /// damage, or why it cannot be read now. Others end everything.
    fn get(&self, id: &Id) -> Result<Vec<u8>>;

    /// Many chunks, in whatever order is cheapest to fetch, `each` being called once per distinct id and possibly from
    /// many threads at once. Returns the ids that could not be had, each with its reason.
    ///
    /// An error from `each`, or one that is not of one object, ends the fetch early: the id it was called with, and all
    /// that were not delivered yet, are returned with it. It is never of one object then.
    ///
    /// Memory is bounded by the implementation; `ids` may hold tens of thousands, in any order, with repetitions.
    fn get_many(
        &self,
        ids: &[Id],
        each: &(dyn Fn(&Id, &[u8]) -> Result<()> + Sync),
    ) -> Vec<(Id, Error)>;
}

/// Lists and nodes of trees are chunks like any other.
impl NodeSource for dyn Chunks + '_ {
    fn node(&self, id: &Id) -> Result<Vec<u8>> {
        self.get(id)
    }
}

/// Chunks in memory, for tests: a plain hash serves as id.
#[cfg(test)]
#[derive(Default)]
pub struct MemoryChunks {
    chunks: std::sync::Mutex<std::collections::HashMap<Id, Vec<u8>>>,
    fetched: std::sync::atomic::AtomicU64,
}

#[cfg(test)]
impl MemoryChunks {
    /// The id that this store gives to raw bytes.
    pub fn id_of(raw: &[u8]) -> Id {
        Id(*blake3::hash(raw).as_bytes())
    }

    /// Adds a chunk.
    pub fn put(&self, raw: &[u8]) -> Id {
        let id = Self::id_of(raw);
        self.chunks.lock().unwrap().insert(id, raw.to_vec());
        id
    }

    /// Forgets a chunk: asking for it fails from now on.
    pub fn lose(&self, id: &Id) {
        self.chunks.lock().unwrap().remove(id);
    }

    /// How many chunks were handed out.
    pub fn fetched(&self) -> u64 {
        self.fetched.load(std::sync::atomic::Ordering::Relaxed)
    }
}

#[cfg(test)]
impl Chunks for MemoryChunks {
    fn get(&self, id: &Id) -> Result<Vec<u8>> {
        let raw = self.chunks.lock().unwrap().get(id).cloned();
        self.fetched
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        raw.ok_or_else(|| {
            Error::new(
                crate::error::Kind::ObjectMissing,
                format!("chunk {} is in no pack", id.short()),
            )
        })
    }

    /// Delivers in reverse order and from several threads, to catch callers that rely on either.
    fn get_many(
        &self,
        ids: &[Id],
        each: &(dyn Fn(&Id, &[u8]) -> Result<()> + Sync),
    ) -> Vec<(Id, Error)> {
        use rayon::prelude::*;
        let mut wanted = ids.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        wanted
            .into_par_iter()
            .rev()
            .filter_map(|id| {
                let done = self.get(&id).and_then(|raw| each(&id, &raw));
                done.err().map(|e| (id, e))
            })
            .collect()
    }
}
