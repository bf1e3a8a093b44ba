//! Maintenance: frees what no backup needs any more, without locks (`corso-format(5)`, PROTOCOL).
//!
//! ```text
//! look -> mark what snapshots need -> rescue what would go -> sweep what is due -> move, rewrite, bury the rest
//! ```
//! Nothing is deleted at once: a tombstone names it first, and a maintenance at least a grace period later looks again,
//! rescues what a backup has come to need meanwhile, and deletes. Any number may run at once, beside any number of
//! backups; one that ends anywhere loses nothing. A look is never renewed: what cannot be put while it is young is
//! begun anew. A backup that cannot be walked freezes its domain ([`frozen`]), and only that.

mod active;
mod bury;
mod doubt;
mod frozen;
mod locks;
mod look;
mod marks;
mod plan;
mod prices;
mod rewrite;
mod sweep;
mod table;
#[cfg(test)]
mod tests;

pub use bury::Buried;
pub use frozen::Unwalkable;
pub use locks::Extended;
pub use plan::Sums;
pub use prices::Prices;
pub use sweep::Swept;

use crate::error::{Error, Kind, Result};
#[cfg(test)]
use crate::model::bugs::{Bug, planted};
use crate::repo::Repository;
use crate::repo::protocol::{Grace, View, Viewer};
use crate::repo::records::KEEP_RECORDS;
use crate::report::{Event, Observer, Stop};
use crate::storage::Usage;
use crate::units::Time;
use bury::Ages;
use frozen::{Frozen, Spared};
use look::Look;
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a maintenance looks again, because it was too slow.
const MAX_LOOKS: usize = 6;
/// How often it looks again because of what it rescued.
const MAX_RESCUES: usize = 1000;
/// So often something may be missing, which another maintenance may have moved while this one looked.
const MAX_DOUBTS: usize = 2;
/// Tree nodes kept locally, in bytes.
const NODE_CACHE: u64 = 1 << 30;

/// How much to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Merge index objects, and delete what is due.
    Metadata,
    /// Everything.
    #[default]
    Complete,
}

/// What maintenance may do.
#[derive(Clone, Debug)]
pub struct MaintenanceOptions {
    /// How much.
    pub mode: Mode,
    /// Say what would be done, and write nothing.
    pub dry_run: bool,
    /// A grace period other than the repository's: longer, or zero, which is the user's word that nothing else runs.
    pub grace: Option<Duration>,
    /// Move at most so many bytes.
    pub max_repack: u64,
    /// Backups that are missing without a record of their deletion are no reason to delete nothing.
    pub accept_missing: bool,
    /// What things cost.
    pub prices: Prices,
    /// Extend the locks of what is needed, also where the repository's settings do not say so.
    pub extend_locks: bool,
}

impl Default for MaintenanceOptions {
    fn default() -> Self {
        MaintenanceOptions {
            mode: Mode::Complete,
            dry_run: false,
            grace: None,
            max_repack: u64::MAX,
            accept_missing: false,
            prices: Prices::default(),
            extend_locks: false,
        }
    }
}

/// What maintenance did, or would do.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MaintenanceReport {
    /// How much was asked for.
    pub mode: Mode,
    /// Nothing was written.
    pub dry_run: bool,
    /// The grace period in force, seconds.
    pub grace_seconds: u64,
    /// Snapshots looked at; 0 where there was no need to.
    pub snapshots: u64,
    /// Chunks that they need.
    pub chunks: u64,
    /// Packs at the beginning.
    pub packs: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Chunks that had to be copied because tombstones name their packs.
    pub chunks_rescued: u64,
    /// What was deleted.
    #[serde(flatten)]
    pub swept: Swept,
    /// What was decided.
    pub plan: Sums,
    /// What was put, and named in tombstones.
    #[serde(flatten)]
    pub buried: Buried,
    /// Backups that cannot be walked, one of each domain that was left alone because of it.
    pub frozen: Vec<Unwalkable>,
    /// What became of locks.
    #[serde(flatten)]
    pub extended: Extended,
    /// Records of deletions that were deleted, long after them.
    pub records_deleted: u64,
    /// When what is named in tombstones and not deleted yet may be deleted: the earliest.
    pub next_deletion: Option<String>,
    /// Requests and bytes, each way.
    pub usage: Usage,
    /// Seconds.
    pub seconds: f64,
}

/// Runs maintenance.
///
/// # Errors
/// `RoleNeeded`; `Usage` for a grace period that is too short; `Damaged` where deleting could make damage worse, and it
/// is not known in whose domain; `Changed` if backups are missing without a record of their deletion, or if it was too
/// slow for the grace period at every try; and what the storage fails with.
pub fn maintain(
    repo: &Arc<Repository>,
    options: &MaintenanceOptions,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<MaintenanceReport> {
    repo.require_full("maintenance")?;
    if options.extend_locks && repo.config.lock.is_none() {
        return Err(Error::usage(
            "there are no locks to extend: the repository was made without --retention-mode",
        ));
    }
    let grace = Grace(grace_of(repo.grace(observer)?, options.grace)?);
    // Waiting longer before things are deleted does not make a look good for longer: others go by their own grace.
    let fresh = Grace(grace.0.min(repo.config.grace));
    let (clock, usage) = (Instant::now(), repo.storage.usage());
    doubt::missing(repo, options, observer)?;
    let mut job = Job {
        repo,
        options,
        grace,
        fresh,
        observer,
        stop,
        viewer: Viewer::new(repo.storage.clone()),
        report: MaintenanceReport {
            mode: options.mode,
            dry_run: options.dry_run,
            grace_seconds: grace.0.as_secs(),
            ..MaintenanceReport::default()
        },
    };
    job.cycles(true)?;
    // Nothing else runs: what was buried just now can be deleted at once.
    if grace.0.is_zero() && !options.dry_run && job.report.buried.buried_anything() {
        job.cycles(false)?;
    }
    if let Some(cache) = repo.cache() {
        cache.evict_nodes(NODE_CACHE);
    }
    let mut report = job.report;
    report.usage = repo.storage.usage().since(&usage);
    report.seconds = clock.elapsed().as_secs_f64();
    Ok(report)
}

/// The grace period to go by. Running backups rely on the repository's, so none between zero and it will do.
fn grace_of(repository: Duration, asked: Option<Duration>) -> Result<Duration> {
    match asked {
        Some(asked) if asked < repository && !asked.is_zero() => Err(Error::usage(
            "--grace is shorter than the grace period of the repository, on which running backups rely",
        )
        .hint("give a longer one, or 0 if nothing else runs")),
        Some(asked) => Ok(asked),
        None => Ok(repository),
    }
}

impl Buried {
    fn buried_anything(&self) -> bool {
        self.packs_buried + self.index_replaced > 0
    }
}

struct Job<'a> {
    repo: &'a Arc<Repository>,
    options: &'a MaintenanceOptions,
    /// How old things have to be.
    grace: Grace,
    /// How young a look has to be.
    fresh: Grace,
    observer: &'a dyn Observer,
    stop: &'a Stop,
    viewer: Viewer,
    report: MaintenanceReport,
}

impl Job<'_> {
    /// Looks until nothing is left to rescue and everything could be put in time.
    fn cycles(&mut self, bury: bool) -> Result<()> {
        let (mut doubts, mut looks, mut rescues) = (0, 0, 0);
        while looks < MAX_LOOKS && rescues < MAX_RESCUES {
            // What is missing at the last look is missing.
            match self.cycle(bury, doubts + 1 >= MAX_DOUBTS) {
                Ok(true) => return Ok(()),
                // Each time less is left to rescue.
                Ok(false) => rescues += 1,
                Err(e) if e.kind() == Kind::TooLate => {
                    self.stop.check()?;
                    looks += 1;
                    self.observer.event(Event::Warning(
                        "maintenance took longer than half the grace period: beginning anew",
                    ));
                }
                // Another maintenance may have moved it between two requests of the look.
                Err(e) if e.is_damage() => {
                    doubts += 1;
                    if doubts >= MAX_DOUBTS {
                        return Err(e);
                    }
                }
                Err(e) => return Err(e),
            }
        }
        if looks >= MAX_LOOKS {
            return Err(Error::new(
                Kind::Changed,
                "maintenance took longer than half the grace period, every time",
            )
            .hint("nothing is lost, and what it moved stays moved; --max-repack lets it do less at a time"));
        }
        Err(Error::new(
            Kind::Changed,
            "the repository changed at every look of maintenance",
        )
        .hint("nothing is lost; run it again later"))
    }

    /// One look and what follows from it. `false`: look again. `sure`: a backup that cannot be walked now is not going
    /// to be.
    fn cycle(&mut self, bury: bool, sure: bool) -> Result<bool> {
        let (options, grace) = (self.options, self.grace);
        let (observer, stop) = (self.observer, self.stop);
        let complete = options.mode == Mode::Complete && bury;
        let walks = |view: &View| complete || !sweep::due(view, grace).is_empty();
        let mut look = Look::take(self.repo, &mut self.viewer, &walks, observer)?;
        stop.check()?;
        let stones = sweep::due(&look.view, grace);
        let marks = match walks(&look.view) {
            true => Some(look.mark(observer, stop)?),
            false => None,
        };
        if self.report.packs == 0 {
            (self.report.packs, self.report.bytes) = (look.table.count, look.table.bytes);
        }
        #[cfg(test)]
        if planted(Bug::NoLook) && !stones.is_empty() {
            let all = Spared::default();
            sweep::delete(&look, &stones, &all, false, observer, stop)?;
            return Ok(true);
        }
        if let Some(marks) = &marks {
            if let (Some(doubt), false) = (look.frozen.doubt(), sure) {
                return Err(doubt);
            }
            self.tell(&look.frozen);
            if complete && !options.accept_missing {
                doubt::emptiness(&mut look, grace, options, observer, stop)?;
            }
            let mut spared = Spared::of(&look, &stones)?;
            self.report.snapshots = look.snapshots.len() as u64;
            self.report.chunks = marks.chunks;
            let mut endangered = marks.endangered.clone();
            if endangered.is_empty() && !stones.is_empty() && !options.dry_run {
                endangered = sweep::verify(&mut look, marks, &stones, &spared, observer, stop)?;
            }
            #[cfg(test)]
            if planted(Bug::Withdraw) && !endangered.is_empty() {
                for stone in &look.view.tombstones {
                    let key = format!("tombstones/{}", stone.name);
                    self.repo.storage.delete(&key)?;
                }
                return Ok(false);
            }
            while !endangered.is_empty() && !options.dry_run {
                let rescued = sweep::rescue(&mut look, &endangered, self.fresh, observer, stop)?;
                self.report.chunks_rescued += rescued.copied;
                if rescued.lost.is_empty() || rescued.copied + rescued.indexed > 0 {
                    return Ok(false);
                }
                // What is only in a pack that goes, and damaged there: the pack stays, with all of its domain.
                for (domain, why) in rescued.lost {
                    if !sure {
                        return Err(why);
                    }
                    look.frozen.add_domain(domain, &why);
                }
                self.tell(&look.frozen);
                spared = Spared::of(&look, &stones)?;
                endangered.retain(|e| !look.frozen.has(&e.domain));
                if endangered.is_empty() && !stones.is_empty() {
                    endangered = sweep::verify(&mut look, marks, &stones, &spared, observer, stop)?;
                }
            }
            let swept = sweep::delete(&look, &stones, &spared, options.dry_run, observer, stop)?;
            self.report.swept.add(&swept);
        }
        if bury {
            let marks = marks.as_ref().filter(|_| complete);
            let ages = Ages {
                old: grace,
                fresh: self.fresh,
            };
            let (sums, buried) = bury::bury(&mut look, marks, ages, options, observer, stop)?;
            (self.report.plan, self.report.buried) = (sums, buried);
            if complete && !options.dry_run && look.frozen.is_empty() {
                let before = look.view.time.minus(grace.0).minus(KEEP_RECORDS);
                let old = self.repo.deletions_before(before)?;
                self.report.records_deleted = sweep::forget_records(&look, &old, observer, stop)?;
            }
            if let Some(marks) = marks {
                self.extend_locks(&look, marks)?;
            }
        }
        let waiting = look
            .view
            .tombstones
            .iter()
            .filter(|b| b.authentic && b.modified.plus(grace.0) > look.view.time)
            .map(|b| b.modified.plus(grace.0));
        let new = self.report.buried.buried_anything() && bury && !options.dry_run;
        let new = new.then(|| self.repo.storage.now().plus(grace.0));
        let locked = self.report.swept.locked_until;
        let next: Option<Time> = waiting.chain(new).chain(locked).min();
        self.report.next_deletion = next.filter(|_| !grace.0.is_zero()).map(Time::rfc3339);
        Ok(true)
    }

    /// Says once of each backup that it cannot be walked.
    fn tell(&mut self, frozen: &Frozen) {
        for reason in frozen.reasons() {
            if !self.report.frozen.contains(reason) {
                self.observer.event(Event::Warning(&reason.describe()));
                self.report.frozen.push(reason.clone());
            }
        }
    }
}

impl Swept {
    fn add(&mut self, more: &Swept) {
        self.tombstones_due += more.tombstones_due;
        self.packs_deleted += more.packs_deleted;
        self.bytes_deleted += more.bytes_deleted;
        self.index_deleted += more.index_deleted;
        self.tombstones_deleted += more.tombstones_deleted;
        self.refused += more.refused;
        self.locked += more.locked;
        self.locked_until = self.locked_until.or(more.locked_until);
    }
}
