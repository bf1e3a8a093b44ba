//! Nodes: their frame, the children of inner nodes, paths; and where nodes come from.

use super::{MAX_LEVELS, MAX_NAME, MAX_PATH, MEAN_NODE, MIN_NODE, NODE_LIMIT, TreePath};
use crate::codec::cbor::{Reader, Writer};
use crate::error::{Error, Result};
use crate::id::Id;

/// Where nodes and list chunks are read from: verified raw chunks.
pub trait NodeSource {
    /// The raw bytes of chunk `id`, whose id has been checked.
    fn node(&self, id: &Id) -> Result<Vec<u8>>;

    /// Says which nodes are likely to be asked for next, in this order; a source may fetch them together.
    fn prefetch(&self, ids: &[Id]) {
        let _ = ids;
    }
}

impl<F: Fn(&Id) -> Result<Vec<u8>>> NodeSource for F {
    fn node(&self, id: &Id) -> Result<Vec<u8>> {
        self(id)
    }
}

/// A child of an inner node.
#[derive(Clone, Debug)]
pub struct Child {
    /// Path of the first entry below it.
    pub first: TreePath,
    /// The node.
    pub id: Id,
    /// Regular files below it.
    pub files: u64,
    /// Their total size, saturating.
    pub bytes: u64,
}

/// The node's map around `body`, which is an array of `count` encoded groups or children.
pub fn frame(level: u8, count: usize, body: &[u8]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(body.len() + 16);
    writer.map(|map| {
        map.u64(1, level.into());
        map.key(2).array(count).raw(body);
    });
    writer.into_vec()
}

/// Encodes one child of an inner node.
pub fn put_child(w: &mut Writer, child: &Child) {
    put_path(w.array(4), &child.first.0);
    w.bytes(child.id).u64(child.files).u64(child.bytes);
}

/// A path as an array of byte strings.
pub fn put_path(w: &mut Writer, parts: &[Vec<u8>]) {
    w.array(parts.len());
    for part in parts {
        w.bytes(part);
    }
}

/// Length of the head of a CBOR item with argument `n`.
pub fn head_len(n: u64) -> usize {
    match n {
        0..=0x17 => 1,
        0x18..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

/// Length of what [`put_path`] writes.
pub fn path_len(parts: &[Vec<u8>]) -> usize {
    parts.iter().fold(head_len(parts.len() as u64), |n, part| {
        n + head_len(part.len() as u64) + part.len()
    })
}

/// What [`MAX_PATH`] limits.
pub fn path_weight(parts: &[Vec<u8>]) -> usize {
    parts.iter().fold(0, |n, part| n + 4 + part.len())
}

fn path(r: &mut Reader<'_>) -> Result<Vec<Vec<u8>>> {
    let n = r.array(usize::MAX)?;
    let mut weight = 0;
    let mut parts = Vec::with_capacity(n.min(16));
    for _ in 0..n {
        let part = r.bytes(MAX_NAME)?;
        weight += 4 + part.len();
        if part.is_empty() || weight > MAX_PATH {
            return Err(Error::damaged(
                "a path is too long or has an empty component",
            ));
        }
        parts.push(part.to_vec());
    }
    Ok(parts)
}

/// Does a run of `size` bytes end after its last item, which has `len` encoded bytes and the given hash?
pub fn is_boundary(size: usize, len: usize, hash: impl FnOnce() -> u64) -> bool {
    size >= MIN_NODE && u128::from(hash()) * (MEAN_NODE as u128) < (len as u128) << 64
}

/// The hash that [`is_boundary`] takes: the first 8 bytes of keyed BLAKE3 over the level and the path.
pub fn path_hash(key: &[u8; 32], level: u8, path: &TreePath) -> u64 {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&[level]);
    for part in &path.0 {
        hasher.update(&(part.len() as u32).to_be_bytes());
        hasher.update(part);
    }
    leading_u64(hasher.finalize().as_bytes())
}

/// The first 8 bytes, big-endian.
pub fn leading_u64(bytes: &[u8; 32]) -> u64 {
    bytes.iter().take(8).fold(0, |n, b| n << 8 | u64::from(*b))
}

/// A node whose frame has been checked: one well-formed map with a level and an array.
pub struct RawNode {
    raw: Vec<u8>,
    /// Where the array of key 2 starts.
    body: usize,
}

impl RawNode {
    /// Checks size and frame, and that the node is of `level`.
    pub fn parse(raw: Vec<u8>, level: u8) -> Result<Self> {
        if raw.len() > NODE_LIMIT {
            return Err(Error::damaged(format!(
                "a tree node has {} bytes, more than {NODE_LIMIT}",
                raw.len()
            )));
        }
        let mut r = Reader::new(&raw);
        let (mut found, mut body) = (None, None);
        r.map(|key, r| {
            match key {
                1 => found = Some(r.u64()?),
                // Passed over here, so that all of the node is known to be well formed.
                2 => {
                    body = Some(r.position());
                    return Ok(false);
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        r.finish()?;
        match (found, body) {
            (Some(found), Some(body)) if found == u64::from(level) && level < MAX_LEVELS => {
                Ok(RawNode { raw, body })
            }
            (Some(found), Some(_)) => Err(Error::damaged(format!(
                "a tree node has level {found} where level {level} belongs"
            ))),
            _ => Err(Error::damaged("a tree node lacks its level or its content")),
        }
    }

    /// The children of an inner node: at least one, first paths ascending.
    pub fn children(&self) -> Result<Vec<Child>> {
        let mut r = Reader::new(self.raw.get(self.body..).unwrap_or_default());
        let n = r.array(usize::MAX)?;
        let mut children: Vec<Child> = Vec::with_capacity(n.min(self.raw.len() / 38));
        for _ in 0..n {
            r.array_of(4)?;
            let first = TreePath(path(&mut r)?);
            let child = Child {
                first,
                id: r.id()?,
                files: r.u64()?,
                bytes: r.u64()?,
            };
            let in_order = children.last().is_none_or(|last| last.first < child.first);
            if !in_order || child.first.0.is_empty() {
                return Err(Error::damaged(
                    "the children of a tree node are out of order",
                ));
            }
            children.push(child);
        }
        if children.is_empty() {
            return Err(Error::damaged("an inner tree node has no children"));
        }
        Ok(children)
    }

    /// The groups of a leaf, to be read one entry after another.
    pub fn into_leaf(self) -> Result<Leaf> {
        let mut r = Reader::new(self.raw.get(self.body..).unwrap_or_default());
        let groups_left = r.array(usize::MAX)?;
        let pos = self.body + r.position();
        Ok(Leaf {
            raw: self.raw,
            pos,
            groups_left,
            entries_left: 0,
            parent: Vec::new(),
        })
    }
}

/// A leaf being read. Entries are handed out as bytes; nothing is decoded ahead.
pub struct Leaf {
    raw: Vec<u8>,
    pos: usize,
    groups_left: usize,
    entries_left: usize,
    /// Parent path of the current group.
    pub parent: Vec<Vec<u8>>,
}

impl Leaf {
    /// The next entry's encoding; its parent is then in [`Self::parent`].
    pub fn next(&mut self) -> Result<Option<&[u8]>> {
        let rest = self.raw.get(self.pos..).unwrap_or_default();
        let mut r = Reader::new(rest);
        if self.entries_left == 0 {
            if self.groups_left == 0 {
                return Ok(None);
            }
            self.groups_left -= 1;
            r.array_of(2)?;
            self.parent = path(&mut r)?;
            self.entries_left = r.array(usize::MAX)?;
            if self.entries_left == 0 {
                return Err(Error::damaged(
                    "a leaf of the tree has a directory without entries",
                ));
            }
        }
        self.entries_left -= 1;
        let bytes = super::decode::entry_bytes(rest, &mut r)?;
        self.pos += r.position();
        Ok(Some(bytes))
    }
}
