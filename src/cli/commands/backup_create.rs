//! `corso backup create`

use super::given;
use crate::cli::args::backup::Create;
use crate::cli::session::{Outcome, Session};
use crate::error::{Context, Error, Result};
use crate::fs::filter::Filter;
use crate::fs::path::Source;
use crate::fs::walk;
use crate::ops::backup::{self, BackupOptions, BackupReport, Parent};
use crate::repo::Repository;
use crate::report::text::{count, plural};
use crate::units::{human_bytes, human_duration};
use std::time::Duration;

/// Makes a backup.
pub fn run(session: &Session, flags: &Create) -> Result<Outcome> {
    check(session, flags)?;
    let sources = flags
        .paths
        .iter()
        .map(|p| Source::new(&p.0))
        .collect::<Result<Vec<_>>>()?;
    let filter = patterns(flags)?;
    let repo = super::open(session)?;
    let parent = parent(session, flags, &repo)?;
    let stop = session.stop()?;
    crate::fs::raise_open_files_limit();
    let (exclude_caches, one_file_system) = (flags.exclude_caches, flags.one_file_system);
    let excludes = filter.texts().collect();
    let host = given(&flags.host).map(str::to_owned);
    let host = host.unwrap_or_else(crate::fs::host_name);
    let options = BackupOptions {
        stdin: flags
            .stdin
            .as_ref()
            .map(|name| crate::fs::os_bytes(&name.0)),
        walk: Box::new(move || {
            Ok(walk::Options {
                filter: filter.clone(),
                exclude_caches,
                one_file_system,
            })
        }),
        excludes,
        tags: flags.tag.clone(),
        parent,
        force: flags.force,
        dry_run: flags.dry_run,
        look_ahead: session.redraws(),
        ..BackupOptions::new(sources, host, crate::fs::user_name())
    };
    outcome(&backup::create(
        repo,
        &options,
        session.reporter.clone(),
        stop,
    )?)
}

fn check(session: &Session, flags: &Create) -> Result<()> {
    match (&flags.stdin, flags.paths.is_empty()) {
        (None, true) => return Err(super::missing(session, "PATH")),
        (Some(_), false) => return Err(Error::usage("--stdin and paths exclude each other")),
        _ => {}
    }
    if flags.paths.iter().any(|p| p.is_empty()) {
        return Err(Error::usage("a path to back up is empty"));
    }
    if let Some(name) = &flags.stdin {
        let bytes = name.bytes();
        if bytes.is_empty() || bytes == b"." || bytes == b".." || bytes.contains(&b'/') {
            return Err(Error::usage("--stdin takes a file name, without folders"));
        }
    }
    match flags.tag.iter().find(|t| t.is_empty() || t.contains(',')) {
        Some(tag) => Err(Error::usage(format!(
            "{tag:?} is not a tag: it is empty or has a comma"
        ))),
        None => Ok(()),
    }
}

fn patterns(flags: &Create) -> Result<Filter> {
    let mut filter = Filter::new();
    for pattern in &flags.exclude {
        filter
            .add(&crate::fs::os_bytes(&pattern.0))
            .context(|| "--exclude")?;
    }
    for file in &flags.exclude_file {
        filter.add_file(file.path()).context(|| "--exclude-file")?;
    }
    Ok(filter)
}

fn parent(session: &Session, flags: &Create, repo: &Repository) -> Result<Parent> {
    match given(&flags.parent) {
        None | Some("latest") => Ok(Parent::Newest),
        Some("none") => Ok(Parent::None),
        Some(id) => repo
            .resolve(id, &*session.reporter)
            .map(Parent::Given)
            .context(|| "--parent"),
    }
}

/// The new backup's id goes to standard output, so that a script can catch it.
fn outcome(report: &BackupReport) -> Result<Outcome> {
    let counts = &report.counts;
    let files = plural(counts.files, "file", "files");
    let changes = format!(
        "{} new, {} changed",
        count(counts.files_new),
        count(counts.files_changed)
    );
    let time = human_duration(Duration::from_secs_f64(report.seconds.clamp(0.0, 1e9)));
    let size = human_bytes(counts.bytes);
    let mut lines = vec![match &report.snapshot {
        Some(id) => {
            let short = id.get(..8).unwrap_or(id);
            let stored = human_bytes(report.written.stored_bytes);
            format!(
                "Created backup {short}: {files} ({changes}), {size}; {stored} stored in {time}."
            )
        }
        None => format!("Would back up {files} ({changes}), {size}; nothing was stored."),
    }];
    if counts.errors > 0 {
        let what = plural(counts.errors, "file or folder", "files and folders");
        lines.push(format!(
            "{what} could not be read and are not in the backup as they are now."
        ));
    }
    let json = serde_json::to_value(report)
        .map_err(|e| Error::failed("describing the backup").with_source(e))?;
    Ok(Outcome {
        text: report
            .snapshot
            .as_ref()
            .map(|id| format!("{id}\n"))
            .unwrap_or_default(),
        json,
        lines,
        code: if counts.errors > 0 {
            crate::error::Kind::Partial.exit_code()
        } else {
            0
        },
    })
}
