//! A snapshot's tree as the source of a restore: only the parts of it that the selection needs are read.

use super::EntryIter;
use crate::error::Result;
use crate::format::tree::{NodeSource, TreeReader};
use crate::format::{Entry, TreePath};
use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;

/// The entries at and below each of `paths` (all, if there are none), and the directories above them: in tree order,
/// each once. A node that cannot be read gives one error and costs the entries in it, no more.
///
/// # Errors
/// What reading the nodes on the way to `paths` fails with.
pub fn selected_entries<'a, S: NodeSource + ?Sized>(
    reader: TreeReader<'a, S>,
    paths: &[TreePath],
) -> Result<EntryIter<'a>> {
    let roots = outermost(paths);
    if roots.is_empty() || roots.iter().any(|root| root.0.is_empty()) {
        return Ok(Box::new(reader.entries().past_damage()));
    }
    let tops = tops(&reader, &roots)?.into_iter();
    let roots: Vec<TreePath> = roots.into_iter().cloned().collect();
    let below = roots.into_iter().flat_map(move |root| {
        let subtree = reader.subtree(&root).past_damage();
        subtree.filter(move |item| item.as_ref().map_or(true, |(path, _)| *path != root))
    });
    Ok(Box::new(Merged {
        tops: tops.peekable(),
        below: below.peekable(),
    }))
}

/// The entries of `paths` and of the directories above them.
fn tops<S: NodeSource + ?Sized>(
    reader: &TreeReader<'_, S>,
    paths: &[&TreePath],
) -> Result<BTreeMap<TreePath, Entry>> {
    let mut tops = BTreeMap::new();
    for path in paths {
        for depth in 1..=path.0.len() {
            let above = TreePath(path.0[..depth].to_vec());
            if let btree_map::Entry::Vacant(slot) = tops.entry(above)
                && let Some(entry) = reader.find(slot.key())?
            {
                slot.insert(entry);
            }
        }
    }
    Ok(tops)
}

/// `paths` without those below others, in the order of what lies below them.
fn outermost(paths: &[TreePath]) -> Vec<&TreePath> {
    let mut sorted: Vec<&TreePath> = paths.iter().collect();
    sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    sorted.dedup_by(|later, kept| later.starts_with(kept));
    sorted
}

/// Two ordered streams without common paths as one.
struct Merged<A: Iterator, B: Iterator> {
    tops: Peekable<A>,
    below: Peekable<B>,
}

impl<A, B> Iterator for Merged<A, B>
where
    A: Iterator<Item = (TreePath, Entry)>,
    B: Iterator<Item = Result<(TreePath, Entry)>>,
{
    type Item = Result<(TreePath, Entry)>;

    fn next(&mut self) -> Option<Self::Item> {
        let top_first = match (self.tops.peek(), self.below.peek()) {
            (Some((top, _)), Some(Ok((below, _)))) => top < below,
            (Some(_), None) => true,
            _ => false,
        };
        match top_first {
            true => self.tops.next().map(Ok),
            false => self.below.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::FileKind;
    use crate::format::tree::TreeBuilder;
    use crate::id::Id;
    use crate::repo::chunks::{Chunks, MemoryChunks};

    fn path(text: &str) -> TreePath {
        let parts = text.split('/').filter(|p| !p.is_empty());
        TreePath(parts.map(|p| p.as_bytes().to_vec()).collect())
    }

    /// A tree of `/dN/fM` and `/dN/s/fM`, and the ids of its nodes.
    fn tree(chunks: &MemoryChunks) -> (Id, u64, Vec<Id>) {
        let mut entries = BTreeMap::new();
        for dir in 0..8 {
            entries.insert(path(&format!("/d{dir}")), Entry::new(FileKind::Dir));
            entries.insert(path(&format!("/d{dir}/s")), Entry::new(FileKind::Dir));
            for file in 0..400 {
                let mut entry = Entry::new(FileKind::File);
                entry.inode = file;
                entry.user = vec![b'u'; 80];
                entries.insert(path(&format!("/d{dir}/f{file}")), entry.clone());
                entries.insert(path(&format!("/d{dir}/s/f{file}")), entry);
            }
        }
        let mut nodes = Vec::new();
        let mut builder = TreeBuilder::new(&[7; 32], |_: u8, raw: Vec<u8>| {
            nodes.push(chunks.put(&raw));
            Ok(nodes[nodes.len() - 1])
        });
        for (path, entry) in &entries {
            builder.push(path, entry).unwrap();
        }
        let root = builder.finish().unwrap();
        (root.id, u64::from(root.levels), nodes)
    }

    #[test]
    fn a_selection_is_what_filtering_everything_gives() {
        let chunks = MemoryChunks::default();
        let (root, levels, _) = tree(&chunks);
        let source: &dyn Chunks = &chunks;
        let names = |paths: &[TreePath]| -> Vec<TreePath> {
            let tree = TreeReader::new(source, root, levels).unwrap();
            selected_entries(tree, paths)
                .unwrap()
                .map(|item| item.unwrap().0)
                .collect()
        };
        let all = names(&[]);
        assert_eq!(all.len(), 8 * 802);
        for selection in [
            &["/d1"][..],
            &["/d5/s", "/d2/f7", "/d2/s/f9", "/none/at/all"],
            &["/d3/s/f1", "/d3", "/d3/s"],
            &["/d1", "/d2", "/d10"],
        ] {
            let paths: Vec<TreePath> = selection.iter().map(|p| path(p)).collect();
            let wanted = |p: &&TreePath| paths.iter().any(|w| p.starts_with(w) || w.starts_with(p));
            let expected: Vec<TreePath> = all.iter().filter(wanted).cloned().collect();
            assert_eq!(names(&paths), expected, "{selection:?}");
        }
        assert_eq!(names(&[path("/")]), all);
    }

    #[test]
    fn a_lost_node_costs_its_entries_only() {
        let chunks = MemoryChunks::default();
        let (root, levels, nodes) = tree(&chunks);
        assert!(levels > 1 && nodes.len() > 4);
        chunks.lose(&nodes[1]);
        let source: &dyn Chunks = &chunks;
        let tree = TreeReader::new(source, root, levels).unwrap();
        let (good, bad): (Vec<_>, Vec<_>) = selected_entries(tree, &[])
            .unwrap()
            .partition(|item| item.is_ok());
        assert_eq!(bad.len(), 1);
        assert!(good.len() > 8 * 802 / 2 && good.len() < 8 * 802);
    }
}
