//! Does the storage show everything? Whoever deletes backups by hand, or through stolen keys, must not find that
//! maintenance takes their data away after them: what they needed would look like rubbish.

use super::MaintenanceOptions;
use super::look::Look;
use crate::error::{Error, Kind, Result};
use crate::repo::Repository;
use crate::repo::protocol::Grace;
use crate::repo::records::Deletions;
use crate::report::text::plural;
use crate::report::{Event, Observer};
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

/// Refuses if there is no backup at all, but data that no backup needs, and no record of any deletion: to a host that
/// remembers nothing, the storage looks like that after somebody took the backups away.
///
/// # Errors
/// `Changed`.
pub fn emptiness(
    look: &Look,
    grace: Grace,
    options: &MaintenanceOptions,
    observer: &dyn Observer,
) -> Result<()> {
    if !look.snapshots.is_empty() || !holds_data(look, grace) {
        return Ok(());
    }
    if !look
        .repo
        .records(Deletions::All, observer)?
        .deletions
        .is_empty()
    {
        return Ok(());
    }
    let text = "there is data but no backup, and no record that one was deleted";
    if options.dry_run {
        observer.event(Event::Warning(text));
        return Ok(());
    }
    Err(Error::new(Kind::Changed, format!("{text}, so nothing was changed")).hint(
        "either no backup has ended yet, or somebody deleted them: check who has the storage's keys, and its versions; \
         give --accept-missing to free the space",
    ))
}

/// Are there packs that no tombstone names and that are old enough to be named in one?
fn holds_data(look: &Look, grace: Grace) -> bool {
    let old = |modified: Time| modified.plus(grace.0) <= look.view.time;
    let named =
        (0..look.table.len() as u32).any(|n| look.table.good(n) && old(look.table.modified(n)));
    named || look.table.strays.iter().any(|s| old(s.modified))
}
