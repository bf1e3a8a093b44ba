//! `corso backup undelete`

use super::backup_list::{describe, row};
use crate::cli::args::backup::Undelete;
use crate::cli::session::{Outcome, Session};
use crate::error::{Error, Result};
use crate::ops::undelete::{self, Deleted};
use crate::report::text::{Align, plural, table};
use serde_json::{Value, json};

/// Brings deleted backups back. All names are looked up first.
pub fn run(session: &Session, flags: &Undelete) -> Result<Outcome> {
    if flags.backups.is_empty() {
        return Err(super::missing(session, "BACKUP"));
    }
    let repo = super::open(session)?;
    repo.require_full("bringing backups back")?;
    let names = flags.backups.iter();
    let deletions = names
        .map(|name| undelete::find(&repo, name, &*session.reporter))
        .collect::<Result<Vec<_>>>()?;
    let stop = session.stop()?;
    let (mut lines, mut reports, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    let mut failed = None;
    for deletion in &deletions {
        let observer = session.reporter.clone();
        let report = match undelete::undelete(repo.clone(), deletion, observer, stop) {
            Ok(report) => report,
            // What was brought back before is told first.
            Err(e) if !reports.is_empty() => {
                failed = Some((deletion.snapshot, e));
                break;
            }
            Err(e) => return Err(e),
        };
        let copied = match report.copied_chunks {
            0 => String::new(),
            n => format!("; {} stored anew", plural(n, "chunk was", "chunks were")),
        };
        lines.push(format!(
            "Brought back backup {}: it is backup {} now{copied}{}.",
            deletion.snapshot.short(),
            report.snapshot.get(..8).unwrap_or_default(),
            if report.pinned {
                ", and pinned as it was"
            } else {
                ""
            },
        ));
        ids.push(format!("{}\n", report.snapshot));
        reports.push(
            serde_json::to_value(report)
                .map_err(|e| Error::failed("describing what was brought back").with_source(e))?,
        );
    }
    let failure = failed.as_ref().map(|(id, e)| {
        let rest = deletions.len() - reports.len() - 1;
        let rest = match rest {
            0 => String::new(),
            n => format!("; {} not tried", plural(n as u64, "more was", "more were")),
        };
        lines.push(format!("Error: {e}{rest}"));
        json!({ "backup": id.hex(), "kind": e.kind().name(), "error": e.to_string() })
    });
    Ok(Outcome {
        // As `backup create` prints it.
        text: ids.concat(),
        json: json!({
            "undeleted": reports,
            "failed": failure,
            "usage": repo.storage().usage(),
        }),
        lines,
        code: failed.map_or(0, |(_, e)| e.kind().exit_code()),
    })
}

/// `corso backup list --deleted`
pub fn list(session: &Session) -> Result<Outcome> {
    let repo = super::open(session)?;
    repo.require_full("listing deleted backups")?;
    let filter = super::filter(session)?;
    let found = undelete::deleted(&repo, &filter, &*session.reporter)?;
    let columns = [
        ("Backup", Align::Left),
        ("Time", Align::Left),
        ("Host", Align::Left),
        ("Files", Align::Right),
        ("Size", Align::Right),
        ("Deleted", Align::Left),
        ("Until", Align::Left),
        ("Tags", Align::Left),
        ("Sources", Align::Left),
    ];
    let cells = |d: &Deleted| {
        let mut cells = row(&d.snapshot);
        cells.splice(5..6, [d.deleted.local(), d.until.local()]);
        cells
    };
    let rows: Vec<Vec<String>> = found.iter().map(cells).collect();
    let lines = match found.is_empty() {
        true => vec!["There are no deleted backups that can be brought back.".to_owned()],
        false => Vec::new(),
    };
    Ok(Outcome {
        text: table(&columns, &rows),
        json: json!({
            "deleted": found.iter().map(json_of).collect::<Vec<_>>(),
            "usage": repo.storage().usage(),
        }),
        lines,
        ..Outcome::default()
    })
}

fn json_of(deleted: &Deleted) -> Value {
    let mut value = describe(&deleted.snapshot);
    if let Value::Object(map) = &mut value {
        map.insert("deleted".into(), deleted.deleted.rfc3339().into());
        map.insert("until".into(), deleted.until.rfc3339().into());
    }
    value
}
