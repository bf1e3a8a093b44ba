//! What a backup is compared with, and how it becomes a snapshot.

use super::nodes::Nodes;
use super::tally::{Counts, Tally};
use super::{Backup, BackupOptions, Parent, ParentTree};
use crate::crypto::Role;
use crate::error::{Context, Error, Kind, Result};
use crate::format::snapshot::{Manifest, Stats};
use crate::format::tree::Root;
use crate::id::Id;
use crate::repo::Repository;
use crate::repo::cache::{LastTree, Seen, source_key};
use crate::repo::run::{Publication, Run, Written};
use crate::repo::snapshots::{Snapshot, SnapshotFilter};
use crate::report::{Event, Observer};
use crate::storage::{Storage, Usage};
use crate::units::Time;
use serde::Serialize;
use std::time::Instant;

/// Tree nodes kept locally, in bytes.
const NODE_CACHE: u64 = 1 << 30;

/// What a backup did.
#[derive(Clone, Debug, Serialize)]
pub struct BackupReport {
    /// The snapshot; `None` after a dry run.
    pub snapshot: Option<String>,
    /// The parent snapshot, if one was found.
    pub parent: Option<String>,
    /// Nothing was written.
    pub dry_run: bool,
    /// Files and bytes.
    #[serde(flatten)]
    pub counts: Counts,
    /// What went to the storage, but for the snapshot object itself (a few KiB), as the snapshot says it, too.
    pub written: Written,
    /// Requests and bytes, each way.
    pub usage: Usage,
    /// Seconds.
    pub seconds: f64,
}

/// When a backup began.
pub struct Started {
    clock: Instant,
    time: Time,
    usage: Usage,
}

impl Started {
    /// Now.
    pub fn now(storage: &dyn Storage) -> Started {
        Started {
            clock: Instant::now(),
            time: Time::local_now(),
            usage: storage.usage(),
        }
    }

    fn usage(&self, storage: &dyn Storage) -> Usage {
        storage.usage().since(&self.usage)
    }
}

/// What is known of earlier backups.
pub struct History {
    /// The tree to compare with.
    pub parent: Option<ParentTree>,
    /// The newest snapshot of this writer and host.
    previous: Option<Id>,
    /// The counter that the new snapshot gets.
    counter: u64,
}

impl History {
    /// A full key reads the snapshots; a writer key knows only what its cache kept.
    pub fn read(
        repo: &Repository,
        run: &Run,
        options: &BackupOptions,
        observer: &dyn Observer,
    ) -> Result<History> {
        match repo.role() {
            Role::Full => Self::of_snapshots(repo, run, options, observer),
            Role::Writer => Self::of_cache(repo, run, options, observer),
        }
    }

    fn of_snapshots(
        repo: &Repository,
        run: &Run,
        options: &BackupOptions,
        observer: &dyn Observer,
    ) -> Result<History> {
        let filter = SnapshotFilter {
            host: Some(options.host.clone()),
            ..SnapshotFilter::default()
        };
        let own = |s: &Snapshot| {
            s.manifest.writer == repo.writer() && s.manifest.domain_epoch == run.epoch()
        };
        let (mut found, _) = repo.snapshots(&filter, observer)?;
        found.retain(|s| s.manifest.writer == repo.writer());
        let newest = found
            .iter()
            .max_by_key(|s| (s.manifest.counter, s.manifest.time));
        // A number that this host has seen is not given again, be the backup gone or not: it would hide that it is.
        let seen = repo.newest_seen(&options.host).map_or(0, |s| s.counter);
        let (previous, last) = newest.map_or((None, 0), |s| (Some(s.id), s.manifest.counter));
        let counter = last.max(seen).saturating_add(1);
        let parent = match options.parent {
            Parent::None => None,
            Parent::Newest => {
                let names = sorted(&options.source_names);
                found
                    .into_iter()
                    .rfind(|s| own(s) && sorted(&s.manifest.sources) == names)
            }
            Parent::Given(id) => {
                let given = repo.snapshot(&id)?;
                if !own(&given) {
                    return Err(Error::usage(format!(
                        "backup {} was made with another key's domain",
                        id.short()
                    ))
                    .hint("leave out --parent"));
                }
                Some(given)
            }
        };
        Ok(History {
            parent: parent.map(|s| tree_of(&s)),
            previous,
            counter,
        })
    }

    fn of_cache(
        repo: &Repository,
        run: &Run,
        options: &BackupOptions,
        observer: &dyn Observer,
    ) -> Result<History> {
        if matches!(options.parent, Parent::Given(_)) {
            return repo.require_full("--parent with an id").map(|()| History {
                parent: None,
                previous: None,
                counter: 1,
            });
        }
        let writer = repo.writer();
        let key = source_key(&options.host, &source_set(options));
        let seen = repo.newest_seen(&options.host);
        if seen.is_some() {
            let before = repo.seen();
            match repo.list_snapshots() {
                Ok(listed) => drop(repo.notice_rollback(before, &listed, None, observer)),
                // A key that may not list cannot tell.
                Err(e) if e.kind() == Kind::PermissionDenied => {}
                Err(e) => return Err(e),
            }
        }
        let tree = repo.cache().and_then(|c| c.last_tree(&writer, &key));
        let usable = tree.filter(|t| t.epoch == run.epoch() && options.parent == Parent::Newest);
        let parent = usable.and_then(|t| {
            let levels = u8::try_from(t.levels).ok()?;
            Some(ParentTree {
                snapshot: Some(t.snapshot),
                root: t.root,
                levels,
                files: 0,
                bytes: 0,
            })
        });
        if parent.is_none() && seen.is_some() {
            observer.event(Event::Debug(
                "the local cache knows no earlier tree of these sources: reading all files",
            ));
        }
        let (previous, counter) = seen.map_or((None, 1), |s| {
            (Some(s.snapshot), s.counter.saturating_add(1))
        });
        Ok(History {
            parent,
            previous,
            counter,
        })
    }
}

fn tree_of(snapshot: &Snapshot) -> ParentTree {
    let m = &snapshot.manifest;
    ParentTree {
        snapshot: Some(snapshot.id),
        root: m.root,
        levels: m.levels,
        files: m.stats.entries,
        bytes: m.stats.bytes,
    }
}

fn sorted(sources: &[Vec<u8>]) -> Vec<&Vec<u8>> {
    let mut all: Vec<_> = sources.iter().collect();
    all.sort();
    all
}

/// What names a set of sources in the local cache.
fn source_set(options: &BackupOptions) -> Vec<Vec<u8>> {
    match &options.stdin {
        Some(name) => vec![super::stdin_path(name).to_bytes()],
        None => options.source_names.clone(),
    }
}

/// What the user says of a backup, as its manifest has it.
pub fn told(options: &BackupOptions) -> Manifest {
    Manifest {
        host: options.host.clone(),
        user: options.user.clone(),
        sources: source_set(options),
        tags: options.tags.clone(),
        excludes: options.excludes.clone(),
        ..Manifest::default()
    }
}

/// A tree that is about to be published.
pub struct Draft<'a> {
    pub started: &'a Started,
    pub nodes: &'a Nodes,
    pub tally: &'a Tally,
    pub root: Root,
    pub given: Option<ParentTree>,
    pub history: &'a History,
}

/// A snapshot whose put came so late that a sweep may not have seen it: it may lack data.
pub struct Late {
    name: Id,
    manifest: Manifest,
}

impl Backup<'_> {
    /// Puts the snapshot. `None`: something that the tree relies on went away, and another pass is needed.
    ///
    /// `late` remembers snapshots that have to be looked at again.
    pub(super) fn publish(
        &self,
        draft: &Draft<'_>,
        late: &mut Vec<Late>,
    ) -> Result<Option<BackupReport>> {
        if self.run.take_loss() {
            return Ok(None);
        }
        // A tree that was published late is whole again, with all that was missing uploaded; unless that came late too.
        if let Some(at) = late.iter().position(|l| l.manifest.root == draft.root.id) {
            if !self.run.look_again()? {
                return Ok(None);
            }
            let mended = late.swap_remove(at);
            self.remove_late(late)?;
            self.remember(draft, &mended.manifest, &mended.name);
            return Ok(Some(self.report(draft, mended.name, self.run.written())));
        }
        self.observer.event(Event::Phase("writing the snapshot"));
        let written = self.run.written();
        let manifest = self.manifest(draft, &written);
        let sealed = self.run.seal_snapshot(&manifest)?;
        match self.run.put_snapshot(&sealed)? {
            Publication::None => return Ok(None),
            Publication::InTime => {}
            Publication::Late => {
                late.push(Late {
                    name: sealed.name,
                    manifest: manifest.clone(),
                });
                if !self.run.look_again()? {
                    self.observer.event(Event::Warning(
                        "the snapshot was written late and is being looked at again",
                    ));
                    return Ok(None);
                }
                late.pop();
            }
        }
        self.remove_late(late)?;
        if let Some(cache) = self.repo.cache()
            && self.repo.role() == Role::Full
        {
            cache.put_node(&sealed.name, &sealed.bytes);
        }
        self.remember(draft, &manifest, &sealed.name);
        Ok(Some(self.report(draft, sealed.name, written)))
    }

    /// Removes snapshots in whose place there is a whole one now.
    fn remove_late(&self, late: &mut Vec<Late>) -> Result<()> {
        let names: Vec<Id> = late.drain(..).map(|l| l.name).collect();
        // Every one is tried, whatever becomes of the others.
        let removed: Vec<Result<()>> = names.iter().map(|name| self.remove_one(name)).collect();
        let all: Result<()> = removed.into_iter().collect();
        all.map_err(|e| e.hint("delete that backup with a full key; the one after it is whole"))
    }

    fn remove_one(&self, name: &Id) -> Result<()> {
        let removed = self.repo.storage().delete(&format!("snapshots/{name}"));
        removed.context(|| {
            format!("backup {name} was written too late and may lack data; it could not be removed")
        })
    }

    /// Removes the snapshots of a run that fails with `error`, and says so; what cannot be removed is named.
    pub(super) fn withdraw(&self, late: &[Late], error: Error) -> Error {
        let mut error = error;
        for Late { name, .. } in late {
            match self.remove_one(name) {
                Ok(()) => self.observer.event(Event::Warning(&format!(
                    "backup {name} was written too late and may lack data; it has been removed"
                ))),
                Err(e) => {
                    let kind = error.kind();
                    error = Error::new(kind, format!("{e}; the run failed with: {error}"))
                        .hint("delete that backup with a full key");
                }
            }
        }
        error
    }

    fn manifest(&self, draft: &Draft<'_>, written: &Written) -> Manifest {
        let counts = draft.tally.counts();
        let options = self.options;
        Manifest {
            time: draft.started.time,
            ended: Time::local_now(),
            root: draft.root.id,
            levels: draft.root.levels,
            stats: Stats {
                files: counts.files,
                dirs: counts.dirs,
                others: counts.others,
                bytes: counts.bytes,
                added: written.raw_bytes,
                stored: written.stored_bytes,
                files_new: counts.files_new,
                files_changed: counts.files_changed,
                files_unmodified: counts.files_unmodified,
                errors: counts.errors,
                duration_ms: duration_ms(draft.started),
                entries: draft.root.entries,
            },
            writer: self.repo.writer(),
            run: self.run.id(),
            counter: draft.history.counter,
            previous: draft.history.previous,
            parent: draft.given.and_then(|p| p.snapshot),
            version: concat!("corso ", env!("CARGO_PKG_VERSION")).to_string(),
            platform: crate::fs::platform().to_string(),
            unreadable: draft.tally.unreadable(),
            domain_epoch: self.run.epoch(),
            ..told(options)
        }
    }

    /// Keeps for the next run, in the local cache, what a writer key cannot read back.
    fn remember(&self, draft: &Draft<'_>, manifest: &Manifest, name: &Id) {
        let Some(cache) = self.repo.cache() else {
            return;
        };
        let (writer, host) = (self.repo.writer(), &manifest.host);
        cache.remember(&[Seen {
            writer,
            host: host.clone(),
            snapshot: *name,
            counter: manifest.counter,
            at: self.repo.storage().now().0,
        }]);
        cache.set_last_tree(&LastTree {
            writer,
            sources: source_key(host, &manifest.sources),
            root: draft.root.id,
            levels: draft.root.levels.into(),
            epoch: self.run.epoch(),
            snapshot: *name,
            time: manifest.time.0,
        });
        draft.nodes.keep_only_last_trees(cache, draft.started.time);
        cache.evict_nodes(NODE_CACHE);
        if let Some(warning) = cache.take_warning() {
            self.observer.event(Event::Warning(&warning));
        }
    }

    fn report(&self, draft: &Draft<'_>, name: Id, written: Written) -> BackupReport {
        BackupReport {
            snapshot: Some(name.hex()),
            parent: draft.given.and_then(|p| p.snapshot).map(|id| id.hex()),
            dry_run: false,
            counts: draft.tally.counts(),
            written,
            usage: draft.started.usage(&**self.repo.storage()),
            seconds: draft.started.clock.elapsed().as_secs_f64(),
        }
    }
}

/// How long the backup took, in milliseconds.
fn duration_ms(started: &Started) -> u64 {
    #[cfg(test)]
    if crate::model::plan::now().is_some() {
        return 0;
    }
    started.clock.elapsed().as_millis() as u64
}

/// The report of a dry run.
pub fn dry_report(started: &Started, tally: &Tally, given: Option<ParentTree>) -> BackupReport {
    BackupReport {
        snapshot: None,
        parent: given.and_then(|p| p.snapshot).map(|id| id.hex()),
        dry_run: true,
        counts: tally.counts(),
        written: Written::default(),
        usage: Usage::default(),
        seconds: started.clock.elapsed().as_secs_f64(),
    }
}
