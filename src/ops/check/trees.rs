//! Walking the trees of snapshots: every node is read once, every chunk that an entry needs is looked up.
//!
//! What is whole below a node is remembered by the node's id, so that the parts which snapshots share cost nothing the
//! second time. Damaged parts are walked again in each snapshot, to name its files, until enough are named.

use super::needs::{Lost, Needs};
use super::report::{CheckReport, DamagedFile, What};
use crate::error::{Error, Result};
use crate::format::entry::{Entry, TreePath};
use crate::format::tree::{NodeVisitor, walk_nodes};
use crate::fs::path::{self, Platform};
use crate::id::{Id, Id16};
use crate::index::Index;
use crate::ops::survey::Health;
use crate::repo::Repository;
use crate::repo::chunks::Chunks;
use crate::repo::reader::Reader;
use crate::repo::snapshots::Snapshot;
use crate::report::{Event, Observer, Progress, Stop};
use std::collections::HashMap;
use std::sync::Arc;

/// What a walk tells of, beside the counts.
pub enum Visited<'a> {
    /// Something is lost of an entry.
    Entry(&'a TreePath, &'a Entry, &'a Lost),
    /// A node cannot be read; the path of the first entry below it.
    Node(&'a Id, &'a TreePath, &'a Error),
}

impl Visited<'_> {
    /// Is it only that something cannot be read now?
    fn is_unreadable(&self) -> bool {
        match self {
            Visited::Entry(_, _, lost) => lost.unreadable,
            Visited::Node(_, _, error) => error.is_unreadable(),
        }
    }

    /// What a report says of it, in a snapshot made on `platform`.
    pub fn file(&self, snapshot: Id, platform: Platform) -> DamagedFile {
        let (at, why) = match self {
            Visited::Entry(at, entry, lost) => (at, lost.describe(entry.size)),
            Visited::Node(_, at, error) if error.is_unreadable() => (
                at,
                "this and entries after it are in a tree node that cannot be read now".into(),
            ),
            Visited::Node(_, at, _) => (
                at,
                "this and entries after it are lost with a tree node".into(),
            ),
        };
        DamagedFile {
            snapshot,
            path: path::to_native(at, platform),
            why,
        }
    }
}

/// Walks trees on one look at the repository.
pub struct Trees<'a> {
    repo: &'a Arc<Repository>,
    index: &'a Arc<Index>,
    health: &'a Health,
    observer: &'a dyn Observer,
    stop: &'a Stop,
    readers: HashMap<(Id16, u32), Arc<Reader>>,
    /// Nodes that were read, by domain: how many damaged entries and nodes are below.
    known: HashMap<(Id16, Id), u64>,
    /// See [`Needs`].
    tried: HashMap<(Id16, Id), bool>,
}

impl<'a> Trees<'a> {
    /// On the index and the health of one survey.
    pub fn new(
        repo: &'a Arc<Repository>,
        index: &'a Arc<Index>,
        health: &'a Health,
        observer: &'a dyn Observer,
        stop: &'a Stop,
    ) -> Self {
        Trees {
            repo,
            index,
            health,
            observer,
            stop,
            readers: HashMap::new(),
            known: HashMap::new(),
            tried: HashMap::new(),
        }
    }

    /// Reads chunks of a domain, from the storage alone.
    pub fn reader(&mut self, writer: Id16, epoch: u32) -> Result<Arc<Reader>> {
        if let Some(reader) = self.readers.get(&(writer, epoch)) {
            return Ok(reader.clone());
        }
        let reader = Reader::with_index(self.repo.clone(), writer, epoch, self.index.clone())?;
        let reader = Arc::new(reader);
        self.readers.insert((writer, epoch), reader.clone());
        Ok(reader)
    }

    /// Walks all `snapshots`, oldest first: what a later one added lies together.
    pub fn walk(mut self, snapshots: &[Snapshot], report: &mut CheckReport) -> Result<()> {
        self.observer.event(Event::Phase("checking backups"));
        let mut damaged_nodes = std::collections::HashSet::new();
        for snapshot in snapshots {
            report.snapshots += 1;
            let platform = Platform::of(&snapshot.manifest.platform);
            let full = report.files_full();
            let (mut files, mut nodes) = (Vec::new(), Vec::new());
            let found = self.one(snapshot, full, &mut |visited| {
                if let Visited::Node(id, _, error) = visited
                    && damaged_nodes.insert(*id)
                {
                    nodes.push((*id, error.again()));
                }
                files.push(visited.file(snapshot.id, platform));
            })?;
            report.nodes += found.nodes;
            report.entries += found.entries;
            report.dying_chunks += found.dying;
            report.more_files += found.skipped;
            report.unreadable_files += found.unreadable;
            for (id, error) in nodes {
                match self.health.is_partial() && error.is_damage() {
                    true => report.add(
                        What::Unreadable,
                        id.hex(),
                        format!("{}, as far as the index can be read now", error.message()),
                    ),
                    false => report.add_failure(What::Node, id.hex(), &error),
                }
            }
            if found.damaged > 0 {
                report.damaged_snapshots.push(snapshot.id);
            }
            files.into_iter().for_each(|file| report.add_file(file));
            self.observer.event(Event::Progress(Progress {
                files: report.entries,
                errors: report.files.len() as u64 + report.more_files,
                ..Progress::default()
            }));
        }
        Ok(())
    }

    /// Walks one snapshot and tells `each` what is damaged. With `counted`, parts that are known to be damaged are
    /// counted and not walked again.
    pub fn one(
        &mut self,
        snapshot: &Snapshot,
        counted: bool,
        each: &mut dyn FnMut(Visited<'_>),
    ) -> Result<Found> {
        let manifest = &snapshot.manifest;
        let reader = self.reader(manifest.writer, manifest.domain_epoch)?;
        let source: &dyn Chunks = &*reader;
        let mut visit = Visit {
            needs: Needs::new(self.health, manifest.writer, source, &mut self.tried),
            writer: manifest.writer,
            known: &mut self.known,
            stop: self.stop,
            partial: self.health.is_partial(),
            counted,
            each,
            open: Vec::new(),
            found: Found::default(),
        };
        walk_nodes(source, &manifest.root, manifest.levels.into(), &mut visit).or_else(|e| {
            // A number of levels that cannot be, in a manifest that opens.
            match e.is_of_one_object() {
                true => visit.damaged(&manifest.root, u8::MAX, &TreePath::default(), e),
                false => Err(e),
            }
        })?;
        visit.leave(u8::MAX);
        visit.found.dying = visit.needs.dying;
        Ok(visit.found)
    }
}

/// What a walk counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Nodes read, those that were known already left out.
    pub nodes: u64,
    /// Entries in them.
    pub entries: u64,
    /// Damaged entries and nodes.
    pub damaged: u64,
    /// Of those that were told, the ones that may be whole: they cannot be read now.
    pub unreadable: u64,
    /// Those among them that were counted only.
    pub skipped: u64,
    /// Chunks that are only in packs which a tombstone names.
    pub dying: u64,
}

struct Visit<'v, 'n, S: ?Sized> {
    needs: Needs<'n, S>,
    writer: Id16,
    known: &'v mut HashMap<(Id16, Id), u64>,
    stop: &'v Stop,
    /// See [`Health::is_partial`].
    partial: bool,
    counted: bool,
    each: &'v mut dyn FnMut(Visited<'_>),
    /// Nodes on the way to the present one: level, id, damage below.
    open: Vec<(u8, Id, u64)>,
    found: Found,
}

impl<S: ?Sized> Visit<'_, '_, S> {
    /// The nodes of at most `level` that are open are done with.
    fn leave(&mut self, level: u8) {
        while let Some(&(at, id, damage)) = self.open.last()
            && at <= level
        {
            self.open.pop();
            self.known.insert((self.writer, id), damage);
            self.count(damage);
        }
    }

    fn tell(&mut self, visited: Visited<'_>) {
        self.count(1);
        self.found.unreadable += u64::from(visited.is_unreadable() || self.partial);
        (self.each)(visited);
    }

    /// Counts for the node that is open.
    fn count(&mut self, damage: u64) {
        match self.open.last_mut() {
            Some((_, _, above)) => *above += damage,
            None => self.found.damaged += damage,
        }
    }
}

impl<S: crate::format::tree::NodeSource + ?Sized> NodeVisitor for Visit<'_, '_, S> {
    fn enter(&mut self, id: &Id, level: u8) -> Result<bool> {
        self.stop.check()?;
        self.leave(level);
        match self.known.get(&(self.writer, *id)).copied() {
            Some(0) => return Ok(false),
            Some(damage) if self.counted => {
                self.found.skipped += damage;
                self.count(damage);
                return Ok(false);
            }
            Some(_) => {}
            None => self.found.nodes += 1,
        }
        self.open.push((level, *id, 0));
        Ok(true)
    }

    fn entry(&mut self, path: TreePath, entry: Entry) -> Result<()> {
        self.found.entries += 1;
        let lost = self.needs.lost(&entry)?;
        if !lost.is_nothing() {
            self.tell(Visited::Entry(&path, &entry, &lost));
        }
        Ok(())
    }

    fn damaged(&mut self, id: &Id, level: u8, first: &TreePath, error: Error) -> Result<()> {
        if !error.is_of_one_object() {
            return Err(error);
        }
        if let Some(below) = level.checked_sub(1) {
            self.leave(below);
        }
        self.tell(Visited::Node(id, first, &error));
        Ok(())
    }
}
