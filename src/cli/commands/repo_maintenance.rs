//! `corso repo maintenance`

use super::given;
use crate::cli::args::repo::Maintenance;
use crate::cli::place::StorageChoice;
use crate::cli::session::{Outcome, Session};
use crate::error::{Context, Error, Kind, Result};
use crate::ops::maintenance::{
    MaintenanceOptions, MaintenanceReport, Mode, Prices, Sums, maintain,
};
use crate::report::text::{count, plural};
use crate::units::{human_bytes, human_duration, parse_bytes, parse_duration};
use std::sync::Arc;
use std::time::Duration;

/// Frees what no backup needs any more.
pub fn run(session: &Session, flags: &Maintenance) -> Result<Outcome> {
    let (file, mut resolved) = session.place()?;
    let options = options(session, flags, &resolved.choice)?;
    let passphrase = session.passphrase(&file, &resolved)?;
    let storage = resolved.choice.storage(&session.env, false)?;
    let repo = Arc::new(super::open_at(session, storage, &passphrase)?);
    let stop = session.stop()?;
    let report = maintain(&repo, &options, &*session.reporter, stop)?;
    Ok(Outcome {
        json: serde_json::to_value(&report)
            .map_err(|e| Error::failed("describing what was done").with_source(e))?,
        lines: lines(&report, &options.prices),
        // Each was told in a warning; not all was done.
        code: match report.frozen.first() {
            Some(frozen) => frozen.kind.exit_code(),
            None if report.extended.locks_not_extended => Kind::PermissionDenied.exit_code(),
            None => 0,
        },
        ..Outcome::default()
    })
}

fn options(
    session: &Session,
    flags: &Maintenance,
    place: &StorageChoice,
) -> Result<MaintenanceOptions> {
    let environment = || {
        let prices = session.env.os("CORSO_PRICES")?;
        Some(prices.to_string_lossy().into_owned()).filter(|p| !p.is_empty())
    };
    let prices = match given(&flags.prices).map(str::to_owned).or_else(environment) {
        Some(text) => Prices::parse(&text).context(|| "--prices")?,
        None => match place {
            StorageChoice::S3(_) => Prices::default(),
            StorageChoice::Filesystem(_) => Prices::FREE,
        },
    };
    Ok(MaintenanceOptions {
        mode: match flags.mode.as_deref() {
            Some("metadata") => Mode::Metadata,
            _ => Mode::Complete,
        },
        dry_run: flags.dry_run,
        extend_locks: flags.extend_retention,
        grace: given(&flags.grace)
            .map(|g| parse_duration(g).context(|| "--grace"))
            .transpose()?,
        max_repack: given(&flags.max_repack)
            .map(|s| parse_bytes(s).context(|| "--max-repack"))
            .transpose()?
            .unwrap_or(u64::MAX),
        accept_missing: flags.accept_missing,
        prices,
    })
}

fn lines(report: &MaintenanceReport, prices: &Prices) -> Vec<String> {
    let mut lines = Vec::new();
    let packs = |n| plural(n, "pack", "packs");
    let (swept, buried, plan) = (&report.swept, &report.buried, &report.plan);
    let would = |done: &'static str, would: &'static str| match report.dry_run {
        true => would,
        false => done,
    };
    if report.chunks_rescued > 0 {
        lines.push(format!(
            "Copied {} that backups have come to need since they were marked for deletion.",
            plural(report.chunks_rescued, "chunk", "chunks")
        ));
    }
    if swept.packs_deleted + swept.index_deleted > 0 {
        lines.push(format!(
            "{} {} ({}) and {}.",
            would("Deleted", "Would delete"),
            packs(swept.packs_deleted),
            human_bytes(swept.bytes_deleted),
            plural(swept.index_deleted, "index object", "index objects"),
        ));
    }
    if plan.packs_repacked > 0 {
        lines.push(format!(
            "{} {} out of {}{}.",
            would("Moved", "Would move"),
            human_bytes(plan.bytes_moved),
            packs(plan.packs_repacked),
            cost(plan, prices)
        ));
    }
    let at_once = report.grace_seconds == 0 && !report.dry_run;
    if buried.packs_buried > 0 && !at_once {
        let when = match &report.next_deletion {
            Some(time) => format!("; maintenance may delete from {time} on"),
            None => String::new(),
        };
        lines.push(format!(
            "{} {} ({}) for deletion{when}.",
            would("Marked", "Would mark"),
            packs(buried.packs_buried),
            human_bytes(buried.bytes_buried),
        ));
    } else if let Some(time) = &report.next_deletion {
        lines.push(format!(
            "What is marked for deletion may be deleted from {time} on."
        ));
    }
    lines.extend(lock_lines(report, prices));
    if buried.index_replaced > 0 {
        lines.push(format!(
            "{} {} by {}.",
            would("Replaced", "Would replace"),
            plural(buried.index_replaced, "index object", "index objects"),
            match report.dry_run {
                true => "fewer".to_owned(),
                false => count(buried.index_written),
            },
        ));
    }
    if plan.bytes_wasted > 0 && report.mode == Mode::Complete {
        lines.push(format!(
            "{} that nothing needs stay where they are: moving what lies beside them does not pay.",
            human_bytes(plan.bytes_wasted)
        ));
    }
    let seen = match report.snapshots {
        0 => String::new(),
        n => format!("{}, ", plural(n, "backup", "backups")),
    };
    let time = human_duration(Duration::from_secs_f64(report.seconds.clamp(0.0, 1e9)));
    if !report.frozen.is_empty() {
        lines.push(format!(
            "Not all was done: {} cannot be walked, and what hosts with the same key have stored was left alone.",
            plural(report.frozen.len() as u64, "backup", "backups")
        ));
    }
    lines.push(format!(
        "Maintenance {}: {seen}{} ({}) in {time}.",
        would("done", "planned, nothing was changed"),
        packs(report.packs),
        human_bytes(report.bytes)
    ));
    lines
}

/// What became of locks, and what that cost.
fn lock_lines(report: &MaintenanceReport, prices: &Prices) -> Vec<String> {
    let mut lines = Vec::new();
    let (extended, swept) = (&report.extended, &report.swept);
    if extended.locks_looked_at > 0 {
        let (gets, puts) = (extended.locks_looked_at, extended.locks_extended);
        let money = match prices.is_free() {
            true => String::new(),
            false => format!(", which costs about {:.4}", prices.to_move(0, gets, puts)),
        };
        lines.push(format!(
            "{} {}; looked at {}{money}.",
            match report.dry_run {
                true => "Would extend",
                false => "Extended",
            },
            plural(puts, "lock", "locks"),
            count(gets),
        ));
    }
    if swept.locked > 0 {
        let until = match swept.locked_until {
            Some(time) => format!(", the first until {}", time.local()),
            None => String::new(),
        };
        lines.push(format!(
            "{} that nothing needs {} locked{until}.",
            plural(swept.locked, "object", "objects"),
            match swept.locked {
                1 => "is",
                _ => "are",
            },
        ));
    }
    lines
}

fn cost(plan: &Sums, prices: &Prices) -> String {
    match prices.is_free() {
        true => String::new(),
        false => format!(
            ", which costs about {:.4} once ({} GETs, {} PUTs) and saves {:.4} a month",
            plan.cost, plan.gets, plan.puts, plan.saved_monthly
        ),
    }
}
