//! Does the storage show everything? Whoever deletes backups by hand, or through stolen keys, must not find that
//! maintenance takes their data away after them: what they needed would look like rubbish.

use super::MaintenanceOptions;
use super::look::{Look, concerns_the_object};
use super::marks::{Bits, Marks};
use super::table::Stray;
use crate::error::{Error, Kind, Result};
use crate::repo::Repository;
use crate::repo::protocol::Grace;
use crate::repo::records::{Deletion, Deletions};
use crate::report::text::plural;
use crate::report::{Event, Observer, Stop};
use crate::units::Time;

/// Refuses if backups that this host has seen are missing, and no record says that they were deleted.
///
/// # Errors
/// `Changed`.
pub fn missing(
    repo: &Repository,
    options: &MaintenanceOptions,
    observer: &dyn Observer,
) -> Result<()> {
    if options.accept_missing {
        return match options.dry_run {
            true => Ok(()),
            false => repo.accept_missing().map(drop),
        };
    }
    match repo.look_for_missing(observer)? {
        0 => Ok(()),
        // The warning was given.
        _ if options.dry_run => Ok(()),
        n => {
            let (backups, are) = (
                plural(n as u64, "backup", "backups"),
                if n == 1 { "is" } else { "are" },
            );
            Err(Error::new(Kind::Changed, format!(
                "{backups} that this host has seen {are} gone without a record of a deletion, so nothing was changed"
            ))
            .hint(
                "the data may be there still: find out who deleted them, and bring back the storage's versions; if it \
                 is as it should be, give --accept-missing",
            ))
        }
    }
}

/// Refuses if there is no backup at all, but data that none of the deletions on record accounts for: to a host that
/// remembers nothing, the storage looks like that after somebody took the backups away.
///
/// # Errors
/// `Changed`.
pub fn emptiness(
    look: &mut Look,
    grace: Grace,
    options: &MaintenanceOptions,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<()> {
    if !look.snapshots.is_empty() || !holds_data(look, grace) {
        return Ok(());
    }
    let deletions = look.repo.records(Deletions::All, observer)?.deletions;
    let text = match deletions.is_empty() {
        true => "there is data but no backup, and no record that one was deleted",
        false if accounted(look, grace, &deletions, stop)? => return Ok(()),
        false => {
            "there is data but no backup, and the backups that are on record as deleted did not need all of it"
        }
    };
    if options.dry_run {
        observer.event(Event::Warning(text));
        return Ok(());
    }
    Err(Error::new(Kind::Changed, format!("{text}, so nothing was changed")).hint(
        "either no backup has ended yet, or somebody deleted them: check who has the storage's keys, and its versions; \
         give --accept-missing to free the space",
    ))
}

/// Is every pack that is old enough, and in an index, one that a deleted backup needed? What of their trees cannot be read
/// accounts for nothing.
fn accounted(look: &mut Look, grace: Grace, deletions: &[Deletion], stop: &Stop) -> Result<bool> {
    let mut marks = Marks::new(look.base.rows());
    for deletion in deletions {
        let walked = match look.repo.deleted_manifest(deletion) {
            Ok(manifest) => look.walk(&manifest, &mut marks, stop),
            Err(e) => Err(e),
        };
        match walked {
            Err(e) if !concerns_the_object(&e) => return Err(e),
            _ => {}
        }
    }
    let mut needed = Bits::new(look.table.len() as u64);
    look.base.scan(&mut |at, row| {
        if marks.needed.get(at) {
            needed.set(u64::from(row.pack));
        }
        Ok(())
    })?;
    Ok(named(look, grace).all(|n| needed.get(u64::from(n))))
}

/// Are there packs that no tombstone names and that are old enough to be named in one?
fn holds_data(look: &Look, grace: Grace) -> bool {
    let old = |s: &Stray| is_old(look, grace, s.modified);
    named(look, grace).next().is_some() || look.table.strays.iter().any(old)
}

/// The packs of that kind that are in an index.
fn named(look: &Look, grace: Grace) -> impl Iterator<Item = u32> {
    let good = move |n: &u32| look.table.good(*n) && is_old(look, grace, look.table.modified(*n));
    (0..look.table.len() as u32).filter(good)
}

fn is_old(look: &Look, grace: Grace, modified: Time) -> bool {
    modified.plus(grace.0) <= look.view.time
}
