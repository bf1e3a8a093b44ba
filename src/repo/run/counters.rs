//! What a run counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a run wrote.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Written {
    /// Data packs.
    pub data_packs: u64,
    /// Metadata packs.
    pub metadata_packs: u64,
    /// Index objects.
    pub index_objects: u64,
    /// Chunks that were new.
    pub chunks: u64,
    /// Their raw bytes.
    pub raw_bytes: u64,
    /// Raw bytes of new data chunks alone.
    pub raw_data_bytes: u64,
    /// Bytes of all objects put.
    pub stored_bytes: u64,
    /// Chunks that the repository held already.
    pub reused_chunks: u64,
}

/// The same while it is counted.
#[derive(Default)]
pub struct Counters {
    pub data_packs: AtomicU64,
    pub metadata_packs: AtomicU64,
    pub index_objects: AtomicU64,
    pub chunks: AtomicU64,
    pub raw_bytes: AtomicU64,
    pub raw_data_bytes: AtomicU64,
    pub stored_bytes: AtomicU64,
    pub reused_chunks: AtomicU64,
}

impl Counters {
    /// The counts so far.
    pub fn read(&self) -> Written {
        let get = |a: &AtomicU64| a.load(Ordering::Relaxed);
        let c = self;
        Written {
            data_packs: get(&c.data_packs),
            metadata_packs: get(&c.metadata_packs),
            index_objects: get(&c.index_objects),
            chunks: get(&c.chunks),
            raw_bytes: get(&c.raw_bytes),
            raw_data_bytes: get(&c.raw_data_bytes),
            stored_bytes: get(&c.stored_bytes),
            reused_chunks: get(&c.reused_chunks),
        }
    }
}
