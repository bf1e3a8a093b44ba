//! `corso backup delete`

use crate::cli::args::backup::Delete;
use crate::cli::session::{Outcome, Session};
use crate::error::Result;
use crate::ops::forget;
use crate::repo::Repository;
use crate::report::Observer;
use crate::units::human_duration;
use serde_json::json;

/// Deletes backups. All names are looked up, and looked at for pins, before anything is deleted.
pub fn run(session: &Session, flags: &Delete) -> Result<Outcome> {
    if flags.backups.is_empty() {
        return Err(super::missing(session, "BACKUP"));
    }
    let repo = super::open(session)?;
    repo.require_full("deleting backups")?;
    let ids = super::ids(session, &repo, &flags.backups)?;
    forget::refuse_pinned(&repo, &ids, &*session.reporter)?;
    let (done, recorded) = match flags.dry_run {
        true => ("Would delete", 0),
        false => {
            let recorded = forget::delete(&repo, &ids, &*session.reporter, session.stop()?)?;
            ("Deleted", recorded)
        }
    };
    let mut lines: Vec<String> = ids
        .iter()
        .map(|id| format!("{done} backup {}.", id.short()))
        .collect();
    if recorded > 0 {
        lines.extend(way_back(&repo, &*session.reporter)?);
    }
    Ok(Outcome {
        json: json!({
            "deleted": super::hex(&ids),
            "dry_run": flags.dry_run,
            "usage": repo.storage().usage(),
        }),
        lines,
        ..Outcome::default()
    })
}

/// Says how long deleted backups can be brought back for certain.
pub fn way_back(repo: &Repository, observer: &dyn Observer) -> Result<Option<String>> {
    let grace = repo.grace(observer)?;
    Ok((!grace.is_zero()).then(|| {
        format!(
            "`corso backup undelete` brings back what was deleted, for {}.",
            human_duration(grace)
        )
    }))
}
