//! Metadata chunks of a backup: whether the parent's are still there, and where new ones go.

use crate::crypto::Role;
use crate::error::{Error, Result};
use crate::format::container::ObjectKind;
use crate::format::entry::{Blob, Content, Entry, TreePath};
use crate::format::tree::{NodeSource, NodeVisitor, Pieces, walk_nodes};
use crate::id::{Id, Id16};
use crate::repo::Repository;
use crate::repo::cache::Cache;
use crate::repo::nodes::NodeStore;
use crate::repo::reader::Reader;
use crate::repo::run::Run;
use crate::units::Time;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Metadata chunks of a run.
pub struct Nodes {
    run: Arc<Run>,
    store: NodeStore,
    writer: Id16,
    /// The chunks of the tree being made; for a writer key alone.
    made: Option<Mutex<HashSet<Id>>>,
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
        let full = repo.role() == Role::Full;
        let reader = reader.ok().filter(|_| full).map(Arc::new);
        let writer = repo.writer();
        let store = NodeStore::new(repo, run.keys().clone(), reader);
        let made = (!full).then(Mutex::default);
        Nodes {
            run,
            store,
            writer,
            made,
        }
    }

    fn note(&self, id: &Id) {
        if let Some(made) = &self.made {
            let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
            made.insert(*id);
        }
    }

    /// The cache of a writer key holds the names of its last trees, the one just made among them, and of no earlier
    /// ones. `began` is this host's time when the run did: younger nodes may be those of a run beside it.
    pub fn keep_only_last_trees(&self, cache: &Cache, began: Time) {
        let Some(made) = &self.made else { return };
        let mut used = Used {
            nodes: self,
            ids: std::mem::take(&mut *made.lock().unwrap_or_else(PoisonError::into_inner)),
        };
        for tree in cache.last_trees(&self.writer) {
            // A tree with a gap keeps what is left of it.
            if !used.ids.contains(&tree.root) {
                let _ = walk_nodes(&self.store, &tree.root, tree.levels.into(), &mut used);
            }
        }
        cache.retain_nodes(&used.ids, began);
    }

    /// Stores a metadata chunk and keeps it locally for the next run.
    pub fn store(&self, raw: &[u8]) -> Result<Id> {
        self.run.wait_for_room()?;
        let id = self.run.keys().chunk_id(raw);
        self.run.chunk(ObjectKind::Metadata, &id, raw)?;
        self.store.keep(&id, raw);
        self.note(&id);
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
                self.note(&list);
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

/// Gathers the chunks that trees are made of.
struct Used<'a> {
    nodes: &'a Nodes,
    ids: HashSet<Id>,
}

impl NodeVisitor for Used<'_> {
    fn enter(&mut self, id: &Id, _: u8) -> Result<bool> {
        Ok(self.ids.insert(*id))
    }

    fn entry(&mut self, _: TreePath, entry: Entry) -> Result<()> {
        let mut pieces = Pieces::new(&self.nodes.store, &entry.content);
        if entry.content.depth > 0 {
            while let Some(Ok(_)) = pieces.next() {
                self.ids.extend(pieces.take_list_chunks());
            }
        }
        Ok(())
    }

    fn damaged(&mut self, _: &Id, _: u8, _: &TreePath, _: Error) -> Result<()> {
        Ok(())
    }
}
