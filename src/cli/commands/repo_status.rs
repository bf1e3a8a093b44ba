//! `corso repo status`

use crate::cli::place::StorageChoice;
use crate::cli::session::{Outcome, Session};
use crate::error::Result;
use crate::repo::snapshots::SnapshotFilter;
use crate::report::printable;
use crate::report::text::count;
use crate::units::{Time, human_bytes, human_duration};
use serde_json::json;

/// Shows which repository this is and what it holds.
pub fn run(session: &Session) -> Result<Outcome> {
    let (file, mut resolved) = session.place()?;
    let passphrase = session.passphrase(&file, &resolved)?;
    let storage = resolved.choice.storage(&session.env, false)?;
    let repo = super::open_at(session, storage, &passphrase)?;
    repo.require_full("repo status")?;
    let (backups, unreadable) = repo.snapshots(&SnapshotFilter::default(), &*session.reporter)?;
    let keys = repo.keys()?;
    let config = repo.config();
    let latest = backups.last().map(|b| (b.id.hex(), b.manifest.time));
    let newest = match &latest {
        Some((id, time)) => format!(", the latest {} of {}", &id[..8], time.local()),
        None => String::new(),
    };
    let keys_from = match &resolved.choice {
        StorageChoice::S3(s3) => s3.keys_from.as_ref().map(|k| printable(k.as_bytes())),
        StorageChoice::Filesystem(_) => None,
    };
    let moment = repo.storage().moment();
    let lock = config.lock.map(|lock| lock.to_string());
    let rows = [
        ("Repository", repo.id().hex()),
        ("Place", resolved.choice.describe()),
        ("As it was at", moment.map(Time::local).unwrap_or_default()),
        ("Credentials", keys_from.clone().unwrap_or_default()),
        ("Created", config.created.local()),
        ("Cipher", config.cipher.name().to_owned()),
        ("Pack size", human_bytes(config.pack_size)),
        ("Grace period", human_duration(config.grace)),
        ("Object lock", lock.unwrap_or_default()),
        (
            "Key in use",
            format!("{} ({})", repo.slot().short(), repo.role().name()),
        ),
        ("Keys", count(keys.len() as u64)),
        (
            "Backups",
            format!("{}{newest}", count(backups.len() as u64)),
        ),
    ];
    let text: String = rows
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name:<14}{value}\n"))
        .collect();
    let json = json!({
        "repository": repo.id().hex(),
        "place": super::place_json(&resolved.choice),
        "credentials": keys_from,
        "created": config.created.rfc3339(),
        "cipher": config.cipher.name(),
        "pack_size": config.pack_size,
        "grace_seconds": config.grace.as_secs(),
        "object_lock": super::lock_json(config),
        "key": repo.slot().hex(),
        "role": repo.role().name(),
        "keys": keys.len(),
        "backups": backups.len(),
        "unreadable_backups": unreadable,
        "latest": latest.map(|(id, time)| json!({ "id": id, "time": time.rfc3339() })),
        "usage": repo.storage().usage(),
    });
    Ok(Outcome {
        text,
        json,
        ..Outcome::default()
    })
}
