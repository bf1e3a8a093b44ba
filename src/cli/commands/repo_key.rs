//! `corso repo key`

use crate::cli::args::repo::{KeyAdd, KeyRemove};
use crate::cli::session::{Outcome, Session};
use crate::crypto::Role;
use crate::error::Result;
use crate::format::keyslot::Slot;
use crate::id::Id16;
use crate::report::text::{Align, table};
use serde_json::{Value, json};

/// Lists the keys.
pub fn list(session: &Session) -> Result<Outcome> {
    let repo = super::open(session)?;
    let slots = repo.keys()?;
    let in_use = repo.slot();
    let row = |slot: &Slot| {
        vec![
            slot.id.short(),
            slot.role.name().to_owned(),
            slot.created.local(),
            if slot.id == in_use {
                "yes".to_owned()
            } else {
                String::new()
            },
            slot.label.clone(),
        ]
    };
    let columns = [
        ("Key", Align::Left),
        ("Role", Align::Left),
        ("Created", Align::Left),
        ("In use", Align::Left),
        ("Label", Align::Left),
    ];
    Ok(Outcome {
        text: table(&columns, &slots.iter().map(row).collect::<Vec<_>>()),
        json: json!({ "keys": slots.iter().map(|s| describe(s, in_use)).collect::<Vec<_>>() }),
        ..Outcome::default()
    })
}

/// Adds a key.
pub fn add(session: &Session, flags: &KeyAdd) -> Result<Outcome> {
    let repo = super::open(session)?;
    repo.require_full("adding a key")?;
    let role = match flags.role.as_deref() {
        Some("writer") => Role::Writer,
        _ => Role::Full,
    };
    let passphrase = session.new_passphrase()?;
    let slot = repo.add_key(
        &passphrase,
        role,
        flags.label.as_deref().unwrap_or_default(),
    )?;
    Ok(Outcome {
        json: json!({ "added": describe(&slot, repo.slot()) }),
        lines: vec![format!(
            "Added key {} with the role {}.",
            slot.id.short(),
            role.name()
        )],
        ..Outcome::default()
    })
}

/// Removes a key.
pub fn remove(session: &Session, flags: &KeyRemove) -> Result<Outcome> {
    let repo = super::open(session)?;
    let slot = repo.remove_key(&flags.key)?;
    Ok(Outcome {
        json: json!({ "removed": describe(&slot, repo.slot()) }),
        lines: vec![format!("Removed key {}.", slot.id.short())],
        ..Outcome::default()
    })
}

fn describe(slot: &Slot, in_use: Id16) -> Value {
    json!({
        "id": slot.id.hex(),
        "role": slot.role.name(),
        "label": slot.label,
        "created": slot.created.rfc3339(),
        "writer": (slot.role == Role::Writer).then(|| slot.writer.hex()),
        "in_use": slot.id == in_use,
    })
}
