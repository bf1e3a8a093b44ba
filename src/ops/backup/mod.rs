//! Making a backup.
//!
//! ```text
//! walk -> merge with the parent's entries -> read, cut -> [pool: id, lookup, compress] -> packs -> [seal, check, put]
//!                                          \-> entries, in order -> tree nodes ----------^
//! ```
//! A pass makes a tree. Should a renewal of the view have taken something away meanwhile, another pass follows with
//! the tree just made as its parent: it reads only what is missing. Then the snapshot is published.

mod feed;
mod nodes;
mod parent;
mod publish;
mod source;
mod stdin;
mod streams;
mod tally;
#[cfg(test)]
mod tests;
mod tree;

pub use parent::{Cursor, Entries};
pub use publish::BackupReport;
pub use tally::Counts;

use crate::chunker::{Cdc, Params};
use crate::error::{Error, Kind, Result};
use crate::format::entry::TreePath;
use crate::format::snapshot;
use crate::format::tree::{Root, TreeReader};
use crate::fs::path::Source as SourcePath;
use crate::fs::walk::{self, Walker};
use crate::id::Id;
use crate::repo::Repository;
use crate::repo::run::Run;
use crate::repo::threads::caught;
use crate::report::{Event, Observer, Stop};
use feed::Feeder;
use nodes::Nodes;
use std::collections::HashSet;
use std::sync::Arc;
use tally::Tally;

/// Which parent to compare with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Parent {
    /// The newest backup of the same host and sources.
    #[default]
    Newest,
    /// None: every file counts as new. (Chunks that are there already are still not uploaded.)
    None,
    /// This one.
    Given(Id),
}

/// What to back up, and how.
pub struct BackupOptions {
    /// The sources.
    pub sources: Vec<SourcePath>,
    /// The sources as given, absolute: what the snapshot says.
    pub source_names: Vec<Vec<u8>>,
    /// Back up standard input under this name instead of sources.
    pub stdin: Option<Vec<u8>>,
    /// Makes the walk's options; called once a pass.
    pub walk: Box<dyn Fn() -> Result<walk::Options> + Send + Sync>,
    /// Patterns, as the snapshot names them.
    pub excludes: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Host name.
    pub host: String,
    /// User name.
    pub user: String,
    /// The parent.
    pub parent: Parent,
    /// Read every file, even where the parent says that it has not changed.
    pub force: bool,
    /// Say what would be done; read no content and write nothing.
    pub dry_run: bool,
    /// Look ahead for totals, so that progress can be estimated.
    pub look_ahead: bool,
}

impl BackupOptions {
    /// All of `sources`, compared with the newest backup of them.
    pub fn new(sources: Vec<SourcePath>, host: String, user: String) -> BackupOptions {
        BackupOptions {
            source_names: sources.iter().map(SourcePath::absolute).collect(),
            sources,
            stdin: None,
            walk: Box::new(|| Ok(walk::Options::default())),
            excludes: Vec::new(),
            tags: Vec::new(),
            host,
            user,
            parent: Parent::Newest,
            force: false,
            dry_run: false,
            look_ahead: false,
        }
    }
}

/// A tree to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ParentTree {
    /// The snapshot it is of; absent for a tree that this run made, and where only the local cache knows it.
    snapshot: Option<Id>,
    root: Id,
    levels: u8,
    files: u64,
    bytes: u64,
}

/// How often a pass may be repeated because something that it relied on went away.
const MAX_PASSES: usize = 5;

/// Makes a backup. Files that cannot be read are reported and counted, and do not end it.
///
/// # Errors
/// What the storage fails with; `Interrupted` and `Terminated`, after what was uploaded has been made reusable.
pub fn create(
    repo: Arc<Repository>,
    options: &BackupOptions,
    observer: Arc<dyn Observer>,
    stop: &Stop,
) -> Result<BackupReport> {
    check_sources(options)?;
    snapshot::check(&publish::told(options))?;
    let started = publish::Started::now(&**repo.storage());
    observer.event(Event::Phase("reading the index"));
    let run = Run::start(repo.clone(), observer.clone(), stop.clone())?;
    let outcome = Backup {
        repo,
        run: run.clone(),
        options,
        observer: observer.clone(),
    }
    .make(started);
    let stopped = |e: &Error| {
        matches!(
            e.kind(),
            Kind::Interrupted | Kind::Terminated | Kind::Failed | Kind::NoSpace
        )
    };
    if outcome.as_ref().is_err_and(stopped)
        && let Err(e) = run.salvage()
    {
        observer.event(Event::Debug(&format!(
            "what was uploaded could not be indexed: {e}"
        )));
    }
    run.close();
    outcome
}

/// A backup of nothing is a mistake, and would look like one that worked.
fn check_sources(options: &BackupOptions) -> Result<()> {
    let missing = |name: &Vec<u8>| {
        let path = crate::fs::path_from_bytes(name);
        std::fs::symlink_metadata(path).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound)
    };
    if options.stdin.is_some() || !options.source_names.iter().all(missing) {
        return Ok(());
    }
    let names: Vec<String> = options
        .source_names
        .iter()
        .map(|n| crate::report::printable(n))
        .collect();
    Err(Error::failed(format!(
        "there is nothing to back up: {} does not exist",
        names.join(", ")
    )))
}

struct Backup<'a> {
    repo: Arc<Repository>,
    run: Arc<Run>,
    options: &'a BackupOptions,
    observer: Arc<dyn Observer>,
}

impl Backup<'_> {
    fn make(&self, started: publish::Started) -> Result<BackupReport> {
        let nodes = Nodes::new(self.repo.clone(), self.run.clone());
        let history = publish::History::read(&self.repo, &self.run, self.options, &*self.observer)?;
        let mut late = Vec::new();
        let outcome = self.passes(&started, &nodes, &history, &mut late);
        match outcome {
            // Nobody will look at them again.
            Err(e) => Err(self.withdraw(&late, e)),
            made => made,
        }
    }

    /// Passes until one is published whole. `late` are the snapshots whose puts came too late, and that may lack data.
    fn passes(
        &self,
        started: &publish::Started,
        nodes: &Nodes,
        history: &publish::History,
        late: &mut Vec<publish::Late>,
    ) -> Result<BackupReport> {
        let given = history.parent;
        let mut parent = given;
        for pass in 0..MAX_PASSES {
            // What was lost before this pass, this pass sees.
            self.run.take_loss();
            let tally = Tally::new(self.observer.clone());
            // From the second pass on the parent is what this run made: only what is missing is read again.
            let force = self.options.force && pass == 0;
            let root = self.pass(nodes, &tally, parent, force)?;
            if self.options.dry_run {
                return Ok(publish::dry_report(started, &tally, given));
            }
            self.run.flush()?;
            let draft = publish::Draft {
                started,
                nodes,
                tally: &tally,
                root,
                given,
                history,
            };
            match self.publish(&draft, late)? {
                Some(report) => return Ok(report),
                None => parent = Some(made(root)),
            }
        }
        Err(Error::new(
            Kind::Changed,
            "maintenance took away what the backup relied on, at every try",
        )
        .hint("run the backup again; a longer grace period at init avoids this"))
    }

    /// Walks the sources once and makes a tree of them.
    fn pass(
        &self,
        nodes: &Nodes,
        tally: &Tally,
        parent: Option<ParentTree>,
        force: bool,
    ) -> Result<Root> {
        self.observer.event(Event::Phase("reading files"));
        if let Some(parent) = parent {
            tally.expect(parent.files, parent.bytes);
        }
        let feeder = Feeder::new(self.run.clone());
        if !self.run.pooled() {
            // One after the other, on this thread.
            let (sender, receiver) = crossbeam_channel::unbounded();
            self.read(nodes, tally, &feeder, parent, force, sender)?;
            return tree::write(nodes, &self.run, tally, receiver, self.options.dry_run);
        }
        let (sender, receiver) = crossbeam_channel::bounded(2 * source::WINDOW);
        std::thread::scope(|scope| {
            if parent.is_none() && self.options.look_ahead && self.options.stdin.is_none() {
                scope.spawn(|| self.look_ahead(tally));
            }
            let tree = scope.spawn(|| {
                let root = caught("writing the tree", || {
                    tree::write(nodes, &self.run, tally, receiver, self.options.dry_run)
                });
                if let Err(e) = &root {
                    self.run.fail(e.again());
                }
                root
            });
            let read = self.read(nodes, tally, &feeder, parent, force, sender);
            let root = tree
                .join()
                .unwrap_or_else(|_| Err(Error::failed("the thread that writes the tree died")));
            read.and(root)
        })
    }

    fn read(
        &self,
        nodes: &Nodes,
        tally: &Tally,
        feeder: &Feeder,
        parent: Option<ParentTree>,
        force: bool,
        out: crossbeam_channel::Sender<source::Pending>,
    ) -> Result<()> {
        let sizes = self.repo.config().chunker;
        let params = Params {
            min: sizes.min as usize,
            avg: sizes.avg as usize,
            max: sizes.max as usize,
        };
        let cdc = Cdc::new(params, self.run.keys().chunker.bytes())?;
        if let Some(name) = &self.options.stdin {
            return stdin::read(name, &cdc, &self.run, feeder, tally, &out);
        }
        let tree = parent
            .map(|p| TreeReader::new(nodes, p.root, p.levels.into()))
            .transpose()?;
        let (mut cursor, mut dying) = (Cursor::none(), HashSet::new());
        if let Some(tree) = &tree {
            let raw_len = |id: &Id| {
                let found = self.run.index().lookup(&self.repo.writer(), id).ok()?;
                found.first().map(|l| u64::from(l.raw))
            };
            dying = parent::dying_bundles(Box::new(tree.entries()), &raw_len);
            cursor = Cursor::new(Box::new(tree.entries()));
        }
        let walker = Walker::new(&self.options.sources, (self.options.walk)()?)?;
        if self.options.dry_run {
            return dry_run(walker, cursor, tally, &self.run, force);
        }
        source::Source::new(
            &self.run, feeder, nodes, tally, cursor, dying, force, &cdc, out,
        )
        .run(walker)
    }

    /// Counts what there is, while the first entries are read already.
    fn look_ahead(&self, tally: &Tally) {
        let walker =
            (self.options.walk)().and_then(|options| Walker::new(&self.options.sources, options));
        let (mut files, mut bytes) = (0, 0);
        for walked in walker.into_iter().flatten() {
            if let walk::Walked::Item(item) = walked {
                (files, bytes) = (files + 1, bytes + item.entry.size);
            }
            if self.run.failed() {
                return;
            }
        }
        tally.expect(files, bytes);
    }
}

/// Counts what a backup would do.
fn dry_run(
    walker: Walker,
    mut cursor: Cursor<'_>,
    tally: &Tally,
    run: &Run,
    force: bool,
) -> Result<()> {
    for walked in walker {
        run.check()?;
        match walked {
            walk::Walked::Item(item) => {
                let then = cursor.take(&item.path);
                match then {
                    _ if item.entry.kind != crate::format::FileKind::File => {
                        tally.other(&item.entry)
                    }
                    Some(then) if !force && parent::unchanged(&item.entry, &then) => {
                        tally.unmodified(&item.entry)
                    }
                    then => tally.read(&item.entry, then.is_some()),
                }
            }
            walk::Walked::Note { path, note } => tally.note(&path, &note),
            walk::Walked::Error { path, error } => tally.file_error(&path, error),
        }
    }
    Ok(())
}

fn made(root: Root) -> ParentTree {
    ParentTree {
        snapshot: None,
        root: root.id,
        levels: root.levels,
        files: root.entries,
        bytes: root.bytes,
    }
}

/// Where the single entry of a backup of standard input is.
pub fn stdin_path(name: &[u8]) -> TreePath {
    TreePath(
        name.split(|b| *b == b'/')
            .filter(|part| !part.is_empty())
            .map(<[u8]>::to_vec)
            .collect(),
    )
}
