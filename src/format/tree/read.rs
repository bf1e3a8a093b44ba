//! Reading a tree: all of it, a subtree, a directory, one entry. Only the nodes of the range asked for are read.

use super::build::sums;
use super::decode::decode_entry;
use super::node::{Child, Leaf, NodeSource, RawNode};
use super::{Entry, MAX_LEVELS, TreePath};
use crate::error::{Context, Error, Result};
use crate::id::Id;

/// A tree to read from; holds no node itself.
pub struct TreeReader<'a, S: ?Sized> {
    source: &'a S,
    root: Id,
    levels: u8,
}

impl<'a, S: NodeSource + ?Sized> TreeReader<'a, S> {
    /// The tree under `root`, as a manifest names it: 1 to [`MAX_LEVELS`] levels.
    pub fn new(source: &'a S, root: Id, levels: u64) -> Result<Self> {
        match u8::try_from(levels) {
            Ok(levels @ 1..=MAX_LEVELS) => Ok(TreeReader {
                source,
                root,
                levels,
            }),
            _ => Err(Error::damaged(format!("a tree has {levels} levels"))),
        }
    }

    /// Every entry, in order.
    pub fn entries(&self) -> Entries<'a, S> {
        self.scan(None, End::Never)
    }

    /// Every entry at or after `path`, in order.
    pub fn entries_from(&self, path: &TreePath) -> Entries<'a, S> {
        self.scan(Some(path.clone()), End::Never)
    }

    /// The entry at `path`, if there is one, then everything below it. The root's subtree is everything.
    pub fn subtree(&self, path: &TreePath) -> Entries<'a, S> {
        if path.0.is_empty() {
            return self.entries();
        }
        let mut below = self.scan(Some(path.join(b"")), End::Below(path.0.clone()));
        below.head = Some(Cursor::new(
            self,
            Some(path.clone()),
            End::After(path.clone()),
        ));
        below
    }

    /// The direct children of the directory `path`, by name.
    pub fn children(&self, path: &TreePath) -> Entries<'a, S> {
        self.scan(Some(path.join(b"")), End::Directory(path.0.clone()))
    }

    /// The entry at `path`.
    pub fn find(&self, path: &TreePath) -> Result<Option<Entry>> {
        if path.0.is_empty() {
            return Ok(None);
        }
        let found = Cursor::new(self, Some(path.clone()), End::After(path.clone())).step()?;
        Ok(found.map(|(_, entry)| entry))
    }

    /// Regular files in the whole tree and their total size in bytes, from the sums in its root.
    pub fn totals(&self) -> Result<(u64, u64)> {
        if self.levels == 1 {
            return self
                .entries()
                .try_fold((0, 0), |total, item| Ok(add(total, sums(&item?.1))));
        }
        let root = load(self.source, &self.root, self.levels - 1)?;
        Ok(root.children()?.iter().fold((0, 0), |total, child| {
            add(total, (child.files, child.bytes))
        }))
    }

    fn scan(&self, lower: Option<TreePath>, end: End) -> Entries<'a, S> {
        Entries {
            head: None,
            rest: Some(Cursor::new(self, lower, end)),
            past_damage: false,
        }
    }
}

/// Reads and checks a node.
pub fn load<S: NodeSource + ?Sized>(source: &S, id: &Id, level: u8) -> Result<RawNode> {
    let node = source.node(id).and_then(|raw| RawNode::parse(raw, level));
    node.context(|| format!("reading node {} of the tree", id.short()))
}

/// Sums of files and bytes, saturating.
pub fn add(a: (u64, u64), b: (u64, u64)) -> (u64, u64) {
    (a.0.saturating_add(b.0), a.1.saturating_add(b.1))
}

/// Ordered entries with their paths; ends after the first error, unless told otherwise.
pub struct Entries<'a, S: ?Sized> {
    head: Option<Cursor<'a, S>>,
    rest: Option<Cursor<'a, S>>,
    past_damage: bool,
}

impl<S: NodeSource + ?Sized> Entries<'_, S> {
    /// Goes on after an error, behind the node that could not be read, instead of ending there.
    pub fn past_damage(mut self) -> Self {
        self.past_damage = true;
        self
    }
}

impl<S: NodeSource + ?Sized> Iterator for Entries<'_, S> {
    type Item = Result<(TreePath, Entry)>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(mut head) = self.head.take() {
            match head.step() {
                Ok(None) => {}
                Ok(Some(item)) => return Some(Ok(item)),
                Err(e) => {
                    self.rest = self.rest.take().filter(|_| self.past_damage);
                    return Some(Err(e));
                }
            }
        }
        let cursor = self.rest.as_mut()?;
        let item = cursor.step().transpose();
        match item {
            Some(Ok(_)) => {}
            // Every error leaves the cursor behind one more node, so this comes to an end.
            Some(Err(_)) if self.past_damage => cursor.leaf = None,
            _ => self.rest = None,
        }
        item
    }
}

/// Where a scan stops: at the first path, at or after its lower bound, that lies outside.
enum End {
    Never,
    After(TreePath),
    Below(Vec<Vec<u8>>),
    Directory(Vec<Vec<u8>>),
}

impl End {
    fn is_past(&self, path: &TreePath) -> bool {
        let parent = path.split().map_or(&[][..], |(parent, _)| parent);
        match self {
            End::Never => false,
            End::After(last) => path > last,
            End::Below(directory) => !parent.starts_with(directory),
            End::Directory(directory) => parent != directory,
        }
    }
}

/// The inner nodes above the leaf being read, one a level.
struct Above {
    level: u8,
    children: Vec<Child>,
    next: usize,
}

struct OpenLeaf {
    leaf: Leaf,
    /// As its parent describes it; `None` for the root.
    expected: Option<Child>,
    sums: (u64, u64),
    fresh: bool,
}

/// A position in a tree. Memory: one node a level.
struct Cursor<'a, S: ?Sized> {
    source: &'a S,
    /// Node to begin with, until it has been read.
    root: Option<(Id, u8)>,
    above: Vec<Above>,
    leaf: Option<OpenLeaf>,
    last: TreePath,
    lower: Option<TreePath>,
    end: End,
}

impl<'a, S: NodeSource + ?Sized> Cursor<'a, S> {
    fn new(tree: &TreeReader<'a, S>, lower: Option<TreePath>, end: End) -> Self {
        Cursor {
            source: tree.source,
            root: Some((tree.root, tree.levels - 1)),
            above: Vec::new(),
            leaf: None,
            last: TreePath::default(),
            lower,
            end,
        }
    }

    fn step(&mut self) -> Result<Option<(TreePath, Entry)>> {
        if let Some((root, level)) = self.root.take() {
            self.open(root, level, None)?;
        }
        loop {
            while let Some((path, entry)) = self.leaf_entry()? {
                if self.is_below(&path) {
                    continue;
                }
                return Ok(if self.end.is_past(&path) {
                    None
                } else {
                    Some((path, entry))
                });
            }
            let Some(above) = self.above.last_mut() else {
                return Ok(None);
            };
            let Some(child) = above.children.get(above.next).cloned() else {
                self.above.pop();
                continue;
            };
            above.next += 1;
            let level = above.level - 1;
            if !self.is_below(&child.first) && self.end.is_past(&child.first) {
                return Ok(None);
            }
            self.open(child.id, level, Some(child))?;
        }
    }

    fn is_below(&self, path: &TreePath) -> bool {
        self.lower.as_ref().is_some_and(|lower| path < lower)
    }

    /// The next entry of the open leaf, checked for its order.
    fn leaf_entry(&mut self) -> Result<Option<(TreePath, Entry)>> {
        let Some(open) = &mut self.leaf else {
            return Ok(None);
        };
        let Some(bytes) = open.leaf.next()? else {
            let expected = open.expected.as_ref();
            if expected.is_some_and(|e| open.fresh || (e.files, e.bytes) != open.sums) {
                return Err(Error::damaged(
                    "a leaf of the tree is empty, or disagrees with the sums above it",
                ));
            }
            self.leaf = None;
            return Ok(None);
        };
        let (name, entry) = decode_entry(bytes)?;
        let mut parts = Vec::with_capacity(open.leaf.parent.len() + 1);
        parts.extend_from_slice(&open.leaf.parent);
        parts.push(name);
        let path = TreePath(parts);
        let is_first = std::mem::take(&mut open.fresh);
        if path <= self.last
            || (is_first && open.expected.as_ref().is_some_and(|e| e.first != path))
        {
            return Err(Error::damaged("entries of the tree are out of order"));
        }
        open.sums = add(open.sums, sums(&entry));
        self.last.clone_from(&path);
        Ok(Some((path, entry)))
    }

    fn open(&mut self, id: Id, level: u8, expected: Option<Child>) -> Result<()> {
        let node = load(self.source, &id, level)?;
        if level == 0 {
            let leaf = node.into_leaf()?;
            self.leaf = Some(OpenLeaf {
                leaf,
                expected,
                sums: (0, 0),
                fresh: true,
            });
            return Ok(());
        }
        let children = checked_children(&node, expected.as_ref())?;
        let next = match &self.lower {
            Some(lower) => children
                .partition_point(|c| c.first <= *lower)
                .saturating_sub(1),
            None => 0,
        };
        let ahead: Vec<Id> = children
            .iter()
            .skip(next)
            .take_while(|c| self.is_below(&c.first) || !self.end.is_past(&c.first))
            .map(|c| c.id)
            .collect();
        self.source.prefetch(&ahead);
        self.above.push(Above {
            level,
            children,
            next,
        });
        Ok(())
    }
}

/// The children of an inner node, in agreement with what its parent says about it.
pub fn checked_children(node: &RawNode, expected: Option<&Child>) -> Result<Vec<Child>> {
    let children = node.children()?;
    if let Some(expected) = expected {
        let total = children
            .iter()
            .fold((0, 0), |total, c| add(total, (c.files, c.bytes)));
        if total != (expected.files, expected.bytes)
            || children.first().is_none_or(|c| c.first != expected.first)
        {
            return Err(Error::damaged(
                "a node of the tree disagrees with its parent",
            ));
        }
    }
    Ok(children)
}
