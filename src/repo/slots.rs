//! Key slots: which passphrases open the repository, and in which role.

use super::Repository;
use crate::crypto::{Keyring, Passphrase, Role};
use crate::error::{Context, Error, Kind, Result};
use crate::format::config::Config;
use crate::format::keyslot::{self, MAX_SLOT, Slot};
use crate::format::lock::ObjectLock;
use crate::id::Id16;
use crate::report::{Event, Observer};
use crate::storage::{PutOptions, Storage};
use crate::units::Time;

/// More slots than this are not tried: each costs 64 MiB and a tenth of a second.
const MAX_SLOTS: usize = 256;

/// The object key of a slot.
pub(crate) fn key_of(slot: &Id16) -> String {
    format!("keys/{slot}")
}

/// Makes the first slot of a new repository, with a fresh root secret.
pub(crate) fn make_first(
    storage: &dyn Storage,
    config: &Config,
    bytes: &[u8],
    passphrase: &Passphrase,
    label: &str,
) -> Result<(Id16, Keyring)> {
    let keyring = Keyring::generate(config.repo)?;
    let to = Target {
        storage,
        config: bytes,
        lock: config.lock,
    };
    let slot = put_slot(&to, &keyring, passphrase, label)?;
    Ok((slot.id, keyring))
}

/// Where a slot goes, and how.
struct Target<'a> {
    storage: &'a dyn Storage,
    /// The bytes of `config`.
    config: &'a [u8],
    lock: Option<ObjectLock>,
}

/// Seals `keyring` under `passphrase`, puts the slot, and opens it again from the storage.
fn put_slot(
    to: &Target<'_>,
    keyring: &Keyring,
    passphrase: &Passphrase,
    label: &str,
) -> Result<Slot> {
    let (storage, config) = (to.storage, to.config);
    let slot = Slot::new(keyring, label, Time::local_now())?;
    let bytes = keyslot::seal(&slot, keyring, config, passphrase)?;
    let key = key_of(&slot.id);
    let options = PutOptions {
        lock: to.lock,
        ..PutOptions::default()
    };
    storage
        .put(&key, &bytes, &options)
        .context(|| format!("writing {key}"))?;
    let stored = storage.get(&key, MAX_SLOT as u64)?;
    keyslot::open(&stored, config, passphrase)
        .context(|| format!("opening the new key slot {key} again"))?;
    Ok(slot)
}

/// The slots that exist: id and object bytes. Damaged ones are reported and passed over.
fn read_slots(storage: &dyn Storage) -> Result<Vec<(Id16, Result<Vec<u8>>)>> {
    let mut ids = Vec::new();
    storage
        .list("keys/", &mut |object| {
            if let Some(id) = object
                .key
                .strip_prefix("keys/")
                .and_then(|rest| rest.parse().ok())
            {
                ids.push(id);
            }
            Ok(())
        })
        .context(|| "listing key slots")?;
    ids.truncate(MAX_SLOTS);
    let mut slots = Vec::new();
    for id in ids {
        match storage.get(&key_of(&id), MAX_SLOT as u64) {
            Err(e) if e.kind() == Kind::ObjectMissing => {}
            Err(e) if e.kind() != Kind::Damaged => return Err(e.context("reading key slots")),
            other => slots.push((id, other)),
        }
    }
    Ok(slots)
}

/// Tries `passphrase` on every slot.
pub(crate) fn open_any(
    storage: &dyn Storage,
    config: &[u8],
    passphrase: &Passphrase,
    observer: &dyn Observer,
) -> Result<(Id16, Keyring)> {
    let mut worst: Option<Error> = None;
    let slots = read_slots(storage)?;
    let count = slots.len();
    for (id, bytes) in slots {
        let opened = bytes.and_then(|b| keyslot::open(&b, config, passphrase));
        match opened {
            Ok((_, keyring)) => return Ok((id, keyring)),
            Err(e) if e.kind() == Kind::PassphraseWrong => {}
            Err(e) => {
                let e = e.context(format!("key slot {id}"));
                observer.event(Event::Debug(&e.to_string()));
                worst.get_or_insert(e);
            }
        }
    }
    if let Some(e) = worst {
        return Err(e);
    }
    if count == 0 {
        return Err(Error::damaged("the repository has no key slot, so no passphrase can open it")
            .hint("restore an object below keys/ from a versioned bucket or another copy of the repository"));
    }
    Err(Error::new(
        Kind::PassphraseWrong,
        "the passphrase opens none of the repository's key slots",
    )
    .hint("check the passphrase; nothing can open a repository without it"))
}

impl Repository {
    fn slots(&self) -> Target<'_> {
        Target {
            storage: &*self.storage,
            config: &self.config_bytes,
            lock: self.config.lock,
        }
    }

    /// All key slots, oldest first, by their clear part. Full keys only.
    pub fn keys(&self) -> Result<Vec<Slot>> {
        self.require_full("listing keys")?;
        let mut infos = Vec::new();
        for (id, bytes) in read_slots(&*self.storage)? {
            infos.push(
                bytes
                    .and_then(|b| Slot::decode(&b))
                    .context(|| format!("key slot {id}"))?,
            );
        }
        infos.sort_by_key(|info| (info.created, info.id));
        Ok(infos)
    }

    /// Adds a key slot for another passphrase. A writer gets a domain of its own.
    pub fn add_key(&self, passphrase: &Passphrase, role: Role, label: &str) -> Result<Slot> {
        self.require_full("adding a key")?;
        match role {
            Role::Full => put_slot(&self.slots(), &self.keyring, passphrase, label),
            Role::Writer => {
                let keyring = self
                    .keyring
                    .for_writer(Id16::random()?, keyslot::MAX_WRITER_EPOCHS)?;
                put_slot(&self.slots(), &keyring, passphrase, label)
            }
        }
    }

    /// Removes the slot whose id starts with `prefix`. The slot in use, and the last full one, are refused.
    pub fn remove_key(&self, prefix: &str) -> Result<Slot> {
        self.require_full("removing a key")?;
        let slots = self.keys()?;
        let mut matching = slots
            .iter()
            .filter(|s| !prefix.is_empty() && s.id.hex().starts_with(prefix));
        let found = match (matching.next(), matching.next()) {
            (Some(one), None) => one.clone(),
            (None, _) => return Err(Error::usage(format!("no key slot has the id {prefix}"))),
            _ => {
                return Err(Error::usage(format!(
                    "several key slots have ids that begin with {prefix}"
                )));
            }
        };
        if found.id == self.slot {
            return Err(
                Error::usage(format!("key slot {} is the one in use", found.id.short()))
                    .hint("open the repository with another full key to remove it"),
            );
        }
        if found.role == Role::Full && slots.iter().filter(|s| s.role == Role::Full).count() < 2 {
            return Err(Error::usage("the last full key cannot be removed"));
        }
        self.storage
            .delete(&key_of(&found.id))
            .context(|| format!("removing key slot {}", found.id))?;
        Ok(found)
    }

    /// Replaces the slot in use by one for `passphrase`: the new slot is put and opened before the old one goes.
    /// This is no revocation: a copy of the old slot still opens with the old passphrase.
    pub fn change_passphrase(&mut self, passphrase: &Passphrase) -> Result<()> {
        let old = self.slot;
        let label = Slot::decode(&self.storage.get(&key_of(&old), MAX_SLOT as u64)?)?.label;
        self.slot = put_slot(&self.slots(), &self.keyring, passphrase, &label)?.id;
        self.storage.delete(&key_of(&old)).map_err(|e| {
            e.context(format!(
                "removing the old key slot {old}; the new passphrase works, and so does the old one"
            ))
        })
    }
}
