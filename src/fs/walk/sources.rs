//! The sources as one tree of names: what is asked for, and the way there.

use crate::format::TreePath;
use crate::fs::path::Source;
use std::collections::BTreeMap;

/// A node's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node(usize);

/// Names from the root to every source.
pub struct Tree {
    nodes: Vec<NodeData>,
}

#[derive(Default)]
struct NodeData {
    children: BTreeMap<Vec<u8>, usize>,
    source: bool,
    follow: bool,
}

impl Tree {
    /// The tree of `sources`, in any order, nested or given twice.
    pub fn new(sources: &[Source]) -> Self {
        let mut nodes = vec![NodeData::default()];
        for source in sources {
            let mut at = 0;
            for name in &source.path.0 {
                let next = nodes.len();
                at = *nodes[at].children.entry(name.clone()).or_insert(next);
                if at == next {
                    nodes.push(NodeData::default());
                }
            }
            nodes[at].source = true;
            nodes[at].follow |= source.follow;
        }
        Tree { nodes }
    }

    /// The root directory.
    pub fn root(&self) -> Node {
        Node(0)
    }

    /// The node below `node` with this name.
    pub fn child(&self, node: Node, name: &[u8]) -> Option<Node> {
        self.nodes[node.0].children.get(name).copied().map(Node)
    }

    /// The names below `node`, sorted.
    pub fn children(&self, node: Node) -> impl Iterator<Item = &[u8]> {
        self.nodes[node.0].children.keys().map(Vec::as_slice)
    }

    /// Does `node` lead to a source below it?
    pub fn has_children(&self, node: Node) -> bool {
        !self.nodes[node.0].children.is_empty()
    }

    /// Was this very path asked for?
    pub fn is_source(&self, node: Node) -> bool {
        self.nodes[node.0].source
    }

    /// Is a symlink in this place to be followed?
    pub fn follows(&self, node: Node) -> bool {
        self.nodes[node.0].follow
    }

    /// The paths of all sources at and below `node`, which is at `path`.
    pub fn sources_below(&self, node: Node, path: &TreePath) -> Vec<TreePath> {
        let mut found = Vec::new();
        let mut todo = vec![(node.0, path.clone())];
        while let Some((at, path)) = todo.pop() {
            let data = &self.nodes[at];
            todo.extend(
                data.children
                    .iter()
                    .rev()
                    .map(|(name, child)| (*child, path.join(name))),
            );
            if data.source {
                found.push(path);
            }
        }
        found
    }
}
