//! The invariant: what lies in `snapshots/` restores.

use super::world::World;
use crate::error::{Error, Result};
use crate::format::entry::TreePath;
use crate::id::Id;
use crate::ops::reach::{Need, Reached, reach};
use crate::repo::Repository;
use crate::repo::chunks::Chunks;
use crate::repo::nodes::NodeStore;
use crate::repo::reader::Reader;
use crate::repo::snapshots::{Snapshot, SnapshotFilter};
use crate::report::Silent;
use crate::storage::memory::MemoryStorage;
use std::sync::Arc;

/// Reads every chunk that a snapshot needs.
struct ReadAll<'a>(&'a Reader);

impl Reached for ReadAll<'_> {
    fn chunk(&mut self, need: Need, id: &Id, _path: &TreePath) -> Result<bool> {
        if need == Need::Data {
            self.0.get(id)?;
        }
        Ok(true)
    }
}

/// Reads `snapshot` as a restore would: its whole tree, every chunk, each verified against its id.
pub fn read_whole(repo: &Arc<Repository>, snapshot: &Snapshot) -> Result<()> {
    let manifest = &snapshot.manifest;
    let (writer, epoch) = (manifest.writer, manifest.domain_epoch);
    let reader = Arc::new(Reader::new(repo.clone(), writer, epoch, &Silent)?);
    let nodes = NodeStore::new(repo.clone(), reader.keys().clone(), Some(reader.clone()));
    reach(&nodes, manifest, &mut ReadAll(&reader))
}

/// Does every snapshot on `storage`, but for the keys in `late`, restore from what exists at this moment?
pub fn all_whole(world: &World, storage: &Arc<MemoryStorage>, late: &[String]) -> Result<()> {
    let repo = world.open(storage.clone(), false);
    let (snapshots, unreadable) = repo.snapshots(&SnapshotFilter::default(), &Silent)?;
    if unreadable > 0 {
        return Err(Error::damaged("a snapshot cannot be read"));
    }
    let is_late = |s: &Snapshot| late.contains(&format!("snapshots/{}", s.id));
    for snapshot in snapshots.into_iter().filter(|s| !is_late(s)) {
        read_whole(&repo, &snapshot)
            .map_err(|e| e.context(format!("snapshot {} is not whole", snapshot.id.short())))?;
    }
    Ok(())
}
