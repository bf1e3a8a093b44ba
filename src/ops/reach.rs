//! What a snapshot needs: every chunk that can be reached from its tree's root.
//!
//! Marking, checking, undeleting and repairing all walk snapshots this way. What two snapshots share is visited once,
//! if the visitor says so.

use crate::error::{Error, Result};
use crate::format::entry::{Blob, Content, Entry, TreePath};
use crate::format::snapshot::Manifest;
use crate::format::tree::{NodeSource, NodeVisitor, read_list, walk_nodes};
use crate::id::Id;

/// What a chunk is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A node of the tree.
    Node,
    /// A list of a content's pieces.
    List,
    /// Bytes: of a file, or of what an entry has no room for.
    Data,
}

/// What [`reach`] reports to.
pub trait Reached {
    /// A chunk that the snapshot needs. For nodes and lists `false` leaves out what is below (it is known already).
    /// `path` is the entry that needs it; for nodes it is empty.
    fn chunk(&mut self, need: Need, id: &Id, path: &TreePath) -> Result<bool>;

    /// An entry of a leaf that was not left out, before its chunks.
    fn entry(&mut self, path: &TreePath, entry: &Entry) -> Result<()> {
        let _ = (path, entry);
        Ok(())
    }

    /// A node or a list could not be read. The walk goes on without what is below if this returns `Ok`. For a node
    /// `path` is the first one below it.
    fn unreadable(&mut self, need: Need, id: &Id, path: &TreePath, error: Error) -> Result<()> {
        let _ = (need, id, path);
        Err(error)
    }
}

/// Visits all chunks that the snapshot of `manifest` needs. `nodes` gives nodes and lists, of the snapshot's domain.
///
/// Memory: one node and one list a level.
pub fn reach<S: NodeSource + ?Sized>(
    nodes: &S,
    manifest: &Manifest,
    to: &mut dyn Reached,
) -> Result<()> {
    let mut visitor = Visitor { nodes, to };
    walk_nodes(nodes, &manifest.root, manifest.levels.into(), &mut visitor)
}

struct Visitor<'a, S: ?Sized> {
    nodes: &'a S,
    to: &'a mut dyn Reached,
}

impl<S: NodeSource + ?Sized> NodeVisitor for Visitor<'_, S> {
    fn enter(&mut self, id: &Id, _level: u8) -> Result<bool> {
        self.to.chunk(Need::Node, id, &TreePath::default())
    }

    fn entry(&mut self, path: TreePath, entry: Entry) -> Result<()> {
        self.to.entry(&path, &entry)?;
        each_content(&entry, &mut |content| self.content(&path, content))
    }

    fn damaged(&mut self, id: &Id, _level: u8, first: &TreePath, error: Error) -> Result<()> {
        self.to.unreadable(Need::Node, id, first, error)
    }
}

impl<S: NodeSource + ?Sized> Visitor<'_, S> {
    fn content(&mut self, path: &TreePath, content: &Content) -> Result<()> {
        for piece in &content.pieces {
            let Some(depth) = content.depth.checked_sub(1) else {
                self.to.chunk(Need::Data, &piece.chunk, path)?;
                continue;
            };
            if !self.to.chunk(Need::List, &piece.chunk, path)? {
                continue;
            }
            match read_list(self.nodes, piece, depth) {
                Ok(pieces) => self.content(path, &Content { depth, pieces })?,
                Err(e) => self.to.unreadable(Need::List, &piece.chunk, path, e)?,
            }
        }
        Ok(())
    }
}

/// Calls `each` with everything of `entry` that may be in chunks of its own.
pub fn each_content(entry: &Entry, each: &mut dyn FnMut(&Content) -> Result<()>) -> Result<()> {
    each(&entry.content)?;
    for blob in [&entry.extents, &entry.xattrs, &entry.security] {
        if let Some(Blob::Stored(content)) = blob {
            each(content)?;
        }
    }
    entry.streams.iter().try_for_each(|s| each(&s.content))
}
