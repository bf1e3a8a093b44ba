//! The parent backup's entries, in step with the walk.

use crate::error::{Error, Result};
use crate::format::entry::{Entry, FileKind, TreePath};
use crate::id::Id;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::iter::Peekable;

/// Entries of a tree, in its order.
pub type Entries<'a> = Box<dyn Iterator<Item = Result<(TreePath, Entry)>> + 'a>;

/// Follows the walk through the parent's entries.
pub struct Cursor<'a> {
    entries: Peekable<Entries<'a>>,
    /// Why the parent could not be read on; from there, files count as new.
    trouble: Option<Error>,
}

impl<'a> Cursor<'a> {
    /// At the start of `entries`.
    pub fn new(entries: Entries<'a>) -> Cursor<'a> {
        Cursor {
            entries: entries.peekable(),
            trouble: None,
        }
    }

    /// A backup without a parent.
    pub fn none() -> Cursor<'a> {
        Cursor::new(Box::new(std::iter::empty()))
    }

    /// The parent's entry at `path`. Paths must be asked for in the tree's order.
    pub fn take(&mut self, path: &TreePath) -> Option<Entry> {
        loop {
            let order = match self.entries.peek()? {
                Ok((at, _)) => at.cmp(path),
                Err(_) => Ordering::Equal,
            };
            match order {
                Ordering::Greater => return None,
                Ordering::Less => drop(self.entries.next()),
                Ordering::Equal => match self.entries.next()? {
                    Ok((_, entry)) => return Some(entry),
                    Err(e) => {
                        self.trouble = Some(e);
                        self.entries = (Box::new(std::iter::empty()) as Entries<'a>).peekable();
                        return None;
                    }
                },
            }
        }
    }

    /// What went wrong, once.
    pub fn take_trouble(&mut self) -> Option<Error> {
        self.trouble.take()
    }
}

/// Is the file as the parent saw it? Then its content is taken over without reading it. A file that changed while it
/// was read then is read again.
pub fn unchanged(now: &Entry, then: &Entry) -> bool {
    then.kind == FileKind::File
        && now.kind == FileKind::File
        && !then.unstable
        && (now.size, now.mtime, now.ctime, now.inode)
            == (then.size, then.mtime, then.ctime, then.inode)
}

/// Bundles of which less than half is still referred to by `entries`: their live files are bundled anew, so that a
/// bundle does not outlive most of its files. `raw_len` tells a chunk's raw length.
pub fn dying_bundles(entries: Entries<'_>, raw_len: &dyn Fn(&Id) -> Option<u64>) -> HashSet<Id> {
    let mut live: HashMap<Id, (u64, u64)> = HashMap::new();
    let mut whole: Option<Id> = None;
    for (_, entry) in entries.map_while(Result::ok) {
        let [piece] = entry.content.pieces.as_slice() else {
            continue;
        };
        if entry.content.depth > 0 || whole == Some(piece.chunk) {
            continue;
        }
        match live.get_mut(&piece.chunk) {
            Some((used, _)) => *used += piece.len,
            None => match raw_len(&piece.chunk) {
                Some(raw) if piece.len < raw => drop(live.insert(piece.chunk, (piece.len, raw))),
                // The chunk holds this file alone.
                _ => whole = Some(piece.chunk),
            },
        }
    }
    live.into_iter()
        .filter(|(_, (used, raw))| used * 2 < *raw)
        .map(|(id, _)| id)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::entry::{Content, Piece};

    fn path(name: &str) -> TreePath {
        TreePath(vec![name.as_bytes().to_vec()])
    }

    fn file(chunk: u8, len: u64) -> Entry {
        let mut entry = Entry::new(FileKind::File);
        entry.content = Content {
            depth: 0,
            pieces: vec![Piece {
                chunk: Id([chunk; 32]),
                offset: 0,
                len,
            }],
        };
        entry
    }

    #[test]
    fn follows_the_walk_and_survives_a_broken_parent() {
        let list: Vec<Result<_>> = vec![
            Ok((path("a"), file(1, 1))),
            Ok((path("c"), file(2, 2))),
            Err(Error::damaged("x")),
            Ok((path("e"), file(3, 3))),
        ];
        let mut cursor = Cursor::new(Box::new(list.into_iter()));
        assert!(cursor.take(&path("b")).is_none());
        assert_eq!(cursor.take(&path("c")).unwrap().content.len(), 2);
        assert!(cursor.take(&path("d")).is_none());
        assert!(cursor.take_trouble().is_some());
        assert!(cursor.take(&path("e")).is_none());
    }

    #[test]
    fn bundles_that_are_less_than_half_alive() {
        let list = [file(1, 40), file(1, 20), file(2, 40), file(3, 100)];
        let entries = list
            .into_iter()
            .enumerate()
            .map(|(n, e)| Ok((path(&n.to_string()), e)));
        let dying = dying_bundles(Box::new(entries), &|_| Some(100));
        assert_eq!(dying, HashSet::from([Id([2; 32])]));
    }
}
