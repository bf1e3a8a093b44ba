//! The tree of a snapshot: a sorted map from path to entry, stored as a content-defined B-tree.
//!
//! Leaves are runs of entries, inner nodes runs of (first path, child, sums). Where a run ends depends on a keyed hash
//! of the path at its end, so equal parts of two trees are equal chunks and a change touches one node of each level.
//! Normative text: `man/corso-format-tree.5`.

mod build;
mod decode;
mod encode;
mod extras;
mod list;
mod node;
mod read;
mod walk;

#[cfg(test)]
mod tests;

pub use build::{Prepared, Root, TreeBuilder};
pub use decode::decode_entry;
pub use encode::encode_entry;
pub use extras::{
    XattrList, decode_extents, decode_xattrs, encode_extents, encode_xattrs, fit_entry, read_blob,
    store_blob,
};
pub use list::{ListBuilder, Pieces, read_list};
pub use node::NodeSource;
pub use read::{Entries, TreeReader};
pub use walk::{NodeVisitor, walk_nodes};

/// Longest encoding of an entry, bytes.
pub const MAX_ENTRY: usize = 16 << 10;
/// Longest component of a path, bytes.
pub const MAX_NAME: usize = 1024;
/// Longest path: the sum over its components of their length plus 4, bytes.
pub const MAX_PATH: usize = 64 << 10;
/// A node is never ended by its hash below this size, bytes.
pub const MIN_NODE: usize = 16 << 10;
/// Beyond [`MIN_NODE`], a node goes on for this many bytes on average.
pub const MEAN_NODE: usize = 48 << 10;
/// A node is ended before it would exceed this size, bytes (inner nodes: unless it has fewer than [`MIN_FANOUT`] children).
pub const MAX_NODE: usize = 256 << 10;
/// Fewest children of an inner node that is not the last of its level.
pub const MIN_FANOUT: usize = 8;
/// Readers refuse larger nodes and list chunks, bytes.
pub const NODE_LIMIT: usize = 1 << 20;
/// Most levels of a tree, and of a content list. A lone leaf has one level.
pub const MAX_LEVELS: u8 = 16;
/// Longer content lists, extents, xattrs and descriptors go to chunks of their own, encoded bytes.
pub const INLINE: usize = 4 << 10;

use super::{Blob, Content, Entry, Extent, FileKind, FileTime, Piece, Stream, TreePath};
