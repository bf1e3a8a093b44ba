//! `corso backup pin` and `corso backup unpin`

use crate::cli::args::backup::{Pin, Unpin};
use crate::cli::session::{Outcome, Session};
use crate::error::Result;
use crate::ops::forget;
use serde_json::json;

/// Pins backups.
pub fn pin(session: &Session, flags: &Pin) -> Result<Outcome> {
    set(session, &flags.backups, true)
}

/// Takes pins off.
pub fn unpin(session: &Session, flags: &Unpin) -> Result<Outcome> {
    set(session, &flags.backups, false)
}

fn set(session: &Session, names: &[String], pinned: bool) -> Result<Outcome> {
    if names.is_empty() {
        return Err(super::missing(session, "BACKUP"));
    }
    let repo = super::open(session)?;
    repo.require_full(if pinned {
        "pinning backups"
    } else {
        "unpinning backups"
    })?;
    let ids = super::ids(session, &repo, names)?;
    let changed = forget::set_pinned(&repo, &ids, pinned, &*session.reporter)?;
    let (done, already) = match pinned {
        true => ("Pinned", "is pinned already"),
        false => ("Unpinned", "is not pinned"),
    };
    let line = |id| match changed.contains(id) {
        true => format!("{done} backup {}.", id.short()),
        false => format!("Backup {} {already}.", id.short()),
    };
    Ok(Outcome {
        json: json!({
            "backups": super::hex(&ids),
            "pinned": pinned,
            "changed": super::hex(&changed),
            "usage": repo.storage().usage(),
        }),
        lines: ids.iter().map(line).collect(),
        ..Outcome::default()
    })
}
