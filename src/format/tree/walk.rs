//! Visiting the nodes of a tree, for checks and for marking what is in use.

use super::build::sums;
use super::decode::decode_entry;
use super::node::{Child, NodeSource};
use super::read::{add, checked_children, load};
use super::{Entry, MAX_LEVELS, TreePath};
use crate::error::{Error, Result};
use crate::id::Id;

/// What [`walk_nodes`] reports to.
pub trait NodeVisitor {
    /// Before a node is read. `false`: leave it and all below it out (it is known already).
    fn enter(&mut self, id: &Id, level: u8) -> Result<bool>;

    /// An entry of the leaf entered last.
    fn entry(&mut self, path: TreePath, entry: Entry) -> Result<()>;

    /// A node could not be read, or is damaged: the walk goes on with the next one if this returns `Ok`.
    /// Entries of it that came before the damage have been reported. `first` is the first path below it, the root's is empty.
    fn damaged(&mut self, id: &Id, level: u8, first: &TreePath, error: Error) -> Result<()> {
        let _ = (id, level, first);
        Err(error)
    }
}

/// Visits the nodes of the tree of `levels` levels under `root`, parents before children, and the entries of its leaves.
///
/// Every node is held to the range of paths and the sums that its parent gives, so no node is visited twice under one root.
/// Memory: one node a level.
pub fn walk_nodes<S, V>(source: &S, root: &Id, levels: u64, visitor: &mut V) -> Result<()>
where
    S: NodeSource + ?Sized,
    V: NodeVisitor + ?Sized,
{
    match u8::try_from(levels) {
        Ok(levels @ 1..=MAX_LEVELS) => Walk { source, visitor }.node(root, levels - 1, None, None),
        _ => Err(Error::damaged(format!("a tree has {levels} levels"))),
    }
}

struct Walk<'a, S: ?Sized, V: ?Sized> {
    source: &'a S,
    visitor: &'a mut V,
}

/// Tells damage of a node from a failure of the visitor, which always ends the walk.
enum Stop {
    Damage(Error),
    Visitor(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Damage(error)
    }
}

impl<S: NodeSource + ?Sized, V: NodeVisitor + ?Sized> Walk<'_, S, V> {
    /// `upper`: all paths below are less.
    fn node(
        &mut self,
        id: &Id,
        level: u8,
        expected: Option<&Child>,
        upper: Option<&TreePath>,
    ) -> Result<()> {
        if !self.visitor.enter(id, level)? {
            return Ok(());
        }
        let done = if level == 0 {
            self.leaf(id, expected, upper)
        } else {
            self.inner(id, level, expected, upper)
        };
        let first = expected.map(|e| e.first.clone()).unwrap_or_default();
        match done {
            Ok(()) => Ok(()),
            Err(Stop::Damage(error)) => self.visitor.damaged(id, level, &first, error),
            Err(Stop::Visitor(error)) => Err(error),
        }
    }

    fn inner(
        &mut self,
        id: &Id,
        level: u8,
        expected: Option<&Child>,
        upper: Option<&TreePath>,
    ) -> Result<(), Stop> {
        let children = checked_children(&load(self.source, id, level)?, expected)?;
        if let (Some(last), Some(upper)) = (children.last(), upper)
            && last.first >= *upper
        {
            return Err(Error::damaged("a node of the tree reaches into the next one").into());
        }
        self.source
            .prefetch(&children.iter().map(|c| c.id).collect::<Vec<_>>());
        for (i, child) in children.iter().enumerate() {
            let next = children.get(i + 1).map(|c| &c.first).or(upper);
            self.node(&child.id, level - 1, Some(child), next)
                .map_err(Stop::Visitor)?;
        }
        Ok(())
    }

    fn leaf(
        &mut self,
        id: &Id,
        expected: Option<&Child>,
        upper: Option<&TreePath>,
    ) -> Result<(), Stop> {
        let mut leaf = load(self.source, id, 0)?.into_leaf()?;
        let mut last = TreePath::default();
        let mut total = (0, 0);
        while let Some(bytes) = leaf.next()? {
            let (name, entry) = decode_entry(bytes)?;
            let path = TreePath([leaf.parent.as_slice(), &[name]].concat());
            let wrong_start = last.0.is_empty() && expected.is_some_and(|e| e.first != path);
            if path <= last || wrong_start || upper.is_some_and(|upper| path >= *upper) {
                return Err(Error::damaged("entries of the tree are out of order").into());
            }
            total = add(total, sums(&entry));
            last.clone_from(&path);
            self.visitor.entry(path, entry).map_err(Stop::Visitor)?;
        }
        if expected.is_some_and(|e| last.0.is_empty() || (e.files, e.bytes) != total) {
            return Err(Error::damaged(
                "a leaf of the tree is empty, or disagrees with the sums above it",
            )
            .into());
        }
        Ok(())
    }
}
