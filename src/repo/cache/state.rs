//! Small things that a host remembers of a repository between runs, as JSON.

use super::{Cache, read_limited, replace};
use crate::error::{Context, Result};
use crate::id::{Id, Id16};
use crate::index::place::private_file;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::time::Duration;

/// Longer files are not ours.
const MAX_FILE: u64 = 16 << 20;
/// More source sets are not remembered.
const MAX_TREES: usize = 256;
/// More snapshots are not remembered; about 5 MB.
const MAX_SEEN: usize = 20_000;
const STATE: &str = "state.json";
const TREES: &str = "trees.json";

/// A snapshot that this host has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The writer; zero for the full keys.
    #[serde(with = "text")]
    pub writer: Id16,
    /// The host, as its snapshots name it: the full keys' hosts count on their own.
    pub host: String,
    /// Name of the snapshot.
    #[serde(with = "text")]
    pub snapshot: Id,
    /// Its counter.
    pub counter: u64,
    /// When it was seen last, to a day, in ms since 1970 by the storage's clock.
    #[serde(default)]
    pub at: i64,
}

/// How exact [`Seen::at`] is, in ms: looking seldom writes.
const DAY: i64 = 86_400_000;

/// The tree that a backup of a source set ended with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastTree {
    /// The writer; zero for the full keys.
    #[serde(with = "text")]
    pub writer: Id16,
    /// Which host and sources (see [`source_key`]).
    #[serde(with = "text")]
    pub sources: Id,
    /// Chunk id of the tree's root.
    #[serde(with = "text")]
    pub root: Id,
    /// Levels of the tree.
    pub levels: u32,
    /// The key epoch of its chunk ids.
    pub epoch: u32,
    /// Name of the snapshot.
    #[serde(with = "text")]
    pub snapshot: Id,
    /// The snapshot's start, ms since 1970.
    pub time: i64,
}

/// A name for the source paths of a host; their order does not matter.
pub fn source_key(host: &str, sources: &[Vec<u8>]) -> Id {
    let mut sources: Vec<&[u8]> = sources.iter().map(Vec::as_slice).collect();
    sources.sort_unstable();
    sources.dedup();
    let mut hasher = blake3::Hasher::new();
    for part in [host.as_bytes()].into_iter().chain(sources) {
        hasher
            .update(&(part.len() as u64).to_be_bytes())
            .update(part);
    }
    Id(*hasher.finalize().as_bytes())
}

impl Cache {
    /// The snapshots that have been seen, in the order in which they were first.
    pub fn seen(&self) -> Vec<Seen> {
        self.load(STATE)
    }

    /// Remembers snapshots, or that they were seen again. Beyond 20,000 those that were seen first are forgotten.
    pub fn remember(&self, snapshots: &[Seen]) {
        self.update(STATE, |all: &mut Vec<Seen>| {
            let places: HashMap<Id, usize> = all
                .iter()
                .enumerate()
                .map(|(at, s)| (s.snapshot, at))
                .collect();
            for new in snapshots {
                match places.get(&new.snapshot).and_then(|at| all.get_mut(*at)) {
                    Some(old) if old.at < new.at.saturating_sub(DAY) => old.at = new.at,
                    Some(_) => {}
                    None => all.push(new.clone()),
                }
            }
            all.drain(..all.len().saturating_sub(MAX_SEEN));
        });
    }

    /// Forgets snapshots: that they are missing was told of, or they were deleted on purpose.
    pub fn forget_seen(&self, snapshots: &[Id]) {
        let gone: HashSet<&Id> = snapshots.iter().collect();
        self.update(STATE, |all: &mut Vec<Seen>| {
            all.retain(|s| !gone.contains(&s.snapshot));
        });
    }

    /// The last tree of a source set.
    pub fn last_tree(&self, writer: &Id16, sources: &Id) -> Option<LastTree> {
        let trees: Vec<LastTree> = self.load(TREES);
        trees
            .into_iter()
            .find(|t| t.writer == *writer && t.sources == *sources)
    }

    /// The last trees of all source sets of `writer`.
    pub fn last_trees(&self, writer: &Id16) -> Vec<LastTree> {
        let mut trees: Vec<LastTree> = self.load(TREES);
        trees.retain(|t| t.writer == *writer);
        trees
    }

    /// Remembers the last tree of a source set in place of the one before.
    pub fn set_last_tree(&self, tree: &LastTree) {
        self.update(TREES, |all: &mut Vec<LastTree>| {
            all.retain(|t| t.writer != tree.writer || t.sources != tree.sources);
            all.push(tree.clone());
            // The list is in the order of use.
            all.drain(..all.len().saturating_sub(MAX_TREES));
        });
    }

    /// The content of a file; nothing if it is absent or not ours.
    fn load<T: DeserializeOwned + Default>(&self, name: &str) -> T {
        let bytes = self
            .tolerate(read_limited(&self.dir.join(name), MAX_FILE))
            .flatten();
        bytes
            .and_then(|b| serde_json::from_slice(&b).ok())
            .unwrap_or_default()
    }

    /// Changes a file. Two runs at once take turns.
    fn update<T: Serialize + DeserializeOwned + Default + PartialEq + Clone>(
        &self,
        name: &str,
        change: impl FnOnce(&mut T),
    ) {
        let store = || -> Result<()> {
            let _turn = self.turn()?;
            let old: T = self.load(name);
            let mut new = old.clone();
            change(&mut new);
            if new == old {
                return Ok(());
            }
            let bytes = serde_json::to_vec(&new).map_err(|e| {
                crate::error::Error::failed(format!("writing {name}")).with_source(e)
            })?;
            replace(&self.dir.join(name), &bytes)
        };
        self.tolerate(store());
    }

    /// A lock, waited for half a second: going without it can lose one of two changes, hanging would lose the run.
    fn turn(&self) -> Result<File> {
        let path = self.dir.join("state.lock");
        let file = private_file(
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false),
            &path,
        )
        .context(|| format!("opening {}", path.display()))?;
        for _ in 0..50 {
            match file.try_lock() {
                Err(std::fs::TryLockError::WouldBlock) => {
                    std::thread::sleep(Duration::from_millis(10))
                }
                _ => break,
            }
        }
        Ok(file)
    }
}

/// Ids as hexadecimal text.
mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::fmt::Display;
    use std::str::FromStr;

    pub(super) fn serialize<T: Display, S: Serializer>(id: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }

    pub(super) fn deserialize<'d, T: FromStr<Err: Display>, D: Deserializer<'d>>(
        from: D,
    ) -> Result<T, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path(), &Id16([1; 16])).unwrap();
        (dir, cache)
    }

    fn seen(writer: u8, host: &str, counter: u64) -> Seen {
        Seen {
            writer: Id16([writer; 16]),
            host: host.into(),
            snapshot: Id([counter as u8; 32]),
            counter,
            at: 0,
        }
    }

    #[test]
    fn remembers_snapshots_until_they_are_forgotten() {
        let (_dir, cache) = cache();
        assert!(cache.seen().is_empty());
        cache.remember(&[seen(0, "a", 5), seen(0, "b", 1), seen(0, "a", 4)]);
        cache.remember(&[seen(0, "b", 1), seen(3, "a", 9)]);
        let all = [
            seen(0, "a", 5),
            seen(0, "b", 1),
            seen(0, "a", 4),
            seen(3, "a", 9),
        ];
        assert_eq!(cache.seen(), all);
        // The day of the last look is kept.
        let at = |at| Seen {
            at,
            ..seen(0, "b", 1)
        };
        cache.remember(&[at(DAY), at(3 * DAY)]);
        assert_eq!(cache.seen()[1], at(3 * DAY));
        cache.remember(&[at(DAY), at(3 * DAY + 5)]);
        assert_eq!(cache.seen()[1], at(3 * DAY));
        cache.forget_seen(&[Id([5; 32]), Id([4; 32])]);
        assert_eq!(cache.seen(), [at(3 * DAY), seen(3, "a", 9)]);
        assert_eq!(cache.take_warning(), None);
    }

    #[test]
    fn remembers_the_last_tree_of_each_source_set() {
        let (_dir, cache) = cache();
        let tree = |n: usize, root: u8| LastTree {
            writer: Id16([1; 16]),
            sources: source_key("host", &[n.to_be_bytes().to_vec()]),
            root: Id([root; 32]),
            levels: 2,
            epoch: 1,
            snapshot: Id([3; 32]),
            time: -5,
        };
        (0..MAX_TREES + 1).for_each(|n| cache.set_last_tree(&tree(n, 1)));
        cache.set_last_tree(&tree(5, 2));
        let get = |n: usize| cache.last_tree(&Id16([1; 16]), &tree(n, 0).sources);
        assert_eq!(get(0), None);
        assert_eq!(get(1), Some(tree(1, 1)));
        assert_eq!(get(5), Some(tree(5, 2)));
        assert_eq!(cache.last_tree(&Id16([2; 16]), &tree(5, 0).sources), None);
    }

    #[test]
    fn a_damaged_file_is_an_empty_one() {
        let (_dir, cache) = cache();
        for bad in [&b"{"[..], b"[{}]", b"\xff", b"[{\"writer\":\"00\"}]"] {
            std::fs::write(cache.dir().join(STATE), bad).unwrap();
            assert!(cache.seen().is_empty());
            cache.remember(&[seen(0, "a", 5)]);
            assert_eq!(cache.seen(), [seen(0, "a", 5)]);
        }
    }

    #[test]
    fn changes_made_at_once_are_all_kept() {
        let (_dir, cache) = cache();
        std::thread::scope(|s| {
            for writer in 0..8 {
                let cache = &cache;
                s.spawn(move || {
                    (0..5).for_each(|n| {
                        cache.remember(&[seen(writer, "a", 5 * u64::from(writer) + n)])
                    })
                });
            }
        });
        assert_eq!(cache.seen().len(), 40);
    }

    #[test]
    fn source_sets_are_told_apart() {
        let key = |host: &str, sources: &[&str]| {
            source_key(
                host,
                &sources
                    .iter()
                    .map(|s| s.as_bytes().to_vec())
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(key("h", &["a", "b"]), key("h", &["b", "a", "a"]));
        assert_ne!(key("h", &["ab"]), key("h", &["a", "b"]));
        assert_ne!(key("h", &["a"]), key("ha", &[]));
    }
}
