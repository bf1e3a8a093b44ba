//! `corso repo validate-provider`

use super::given;
use crate::cli::args::repo::ValidateS3;
use crate::cli::config::ConfigFile;
use crate::cli::place::{self, StorageChoice};
use crate::cli::session::{Outcome, Session};
use crate::error::{Error, Result};
use crate::ops::validate::{self, Group, Meant, Report, Verdict};
use crate::report::text::{Align, table};
use crate::units::{human_bytes, human_duration};
use serde_json::{Value, json};
use std::time::Duration;

/// Most requests at a time that are measured.
const CONNECTIONS: usize = 16;
/// A clock that is less off than this is right: answers show whole seconds.
const CLOCK_MS: u64 = 2_000;

/// Exit code where a permission is missing, as of any command that lacks one.
const DENIED: u8 = 13;
/// Exit code of a place that is not fit.
const UNFIT: u8 = 1;

/// Asks a bucket. The configuration file fills what is not given, as for `connect`.
pub fn s3(session: &Session, flags: &ValidateS3) -> Result<Outcome> {
    let file = ConfigFile::load(session.config_location())?;
    let resolved = place::connect_s3(&session.invocation.s3, &session.env, &file)?;
    session.warn_of_old_keys(&file, &resolved);
    let StorageChoice::S3(place) = &resolved.choice else {
        return Err(Error::failed("this is no bucket"));
    };
    let storage = place.bucket(&session.env, CONNECTIONS)?;
    let given = |flag| given(flag).is_some_and(|f| f != "none");
    let meant = Meant {
        lock: given(&flags.retention_mode),
        past: given(&flags.point_in_time),
    };
    let report = validate::s3(&storage, meant, &*session.reporter, session.stop()?)?;
    Ok(outcome(&report))
}

/// Asks a folder.
pub fn filesystem(session: &Session) -> Result<Outcome> {
    let file = ConfigFile::load(session.config_location())?;
    let flags = &session.invocation.filesystem;
    let resolved = place::connect_filesystem(flags, &session.env, &file)?;
    let StorageChoice::Filesystem(path) = &resolved.choice else {
        return Err(Error::failed("this is no folder"));
    };
    Ok(outcome(&validate::folder(
        path,
        &*session.reporter,
        session.stop()?,
    )?))
}

fn outcome(report: &Report) -> Outcome {
    let last = match (report.denied(), report.wrong()) {
        (_, wrong) if !wrong.is_empty() => {
            format!("Not fit for a repository: {}.", wrong.join(", "))
        }
        (denied, _) if !denied.is_empty() => format!(
            "Fit for a repository, but these keys lack {}: see the README for the policies of a host that needs less.",
            denied.join(", ")
        ),
        _ => "Fit for a repository.".to_owned(),
    };
    let code = match report {
        report if !report.wrong().is_empty() => UNFIT,
        report if !report.denied().is_empty() => DENIED,
        _ => 0,
    };
    let mut lines: Vec<String> = report
        .left_behind
        .iter()
        .map(|key| format!("{key} could not be removed."))
        .collect();
    if report.keeps_versions {
        lines.push(
            "The bucket keeps versions: what was put here for this stays as old versions until a lifecycle rule removes them."
                .to_owned(),
        );
    }
    lines.push(last);
    Outcome {
        text: text(report),
        json: document(report),
        lines,
        code,
    }
}

fn document(report: &Report) -> Value {
    let mut value = serde_json::to_value(report).unwrap_or_default();
    if let Value::Object(map) = &mut value {
        map.insert("fit".to_owned(), json!(report.is_fit()));
        map.insert("missing_permissions".to_owned(), json!(report.denied()));
    }
    value
}

fn text(report: &Report) -> String {
    let mut out = report.place.clone();
    if !report.provider.is_empty() {
        out.push_str(&format!(" ({})", report.provider));
    }
    out.push_str("\n\n");
    for group in [Group::Permissions, Group::Operations, Group::Integrity] {
        let of = report.findings.iter().filter(|f| f.group == group);
        let rows: Vec<Vec<String>> = of
            .map(|f| {
                vec![
                    f.name.to_owned(),
                    word(f.verdict).to_owned(),
                    f.detail.clone(),
                ]
            })
            .collect();
        if !rows.is_empty() {
            let columns = [
                (group.title(), Align::Left),
                ("verdict", Align::Left),
                ("detail", Align::Left),
            ];
            out.push_str(&table(&columns, &rows));
            out.push('\n');
        }
    }
    out.push_str(&format!("clock: {}\n", clock(report.clock_ms)));
    out.push_str(&measured(report));
    let rows: Vec<Vec<String>> = report
        .features
        .iter()
        .map(|f| vec![f.name.to_owned(), yes(f.used).to_owned(), f.why.clone()])
        .collect();
    out.push('\n');
    let columns = [
        ("Corso will use here", Align::Left),
        ("", Align::Left),
        ("", Align::Left),
    ];
    out.push_str(&table(&columns, &rows));
    out
}

fn measured(report: &Report) -> String {
    if report.speeds.is_empty() {
        return String::new();
    }
    let latency = Duration::from_micros(report.latency_us);
    let rows: Vec<Vec<String>> = report
        .speeds
        .iter()
        .map(|s| {
            let rate = |bytes| format!("{}/s", human_bytes(bytes));
            vec![s.connections.to_string(), rate(s.up), rate(s.down)]
        })
        .collect();
    let columns = [
        ("requests at a time", Align::Right),
        ("up", Align::Right),
        ("down", Align::Right),
    ];
    format!(
        "latency: {:.1} ms\n\n{}",
        latency.as_secs_f64() * 1000.0,
        table(&columns, &rows)
    )
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fine => "fine",
        Verdict::NotNeeded => "not needed",
        Verdict::Denied => "DENIED",
        Verdict::Wrong => "WRONG",
        Verdict::Unknown => "unknown",
    }
}

fn yes(used: bool) -> &'static str {
    if used { "yes" } else { "no" }
}

fn clock(ms: i64) -> String {
    let off = human_duration(Duration::from_millis(ms.unsigned_abs()));
    match ms {
        ms if ms.unsigned_abs() < CLOCK_MS => {
            "this host's clock agrees with the storage's".to_owned()
        }
        ms if ms > 0 => format!("this host's clock is {off} behind the storage's; corrected for"),
        _ => format!("this host's clock is {off} ahead of the storage's; corrected for"),
    }
}
