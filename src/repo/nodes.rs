//! Tree nodes and other metadata chunks: from the local cache, else from the repository.

use super::Repository;
use super::chunks::Chunks;
use super::reader::Reader;
use crate::crypto::DomainKeys;
use crate::error::{Error, Result};
use crate::format::tree::NodeSource;
use crate::id::Id;
use std::sync::Arc;

/// Reads metadata chunks of one domain; what it fetches, it keeps locally.
pub struct NodeStore {
    repo: Arc<Repository>,
    keys: Arc<DomainKeys>,
    /// Absent for a writer key, which reads nothing that it did not keep.
    reader: Option<Arc<Reader>>,
}

impl NodeStore {
    /// Nodes of the domain of `keys`.
    pub fn new(repo: Arc<Repository>, keys: Arc<DomainKeys>, reader: Option<Arc<Reader>>) -> Self {
        NodeStore { repo, keys, reader }
    }

    /// Keeps a node in the local cache.
    pub fn keep(&self, id: &Id, raw: &[u8]) {
        if let Some(cache) = self.repo.cache() {
            cache.put_node(id, raw);
        }
    }
}

impl NodeSource for NodeStore {
    fn node(&self, id: &Id) -> Result<Vec<u8>> {
        if let Some(cache) = self.repo.cache()
            && let Some(raw) = cache.node(id)
        {
            if self.keys.chunk_id(&raw) == *id {
                return Ok(raw);
            }
            cache.forget_node(id);
        }
        let Some(reader) = &self.reader else {
            return Err(Error::damaged(format!(
                "tree node {} is not in the local cache",
                id.short()
            )));
        };
        let raw = reader.get(id)?;
        self.keep(id, &raw);
        Ok(raw)
    }
}
