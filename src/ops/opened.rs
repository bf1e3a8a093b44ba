//! A snapshot opened for reading: its tree and its chunks.

use super::restore::{self, EntryIter, RestoreOptions, RestoreReport, TreeSource};
use crate::error::Result;
use crate::format::entry::TreePath;
use crate::format::tree::TreeReader;
use crate::fs::path::Platform;
use crate::repo::Repository;
use crate::repo::nodes::NodeStore;
use crate::repo::reader::Reader;
use crate::repo::snapshots::Snapshot;
use crate::report::{Observer, Stop};
use std::sync::Arc;

/// A snapshot, with what it takes to read its files.
pub struct OpenSnapshot {
    snapshot: Snapshot,
    reader: Arc<Reader>,
    nodes: NodeStore,
}

impl OpenSnapshot {
    /// Opens `snapshot`: reads the index. Full keys only.
    pub fn new(
        repo: &Arc<Repository>,
        snapshot: Snapshot,
        observer: &dyn Observer,
    ) -> Result<OpenSnapshot> {
        let manifest = &snapshot.manifest;
        let reader = Arc::new(Reader::new(
            repo.clone(),
            manifest.writer,
            manifest.domain_epoch,
            observer,
        )?);
        let nodes = NodeStore::new(repo.clone(), reader.keys().clone(), Some(reader.clone()));
        Ok(OpenSnapshot {
            snapshot,
            reader,
            nodes,
        })
    }

    /// The snapshot.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The platform that it was made on.
    pub fn platform(&self) -> Platform {
        Platform::of(&self.snapshot.manifest.platform)
    }

    /// Its tree.
    pub fn tree(&self) -> Result<TreeReader<'_, NodeStore>> {
        TreeReader::new(
            &self.nodes,
            self.snapshot.manifest.root,
            self.snapshot.manifest.levels.into(),
        )
    }

    /// Restores from it. The options' platform and expectations are filled in.
    pub fn restore(
        &self,
        options: &RestoreOptions,
        observer: &dyn Observer,
        stop: &Stop,
    ) -> Result<RestoreReport> {
        let mut options = options.clone();
        options.platform = self.platform();
        if options.paths.is_empty() {
            let stats = &self.snapshot.manifest.stats;
            options.expected = (stats.entries, stats.bytes);
        }
        let keys = self.reader.keys();
        let chunk_id = |raw: &[u8]| keys.chunk_id(raw);
        let source = restore::Source {
            tree: self,
            chunks: &*self.reader,
            chunk_id: &chunk_id,
        };
        restore::restore(&source, &options, observer, stop)
    }
}

impl TreeSource for OpenSnapshot {
    fn entries(&self, paths: &[TreePath]) -> Result<EntryIter<'_>> {
        restore::selected_entries(self.tree()?, paths)
    }
}
