//! The source as a stream of items in the order of the snapshot's tree (see [`TreePath`]): all of a directory's
//! entries sorted by name, then each of its subdirectories in turn.
//!
//! Several sources make one tree: what overlaps appears once, and the directories above a source appear without their
//! other children. Symlinks are never followed, except in the part of a path that leads to a source.

mod sources;
#[cfg(test)]
mod tests;

use super::filter::Filter;
use super::meta::{Owners, Xattrs};
use super::names::Names;
use super::path::Source;
use super::read::SourceFile;
use super::sys;
use crate::error::{Context, Error, Result};
use crate::format::{Entry, FileKind, TreePath};
use sources::{Node, Tree};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// Directories nested deeper than this are reported and not entered: no real tree is, and a broken file system that
/// shows a directory inside itself must end somewhere.
pub const MAX_DEPTH: usize = 16_384;

/// What to leave out of a walk.
#[derive(Default)]
pub struct Options {
    /// Exclude patterns.
    pub filter: Filter,
    /// Leave out what is in directories with a valid `CACHEDIR.TAG`, except the tag.
    pub exclude_caches: bool,
    /// Do not enter file systems other than those that the sources are on.
    pub one_file_system: bool,
}

/// One thing that a walk comes upon. Nearly all are items, so a box for them would only cost.
#[allow(clippy::large_enum_variant)]
pub enum Walked {
    /// A file, directory or other entry.
    Item(Item),
    /// A remark that is no error: a socket is skipped, a file vanished.
    Note {
        /// Where.
        path: TreePath,
        /// The remark.
        note: String,
    },
    /// Something could not be read; the walk goes on. A directory that cannot be listed comes as an item first.
    Error {
        /// Where.
        path: TreePath,
        /// Why.
        error: Error,
    },
}

/// What a look at one name found; made by the platform's side.
pub(super) enum Look {
    /// Something that is kept; content is empty.
    Entry(Box<Entry>),
    /// Something that is not, in words: `a socket`.
    Other(&'static str),
}

/// An entry of the source and the way to its content. Cheap to keep: it holds no descriptor of its own.
pub struct Item {
    /// Where it is in the snapshot.
    pub path: TreePath,
    /// Its metadata; content, extents and extended attributes are empty.
    pub entry: Entry,
    dir: Arc<sys::Dir>,
    follow: bool,
}

impl Item {
    /// Opens a regular file for reading, safely: a symlink is not followed, a pipe does not block, and what is open
    /// is the inode that the walk saw.
    pub fn open_for_read(&self) -> Result<SourceFile> {
        let file = self
            .dir
            .open_file(self.name())
            .context(|| "cannot open the file")?;
        SourceFile::new(file, &self.entry)
    }

    /// Reads the extended attributes, POSIX ACLs among them, sorted by name. None on a file system without them.
    pub fn xattrs(&self) -> Result<Xattrs> {
        let read = self.dir.xattrs(self.name(), self.follow, &self.entry);
        read.context(|| "cannot read the extended attributes")
    }

    /// The names of its Windows alternate streams, sorted; none elsewhere.
    pub fn streams(&self) -> Result<Vec<Vec<u8>>> {
        let read = self.dir.streams(self.name());
        read.context(|| "cannot list the alternate streams")
    }

    /// Opens an alternate stream for reading.
    pub fn open_stream(&self, stream: &[u8]) -> Result<std::fs::File> {
        let opened = self.dir.open_stream(self.name(), stream);
        opened.context(|| "cannot open it")
    }

    fn name(&self) -> &[u8] {
        self.path.0.last().map_or(&[], Vec::as_slice)
    }
}

/// Walks sources; see the module's text. Holds the names of the directories on the way to the present one.
pub struct Walker {
    options: Options,
    owners: Owners,
    tree: Tree,
    /// The directory being read, as components.
    path: Vec<Vec<u8>>,
    frames: Vec<Frame>,
    /// Found and not given out yet.
    ready: VecDeque<Walked>,
}

/// A directory being walked: first its names, then its subdirectories.
struct Frame {
    dir: Arc<sys::Dir>,
    names: Names,
    next_name: usize,
    subdirs: Vec<Subdir>,
    next_subdir: usize,
    /// What the sources say about this directory, if it is on the way to one or is one.
    node: Option<Node>,
    /// Are all names taken, or only those that lead to sources?
    whole: bool,
    /// The file system of the source that this is part of.
    device: u64,
}

/// A subdirectory to enter later.
struct Subdir {
    /// Its place in the frame's names.
    name: u32,
    /// See [`Frame::whole`].
    whole: bool,
}

impl Walker {
    /// Prepares a walk of `sources`; reads nothing yet but the root directory's inode. A source that is not there
    /// comes as an error of the walk.
    pub fn new(sources: &[Source], options: Options) -> Result<Self> {
        let tree = Tree::new(sources);
        let dir = sys::Dir::root().context(|| "cannot open the root directory")?;
        let mut walker = Walker {
            options,
            owners: sys::owners(),
            tree,
            path: Vec::new(),
            frames: Vec::new(),
            ready: VecDeque::new(),
        };
        let root = walker.tree.root();
        let whole = walker.tree.is_source(root);
        let device = dir.device();
        walker.enter(dir, Some(root), whole, device);
        Ok(walker)
    }

    /// Starts on the directory that `self.path` names.
    fn enter(&mut self, dir: Arc<sys::Dir>, node: Option<Node>, whole: bool, device: u64) {
        let mut names = Names::default();
        if whole {
            match dir.list() {
                Ok(found) => names = found,
                Err(error) => {
                    let path = TreePath(self.path.clone());
                    self.error(path, Error::io("cannot list the directory", error));
                }
            }
            if self.options.exclude_caches && super::filter::is_cache(&dir, &names) {
                names = Names::default();
                let _ = names.push(super::filter::CACHE_TAG);
            }
        }
        for name in node.into_iter().flat_map(|node| self.tree.children(node)) {
            let _ = names.push(name);
        }
        names.sort();
        self.frames.push(Frame {
            dir,
            names,
            next_name: 0,
            subdirs: Vec::new(),
            next_subdir: 0,
            node,
            whole,
            device,
        });
    }

    /// Does the next piece of work; false when there is none left.
    fn step(&mut self) -> bool {
        let Some(frame) = self.frames.last_mut() else {
            return false;
        };
        if let Some(name) = frame.names.get(frame.next_name) {
            let name = name.to_vec();
            let index = frame.next_name;
            frame.next_name += 1;
            self.look(name, index);
        } else if let Some(subdir) = frame.subdirs.get(frame.next_subdir) {
            let (name, whole) = (
                frame
                    .names
                    .get(subdir.name as usize)
                    .unwrap_or_default()
                    .to_vec(),
                subdir.whole,
            );
            frame.next_subdir += 1;
            self.descend(name, whole);
        } else {
            self.frames.pop();
            self.path.pop();
        }
        true
    }

    /// Looks at one name of the present directory.
    fn look(&mut self, name: Vec<u8>, index: usize) {
        let Some(frame) = self.frames.last() else {
            return;
        };
        let dir = frame.dir.clone();
        let (frame_whole, device) = (frame.whole, frame.device);
        let mut path = self.path.clone();
        path.push(name);
        let path = TreePath(path);
        let name = path.0.last().map_or(&[][..], Vec::as_slice);

        let node = frame.node.and_then(|node| self.tree.child(node, name));
        let leads_on = node.is_some_and(|node| self.tree.has_children(node));
        let excluded = self.options.filter.excludes(&path.0);
        let source = node.is_some_and(|node| self.tree.is_source(node));
        if excluded && !leads_on {
            if source {
                self.note(path, "left out: the source matches an exclude pattern");
            }
            return;
        }
        let follow = node.is_some_and(|node| leads_on || self.tree.follows(node));
        let entry = match dir.look(name, follow, &self.owners) {
            Ok(Look::Entry(entry)) => *entry,
            Ok(Look::Other(what)) => return self.note(path, format!("skipped: {what}")),
            Err(error) => return self.failed_look(path, node, error),
        };
        let is_dir = entry.kind == FileKind::Dir;
        if follow && !is_dir {
            return self.failed_look(path, node, io::ErrorKind::NotADirectory.into());
        }
        let elsewhere = self.options.one_file_system && entry.device != device && !source;
        if elsewhere && !is_dir {
            return self.note(path, "skipped: on another file system");
        }
        if is_dir {
            let whole = (source || (frame_whole && !elsewhere)) && !excluded;
            if (whole || leads_on)
                && let Some(frame) = self.frames.last_mut()
            {
                frame.subdirs.push(Subdir {
                    name: index as u32,
                    whole,
                });
            }
        }
        self.ready.push_back(Walked::Item(Item {
            path,
            entry,
            dir,
            follow,
        }));
    }

    /// A name could not be looked at: an error where a source needs it, else it went away since it was listed.
    fn failed_look(&mut self, path: TreePath, node: Option<Node>, error: io::Error) {
        match node {
            Some(node) => {
                let reason = error.to_string();
                for source in self.tree.sources_below(node, &path) {
                    self.error(
                        source,
                        Error::failed("cannot read the source").with_source(reason.clone()),
                    );
                }
            }
            None if error.kind() == io::ErrorKind::NotFound => {
                self.note(path, "vanished while the directory was read")
            }
            None => self.error(path, Error::io("cannot read the metadata", error)),
        }
    }

    /// Enters a subdirectory of the present directory.
    fn descend(&mut self, name: Vec<u8>, whole: bool) {
        let Some(frame) = self.frames.last() else {
            return;
        };
        let node = frame.node.and_then(|node| self.tree.child(node, &name));
        let follow =
            node.is_some_and(|node| self.tree.has_children(node) || self.tree.follows(node));
        let (opened, device) = (frame.dir.open_dir(&name, follow), frame.device);
        self.path.push(name);
        let opened = match opened {
            Ok(_) if self.path.len() > MAX_DEPTH => {
                Err(io::Error::other("the directories are nested too deeply"))
            }
            opened => opened,
        };
        match opened {
            Ok(dir) => {
                let source = node.is_some_and(|node| self.tree.is_source(node));
                let device = if source { dir.device() } else { device };
                self.enter(dir, node, whole, device);
            }
            Err(error) => {
                let path = TreePath(self.path.clone());
                self.path.pop();
                self.error(path, Error::io("cannot open the directory", error));
            }
        }
    }

    fn note(&mut self, path: TreePath, note: impl Into<String>) {
        self.ready.push_back(Walked::Note {
            path,
            note: note.into(),
        });
    }

    fn error(&mut self, path: TreePath, error: Error) {
        self.ready.push_back(Walked::Error { path, error });
    }
}

impl Iterator for Walker {
    type Item = Walked;

    fn next(&mut self) -> Option<Walked> {
        loop {
            if let Some(walked) = self.ready.pop_front() {
                return Some(walked);
            }
            if !self.step() {
                return None;
            }
        }
    }
}
