//! `corso backup details`
//!
//! A backup may hold millions of entries: they are printed as they are read.

use super::backup_list::describe;
use crate::cli::args::backup::Details;
use crate::cli::session::{Outcome, Session};
use crate::error::{Context, Error, Result};
use crate::format::entry::{Entry, FileKind, FileTime, TreePath};
use crate::fs::path;
use crate::ops::opened::OpenSnapshot;
use crate::report::json::{error_fields, event_line, named, put_path};
use crate::report::text::{count, mode, output_failed};
use crate::report::{Event, Observer, printable};
use crate::units::{Time, human_bytes};
use serde_json::{Map, Value, json};
use std::io::{BufWriter, Write};
use std::sync::atomic::Ordering;

/// Shows what a backup holds.
pub fn run(session: &Session, flags: &Details) -> Result<Outcome> {
    let repo = super::open(session)?;
    repo.require_full("showing what a backup holds")?;
    let found = super::find(session, &repo, &flags.backup)?;
    session.reporter.event(Event::Phase("reading the index"));
    let opened = OpenSnapshot::new(&repo, found, &*session.reporter)?;
    let below = match flags.path.as_ref().filter(|p| !p.is_empty()) {
        Some(typed) => path::parse_inside(&crate::fs::os_bytes(&typed.0), opened.platform())?,
        None => TreePath::default(),
    };
    if !below.0.is_empty() && opened.tree()?.find(&below)?.is_none() {
        let id = opened.snapshot().id.short();
        return Err(Error::failed(format!(
            "{} is not in backup {id}",
            printable(&below.to_bytes())
        ))
        .hint("'corso backup details BACKUP' lists all paths"));
    }
    session.reporter.end();
    let global = session.flags();
    if global.json_events {
        each(session, &opened, &below, &mut |path, entry| {
            event_line(&named("entry", entry_json(&path, entry)))
        })?;
    } else if global.json {
        print_json(session, &opened, &below)?;
    } else {
        print_text(session, &opened, &below)?;
    }
    Ok(Outcome {
        json: json!({ "backup": describe(opened.snapshot()) }),
        ..Outcome::default()
    })
}

/// Calls `show` for every entry at and below `below`, with its path as its platform writes it.
fn each(
    session: &Session,
    opened: &OpenSnapshot,
    below: &TreePath,
    show: &mut dyn FnMut(Vec<u8>, &Entry) -> Result<()>,
) -> Result<()> {
    let stop = session.stop()?;
    for item in opened.tree()?.subtree(below) {
        stop.check()?;
        let (path, entry) = item.context(|| "reading the backup's tree")?;
        show(path::to_native(&path, opened.platform()), &entry)?;
    }
    Ok(())
}

fn write(out: &mut impl Write, text: &str) -> Result<()> {
    out.write_all(text.as_bytes()).map_err(output_failed)
}

fn print_text(session: &Session, opened: &OpenSnapshot, below: &TreePath) -> Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    if below.0.is_empty() {
        write(&mut out, &heading(opened))?;
    }
    each(session, opened, below, &mut |path, entry| {
        write(&mut out, &line(&path, entry))
    })?;
    out.flush().map_err(output_failed)
}

fn heading(opened: &OpenSnapshot) -> String {
    let backup = opened.snapshot();
    let (m, stats) = (&backup.manifest, &backup.manifest.stats);
    let sources = m
        .sources
        .iter()
        .map(|s| printable(s))
        .collect::<Vec<_>>()
        .join(" ");
    let mut rows = vec![
        ("Backup", backup.id.hex()),
        ("Time", m.time.local()),
        ("Host", format!("{} ({})", m.host, m.user)),
        ("Sources", sources),
        ("Tags", m.tags.join(",")),
        (
            "Files",
            format!("{} in {} folders", count(stats.files), count(stats.dirs)),
        ),
        ("Size", human_bytes(stats.bytes)),
        ("Stored", human_bytes(stats.stored)),
    ];
    if stats.errors > 0 {
        rows.push(("Unreadable", count(stats.errors)));
    }
    rows.extend(
        m.unreadable
            .iter()
            .map(|(path, why)| ("", format!("{}: {why}", printable(&path.to_bytes())))),
    );
    rows.retain(|(_, value)| !value.is_empty());
    let text: String = rows
        .iter()
        .map(|(name, value)| format!("{name:<12}{}\n", crate::error::one_line(value)))
        .collect();
    format!("{text}\n")
}

/// As `ls -l` shows it.
fn line(path: &[u8], entry: &Entry) -> String {
    let owner = |name: &[u8], id: u32| {
        if name.is_empty() {
            id.to_string()
        } else {
            printable(name)
        }
    };
    let size = match entry.kind {
        FileKind::CharDevice | FileKind::BlockDevice => {
            format!("{}, {}", entry.rdev.0, entry.rdev.1)
        }
        _ => count(entry.size),
    };
    let link = if entry.link.is_empty() {
        String::new()
    } else {
        format!(" -> {}", printable(&entry.link))
    };
    format!(
        "{} {:<8} {:<8} {size:>15} {} {}{link}\n",
        mode(letter(entry.kind), entry.mode),
        owner(&entry.user, entry.uid),
        owner(&entry.group, entry.gid),
        time(entry.mtime).local(),
        printable(path),
    )
}

fn letter(kind: FileKind) -> char {
    match kind {
        FileKind::File => '-',
        FileKind::Dir => 'd',
        FileKind::Symlink | FileKind::Junction => 'l',
        FileKind::Fifo => 'p',
        FileKind::CharDevice => 'c',
        FileKind::BlockDevice => 'b',
    }
}

fn kind_name(kind: FileKind) -> &'static str {
    match kind {
        FileKind::File => "file",
        FileKind::Dir => "dir",
        FileKind::Symlink => "symlink",
        FileKind::Fifo => "fifo",
        FileKind::CharDevice => "char-device",
        FileKind::BlockDevice => "block-device",
        FileKind::Junction => "junction",
    }
}

fn time(t: FileTime) -> Time {
    Time(
        t.secs
            .saturating_mul(1000)
            .saturating_add(i64::from(t.nanos / 1_000_000)),
    )
}

fn entry_json(path: &[u8], entry: &Entry) -> Map<String, Value> {
    let mut map = Map::new();
    put_path(&mut map, "path", path);
    map.insert("type".into(), kind_name(entry.kind).into());
    map.insert("mode".into(), format!("{:04o}", entry.mode).into());
    map.insert("uid".into(), entry.uid.into());
    map.insert("gid".into(), entry.gid.into());
    put_path(&mut map, "user", &entry.user);
    put_path(&mut map, "group", &entry.group);
    map.insert("mtime".into(), time(entry.mtime).rfc3339().into());
    if entry.kind == FileKind::File {
        map.insert("size".into(), entry.size.into());
    }
    if !entry.link.is_empty() {
        put_path(&mut map, "link", &entry.link);
    }
    if matches!(entry.kind, FileKind::CharDevice | FileKind::BlockDevice) {
        map.insert("device".into(), json!([entry.rdev.0, entry.rdev.1]));
    }
    map
}

/// One document, also when the tree turns out to be damaged half way: then it ends with an `error`.
fn print_json(session: &Session, opened: &OpenSnapshot, below: &TreePath) -> Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    session.document_begun.store(true, Ordering::SeqCst);
    write(
        &mut out,
        &format!(
            "{{\n\"backup\": {},\n\"entries\": [",
            describe(opened.snapshot())
        ),
    )?;
    let mut separator = "\n";
    let shown = each(session, opened, below, &mut |path, entry| {
        let text = format!("{separator}{}", Value::Object(entry_json(&path, entry)));
        separator = ",\n";
        write(&mut out, &text)
    });
    let end = match &shown {
        Ok(()) => "\n]\n}\n".to_owned(),
        Err(e) => format!("\n],\n\"error\": {}\n}}\n", error_fields(e)),
    };
    write(&mut out, &end)?;
    out.flush().map_err(output_failed)?;
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_play_tricks_on_a_terminal() {
        let mut entry = Entry::new(FileKind::Symlink);
        (entry.mode, entry.uid, entry.link) = (0o777, 5, b"\x1b]0;x".to_vec());
        let text = line(b"/a\nb", &entry);
        assert!(text.starts_with("lrwxrwxrwx 5        0 "), "{text}");
        assert!(text.ends_with(" /a\\nb -> \\u{1b}]0;x\n"), "{text}");
    }

    #[test]
    fn entries_as_json() {
        let mut entry = Entry::new(FileKind::File);
        (entry.mode, entry.size, entry.mtime) = (
            0o4755,
            3,
            FileTime {
                secs: i64::MAX,
                nanos: 0,
            },
        );
        let json = entry_json(b"/\xff", &entry);
        assert_eq!((&json["mode"], &json["size"]), (&json!("4755"), &json!(3)));
        assert_eq!(json["path_base64"], json!("L/8="));
    }
}
