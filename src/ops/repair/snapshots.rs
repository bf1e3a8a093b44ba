//! Snapshots without what is lost: shown, and made when told to.
//!
//! The new snapshot says in its list of unreadable files what was cut out, carries the tag `repaired`, and takes the
//! place of the old one, which is deleted as any other: with a record, from which it can be brought back.

use super::entry::{Cut, Mender};
use super::{MAX_NAMES, in_time};
use crate::error::{Context, Error, Kind, Result};
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
use crate::repo::reader::Reader;
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
/// How often a look is taken anew because the index changed while something seemed to be missing.
const MAX_LOOKS: usize = 3;
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

/// A snapshot from which something seems to be missing, and how much.
type Damaged = (Snapshot, Found);

/// Looks, once more where something seems to be missing and the index has changed meanwhile; then mends.
fn look(
    repo: &Arc<Repository>,
    options: &SnapshotsOptions,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<SnapshotsReport> {
    for last in (0..MAX_LOOKS).rev() {
        let (survey, mut report, damaged) = walk(repo, options, observer, stop)?;
        if !damaged.is_empty() && last > 0 && survey.is_stale(repo)? {
            continue;
        }
        let health = Health::of(&survey);
        for (snapshot, found) in damaged {
            stop.check()?;
            let mut mended = Mended {
                old: snapshot.id,
                new: None,
                damaged: found.damaged,
                unreadable: found.unreadable,
            };
            if options.holes && found.unreadable == 0 {
                match replace(repo, &health, &snapshot, observer, stop) {
                    Ok(Outcome::Replaced(new)) => mended.new = Some(new),
                    Ok(Outcome::NothingLeft) => {}
                    // What was missing has come back since.
                    Ok(Outcome::Whole) => continue,
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
        return Ok(report);
    }
    Err(Error::failed("no look was taken"))
}

/// Walks the snapshots on one survey.
fn walk(
    repo: &Arc<Repository>,
    options: &SnapshotsOptions,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<(Survey, SnapshotsReport, Vec<Damaged>)> {
    let mut damaged = Vec::new();
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
        if found.damaged > 0 {
            damaged.push((snapshot, found));
        }
    }
    drop(trees);
    Ok((survey, report, damaged))
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

/// What became of a snapshot under repair.
enum Outcome {
    /// This one, without what is lost, has taken its place.
    Replaced(Id),
    /// There is nothing of it to keep: it stays.
    NothingLeft,
    /// Nothing is missing from it any more: it stays.
    Whole,
}

/// Puts a snapshot without what is lost in the place of `old`.
fn replace(
    repo: &Arc<Repository>,
    health: &Health,
    old: &Snapshot,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<Outcome> {
    observer.event(Event::Phase("cutting out what is lost"));
    let m = &old.manifest;
    let keys = repo.keyring.domain(m.writer, m.domain_epoch)?;
    let run = Run::start_in(repo.clone(), keys, observer.clone(), stop.clone())?;
    // With an index of its own, which it reads again where a chunk cannot be had: others go on meanwhile.
    let made = Reader::new(repo.clone(), m.writer, m.domain_epoch, &**observer)
        .and_then(|chunks| make(repo, health, &chunks, &run, m));
    run.close();
    let outcome = made?;
    if let Outcome::Replaced(new) = &outcome {
        let pinned = repo
            .records(Deletions::None, &**observer)?
            .pins
            .contains(&old.id);
        if pinned {
            repo.put_records(vec![Change::Pin(*new)], &**observer)?;
        }
        forget::delete(repo, &[old.id], &**observer, stop)?;
    }
    Ok(outcome)
}

fn make(
    repo: &Repository,
    health: &Health,
    chunks: &dyn Chunks,
    run: &Run,
    old: &Manifest,
) -> Result<Outcome> {
    for _ in 0..MAX_PASSES {
        run.take_loss();
        let mender = Mender {
            health,
            writer: old.writer,
            chunks,
            run,
        };
        let (manifest, cut) = tree(&mender, old)?;
        if cut == 0 {
            return Ok(Outcome::Whole);
        }
        if manifest.stats.entries == 0 {
            return Ok(Outcome::NothingLeft);
        }
        run.flush()?;
        if run.take_loss() {
            continue;
        }
        let sealed = run.seal_snapshot(&manifest)?;
        let whole = match run.put_snapshot(&sealed)? {
            Publication::None => continue,
            Publication::InTime => Ok(true),
            Publication::Late => run.look_again(),
        };
        match whole {
            Ok(true) => return Ok(Outcome::Replaced(sealed.name)),
            // It may lack more than it says. The old one is still there.
            Ok(false) => withdraw(repo, &sealed.name)?,
            Err(e) => {
                return Err(match withdraw(repo, &sealed.name) {
                    Ok(()) => e,
                    Err(stays) => e.context(stays.message()),
                });
            }
        }
    }
    Err(Error::new(
        Kind::Changed,
        "maintenance took away what the repaired backup relies on, at every try",
    )
    .hint("nothing was deleted; try again while no maintenance runs"))
}

/// Takes a snapshot back that came too late.
fn withdraw(repo: &Repository, name: &Id) -> Result<()> {
    let deleted = repo.storage().delete(&format!("snapshots/{name}"));
    deleted.context(|| {
        format!("backup {name} was written too late, may lack data, and could not be removed")
    })
}

/// Builds the tree of what is left and the manifest that names it; gives also from how many places something was cut.
fn tree(mender: &Mender<'_>, old: &Manifest) -> Result<(Manifest, u64)> {
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
    Ok((manifest, count))
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
