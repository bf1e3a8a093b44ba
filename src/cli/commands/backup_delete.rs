//! `corso backup delete`

use crate::cli::args::backup::Delete;
use crate::cli::session::{Outcome, Session};
use crate::error::Result;
use crate::id::Id;
use crate::ops::forget;
use serde_json::json;

/// Deletes backups. All names are looked up before anything is deleted.
pub fn run(session: &Session, flags: &Delete) -> Result<Outcome> {
    if flags.backups.is_empty() {
        return Err(super::missing(session, "BACKUP"));
    }
    let repo = super::open(session)?;
    repo.require_full("deleting backups")?;
    let mut ids: Vec<Id> = Vec::new();
    for name in &flags.backups {
        // By its name alone, so that a backup that cannot be read can be deleted too.
        let id = match name.as_str() {
            "latest" => super::find(session, &repo, name)?.id,
            name => repo.resolve(name, &*session.reporter)?,
        };
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    forget::refuse_pinned(&repo, &ids, &*session.reporter)?;
    forget::delete(&repo, &ids, &*session.reporter, session.stop()?)?;
    let mut lines = Vec::new();
    for id in &ids {
        lines.push(format!("Deleted backup {}.", id.short()));
    }
    Ok(Outcome {
        json: json!({
            "deleted": ids.iter().map(Id::hex).collect::<Vec<_>>(),
            "usage": repo.storage().usage(),
        }),
        lines,
        ..Outcome::default()
    })
}
