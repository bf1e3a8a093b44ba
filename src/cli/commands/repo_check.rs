//! `corso repo check`

use crate::cli::args::repo::Check;
use crate::cli::session::{Outcome, Session};
use crate::error::{Error, Result};
use crate::ops::check::{self, CheckOptions, CheckReport, DamagedFile, Subset};
use crate::report::json::put_path;
use crate::report::printable;
use crate::report::text::{count, plural};
use crate::units::human_bytes;
use serde_json::{Map, Value, json};

/// Exit code of a check that found errors.
const FOUND: u8 = 1;
/// Damaged files that are printed; `--json` has up to a thousand.
const SHOWN: usize = 50;

/// Checks the repository.
pub fn run(session: &Session, flags: &Check) -> Result<Outcome> {
    let read = match (flags.read_data, &flags.read_data_subset) {
        (true, Some(_)) => {
            return Err(Error::usage(
                "--read-data and --read-data-subset exclude each other",
            ));
        }
        (true, None) => Some(Subset::All),
        (false, Some(text)) => Some(Subset::parse(text)?),
        (false, None) => None,
    };
    let options = CheckOptions {
        read,
        checksums: flags.checksums,
    };
    let repo = super::open(session)?;
    let report = check::check(&repo, &options, &*session.reporter, session.stop()?)?;
    session.reporter.end();
    let last = match report.is_clean() {
        true => "No errors were found.".to_string(),
        false => format!(
            "Errors were found: {} in objects, {} in files.",
            count(report.findings.len() as u64 + report.more_findings),
            count(report.files.len() as u64 + report.more_files)
        ),
    };
    Ok(Outcome {
        text: match report.is_clean() && session.flags().quiet {
            true => String::new(),
            false => text(&report, &options),
        },
        json: document(&report),
        lines: vec![last],
        code: if report.is_clean() { 0 } else { FOUND },
    })
}

fn text(report: &CheckReport, options: &CheckOptions) -> String {
    let mut out = format!(
        "{} with {} in {}\n{} of {} named by {}\n",
        plural(report.snapshots, "backup", "backups"),
        plural(report.entries, "entry", "entries"),
        plural(report.nodes, "tree node", "tree nodes"),
        plural(report.packs, "pack", "packs"),
        human_bytes(report.pack_bytes),
        plural(report.index_objects, "index object", "index objects"),
    );
    if let Some(subset) = &options.read {
        out.push_str(&format!(
            "{} of {} read ({})\n",
            plural(report.packs_read, "pack", "packs"),
            human_bytes(report.bytes_read),
            subset.describe()
        ));
    }
    if options.checksums {
        out.push_str(&format!(
            "{} the right checksum at the storage; it keeps none for {}\n",
            plural(report.checksums, "pack has", "packs have"),
            count(report.no_checksum)
        ));
    }
    if report.unindexed_packs > 0 {
        out.push_str(&format!(
            "{} in no index ({}): left by runs that were cut off, or of runs under way; no error\n",
            plural(report.unindexed_packs, "pack is", "packs are"),
            human_bytes(report.unindexed_bytes)
        ));
    }
    if report.dying_chunks > 0 {
        out.push_str("some chunks are only in packs that maintenance is about to delete; it copies them first; no error\n");
    }
    if report.strangers > 0 {
        out.push_str(&format!(
            "{} none of Corso's; no error\n",
            plural(
                report.strangers,
                "object below packs/ is",
                "objects below packs/ are"
            )
        ));
    }
    if !report.findings.is_empty() {
        out.push_str("\nDamaged objects:\n");
        for finding in &report.findings {
            let message = crate::error::one_line(&finding.message);
            out.push_str(&format!("  {}: {message}\n", finding.object));
        }
        more(&mut out, report.more_findings);
    }
    if !report.files.is_empty() {
        out.push_str("\nDamaged files:\n");
        for DamagedFile {
            snapshot,
            path,
            why,
        } in report.files.iter().take(SHOWN)
        {
            out.push_str(&format!(
                "  {} {}: {why}\n",
                snapshot.short(),
                printable(path)
            ));
        }
        let unseen = report.files.len().saturating_sub(SHOWN) as u64;
        more(&mut out, unseen + report.more_files);
    }
    let steps = report.next_steps();
    if !steps.is_empty() {
        out.push_str("\nWhat to do, in this order:\n");
        for (n, step) in steps.iter().enumerate() {
            out.push_str(&format!("  {}. {step}\n", n + 1));
        }
    }
    out
}

pub(super) fn more(out: &mut String, rest: u64) {
    if rest > 0 {
        out.push_str(&format!("  and {} more\n", count(rest)));
    }
}

fn document(report: &CheckReport) -> Value {
    let finding = |f: &check::Finding| json!({ "what": f.what.name(), "object": f.object, "message": f.message });
    json!({
        "clean": report.is_clean(),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "more_findings": report.more_findings,
        "damaged_files": report.files.iter().map(file_json).collect::<Vec<_>>(),
        "more_damaged_files": report.more_files,
        "damaged_backups": report.damaged_snapshots.iter().map(|id| id.hex()).collect::<Vec<_>>(),
        "next": report.next_steps(),
        "backups": report.snapshots,
        "tree_nodes": report.nodes,
        "entries": report.entries,
        "packs": report.packs,
        "pack_bytes": report.pack_bytes,
        "packs_read": report.packs_read,
        "bytes_read": report.bytes_read,
        "checksums": report.checksums,
        "packs_without_checksum": report.no_checksum,
        "index_objects": report.index_objects,
        "unindexed_packs": report.unindexed_packs,
        "unindexed_bytes": report.unindexed_bytes,
        "strangers": report.strangers,
        "chunks_only_in_leaving_packs": report.dying_chunks,
        "usage": report.usage,
    })
}

pub(super) fn file_json(file: &DamagedFile) -> Value {
    let mut map = Map::new();
    map.insert("backup".into(), file.snapshot.hex().into());
    put_path(&mut map, "path", &file.path);
    map.insert("why".into(), file.why.clone().into());
    Value::Object(map)
}
