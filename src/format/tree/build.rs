//! Building a tree from entries in order, with one open node a level in memory.

use super::encode::{check_name, encode_entry};
use super::node::{
    Child, frame, is_boundary, path_hash, path_len, path_weight, put_child, put_path,
};
use super::{Entry, FileKind, MAX_LEVELS, MAX_NODE, MAX_PATH, MIN_FANOUT, TreePath};
use crate::codec::cbor::Writer;
use crate::error::{Error, Result};
use crate::id::Id;
use zeroize::Zeroizing;

/// A finished tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// The root node's chunk.
    pub id: Id,
    /// Levels of nodes: 1 for a lone leaf.
    pub levels: u8,
    /// All entries.
    pub entries: u64,
    /// Regular files.
    pub files: u64,
    /// Their total size in bytes, saturating.
    pub bytes: u64,
}

/// An entry that has been encoded and checked: [`TreeBuilder::add`] can then fail only for its order or the sink.
#[derive(Clone, Debug)]
pub struct Prepared {
    path: TreePath,
    encoded: Vec<u8>,
    files: u64,
    bytes: u64,
}

impl Prepared {
    /// Encodes `entry` at `path`. Fails when either is too long to be stored or a name could not be a file's.
    pub fn new(path: TreePath, entry: &Entry) -> Result<Self> {
        let Some((parent, name)) = path.split() else {
            return Err(Error::failed("the root of a tree has no entry of its own"));
        };
        parent.iter().try_for_each(|part| check_name(part))?;
        if path_weight(&path.0) > MAX_PATH {
            return Err(Error::failed(format!(
                "the path is longer than {MAX_PATH} bytes"
            )));
        }
        let encoded = encode_entry(name, entry)?;
        let (files, bytes) = sums(entry);
        Ok(Prepared {
            path,
            encoded,
            files,
            bytes,
        })
    }

    /// Where it goes.
    pub fn path(&self) -> &TreePath {
        &self.path
    }
}

/// What an entry adds to the sums of the nodes above it: files, bytes.
pub fn sums(entry: &Entry) -> (u64, u64) {
    if entry.kind == FileKind::File {
        (1, entry.size)
    } else {
        (0, 0)
    }
}

/// The leaf being filled.
#[derive(Default)]
struct OpenLeaf {
    /// Finished groups.
    body: Writer,
    groups: usize,
    /// The open group: parent, number of entries, their encodings.
    parent: Vec<Vec<u8>>,
    entries: usize,
    group: Vec<u8>,
    /// Encoded entries and parents so far.
    size: usize,
    first: TreePath,
    files: u64,
    bytes: u64,
}

impl OpenLeaf {
    fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// By how much the size grows with `item`.
    fn growth(&self, item: &Prepared) -> usize {
        let parent = item.path.split().map_or(&[][..], |(parent, _)| parent);
        let fresh = self.is_empty() || self.parent != parent;
        item.encoded.len() + if fresh { path_len(parent) } else { 0 }
    }

    fn add(&mut self, item: &Prepared) {
        let parent = item.path.split().map_or(&[][..], |(parent, _)| parent);
        self.size += self.growth(item);
        if self.is_empty() {
            self.first.clone_from(&item.path);
        }
        if self.is_empty() || self.parent != parent {
            self.end_group();
            parent.clone_into(&mut self.parent);
        }
        self.entries += 1;
        self.group.extend_from_slice(&item.encoded);
        self.files += item.files;
        self.bytes = self.bytes.saturating_add(item.bytes);
    }

    fn end_group(&mut self) {
        if self.entries > 0 {
            put_path(self.body.array(2), &self.parent);
            self.body.array(self.entries).raw(&self.group);
            self.group.clear();
            self.groups += 1;
            self.entries = 0;
        }
    }
}

/// An inner node being filled.
#[derive(Default)]
struct OpenInner {
    body: Writer,
    count: usize,
    first: TreePath,
    last_child: Id,
    files: u64,
    bytes: u64,
    /// A node of this level has been written.
    written: bool,
}

/// Builds a tree from entries pushed in [`TreePath`] order; the same entries and key give the same root.
///
/// `sink` gets (level, raw node) for every node, children before parents, and returns its chunk id.
/// Memory: at most one open node a level.
pub struct TreeBuilder<F> {
    key: Zeroizing<[u8; 32]>,
    sink: F,
    last: TreePath,
    leaf: OpenLeaf,
    /// `inner[i]` is of level i + 1.
    inner: Vec<OpenInner>,
    entries: u64,
    files: u64,
    bytes: u64,
}

impl<F: FnMut(u8, Vec<u8>) -> Result<Id>> TreeBuilder<F> {
    /// `key` is the domain's tree key.
    pub fn new(key: &[u8; 32], sink: F) -> Self {
        TreeBuilder {
            key: Zeroizing::new(*key),
            sink,
            last: TreePath::default(),
            leaf: OpenLeaf::default(),
            inner: Vec::new(),
            entries: 0,
            files: 0,
            bytes: 0,
        }
    }

    /// Encodes and adds an entry; see [`Prepared::new`] and [`Self::add`].
    pub fn push(&mut self, path: &TreePath, entry: &Entry) -> Result<()> {
        self.add(&Prepared::new(path.clone(), entry)?)
    }

    /// Adds an entry that must come after all before it. A failure of order leaves the builder as it was;
    /// after a failure of the sink it is of no more use.
    pub fn add(&mut self, item: &Prepared) -> Result<()> {
        if item.path <= self.last {
            let path = String::from_utf8_lossy(&item.path.to_bytes()).into_owned();
            return Err(Error::failed(format!(
                "{path:?} comes twice, or out of order"
            )));
        }
        if !self.leaf.is_empty() && self.leaf.size + self.leaf.growth(item) > MAX_NODE {
            self.end_leaf()?;
        }
        self.leaf.add(item);
        self.last.clone_from(&item.path);
        self.entries += 1;
        self.files += item.files;
        self.bytes = self.bytes.saturating_add(item.bytes);
        if is_boundary(self.leaf.size, item.encoded.len(), || {
            path_hash(&self.key, 0, &item.path)
        }) {
            self.end_leaf()?;
        }
        Ok(())
    }

    /// Writes what is open and returns the root.
    pub fn finish(mut self) -> Result<Root> {
        if !self.leaf.is_empty() || self.inner.is_empty() {
            self.end_leaf()?;
        }
        let mut level = 1u8;
        loop {
            let Some(open) = self.inner.get(usize::from(level) - 1) else {
                return Err(Error::failed("a tree has no root"));
            };
            if open.count == 1 && !open.written {
                let id = open.last_child;
                return Ok(Root {
                    id,
                    levels: level,
                    entries: self.entries,
                    files: self.files,
                    bytes: self.bytes,
                });
            }
            if open.count > 0 {
                self.end_inner(level)?;
            }
            level += 1;
        }
    }

    fn end_leaf(&mut self) -> Result<()> {
        let mut leaf = std::mem::take(&mut self.leaf);
        leaf.end_group();
        let id = (self.sink)(0, frame(0, leaf.groups, &leaf.body.into_vec()))?;
        self.add_child(
            1,
            Child {
                first: leaf.first,
                id,
                files: leaf.files,
                bytes: leaf.bytes,
            },
        )
    }

    fn add_child(&mut self, level: u8, child: Child) -> Result<()> {
        let index = usize::from(level) - 1;
        if self.inner.len() <= index {
            self.inner.push(OpenInner::default());
        }
        let mut item = Writer::new();
        put_child(&mut item, &child);
        let item = item.into_vec();
        let is_full = |n: &OpenInner| n.count >= MIN_FANOUT && n.body.len() + item.len() > MAX_NODE;
        if self.inner.get(index).is_some_and(is_full) {
            self.end_inner(level)?;
        }
        let Some(open) = self.inner.get_mut(index) else {
            return Ok(());
        };
        open.body.raw(&item);
        open.count += 1;
        open.last_child = child.id;
        open.files += child.files;
        open.bytes = open.bytes.saturating_add(child.bytes);
        let ends = open.count >= MIN_FANOUT
            && is_boundary(open.body.len(), item.len(), || {
                path_hash(&self.key, level, &child.first)
            });
        if open.count == 1 {
            open.first = child.first;
        }
        if ends { self.end_inner(level) } else { Ok(()) }
    }

    fn end_inner(&mut self, level: u8) -> Result<()> {
        if level >= MAX_LEVELS {
            return Err(Error::failed("the tree has too many levels"));
        }
        let Some(open) = self.inner.get_mut(usize::from(level) - 1) else {
            return Ok(());
        };
        let open = std::mem::replace(
            open,
            OpenInner {
                written: true,
                ..OpenInner::default()
            },
        );
        let id = (self.sink)(level, frame(level, open.count, &open.body.into_vec()))?;
        self.add_child(
            level + 1,
            Child {
                first: open.first,
                id,
                files: open.files,
                bytes: open.bytes,
            },
        )
    }
}
