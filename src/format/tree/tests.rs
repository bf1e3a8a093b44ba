//! Round trips, stability of boundaries, scans against a sorted map, hostile input.

mod codec;
mod hostile;
mod shape;
mod vectors;

use super::*;
use crate::error::Result;
use crate::id::Id;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

const KEY: [u8; 32] = [7; 32];

/// Nodes in memory, by a hash of their bytes; counts reads.
#[derive(Default)]
struct Store {
    nodes: HashMap<Id, Vec<u8>>,
    reads: RefCell<usize>,
}

impl Store {
    fn put(&mut self, raw: Vec<u8>) -> Id {
        let id = Id(*blake3::hash(&raw).as_bytes());
        self.nodes.insert(id, raw);
        id
    }

    fn build<'a>(&mut self, entries: impl IntoIterator<Item = (&'a TreePath, &'a Entry)>) -> Root {
        let mut builder = TreeBuilder::new(&KEY, |_, raw| Ok(self.put(raw)));
        for (path, entry) in entries {
            builder.push(path, entry).unwrap();
        }
        builder.finish().unwrap()
    }

    fn reader(&self, root: &Root) -> TreeReader<'_, Store> {
        TreeReader::new(self, root.id, root.levels.into()).unwrap()
    }
}

impl NodeSource for Store {
    fn node(&self, id: &Id) -> Result<Vec<u8>> {
        *self.reads.borrow_mut() += 1;
        self.nodes
            .get(id)
            .cloned()
            .ok_or_else(|| crate::error::Error::damaged("no such node"))
    }
}

fn path(text: &str) -> TreePath {
    TreePath(
        text.split('/')
            .filter(|p| !p.is_empty())
            .map(|p| p.as_bytes().to_vec())
            .collect(),
    )
}

fn file(size: u64) -> Entry {
    let piece = Piece {
        chunk: Id([size as u8; 32]),
        offset: size % 1000,
        len: size.max(1),
    };
    let mut entry = Entry::new(FileKind::File);
    entry.mode = 0o644;
    entry.user = b"someone".to_vec();
    entry.mtime = FileTime {
        secs: 1_700_000_000 + size as i64,
        nanos: 999_999_999,
    };
    entry.size = size.max(1);
    entry.inode = size * 7;
    entry.content = Content {
        depth: 0,
        pieces: vec![piece],
    };
    entry
}

/// `n` files in directories of up to 100, with the directories themselves.
fn many(n: u64) -> BTreeMap<TreePath, Entry> {
    let mut map = BTreeMap::new();
    for i in 0..n {
        let dir = format!("home/d{}/e{}", i / 10_000, i / 100 % 100);
        for ancestor in ["home".into(), format!("home/d{}", i / 10_000), dir.clone()] {
            map.entry(path(&ancestor))
                .or_insert_with(|| Entry::new(FileKind::Dir));
        }
        map.insert(path(&format!("{dir}/file-{i}.txt")), file(i));
    }
    map
}
