//! Tree nodes by chunk id. The caller verifies what it gets against the id, since the cache has no key to.

use super::{Cache, TEMPORARY, read_limited, replace};
use crate::error::{Context, Error, Result};
use crate::format::tree::NODE_LIMIT;
use crate::id::Id;
use crate::index::place::private_folder;
use crate::units::Time;
use std::collections::HashSet;
use std::fs::{DirEntry, File, FileTimes, Metadata};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Larger nodes are neither kept nor read.
const MAX_NODE: u64 = NODE_LIMIT as u64;
/// A node's time of last use is exact to about a day, so that reading seldom writes.
const DAY: Duration = Duration::from_secs(86_400);

impl Cache {
    /// The bytes kept for chunk `id`, not verified. Where they turn out wrong call [`Cache::forget_node`].
    pub fn node(&self, id: &Id) -> Option<Vec<u8>> {
        let path = self.node_path(id);
        let bytes = self.tolerate(read_limited(&path, MAX_NODE))??;
        let stale = |m: Metadata| {
            m.modified()
                .is_ok_and(|t| t.elapsed().is_ok_and(|age| age > DAY))
        };
        if path.metadata().is_ok_and(stale) {
            // Setting times needs a writable handle on Windows. Failure only makes the node look older.
            let _ = File::options()
                .write(true)
                .open(&path)
                .and_then(|f| f.set_times(FileTimes::new().set_modified(SystemTime::now())));
        }
        Some(bytes)
    }

    /// Keeps the bytes of chunk `id`.
    pub fn put_node(&self, id: &Id, bytes: &[u8]) {
        let path = self.node_path(id);
        if bytes.len() as u64 > MAX_NODE
            || path.metadata().is_ok_and(|m| m.len() == bytes.len() as u64)
        {
            return;
        }
        let put = || -> Result<()> {
            let written = replace(&path, bytes);
            let (Err(_), Some(folder)) = (&written, path.parent()) else {
                return written;
            };
            private_folder(folder).context(|| format!("creating {}", folder.display()))?;
            replace(&path, bytes)
        };
        self.tolerate(put());
    }

    /// Drops what is kept for chunk `id`: it was damaged.
    pub fn forget_node(&self, id: &Id) {
        let _ = std::fs::remove_file(self.node_path(id));
    }

    /// Deletes the nodes that are not in `keep` and were there before `began`, by this host's clock.
    pub fn retain_nodes(&self, keep: &HashSet<Id>, began: Time) {
        for file in self.node_files() {
            let name = file.file_name();
            let id = name.to_str().and_then(|n| n.parse::<Id>().ok());
            let stamped = file.metadata().and_then(|m| m.modified());
            if id.is_some_and(|id| !keep.contains(&id))
                && stamped.is_ok_and(|t| Time::from(t) < began)
            {
                match std::fs::remove_file(file.path()) {
                    Err(e) if e.kind() != ErrorKind::NotFound => {
                        let what = format!("deleting {}", file.path().display());
                        self.warn(&Error::io(what, e));
                    }
                    _ => {}
                }
            }
        }
    }

    fn node_files(&self) -> impl Iterator<Item = DirEntry> {
        let entries = |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten();
        entries(self.dir.join("nodes")).flat_map(move |folder| entries(folder.path()))
    }

    /// Deletes the nodes that were not used for longest, until at most `limit` bytes remain, and what interrupted runs
    /// left behind. Among nodes of the same day chance decides (names are keyed hashes). Gives the bytes that remain.
    pub fn evict_nodes(&self, limit: u64) -> u64 {
        let now = SystemTime::now();
        let mut nodes: Vec<(u64, PathBuf, u64)> = Vec::new();
        let mut total = 0u64;
        for file in self.node_files() {
            let Ok(meta) = file.metadata() else { continue };
            let age = meta
                .modified()
                .ok()
                .and_then(|t| now.duration_since(t).ok())
                .unwrap_or_default();
            if file
                .file_name()
                .to_str()
                .is_some_and(|n| n.ends_with(TEMPORARY))
            {
                if age > DAY {
                    let _ = std::fs::remove_file(file.path());
                }
                continue;
            }
            total += meta.len();
            nodes.push((age.as_secs() / DAY.as_secs(), file.path(), meta.len()));
        }
        if total <= limit {
            return total;
        }
        nodes.sort_unstable();
        while total > limit
            && let Some((_, path, len)) = nodes.pop()
        {
            if std::fs::remove_file(path).is_ok() {
                total -= len;
            }
        }
        total
    }

    fn node_path(&self, id: &Id) -> PathBuf {
        let name = id.hex();
        self.dir.join("nodes").join(&name[..2]).join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id16;

    fn cache() -> (tempfile::TempDir, Cache) {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path(), &Id16([1; 16])).unwrap();
        (dir, cache)
    }

    #[test]
    fn keeps_and_forgets() {
        let (_dir, cache) = cache();
        let id = Id([9; 32]);
        assert_eq!(cache.node(&id), None);
        cache.put_node(&id, b"one");
        assert_eq!(cache.node(&id).as_deref(), Some(&b"one"[..]));
        cache.forget_node(&id);
        assert_eq!(cache.node(&id), None);
        cache.put_node(&id, &vec![0; MAX_NODE as usize + 1]);
        assert_eq!(cache.node(&id), None);
        assert_eq!(cache.take_warning(), None);
    }

    #[test]
    fn a_file_that_is_too_long_is_not_read() {
        let (_dir, cache) = cache();
        let id = Id([9; 32]);
        cache.put_node(&id, b"one");
        std::fs::write(cache.node_path(&id), vec![0; MAX_NODE as usize + 1]).unwrap();
        assert_eq!(cache.node(&id), None);
    }

    #[test]
    fn evicts_what_was_used_longest_ago() {
        let (_dir, cache) = cache();
        let age = |n: u8, days: u64| {
            let path = cache.node_path(&Id([n; 32]));
            let times =
                FileTimes::new().set_modified(SystemTime::now() - DAY * days as u32 - DAY / 2);
            File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_times(times)
                .unwrap();
        };
        for n in 0..10 {
            cache.put_node(&Id([n; 32]), &[n; 100]);
            age(n, u64::from(n));
        }
        let left_over = cache.node_path(&Id([0; 32])).with_extension("x.tmp");
        std::fs::write(&left_over, b"x").unwrap();
        assert!(cache.node(&Id([9; 32])).is_some(), "use makes young");
        assert_eq!(cache.evict_nodes(1000), 1000);
        assert_eq!(cache.evict_nodes(350), 300);
        let left: Vec<u8> = (0..10)
            .filter(|n| cache.node(&Id([*n; 32])).is_some())
            .collect();
        assert_eq!(left, [0, 1, 9]);
        assert!(left_over.exists(), "may be another run's");
    }
}
