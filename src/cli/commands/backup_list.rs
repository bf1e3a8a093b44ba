//! `corso backup list`

use crate::cli::args::backup::List;
use crate::cli::session::{Outcome, Session};
use crate::error::Result;
use crate::id::Id16;
use crate::repo::records::Deletions;
use crate::repo::snapshots::{Snapshot, writer_name};
use crate::report::text::{Align, count, table};
use crate::report::{json::put_path, printable};
use crate::units::human_bytes;
use serde_json::{Map, Value, json};

/// Lists the backups, oldest first.
pub fn run(session: &Session, flags: &List) -> Result<Outcome> {
    if flags.deleted {
        return super::backup_undelete::list(session);
    }
    let repo = super::open(session)?;
    if flags.accept_missing {
        repo.accept_missing()?;
    }
    let (backups, unreadable) = repo.snapshots(&super::filter(session)?, &*session.reporter)?;
    let pins = repo.records(Deletions::None, &*session.reporter)?.pins;
    let pinned = |s: &Snapshot| pins.contains(&s.id);
    let mut rows: Vec<Vec<String>> = backups.iter().map(row).collect();
    let mut columns = vec![
        ("Backup", Align::Left),
        ("Time", Align::Left),
        ("Host", Align::Left),
        ("Files", Align::Right),
        ("Size", Align::Right),
        ("Stored", Align::Right),
        ("Tags", Align::Left),
        ("Sources", Align::Left),
    ];
    if backups.iter().any(pinned) {
        columns.insert(6, ("Pinned", Align::Left));
        for (row, backup) in rows.iter_mut().zip(&backups) {
            row.insert(6, if pinned(backup) { "yes" } else { "" }.to_owned());
        }
    }
    // Whose a backup is tells the key, not the host that it names.
    if backups.iter().any(|b| b.manifest.writer != Id16::ZERO) {
        columns.insert(3, ("Writer", Align::Left));
        for (row, backup) in rows.iter_mut().zip(&backups) {
            row.insert(3, writer_name(&backup.manifest.writer));
        }
    }
    let json_of = |backup: &Snapshot| {
        let mut value = describe(backup);
        if let Value::Object(map) = &mut value {
            map.insert("pinned".into(), pinned(backup).into());
        }
        value
    };
    let lines = if backups.is_empty() {
        vec!["There are no such backups.".to_owned()]
    } else {
        Vec::new()
    };
    Ok(Outcome {
        text: table(&columns, &rows),
        json: json!({
            "backups": backups.iter().map(json_of).collect::<Vec<_>>(),
            "unreadable_backups": unreadable,
            "usage": repo.storage().usage(),
        }),
        lines,
        // The list is not whole: each one that is missing was named.
        code: u8::from(unreadable > 0),
    })
}

/// A backup as a line of the list.
pub fn row(backup: &Snapshot) -> Vec<String> {
    let m = &backup.manifest;
    let errors = if m.stats.errors > 0 {
        format!(" ({} unreadable)", count(m.stats.errors))
    } else {
        String::new()
    };
    vec![
        backup.id.short(),
        m.time.local(),
        m.host.clone(),
        format!("{}{errors}", count(m.stats.files)),
        human_bytes(m.stats.bytes),
        human_bytes(m.stats.stored),
        m.tags.join(","),
        m.sources
            .iter()
            .map(|s| printable(s))
            .collect::<Vec<_>>()
            .join(" "),
    ]
}

/// A backup as `--json` shows it, here and in `backup details`.
pub fn describe(backup: &Snapshot) -> Value {
    let m = &backup.manifest;
    let source = |raw: &Vec<u8>| {
        let mut map = Map::new();
        put_path(&mut map, "path", raw);
        Value::Object(map)
    };
    let unreadable = m.unreadable.iter().map(|(path, why)| {
        let mut map = Map::new();
        put_path(&mut map, "path", &path.to_bytes());
        map.insert("error".to_owned(), why.as_str().into());
        Value::Object(map)
    });
    json!({
        "id": backup.id.hex(),
        "time": m.time.rfc3339(),
        "ended": m.ended.rfc3339(),
        "host": m.host,
        "user": m.user,
        "sources": m.sources.iter().map(source).collect::<Vec<_>>(),
        "tags": m.tags,
        "excludes": m.excludes,
        "stats": m.stats,
        "unreadable": unreadable.collect::<Vec<_>>(),
        "parent": m.parent.map(|p| p.hex()),
        "writer": m.writer.hex(),
        "version": m.version,
        "platform": m.platform,
    })
}
