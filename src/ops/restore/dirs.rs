//! Directories: created as they are met, with their metadata applied when everything below them is done.
//!
//! What to apply is remembered up to a limit; beyond it, the tree is read a second time instead.

use super::job::meta_of;
use super::run::Run;
use super::select::{Selected, Selection};
use crate::error::Result;
use crate::format::{Blob, Entry, FileKind, Stream, TreePath};
use crate::fs::restore::Meta;
use std::collections::{HashMap, HashSet};

/// Memory for remembered directories, bytes.
const MAX_WEIGHT: usize = 16 << 20;
/// Paths remembered for what became of them.
const MAX_PATHS: usize = 1 << 20;
/// Directories that their owner may not enter, put off to the end of a second reading.
const MAX_PUT_OFF: usize = 16 << 10;

/// Why nothing below a directory is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It could not be made; that was reported.
    Failed,
    /// A collision, to be left as it is.
    Skipped,
}

/// What became of the directories met so far.
#[derive(Default)]
pub struct Dirs {
    pending: Vec<Pending>,
    weight: usize,
    spilled: bool,
    /// Paths (as hashes) whose metadata is not ours to set.
    kept: HashSet<u64>,
    lost: HashMap<u64, Lost>,
}

struct Pending {
    path: TreePath,
    meta: Meta,
    xattrs: Option<Blob>,
    streams: Vec<Stream>,
}

impl Pending {
    fn new(path: &TreePath, entry: &Entry) -> Self {
        Pending {
            path: path.clone(),
            meta: meta_of(entry),
            xattrs: entry.xattrs.clone(),
            streams: entry.streams.clone(),
        }
    }

    fn weight(&self) -> usize {
        let inline = match &self.xattrs {
            Some(Blob::Inline(bytes)) => bytes.len(),
            _ => 0,
        };
        160 + inline
            + super::streams::weight(&self.streams)
            + self
                .path
                .0
                .iter()
                .map(|part| part.len() + 40)
                .sum::<usize>()
    }
}

impl Dirs {
    /// Metadata of this directory is to be applied.
    pub fn made(&mut self, path: &TreePath, entry: &Entry) {
        if self.spilled {
            return;
        }
        let pending = Pending::new(path, entry);
        self.weight += pending.weight();
        self.pending.push(pending);
        if self.weight > MAX_WEIGHT {
            self.spilled = true;
            self.pending = Vec::new();
        }
    }

    /// This directory was there before and keeps its metadata.
    pub fn keep(&mut self, path: &TreePath) {
        if self.kept.len() < MAX_PATHS {
            self.kept.insert(hash(&path.0));
        }
    }

    /// Nothing below this directory can be restored.
    pub fn lose(&mut self, path: &TreePath, why: Lost) {
        if self.lost.len() < MAX_PATHS {
            self.lost.insert(hash(&path.0), why);
        }
    }

    /// Is `path`, or a directory above it, lost?
    pub fn lost(&self, path: &TreePath) -> Option<Lost> {
        if self.lost.is_empty() {
            return None;
        }
        (1..=path.0.len()).find_map(|depth| self.lost.get(&hash(&path.0[..depth])).copied())
    }

    /// Applies the metadata of all directories.
    pub fn finish(&mut self, run: &Run<'_>) -> Result<()> {
        if self.spilled {
            return self.read_again(run);
        }
        // A directory comes before everything below it, so this order is from the leaves up.
        while let Some(dir) = self.pending.pop() {
            run.check()?;
            apply(run, &dir);
        }
        Ok(())
    }

    /// The tree once more, from the root down. Only a directory that its owner may not enter has to wait.
    fn read_again(&self, run: &Run<'_>) -> Result<()> {
        let paths = &run.options.paths;
        let mut selection = Selection::new(paths);
        let mut put_off = Vec::new();
        for item in run.from.tree.entries(paths)? {
            run.check()?;
            // An unreadable part was reported the first time.
            let Ok((path, entry)) = item else { continue };
            if entry.kind != FileKind::Dir
                || selection.look(&path) == Selected::No
                || !self.ours(&path)
            {
                continue;
            }
            let dir = Pending::new(&path, &entry);
            if !run.root && entry.mode & 0o100 == 0 && put_off.len() < MAX_PUT_OFF {
                put_off.push(dir);
            } else {
                apply(run, &dir);
            }
        }
        put_off.iter().rev().for_each(|dir| apply(run, dir));
        Ok(())
    }

    fn ours(&self, path: &TreePath) -> bool {
        !path.0.is_empty() && !self.kept.contains(&hash(&path.0)) && self.lost(path).is_none()
    }
}

fn apply(run: &Run<'_>, dir: &Pending) {
    let done = || -> Result<()> {
        let mut meta = dir.meta.clone();
        meta.xattrs = run.xattrs(dir.xattrs.as_ref())?;
        let open = run.target.dir(&dir.path, false)?;
        // No name: the directory itself.
        run.streams(&dir.path.to_bytes(), &dir.streams, &open, b"");
        let applied = open.apply_self(&meta, run.policy)?;
        run.remark(&dir.path.to_bytes(), applied);
        Ok(())
    };
    if let Err(e) = done() {
        run.error(&dir.path.to_bytes(), e);
    }
}

/// Paths are remembered by hash: a few bytes each, and with a random key, so that nobody can choose collisions.
fn hash(parts: &[Vec<u8>]) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    static KEY: std::sync::LazyLock<RandomState> = std::sync::LazyLock::new(RandomState::new);
    KEY.hash_one(parts)
}
