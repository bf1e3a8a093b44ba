//! `corso repo repair index|packs|snapshots`

use super::repo_check::{file_json, more};
use crate::cli::args::repo::{RepairIndex, RepairPacks, RepairSnapshots};
use crate::cli::session::{Outcome, Session};
use crate::error::Result;
use crate::id::Id;
use crate::ops::repair::{
    IndexOptions, IndexReport, Mended, PacksOptions, PacksReport, SnapshotsOptions,
    SnapshotsReport, repair_index, repair_packs, repair_snapshots,
};
use crate::report::text::{count, plural};
use crate::report::{Observer, printable};
use serde_json::json;
use std::sync::Arc;

/// Names and files that are printed; `--json` has up to a thousand.
const SHOWN: usize = 50;

/// Exit code where something remains damaged.
const REMAINS: u8 = 1;

/// Rebuilds the index.
pub fn index(session: &Session, flags: &RepairIndex) -> Result<Outcome> {
    let options = IndexOptions {
        all: flags.all,
        dry_run: flags.dry_run,
    };
    let repo = super::open(session)?;
    let report = repair_index(&repo, &options, &*session.reporter, session.stop()?)?;
    session.reporter.end();
    let done = report.packs_indexed + report.index_replaced > 0
        || !report.index_deleted.is_empty()
        || !report.tombstones_deleted.is_empty();
    Ok(Outcome {
        text: index_text(&report),
        json: json!(report),
        lines: vec![last(report.dry_run, done, "the index")],
        code: match report.packs_damaged.is_empty()
            && report.refused == 0
            && report.unread.is_empty()
        {
            true => 0,
            false => REMAINS,
        },
    })
}

fn index_text(report: &IndexReport) -> String {
    let mut out = String::new();
    let would = if report.dry_run { "would be " } else { "" };
    let mut row = |n: u64, one: &str, many: &str, what: &str| {
        if n > 0 {
            out.push_str(&format!("{} {would}{what}\n", plural(n, one, many)));
        }
    };
    row(report.packs_indexed, "pack", "packs", "described anew");
    row(
        report.packs_missing.len() as u64,
        "pack that is not there",
        "packs that are not there",
        "taken out of the index",
    );
    let (one, many) = ("index object", "index objects");
    row(report.index_written, one, many, "written");
    row(
        report.index_replaced,
        one,
        many,
        "replaced; maintenance deletes what was there later",
    );
    row(
        report.index_deleted.len() as u64,
        "unreadable index object",
        "unreadable index objects",
        "deleted",
    );
    row(
        report.tombstones_deleted.len() as u64,
        "unreadable or forged tombstone",
        "unreadable or forged tombstones",
        "deleted",
    );
    if report.refused > 0 {
        out.push_str(&format!(
            "{} could not be deleted with these credentials\n",
            plural(report.refused, "object", "objects")
        ));
    }
    unread(&mut out, &report.unread);
    if !report.packs_damaged.is_empty() {
        out.push_str(
            "Damaged packs; `corso repo repair packs` with their names salvages what they hold:\n",
        );
        list(&mut out, &report.packs_damaged);
    }
    if !report.packs_missing.is_empty() && !report.dry_run {
        out.push_str("What was in the missing packs is stored again by the next backup that finds it at its source.\n");
    }
    out
}

/// Salvages packs.
pub fn packs(session: &Session, flags: &RepairPacks) -> Result<Outcome> {
    let options = PacksOptions {
        packs: flags.packs.clone(),
        read_data: flags.read_data,
        dry_run: flags.dry_run,
    };
    let repo = super::open(session)?;
    let report = repair_packs(&repo, &options, &*session.reporter, session.stop()?)?;
    session.reporter.end();
    let done = !report.packs_damaged.is_empty() || !report.packs_missing.is_empty();
    let mut lines = vec![last(report.dry_run, done, "packs")];
    if flags.packs.is_empty() && !flags.read_data {
        lines.push(
            "Packs were not read, only compared with the list of what is stored: name them as `corso repo check --read-data` does, or give --read-data.".to_owned(),
        );
    }
    Ok(Outcome {
        text: packs_text(&report),
        json: json!(report),
        lines,
        code: match report.unread.is_empty() && report.chunks_lost == 0 {
            true => 0,
            false => REMAINS,
        },
    })
}

fn packs_text(report: &PacksReport) -> String {
    let mut out = String::new();
    let (damaged, salvaged) = match report.dry_run {
        true => (
            "Damaged packs, which would be taken out of use:",
            "would be salvaged",
        ),
        false => ("Damaged packs, taken out of use:", "salvaged"),
    };
    for (names, what) in [
        (&report.packs_damaged, damaged),
        (&report.packs_missing, "Packs that are not there:"),
        (&report.packs_whole, "Packs that are whole and stay:"),
    ] {
        if !names.is_empty() {
            out.push_str(&format!("{what}\n"));
            list(&mut out, names);
        }
    }
    unread(&mut out, &report.unread);
    if report.packs_damaged.len() + report.packs_missing.len() > 0 {
        out.push_str(&format!(
            "{} {salvaged}, {} whole in other packs, {} lost\n",
            plural(report.chunks_salvaged, "chunk", "chunks"),
            count(report.chunks_elsewhere),
            count(report.chunks_lost)
        ));
    }
    if report.chunks_lost > 0 && !report.dry_run {
        out.push_str("Make a backup of the same sources now: what they still hold is stored again. Then `corso repo check` shows what is left.\n");
    }
    out
}

/// Shows, and with `--holes` replaces, damaged backups.
pub fn snapshots(session: &Session, flags: &RepairSnapshots) -> Result<Outcome> {
    let repo = super::open(session)?;
    let options = SnapshotsOptions {
        snapshots: match flags.backups.is_empty() {
            true => Vec::new(),
            false => super::ids(session, &repo, &flags.backups)?,
        },
        holes: flags.holes && !flags.dry_run,
    };
    let observer: Arc<dyn Observer> = session.reporter.clone();
    let report = repair_snapshots(&repo, &options, &observer, session.stop()?)?;
    session.reporter.end();
    let replaced = report.damaged.iter().filter(|m| m.new.is_some()).count();
    let remains = report.damaged.len() - replaced + report.unreadable.len();
    let line = match (report.damaged.len(), replaced) {
        (0, _) => "No files are lost.".to_string(),
        (all, 0) => format!(
            "{} something; nothing was changed.",
            plural(all as u64, "backup lacks", "backups lack")
        ),
        (_, n) => format!(
            "{} replaced.",
            plural(n as u64, "backup was", "backups were")
        ),
    };
    Ok(Outcome {
        text: snapshots_text(&report, &options),
        json: snapshots_json(&report),
        lines: vec![line],
        code: if remains == 0 { 0 } else { REMAINS },
    })
}

fn snapshots_text(report: &SnapshotsReport, options: &SnapshotsOptions) -> String {
    let mut out = String::new();
    for mended in &report.damaged {
        let Mended { old, damaged, .. } = mended;
        let now = match (mended.new, options.holes) {
            (Some(new), _) => format!("replaced by {}", new.short()),
            _ if mended.unreadable > 0 => {
                "some of it cannot be read now and may be whole, so it stays as it is".into()
            }
            (None, true) => "nothing of it is left in the storage; if `corso restore` gives nothing either, delete it with `corso backup delete`".into(),
            (None, false) => {
                "--holes replaces it by one in which what is lost is marked and zero".into()
            }
        };
        out.push_str(&format!(
            "Backup {}: {} damaged; {now}\n",
            old.short(),
            plural(*damaged, "entry", "entries")
        ));
    }
    for id in &report.unreadable {
        out.push_str(&format!(
            "Backup {} cannot be read; put its object back from another copy, or delete it with `corso backup delete`\n",
            id.short()
        ));
    }
    for file in report.files.iter().take(SHOWN) {
        out.push_str(&format!(
            "  {} {}: {}\n",
            file.snapshot.short(),
            printable(&file.path),
            file.why
        ));
    }
    let unseen = report.files.len().saturating_sub(SHOWN) as u64;
    more(&mut out, unseen + report.more_files);
    out
}

fn snapshots_json(report: &SnapshotsReport) -> serde_json::Value {
    let mended = |m: &Mended| json!({ "backup": m.old.hex(), "replaced_by": m.new.map(|id| id.hex()), "damaged_entries": m.damaged, "unreadable_entries": m.unreadable });
    json!({
        "backups": report.snapshots,
        "damaged": report.damaged.iter().map(mended).collect::<Vec<_>>(),
        "unreadable_backups": report.unreadable.iter().map(Id::hex).collect::<Vec<_>>(),
        "files": report.files.iter().map(file_json).collect::<Vec<_>>(),
        "more_files": report.more_files,
        "usage": report.usage,
    })
}

fn unread(out: &mut String, keys: &[String]) {
    if !keys.is_empty() {
        out.push_str("Objects that cannot be read now, and stay as they are:\n");
        list(out, keys);
    }
}

fn list(out: &mut String, names: &[String]) {
    for name in names.iter().take(SHOWN) {
        out.push_str(&format!("  {name}\n"));
    }
    more(out, names.len().saturating_sub(SHOWN) as u64);
}

fn last(dry_run: bool, done: bool, what: &str) -> String {
    match (done, dry_run) {
        (false, _) => format!("Nothing had to be repaired in {what}."),
        (true, true) => "Nothing was changed: this was a dry run.".to_string(),
        (true, false) => format!("Repaired {what}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_does_not_speak_as_if_done() {
        let index = IndexReport {
            packs_indexed: 1,
            index_replaced: 2,
            dry_run: true,
            ..IndexReport::default()
        };
        let text = index_text(&index);
        assert!(text.contains("1 pack would be described anew"), "{text}");
        assert!(text.contains("2 index objects would be replaced"), "{text}");
        let mut packs = PacksReport {
            packs_damaged: vec!["ab".into()],
            chunks_salvaged: 1,
            dry_run: true,
            ..PacksReport::default()
        };
        let text = packs_text(&packs);
        assert!(text.contains("which would be taken out of use"), "{text}");
        assert!(text.contains("1 chunk would be salvaged"), "{text}");
        packs.dry_run = false;
        assert!(!packs_text(&packs).contains("would"));
    }
}
