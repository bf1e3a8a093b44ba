//! Tree nodes and other metadata chunks: where the parent's are read, and where new ones go.

use crate::error::{Error, Result};
use crate::format::container::ObjectKind;
use crate::format::entry::{Blob, Content};
use crate::format::tree::{NodeSource, Pieces};
use crate::id::Id;
use crate::repo::Repository;
use crate::repo::chunks::Chunks;
use crate::repo::reader::Reader;
use crate::repo::run::Run;
use std::sync::Arc;

/// Metadata chunks: from the local cache, else from the repository where the key can read it.
pub struct Nodes {
    repo: Arc<Repository>,
    run: Arc<Run>,
    /// Absent for a writer key, which reads nothing that it did not keep.
    reader: Option<Reader>,
}

impl NodeSource for Nodes {
    fn node(&self, id: &Id) -> Result<Vec<u8>> {
        if let Some(cache) = self.repo.cache()
            && let Some(raw) = cache.node(id)
        {
            if self.run.keys().chunk_id(&raw) == *id {
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

impl Nodes {
    /// For the run `run` of `repo`.
    pub fn new(repo: Arc<Repository>, run: Arc<Run>) -> Nodes {
        let reader = Reader::with_index(
            repo.clone(),
            repo.writer(),
            run.epoch(),
            run.index().clone(),
        )
        .ok();
        Nodes { repo, run, reader }
    }

    fn keep(&self, id: &Id, raw: &[u8]) {
        if let Some(cache) = self.repo.cache() {
            cache.put_node(id, raw);
        }
    }

    /// Stores a metadata chunk and keeps it locally for the next run.
    pub fn store(&self, raw: &[u8]) -> Result<Id> {
        self.run.wait_for_room()?;
        let id = self.run.keys().chunk_id(raw);
        self.run.chunk(ObjectKind::Metadata, &id, raw)?;
        self.keep(&id, raw);
        Ok(id)
    }

    /// Is every chunk of `content` present, the lists in between included? `last` saves asking again for the bundle
    /// that the entry before was in.
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
