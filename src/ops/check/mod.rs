//! Is everything there, and whole? Reads the storage alone, writes nothing.
//!
//! 1. Objects: the config, key slots, records, tombstones, index objects, snapshots; every pack that the index names is
//!    in the listing with the right length.
//! 2. Where asked for, packs are read whole ([`data`]), or the provider is asked for the hashes that it holds.
//! 3. Trees: every node of every snapshot is read, and every chunk that an entry needs is looked up ([`trees`]).
//!
//! Other runs may go on meanwhile: snapshots are listed first, so what they need is in what is listed later. Should
//! index objects have been replaced while something seemed to be missing, the look is taken anew.

mod data;
mod needs;
mod objects;
mod packs;
mod report;
mod subset;
#[cfg(test)]
mod tests;
mod trees;

pub(crate) use data::read as read_packs;
pub(crate) use objects::read_snapshot;
pub use report::{CheckReport, DamagedFile, Finding, What};
pub use subset::Subset;
pub(crate) use trees::{Found, Trees};

use crate::error::Result;
use crate::ops::survey::{Health, Survey};
use crate::repo::Repository;
use crate::report::{Observer, Stop};
use std::sync::Arc;

/// How often a look is taken anew because the repository changed while something seemed to be missing.
const MAX_LOOKS: usize = 3;

/// What to check beside the structure.
#[derive(Clone, Debug, Default)]
pub struct CheckOptions {
    /// Which packs to read whole.
    pub read: Option<Subset>,
    /// Ask the provider for the hashes of all packs: one request each, no download.
    pub checksums: bool,
}

/// Checks the repository. Damage is in the report and no error.
///
/// # Errors
/// `RoleNeeded`, a stop, and what the storage fails with.
pub fn check(
    repo: &Arc<Repository>,
    options: &CheckOptions,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<CheckReport> {
    repo.require_full("checking a repository")?;
    let before = repo.storage().usage();
    // What this host has seen and the storage does not show any more cannot be checked: the warning says so.
    repo.look_for_missing(observer)?;
    let mut last = None;
    for _ in 0..MAX_LOOKS {
        let (report, survey) = look(repo, options, observer, stop)?;
        let moved = report.something_is_missing() && survey.is_stale(repo)?;
        last = Some(report);
        if !moved {
            break;
        }
    }
    let mut report = last.unwrap_or_default();
    report.usage = repo.storage().usage().since(&before);
    Ok(report)
}

fn look(
    repo: &Arc<Repository>,
    options: &CheckOptions,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<(CheckReport, Survey)> {
    let mut report = CheckReport::default();
    let listed = repo.list_snapshots()?;
    objects::config_and_keys(repo, &mut report)?;
    objects::records(repo, &mut report)?;
    let survey = Survey::take(repo, observer, stop)?;
    objects::index_and_tombstones(&survey, &mut report);
    let mut health = Health::of(&survey);
    packs::compare(&survey, &mut report);
    if options.checksums {
        packs::checksums(repo, &survey, observer, stop, &mut report, &mut health)?;
    }
    if let Some(subset) = &options.read {
        data::read(
            repo,
            &survey,
            subset,
            observer,
            stop,
            &mut report,
            &mut health,
        )?;
    }
    let snapshots = objects::snapshots(repo, &listed, &mut report, stop)?;
    Trees::new(repo, &survey.index, &health, observer, stop).walk(&snapshots, &mut report)?;
    Ok((report, survey))
}
