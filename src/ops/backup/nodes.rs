//! Metadata chunks of a backup: whether the parent's are still there, and where new ones go.

use crate::error::Result;
use crate::format::container::ObjectKind;
use crate::format::entry::{Blob, Content};
use crate::format::tree::{NodeSource, Pieces};
use crate::id::Id;
use crate::repo::Repository;
use crate::repo::nodes::NodeStore;
use crate::repo::reader::Reader;
use crate::repo::run::Run;
use std::sync::Arc;

/// Metadata chunks of a run.
pub struct Nodes {
    run: Arc<Run>,
    store: NodeStore,
}

impl NodeSource for Nodes {
    fn node(&self, id: &Id) -> Result<Vec<u8>> {
        self.store.node(id)
    }
}

impl Nodes {
    /// For the run `run` of `repo`.
    pub fn new(repo: Arc<Repository>, run: Arc<Run>) -> Nodes {
        let reader = Reader::with_index(
            repo.clone(),
            repo.writer(),
            run.epoch(),
            run.index().clone(),
        );
        let full = repo.role() == crate::crypto::Role::Full;
        let reader = reader.ok().filter(|_| full).map(Arc::new);
        let store = NodeStore::new(repo, run.keys().clone(), reader);
        Nodes { run, store }
    }

    /// Stores a metadata chunk and keeps it locally for the next run.
    pub fn store(&self, raw: &[u8]) -> Result<Id> {
        self.run.wait_for_room()?;
        let id = self.run.keys().chunk_id(raw);
        self.run.chunk(ObjectKind::Metadata, &id, raw)?;
        self.store.keep(&id, raw);
        Ok(id)
    }

    /// Is every chunk of `content` present, its lists included? `last` saves asking again for the bundle that the entry
    /// before was in.
    pub fn present(&self, content: &Content, last: &mut Option<Id>) -> Result<bool> {
        let mut pieces = Pieces::new(self, content);
        while let Some(piece) = pieces.next() {
            // A list that cannot be read is as good as absent: the file is read again.
            let Ok(piece) = piece else { return Ok(false) };
            if *last != Some(piece.chunk) && !self.run.has(&piece.chunk)? {
                return Ok(false);
            }
            *last = Some(piece.chunk);
            for list in pieces.take_list_chunks() {
                if !self.run.has(&list)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The same for bytes that may lie in chunks.
    pub fn blob_present(&self, blob: Option<&Blob>) -> Result<bool> {
        match blob {
            Some(Blob::Stored(content)) => self.present(content, &mut None),
            _ => Ok(true),
        }
    }
}
