//! Mending a repository: the index from the packs, packs from what of them still opens, snapshots by cutting out what
//! is lost, when told to.
//!
//! A repair is a run like any other: it takes no lock, puts only while its look is young, and deletes nothing that
//! anybody could still use. What it takes out of use it names in a tombstone, which maintenance acts on later, after
//! having looked at what backups need. What nobody can read any more (an index object or a tombstone whose bytes do not
//! have the hash of its name) it deletes, after what replaces it is put.

mod entry;
mod index;
mod packs;
mod snapshots;
#[cfg(test)]
mod tests;

pub use index::{IndexOptions, IndexReport, repair_index};
pub use packs::{PacksOptions, PacksReport, repair_packs};
pub use snapshots::{Mended, SnapshotsOptions, SnapshotsReport, repair_snapshots};

use crate::error::{Error, Kind, Result};
use crate::report::{Event, Observer, Stop};

/// How often a repair begins anew because it was too slow for half the grace period. What it has put stays, so each
/// time there is less to do.
const MAX_TRIES: usize = 4;
/// Names in a report; the rest is counted.
const MAX_NAMES: usize = 1000;

/// Runs `attempt` until it is quick enough.
fn in_time<T>(
    observer: &dyn Observer,
    stop: &Stop,
    attempt: &mut dyn FnMut() -> Result<T>,
) -> Result<T> {
    for _ in 0..MAX_TRIES {
        match attempt() {
            Err(e) if matches!(e.kind(), Kind::TooLate | Kind::ObjectMissing) => {
                stop.check()?;
                observer.event(Event::Warning(
                    "the repository changed, or this took longer than half the grace period: beginning anew",
                ));
            }
            other => return other,
        }
    }
    Err(
        Error::new(Kind::Changed, "the repair was too slow at every try")
            .hint("what it has done stays done: run it again, at a time when little else runs"),
    )
}
