//! `corso restore`

use crate::cli::args::restore::Restore;
use crate::cli::session::{Outcome, Session};
use crate::error::{Error, Result};
use crate::fs::path;
use crate::ops::opened::OpenSnapshot;
use crate::ops::restore::{Collisions, RestoreOptions, RestoreReport};
use crate::report::text::plural;
use crate::report::{Event, Observer, printable};
use crate::units::human_bytes;
use serde_json::Value;
use std::path::Path;

/// Restores files from a backup.
pub fn run(session: &Session, flags: &Restore) -> Result<Outcome> {
    let Some(destination) = flags.destination.as_ref().filter(|d| !d.is_empty()) else {
        return Err(Error::usage("the folder to restore into is missing").hint(
            "give it with --destination DIR; --destination / puts everything back where it was",
        ));
    };
    let repo = super::open(session)?;
    repo.require_full("restoring files")?;
    let found = super::find(session, &repo, &flags.backup)?;
    session.reporter.event(Event::Phase("reading the index"));
    let opened = OpenSnapshot::new(&repo, found, &*session.reporter)?;
    let inside = |typed: &crate::cli::value::OsArg| {
        path::parse_inside(&crate::fs::os_bytes(&typed.0), opened.platform())
    };
    let options = RestoreOptions {
        destination: destination.path().to_owned(),
        paths: flags.paths.iter().map(inside).collect::<Result<_>>()?,
        collisions: match flags.collisions.as_deref() {
            Some("replace") => Collisions::Replace,
            Some("copy") => Collisions::Copy,
            _ => Collisions::Skip,
        },
        verify: flags.verify,
        dry_run: flags.dry_run,
        no_special: flags.no_special,
        ..RestoreOptions::default()
    };
    let stop = session.stop()?;
    crate::fs::raise_open_files_limit();
    let report = opened.restore(&options, &*session.reporter, stop)?;
    let mut json = serde_json::to_value(report.clone())
        .map_err(|e| Error::failed("describing the restore").with_source(e))?;
    if let Value::Object(map) = &mut json {
        map.insert("backup".into(), opened.snapshot().id.hex().into());
        map.insert("usage".into(), serde_json::json!(repo.storage().usage()));
    }
    Ok(Outcome {
        json,
        lines: lines(&report, destination.path()),
        // The target is not as the backup says: that is a failure.
        code: u8::from(report.errors > 0),
        ..Outcome::default()
    })
}

fn lines(report: &RestoreReport, destination: &Path) -> Vec<String> {
    let files = plural(report.files, "file", "files");
    let folders = plural(report.dirs, "folder", "folders");
    let size = human_bytes(report.bytes);
    let target = printable(&crate::fs::os_bytes(destination.as_os_str()));
    let done = if report.dry_run {
        "Would restore"
    } else {
        "Restored"
    };
    let mut lines = vec![format!("{done} {files} in {folders}, {size}, to {target}.")];
    if report.skipped > 0 {
        lines.push(format!(
            "{} left out.",
            plural(report.skipped, "entry was", "entries were")
        ));
    }
    if report.verified > 0 {
        lines.push(format!(
            "{} read again and found right.",
            plural(report.verified, "file was", "files were")
        ));
    }
    if report.errors > 0 {
        lines.push(format!(
            "{} not be restored.",
            plural(report.errors, "entry could", "entries could")
        ));
    }
    lines
}
