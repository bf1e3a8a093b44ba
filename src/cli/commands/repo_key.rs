//! `corso repo key`

use crate::cli::args::repo::{KeyAdd, KeyRemove};
use crate::cli::session::{Outcome, Session};
use crate::crypto::Role;
use crate::error::Result;
use crate::format::keyslot::Slot;
use crate::id::Id16;
use crate::repo::slots::{OtherKey, RemovedKey};
use crate::report::text::{Align, plural, table};
use serde_json::{Value, json};

/// Lists the keys.
pub fn list(session: &Session) -> Result<Outcome> {
    let repo = super::open(session)?;
    let found = repo.key_objects()?;
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
            match slot.role {
                Role::Writer => slot.writer.short(),
                Role::Full => String::new(),
            },
            slot.label.clone(),
        ]
    };
    let columns = [
        ("Key", Align::Left),
        ("Role", Align::Left),
        ("Created", Align::Left),
        ("In use", Align::Left),
        ("Writer", Align::Left),
        ("Label", Align::Left),
    ];
    let mut lines: Vec<String> = found
        .others
        .iter()
        .map(|o| match o.doubtful {
            true => format!("The object keys/{} may be a key: {}.", o.name, o.why),
            false => format!(
                "The object keys/{} is no key: {}; `corso repo key remove {0}` removes it.",
                o.name, o.why
            ),
        })
        .collect();
    if found.more > 0 {
        lines.push(format!(
            "There are {} below keys/, the youngest, that were not looked at: somebody else writes to this place.",
            plural(found.more, "more object", "more objects")
        ));
    }
    let other = |o: &OtherKey| json!({ "name": o.name, "why": o.why, "doubtful": o.doubtful });
    Ok(Outcome {
        text: table(&columns, &found.slots.iter().map(row).collect::<Vec<_>>()),
        json: json!({
            "keys": found.slots.iter().map(|s| describe(s, in_use)).collect::<Vec<_>>(),
            "others": found.others.iter().map(other).collect::<Vec<_>>(),
            "more": found.more,
        }),
        lines,
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
    let (json, line) = match repo.remove_key(&flags.key)? {
        RemovedKey::Slot(slot) => (
            describe(&slot, repo.slot()),
            format!("Removed key {}.", slot.id.short()),
        ),
        RemovedKey::Other(name) => (
            json!({ "name": name }),
            format!("Removed the object keys/{name}, which was no key."),
        ),
    };
    Ok(Outcome {
        json: json!({ "removed": json }),
        lines: vec![line],
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
