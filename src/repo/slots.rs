//! Key slots: which passphrases open the repository, and in which role.

use super::Repository;
use super::threads::each_at_once;
use crate::crypto::{Keyring, Passphrase, Role};
use crate::error::{Context, Error, Kind, Result};
use crate::format::config::Config;
use crate::format::keyslot::{self, MAX_SLOT, Slot};
use crate::format::lock::ObjectLock;
use crate::id::Id16;
use crate::report::{Event, Observer};
use crate::storage::{PutOptions, Storage};
use crate::units::Time;
use std::collections::BinaryHeap;

/// Passphrases are tried on so many slots, the oldest first: each costs 64 MiB and a tenth of a second.
const MAX_TRIALS: usize = 256;
/// So many objects below `keys/` are looked at, the oldest, with one request each; bounds memory to a MiB.
const MAX_LISTED: usize = 4096;
/// Requests at a time.
const READERS: usize = 4;
/// Shorter objects are no slots.
const MIN_SLOT: u64 = 64;

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

/// An object below `keys/` in the listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Listing {
    modified: Time,
    /// Its key without `keys/`.
    name: String,
    size: u64,
}

/// What is below `keys/` beside key slots. Whoever may put objects can put it there.
#[derive(Clone, Debug)]
pub struct OtherKey {
    /// Its key without `keys/`.
    pub name: String,
    /// Why it is no key slot.
    pub why: String,
    /// It may be a slot: it cannot be read now, or holds one under another name.
    pub doubtful: bool,
}

/// What is below `keys/`.
#[derive(Clone, Debug, Default)]
pub struct KeyObjects {
    /// The slots, oldest first.
    pub slots: Vec<Slot>,
    /// The rest.
    pub others: Vec<OtherKey>,
    /// Objects beyond [`MAX_LISTED`], the youngest, that were not looked at.
    pub more: u64,
}

/// What was removed.
#[derive(Clone, Debug)]
pub enum RemovedKey {
    /// A key.
    Slot(Slot),
    /// An object that was none: its name.
    Other(String),
}

/// The oldest objects below `keys/`, oldest first, and how many more there are. Those who plant objects later do not
/// get in front of the slots that were there.
fn list_slots(storage: &dyn Storage) -> Result<(Vec<Listing>, u64)> {
    let (mut oldest, mut more) = (BinaryHeap::new(), 0);
    storage
        .list("keys/", &mut |object| {
            if let Some(name) = object.key.strip_prefix("keys/") {
                oldest.push(Listing {
                    modified: object.modified,
                    name: name.to_owned(),
                    size: object.size,
                });
            }
            if oldest.len() > MAX_LISTED {
                oldest.pop();
                more += 1;
            }
            Ok(())
        })
        .context(|| "listing key slots")?;
    Ok((oldest.into_sorted_vec(), more))
}

impl Listing {
    /// The slot's id, if name and length can be those of one.
    fn id(&self) -> Result<Id16> {
        let id = self.name.parse();
        match (id, MIN_SLOT..=MAX_SLOT as u64) {
            (Ok(id), lengths) if lengths.contains(&self.size) => Ok(id),
            (Ok(_), _) => Err(Error::damaged(format!(
                "it has {} bytes, which no key slot has",
                self.size
            ))),
            (Err(_), _) => Err(Error::damaged("its name is no key's")),
        }
    }
}

/// The bytes of a slot; `None` if it has gone since it was listed.
fn read_slot(storage: &dyn Storage, id: &Id16) -> Result<Option<Vec<u8>>> {
    match storage.get(&key_of(id), MAX_SLOT as u64) {
        Err(e) if e.kind() == Kind::ObjectMissing => Ok(None),
        other => other.map(Some).context(|| "reading key slots"),
    }
}

/// Name and bytes of an object that may be a slot.
type Found = (Id16, Vec<u8>);

/// Reads the slots of `listed` and hands each to `each`, in order, until that gives `false`: listing, object id and
/// bytes, or why it is none. What cannot be one by name or length costs no request.
fn each_slot(
    storage: &dyn Storage,
    listed: &[Listing],
    each: &mut dyn FnMut(&Listing, Result<Found>) -> Result<bool>,
) -> Result<()> {
    for some in listed.chunks(READERS) {
        let read = |listing: &Listing| -> Result<Option<Found>> {
            let id = listing.id()?;
            Ok(read_slot(storage, &id)?.map(|bytes| (id, bytes)))
        };
        for (listing, slot) in some.iter().zip(each_at_once(READERS, some, &read)) {
            let slot = match slot {
                Ok(None) => continue,
                Ok(Some(slot)) => Ok(slot),
                Err(e) if e.is_of_one_object() => Err(e),
                Err(e) => return Err(e),
            };
            if !each(listing, slot)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Tries `passphrase` on the slot that it opened `before`, and then on every slot.
pub(crate) fn open_any(
    storage: &dyn Storage,
    config: &[u8],
    passphrase: &Passphrase,
    before: Option<Id16>,
    observer: &dyn Observer,
) -> Result<(Id16, Keyring)> {
    let known = match before.map(|id| read_slot(storage, &id)) {
        Some(Err(e)) if !e.is_of_one_object() => return Err(e),
        Some(Ok(Some(bytes))) => Some(keyslot::open(&bytes, config, passphrase)),
        _ => None,
    };
    let wrong = match (before, known) {
        (Some(id), Some(Ok((_, keyring)))) => return Ok((id, keyring)),
        (id, Some(Err(e))) if e.kind() == Kind::PassphraseWrong => id,
        (_, Some(Err(e))) => {
            observer.event(Event::Debug(&format!("the key slot opened before: {e}")));
            None
        }
        _ => None,
    };
    let (mut opened, mut worst) = (None, None);
    let (mut count, mut trials) = (0, 0);
    let (listed, _) = list_slots(storage)?;
    each_slot(storage, &listed, &mut |listing, slot| {
        count += 1;
        // The clear part first: only what is a slot costs a trial.
        let tried = slot.and_then(|(id, bytes)| {
            Slot::decode(&bytes)?;
            trials += 1;
            if wrong == Some(id) {
                return Err(Error::new(Kind::PassphraseWrong, "tried already"));
            }
            keyslot::open(&bytes, config, passphrase).map(|(_, keyring)| (id, keyring))
        });
        match tried {
            Ok(found) => opened = Some(found),
            Err(e) if e.kind() == Kind::PassphraseWrong => {}
            Err(e) => {
                let e = e.context(format!("key slot {}", listing.name));
                observer.event(Event::Debug(&e.to_string()));
                worst.get_or_insert(e);
            }
        }
        Ok(opened.is_none() && trials < MAX_TRIALS)
    })?;
    if let Some(found) = opened {
        return Ok(found);
    }
    if let Some(e) = worst {
        return Err(e);
    }
    if count == 0 {
        return Err(Error::damaged("the repository has no key slot, so no passphrase can open it")
            .hint("restore an object below keys/ from a versioned bucket or another copy of the repository"));
    }
    let text = match trials < MAX_TRIALS {
        true => "the passphrase opens none of the repository's key slots".to_owned(),
        false => {
            format!(
                "the passphrase opens none of the {MAX_TRIALS} oldest of the repository's key slots"
            )
        }
    };
    Err(Error::new(Kind::PassphraseWrong, text)
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
        Ok(self.key_objects()?.slots)
    }

    /// What is below `keys/`: the slots by their clear part, and what is none. Full keys only.
    pub fn key_objects(&self) -> Result<KeyObjects> {
        self.require_full("listing keys")?;
        let (listed, more) = list_slots(&*self.storage)?;
        let mut found = KeyObjects {
            more,
            ..KeyObjects::default()
        };
        each_slot(&*self.storage, &listed, &mut |listing, slot| {
            let decoded = slot.and_then(|(id, bytes)| Ok((id, Slot::decode(&bytes)?)));
            let (why, doubtful) = match decoded {
                Ok((id, slot)) if slot.id == id => {
                    found.slots.push(slot);
                    return Ok(true);
                }
                Ok((_, slot)) => (format!("it holds the slot of key {}", slot.id), true),
                Err(e) => (
                    e.message(),
                    !e.is_damage() && e.kind() != Kind::NotRepository,
                ),
            };
            found.others.push(OtherKey {
                name: listing.name.clone(),
                why,
                doubtful,
            });
            Ok(true)
        })?;
        found.slots.sort_by_key(|slot| (slot.created, slot.id));
        Ok(found)
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

    /// Removes the slot, or other object below `keys/`, whose name starts with `prefix`. The slot in use, the last full
    /// one, and what may be a slot are refused.
    pub fn remove_key(&self, prefix: &str) -> Result<RemovedKey> {
        self.require_full("removing a key")?;
        let objects = self.key_objects()?;
        let begins = |name: &str| !prefix.is_empty() && name.starts_with(prefix);
        let slots = objects.slots.iter().filter(|s| begins(&s.id.hex()));
        let others = objects.others.iter().filter(|o| begins(&o.name));
        let mut matching = slots.map(Ok).chain(others.map(Err));
        let (name, removed) = match (matching.next(), matching.next()) {
            (Some(Ok(slot)), None) => {
                self.refuse_needed(slot, &objects.slots)?;
                (slot.id.hex(), RemovedKey::Slot(slot.clone()))
            }
            (Some(Err(other)), None) if other.doubtful => {
                return Err(Error::usage(format!(
                    "the object keys/{} may be a key: {}",
                    other.name, other.why
                ))
                .hint("remove it with the storage's own tools if you know better"));
            }
            (Some(Err(other)), None) => (other.name.clone(), RemovedKey::Other(other.name.clone())),
            (None, _) => return Err(Error::usage(format!("no key slot has the id {prefix}"))),
            _ => {
                return Err(Error::usage(format!(
                    "several key slots have ids that begin with {prefix}"
                )));
            }
        };
        self.storage
            .delete(&format!("keys/{name}"))
            .context(|| format!("removing key slot {name}"))?;
        Ok(removed)
    }

    /// The slot in use, and the last full one.
    fn refuse_needed(&self, slot: &Slot, all: &[Slot]) -> Result<()> {
        if slot.id == self.slot {
            return Err(
                Error::usage(format!("key slot {} is the one in use", slot.id.short()))
                    .hint("open the repository with another full key to remove it"),
            );
        }
        if slot.role == Role::Full && all.iter().filter(|s| s.role == Role::Full).count() < 2 {
            return Err(Error::usage("the last full key cannot be removed"));
        }
        Ok(())
    }

    /// Replaces the slot in use by one for `passphrase`: the new slot is put and opened before the old one goes.
    /// This is no revocation: a copy of the old slot still opens with the old passphrase.
    pub fn change_passphrase(&mut self, passphrase: &Passphrase) -> Result<()> {
        let old = self.slot;
        let label = Slot::decode(&self.storage.get(&key_of(&old), MAX_SLOT as u64)?)?.label;
        self.slot = put_slot(&self.slots(), &self.keyring, passphrase, &label)?.id;
        if let Some(cache) = &self.cache {
            cache.remember_slot(&self.slot);
        }
        self.storage.delete(&key_of(&old)).map_err(|e| {
            e.context(format!(
                "removing the old key slot {old}; the new passphrase works, and so does the old one"
            ))
        })
    }
}

#[cfg(test)]
mod tests;
