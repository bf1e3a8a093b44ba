//! Snapshots without what is lost: shown, and made when told to.
//!
//! The new snapshot says in its list of unreadable files what was cut out, carries the tag `repaired`, and takes the
//! place of the old one, which is deleted as any other: with a record, from which it can be brought back.

use super::entry::{Cut, Mender};
use super::{MAX_NAMES, in_time};
use crate::error::{Error, Kind, Result};
use crate::format::entry::{FileKind, TreePath};
use crate::format::record::Change;
use crate::format::snapshot::{Manifest, Stats};
use crate::format::tree::{TreeBuilder, TreeReader};
use crate::fs::path::{self, Platform};
use crate::id::Id;
use crate::ops::check::{DamagedFile, Found, Trees, read_snapshot};
use crate::ops::forget;
use crate::ops::repair::index::missing;
use crate::ops::survey::{Health, Survey};
use crate::repo::Repository;
use crate::repo::chunks::Chunks;
use crate::repo::records::Deletions;
use crate::repo::run::{Publication, Run};
use crate::repo::snapshots::Snapshot;
use crate::report::{Event, Observer, Stop};
use crate::storage::{Storage, Usage};
use std::sync::Arc;

/// The tag of snapshots that lack something.
const TAG: &str = "repaired";
/// Lost files that a manifest names.
const MAX_UNREADABLE: usize = 1000;
/// How often a snapshot is made again because something that it relied on went away.
const MAX_PASSES: usize = 3;

/// Which snapshots to repair.
#[derive(Clone, Debug, Default)]
pub struct SnapshotsOptions {
    /// These; all if there are none.
    pub snapshots: Vec<Id>,
    /// Cut out what is lost. Otherwise only say what would be.
    pub holes: bool,
}

/// A snapshot from which something is missing.
#[derive(Clone, Debug)]
pub struct Mended {
    /// The snapshot.
    pub old: Id,
    /// What takes its place, if it was made. With `holes` it is not where nothing is left.
    pub new: Option<Id>,
    /// Damaged entries and tree nodes.
    pub damaged: u64,
    /// Of these, those that may be whole, since they cannot be read now: the snapshot stays as it is.
    pub unreadable: u64,
}

/// What was done to snapshots, or would be.
#[derive(Clone, Debug, Default)]
pub struct SnapshotsReport {
    /// Snapshots looked at.
    pub snapshots: u64,
    /// Those with damage.
    pub damaged: Vec<Mended>,
    /// What is lost of which file; the first thousand.
    pub files: Vec<DamagedFile>,
    /// Further files.
    pub more_files: u64,
    /// Snapshots that cannot be read at all.
    pub unreadable: Vec<Id>,
    /// Requests and bytes.
    pub usage: Usage,
}

/// Shows which files of which snapshots are damaged, and with `holes` makes snapshots without what is lost.
///
/// # Errors
/// `RoleNeeded`; `Failed` where the index or packs have to be repaired first; a stop; what the storage fails with.
pub fn repair_snapshots(
    repo: &Arc<Repository>,
    options: &SnapshotsOptions,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<SnapshotsReport> {
    repo.require_full("repairing backups")?;
    let before = repo.storage().usage();
    let mut report = in_time(&**observer, stop, &mut || {
        look(repo, options, observer, stop)
    })?;
    report.usage = repo.storage().usage().since(&before);
    Ok(report)
}

fn look(
    repo: &Arc<Repository>,
    options: &SnapshotsOptions,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<SnapshotsReport> {
    let mut report = SnapshotsReport::default();
    let mut listed = repo.list_snapshots()?;
    listed.retain(|l| options.snapshots.is_empty() || options.snapshots.contains(&l.id));
    let survey = Survey::take(repo, &**observer, stop)?;
    if options.holes {
        refuse_unless_indexed(repo, &survey)?;
    }
    let health = Health::of(&survey);
    let mut trees = Trees::new(repo, &survey.index, &health, &**observer, stop);
    observer.event(Event::Phase("checking backups"));
    for listing in &listed {
        stop.check()?;
        let snapshot = match read_snapshot(repo, listing) {
            Ok(snapshot) => snapshot,
            Err(e) if e.kind() == Kind::ObjectMissing => continue,
            Err(e) if e.is_of_one_object() => {
                report.unreadable.push(listing.id);
                continue;
            }
            Err(e) => return Err(e),
        };
        report.snapshots += 1;
        let found = enter(&mut trees, &snapshot, &mut report)?;
        if found.damaged == 0 {
            continue;
        }
        let mut mended = Mended {
            old: snapshot.id,
            new: None,
            damaged: found.damaged,
            unreadable: found.unreadable,
        };
        if options.holes && found.unreadable == 0 {
            let chunks = trees.reader(snapshot.manifest.writer, snapshot.manifest.domain_epoch)?;
            match replace(repo, &health, &*chunks, &snapshot, observer, stop) {
                Ok(new) => mended.new = new,
                // It may be whole: nothing is cut out of it.
                Err(e) if e.is_unreadable() => {
                    mended.unreadable += 1;
                    let text = format!("backup {} stays as it is: {e}", snapshot.id.short());
                    observer.event(Event::Warning(&text));
                }
                Err(e) => return Err(e),
            }
        }
        report.damaged.push(mended);
    }
    Ok(report)
}

/// A run takes over what the index names: what it names must be there.
fn refuse_unless_indexed(repo: &Repository, survey: &Survey) -> Result<()> {
    if !survey.damaged_index.is_empty() {
        return Err(Error::failed("index objects are damaged, or cannot be read now").hint(
            "run `corso repo check`, and `corso repo repair index` where it says so: less may be lost than it seems",
        ));
    }
    if !missing(repo, survey)?.is_empty() {
        return Err(Error::failed("packs that the index names are not there")
            .hint("run `corso repo repair packs` first"));
    }
    Ok(())
}

/// Lists what is damaged of a snapshot.
fn enter(
    trees: &mut Trees<'_>,
    snapshot: &Snapshot,
    report: &mut SnapshotsReport,
) -> Result<Found> {
    let platform = Platform::of(&snapshot.manifest.platform);
    let full = report.files.len() >= MAX_NAMES;
    let (files, more) = (&mut report.files, &mut report.more_files);
    let found = trees.one(
        snapshot,
        full,
        &mut |visited| match files.len() < MAX_NAMES {
            true => files.push(visited.file(snapshot.id, platform)),
            false => *more += 1,
        },
    )?;
    report.more_files += found.skipped;
    Ok(found)
}

/// Puts a snapshot without what is lost in the place of `old`. `None` if nothing of it is left: then it stays.
fn replace(
    repo: &Arc<Repository>,
    health: &Health,
    chunks: &dyn Chunks,
    old: &Snapshot,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<Option<Id>> {
    observer.event(Event::Phase("cutting out what is lost"));
    let m = &old.manifest;
    let keys = repo.keyring.domain(m.writer, m.domain_epoch)?;
    let run = Run::start_in(repo.clone(), keys, observer.clone(), stop.clone())?;
    let made = make(repo, health, chunks, &run, m);
    run.close();
    let Some(new) = made? else {
        return Ok(None);
    };
    let pinned = repo
        .records(Deletions::None, &**observer)?
        .pins
        .contains(&old.id);
    if pinned {
        repo.put_record(Change::Pin(new))?;
    }
    forget::delete(repo, &[old.id], &**observer, stop)?;
    Ok(Some(new))
}

fn make(
    repo: &Repository,
    health: &Health,
    chunks: &dyn Chunks,
    run: &Run,
    old: &Manifest,
) -> Result<Option<Id>> {
    for _ in 0..MAX_PASSES {
        run.take_loss();
        let mender = Mender {
            health,
            writer: old.writer,
            chunks,
            run,
        };
        let manifest = tree(&mender, old)?;
        if manifest.stats.entries == 0 {
            return Ok(None);
        }
        run.flush()?;
        if run.take_loss() {
            continue;
        }
        let sealed = run.seal_snapshot(&manifest)?;
        match run.put_snapshot(&sealed)? {
            Publication::None => continue,
            Publication::InTime => {}
            Publication::Late if run.look_again()? => {}
            Publication::Late => {
                // It may lack more than it says. The old one is still there.
                let key = format!("snapshots/{}", sealed.name);
                repo.storage().delete(&key)?;
                continue;
            }
        }
        return Ok(Some(sealed.name));
    }
    Err(Error::new(
        Kind::Changed,
        "maintenance took away what the repaired backup relies on, at every try",
    )
    .hint("nothing was deleted; try again while no maintenance runs"))
}

/// Builds the tree of what is left and the manifest that names it.
fn tree(mender: &Mender<'_>, old: &Manifest) -> Result<Manifest> {
    let platform = Platform::of(&old.platform);
    let mut lost: Vec<(TreePath, String)> = Vec::new();
    let mut count = 0;
    let mut note = |at: TreePath, why: String| {
        count += 1;
        if lost.len() < MAX_UNREADABLE {
            lost.push((at, why));
        }
    };
    let mut stats = Stats {
        files: 0,
        dirs: 0,
        others: 0,
        bytes: 0,
        ..old.stats
    };
    let mut builder = TreeBuilder::new(mender.run.keys().tree.bytes(), |_, raw: Vec<u8>| {
        mender.store(&raw)
    });
    let mut last = TreePath::default();
    let reader = TreeReader::new(mender.chunks, old.root, old.levels.into())?;
    for item in reader.entries().past_damage() {
        mender.run.check()?;
        let (at, mut entry) = match item {
            Ok(item) => item,
            Err(e) if e.is_damage() => {
                let after = crate::report::printable(&path::to_native(&last, platform));
                note(
                    last.clone(),
                    format!("entries after {after} are lost with a tree node"),
                );
                continue;
            }
            Err(e) => return Err(e),
        };
        let name = at
            .split()
            .map(|(_, name)| name.to_vec())
            .unwrap_or_default();
        let cut = mender.mend(&name, &mut entry)?;
        if cut != Cut::default() {
            note(at.clone(), describe(&cut));
        }
        match entry.kind {
            FileKind::File => {
                (stats.files, stats.bytes) =
                    (stats.files + 1, stats.bytes.saturating_add(entry.size))
            }
            FileKind::Dir => stats.dirs += 1,
            _ => stats.others += 1,
        }
        builder.push(&at, &entry)?;
        last = at;
    }
    let root = builder.finish()?;
    stats.entries = root.entries;
    stats.errors = stats.errors.saturating_add(count);
    let mut manifest = Manifest {
        root: root.id,
        levels: root.levels,
        run: mender.run.id(),
        stats,
        version: concat!("corso ", env!("CARGO_PKG_VERSION")).to_string(),
        ..old.clone()
    };
    manifest.unreadable.extend(lost);
    if !manifest.tags.iter().any(|t| t == TAG) {
        manifest.tags.push(TAG.into());
    }
    Ok(manifest)
}

fn describe(cut: &Cut) -> String {
    let mut parts = Vec::new();
    if cut.bytes > 0 {
        parts.push(format!(
            "{} bytes are lost; zeros are in their place",
            cut.bytes
        ));
    }
    if cut.extras {
        parts.push("extended attributes or streams are lost".into());
    }
    parts.join("; ")
}
