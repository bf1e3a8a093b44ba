//! Goes through the entries in tree order: makes directories, links and special files at once, and collects regular
//! files into batches.

use super::Collisions;
use super::batch::Batch;
use super::content::Spans;
use super::dirs::{Dirs, Lost};
use super::folded::Folded;
use super::job::Job;
use super::links::{Link, Links};
use super::run::{Run, add};
use super::select::{Selected, Selection};
use crate::error::{Context, Error, Result};
use crate::format::{Blob, Entry, FileKind, TreePath};
use crate::fs::path::Platform;
use crate::fs::restore::{Dir, Found};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

/// Files with more content are looked through before they are planned, and may go through several batches.
const LARGE: u64 = 256 << 20;
/// What is said of files that the backup marks.
const UNSTABLE: &str = "it changed while it was backed up, or a part of it was lost in the repository: it may mix two versions, or have zeros where bytes were";
/// Damaged parts of a tree that are passed over.
const MAX_TREE_ERRORS: u32 = 1000;

/// Restores all selected entries.
pub fn entries(run: &Run<'_>) -> Result<()> {
    let mut selection = Selection::new(&run.options.paths);
    let mut planner = Planner::new(run);
    let mut tree_errors = 0;
    for item in run.from.tree.entries(&run.options.paths)? {
        run.check()?;
        match item {
            Ok((path, entry)) => {
                let selected = selection.look(&path);
                planner.entry(&path, &entry, selected)?;
            }
            Err(e) if e.is_of_one_object() && tree_errors < MAX_TREE_ERRORS => {
                tree_errors += 1;
                let lost = match e.is_damage() {
                    true => {
                        "a part of the backup's tree cannot be read, and what it describes is lost"
                    }
                    false => {
                        "a part of the backup's tree cannot be read now, and what it describes is not restored"
                    }
                };
                run.error(b"/", e.context(lost));
            }
            Err(e) => return Err(e.context("reading the backup's tree")),
        }
    }
    planner.finish()?;
    if tree_errors == 0 {
        for path in selection.missing() {
            run.error(
                &path.to_bytes(),
                Error::failed("the backup has nothing of this name"),
            );
        }
    }
    Ok(())
}

/// Where the planner is.
struct Here {
    parent: Arc<TreePath>,
    state: State,
    /// The names met so far.
    names: Folded,
}

enum State {
    /// Open; or, in a dry run, not there.
    Open(Option<Arc<Dir>>),
    Lost(Lost),
}

struct Planner<'r> {
    run: &'r Run<'r>,
    batch: Batch<'r>,
    links: Links,
    dirs: Dirs,
    here: Option<Here>,
}

impl<'r> Planner<'r> {
    fn new(run: &'r Run<'r>) -> Self {
        Planner {
            run,
            batch: Batch::new(run),
            links: Links::default(),
            dirs: Dirs::default(),
            here: None,
        }
    }

    fn finish(&mut self) -> Result<()> {
        self.batch.flush(&mut self.links, None)?;
        if !self.run.options.dry_run {
            self.dirs.finish(self.run)?;
        }
        self.run.check()
    }

    fn entry(&mut self, path: &TreePath, entry: &Entry, selected: Selected) -> Result<()> {
        let Some((parent, name)) = path.split() else {
            return Ok(());
        };
        let is_dir = entry.kind == FileKind::Dir;
        if selected == Selected::No || (selected == Selected::Above && !is_dir) {
            return Ok(());
        }
        let here = self.enter(parent);
        let (parent, dir) = match &here.state {
            State::Open(dir) => (here.parent.clone(), dir.clone()),
            State::Lost(why) => {
                let why = *why;
                self.lost(why);
                return Ok(());
            }
        };
        let clash = here.names.clashes(name, Platform::HERE);
        let item = clash_free(clash)
            .and_then(|()| self.run.target.name(path.0.len() - 1, name))
            .and_then(|name| {
                let found = match &dir {
                    Some(dir) => dir.look(name).context(|| "looking at what is there")?,
                    None => None,
                };
                Ok(Item {
                    path,
                    entry,
                    parent,
                    dir,
                    name: name.to_vec(),
                    found,
                })
            });
        match item {
            Ok(item) if is_dir => self.directory(&item, selected),
            Ok(item) => self.other(&item)?,
            Err(e) => {
                self.run.error(&path.to_bytes(), e);
                if is_dir {
                    self.dirs.lose(path, Lost::Failed);
                }
            }
        }
        Ok(())
    }

    /// An entry below a directory that is not restored.
    fn lost(&self, why: Lost) {
        let counter = match why {
            Lost::Failed => &self.run.counts.errors,
            Lost::Skipped => &self.run.counts.skipped,
        };
        add(counter, 1);
    }

    /// Goes to directory `parent`, reporting once if that is not possible.
    fn enter(&mut self, parent: &[Vec<u8>]) -> &mut Here {
        let same = self
            .here
            .as_ref()
            .is_some_and(|here| here.parent.0 == parent);
        if !same {
            self.here = None;
        }
        if self.here.is_none() {
            let parent = TreePath(parent.to_vec());
            let state = self.open(&parent);
            return self.here.insert(Here {
                parent: Arc::new(parent),
                state,
                names: Folded::default(),
            });
        }
        self.here.get_or_insert_with(|| Here {
            parent: Arc::default(),
            state: State::Open(None),
            names: Folded::default(),
        })
    }

    fn open(&mut self, parent: &TreePath) -> State {
        if let Some(why) = self.dirs.lost(parent) {
            return State::Lost(why);
        }
        let opened = match self.run.options.dry_run {
            true => self.run.target.dir_if_there(parent),
            false => self.run.target.dir(parent, true).map(Some),
        };
        match opened {
            Ok(dir) => {
                if dir.as_ref().is_some_and(|dir| dir.hands_down_acl()) {
                    self.run.inherits_acl.store(true, SeqCst);
                }
                State::Open(dir)
            }
            Err(e) => {
                self.run.error(&parent.to_bytes(), e);
                self.dirs.lose(parent, Lost::Failed);
                State::Lost(Lost::Failed)
            }
        }
    }

    fn directory(&mut self, item: &Item<'_>, selected: Selected) {
        let shown = item.path.to_bytes();
        if item.found.is_some_and(|f| f.kind == Some(FileKind::Dir)) {
            if self.run.keeps_dirs() || selected == Selected::Above {
                self.dirs.keep(item.path);
            } else {
                self.let_in(item);
                self.dirs.made(item.path, item.entry);
            }
        } else if item.found.is_some() && self.run.options.collisions == Collisions::Skip {
            self.run.skip(
                &shown,
                "skipped: something else of this name exists already",
            );
            return self.dirs.lose(item.path, Lost::Skipped);
        } else if self.run.options.dry_run {
            self.run.would(&shown, "would be created");
        } else if let Err(e) = self.make_dir(item) {
            self.run.error(&shown, e);
            return self.dirs.lose(item.path, Lost::Failed);
        } else {
            self.dirs.made(item.path, item.entry);
        }
        add(&self.run.counts.dirs, 1);
    }

    /// Makes a directory, in place of a file where that may be replaced. Never in place of a symbolic link: whoever
    /// made it meant the files to be elsewhere, and following it would let them choose where.
    fn make_dir(&self, item: &Item<'_>) -> Result<()> {
        let Some(dir) = &item.dir else { return Ok(()) };
        match item.found {
            None => {}
            Some(found) if found.kind == Some(FileKind::Symlink) => {
                return Err(
                    Error::failed("a symbolic link is in the place of a directory")
                        .hint("remove it, or restore elsewhere"),
                );
            }
            Some(_) if self.run.options.collisions == Collisions::Replace => {
                dir.remove(&item.name)
                    .context(|| "removing the file in its place")?;
            }
            Some(_) => return Err(Error::failed("a file is in the place of a directory")),
        }
        dir.make_dir(&item.name).context(|| "creating a directory")
    }

    /// A directory of ours that is closed even to us: it gets its mode from the snapshot in the end.
    fn let_in(&self, item: &Item<'_>) {
        if let (Some(dir), Some(found)) = (&item.dir, item.found)
            && !self.run.root
            && !self.run.options.dry_run
            && found.mode & 0o700 != 0o700
        {
            // If this fails, what is restored into it fails and says so.
            let _ = dir.let_owner_in(&item.name, found.mode);
        }
    }

    /// Everything but directories.
    fn other(&mut self, item: &Item<'_>) -> Result<()> {
        let shown = item.path.to_bytes();
        if item.found.is_some() && self.run.options.collisions == Collisions::Skip {
            self.run.skip(&shown, "skipped: it exists already");
            return Ok(());
        }
        if self.run.options.dry_run {
            self.would(item, &shown);
            return Ok(());
        }
        if let Some(id) = item.entry.hardlink
            && self.links.knows(&id)
        {
            self.batch.add_link(Link {
                id,
                parent: item.parent.clone(),
                name: item.name.clone(),
            });
            return self.flush_if_full();
        }
        match item.entry.kind {
            FileKind::File => {
                if item.entry.unstable {
                    self.run.note(&shown, UNSTABLE);
                }
                self.file(item)
            }
            _ => {
                self.node(item, &shown);
                Ok(())
            }
        }
    }

    fn node(&mut self, item: &Item<'_>, shown: &[u8]) {
        let Some(dir) = &item.dir else { return };
        let name = self.run.node(shown, item.entry, dir, &item.name);
        if let (Some(name), Some(id)) = (name, item.entry.hardlink) {
            self.plan_links(item);
            self.links.placed(id, (item.parent.clone(), name));
        }
    }

    fn plan_links(&mut self, item: &Item<'_>) {
        if let Some(id) = item.entry.hardlink
            && !self.links.plan(id, &item.parent, &item.name)
        {
            let path = item.path.to_bytes();
            let note = "too many files with several names: from here on, some names get a copy of their own (said once)";
            self.run.note_once("links", &path, note);
        }
    }

    fn file(&mut self, item: &Item<'_>) -> Result<()> {
        let run = self.run;
        let replaces = run.options.collisions == Collisions::Replace;
        let existing = item
            .found
            .filter(|f| replaces && f.kind == Some(FileKind::File));
        let mut job = Job::new(item.parent.clone(), item.name.clone(), item.entry, existing);
        let stored = |blob: &Option<Blob>| matches!(blob, Some(Blob::Stored(_)));
        let large =
            job.bytes > LARGE || item.entry.content.depth > 0 || stored(&item.entry.extents);
        job.whole = !large;
        self.plan_links(item);
        if large && existing.is_some() {
            let there = Spans::new(item.entry, run.from.chunks)
                .is_ok_and(|spans| run.all_there(&job, spans));
            if there {
                run.finish_unchanged(&job);
                self.links.learn(&[Arc::new(job)]);
                return Ok(());
            }
        }
        self.flush_if_full()?;
        let job = Arc::new(job);
        let number = self.batch.add_job(job.clone());
        self.spans(item.entry, &job, number)?;
        if stored(&item.entry.xattrs) {
            self.batch.hold(job);
        } else {
            run.release(&job);
        }
        Ok(())
    }

    /// Adds all pieces of a file, flushing in between if it is large.
    fn spans(&mut self, entry: &Entry, job: &Arc<Job>, mut number: u32) -> Result<()> {
        let run = self.run;
        let spans = match Spans::new(entry, run.from.chunks) {
            Ok(spans) => spans,
            Err(e) => {
                run.fail(job, e);
                return Ok(());
            }
        };
        for span in spans {
            match span {
                Ok(span) => self.batch.add_span(number, &span),
                Err(e) => run.fail(job, e),
            }
            if !job.is_open() {
                break;
            }
            if !job.whole && self.batch.is_full() {
                self.batch.flush(&mut self.links, Some(job.clone()))?;
                number = 0;
            }
        }
        Ok(())
    }

    fn flush_if_full(&mut self) -> Result<()> {
        match self.batch.is_full() {
            true => self.batch.flush(&mut self.links, None),
            false => Ok(()),
        }
    }

    /// The dry run's account of one entry.
    fn would(&mut self, item: &Item<'_>, shown: &[u8]) {
        let counts = &self.run.counts;
        if let Some(why) = self.run.left_out(item.entry.kind) {
            return self.run.skip(shown, why);
        }
        match item.entry.hardlink {
            Some(id) if self.links.knows(&id) => add(&counts.hardlinks, 1),
            _ => match item.entry.kind {
                FileKind::File => {
                    add(&counts.files, 1);
                    add(&counts.bytes, item.entry.content.len());
                    self.plan_links(item);
                }
                FileKind::Symlink => add(&counts.symlinks, 1),
                _ => add(&counts.specials, 1),
            },
        }
        let what = match (item.found, self.run.options.collisions) {
            (None, _) => "would be created",
            (Some(_), Collisions::Copy) => "would be restored beside what is there",
            (Some(found), _)
                if found.size == item.entry.size && found.mtime == item.entry.mtime =>
            {
                "would be compared, and replaced if it differs"
            }
            _ => "would be replaced",
        };
        self.run.would(shown, what);
    }
}

fn clash_free(clash: bool) -> Result<()> {
    if clash {
        return Err(Error::failed(
            "another name here differs from it only in case, and this system keeps one of them",
        )
        .hint("restore it by itself, to another folder"));
    }
    Ok(())
}

/// One entry and what is in its place.
struct Item<'e> {
    path: &'e TreePath,
    entry: &'e Entry,
    parent: Arc<TreePath>,
    /// `None` in a dry run where it does not exist.
    dir: Option<Arc<Dir>>,
    /// In the target.
    name: Vec<u8>,
    found: Option<Found>,
}
