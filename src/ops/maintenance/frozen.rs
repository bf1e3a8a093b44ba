//! Domains that are left alone, because a backup of theirs cannot be walked: what it needs is not known.
//!
//! Domains share no chunks, packs or index objects, so the others can be maintained. A tombstone may name what is of
//! several domains: of one that is due, what is of a frozen domain stays, and so does the tombstone itself.

use super::active::domain_of;
use super::look::Look;
use crate::error::{Error, Kind, Result};
use crate::id::{Id, Id16};
use crate::repo::protocol::Buried;
use crate::repo::snapshots::Snapshot;
use crate::report::text::plural;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};

/// A backup that cannot be walked. Nothing of its domain was marked, moved, merged or deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unwalkable {
    /// The backup; empty where it is not known which.
    pub backup: String,
    /// Its host, as it says.
    pub host: String,
    /// Its time, as it says.
    pub time: String,
    /// Why it cannot be walked.
    pub why: String,
    /// What sort of failure that is.
    #[serde(skip)]
    pub kind: Kind,
}

impl Unwalkable {
    /// For people: which backup, why, what follows, and what to do.
    pub fn describe(&self) -> String {
        if self.backup.is_empty() {
            return format!(
                "a chunk that a backup needs cannot be read: {}; nothing that hosts with that backup's key have stored was marked, moved or deleted; run `corso repo check`, which names the backup, then `corso repo repair` as it says",
                self.why
            );
        }
        format!(
            "backup {} of {} at {} cannot be walked: {}; nothing that hosts with its key have stored was marked, moved or deleted; run `corso repo check`, then `corso repo repair` as it says, or delete that backup",
            self.backup.get(..8).unwrap_or_default(),
            self.host,
            self.time,
            self.why
        )
    }
}

/// The domains that are left alone, each with the first reason.
#[derive(Debug, Default)]
pub struct Frozen(BTreeMap<Id16, Unwalkable>);

impl Frozen {
    /// None are.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Is this one?
    pub fn has(&self, domain: &Id16) -> bool {
        self.0.contains_key(domain)
    }

    /// Why each of them is.
    pub fn reasons(&self) -> impl Iterator<Item = &Unwalkable> {
        self.0.values()
    }

    /// Leaves the domain of `snapshot` alone.
    pub fn add(&mut self, snapshot: &Snapshot, why: &Error) {
        let m = &snapshot.manifest;
        self.0.entry(m.writer).or_insert_with(|| Unwalkable {
            backup: snapshot.id.hex(),
            host: m.host.clone(),
            time: m.time.rfc3339(),
            why: why.message(),
            kind: why.kind(),
        });
    }

    /// Leaves a domain alone of whose chunks one cannot be read.
    pub fn add_domain(&mut self, domain: Id16, why: &Error) {
        self.0.entry(domain).or_insert_with(|| Unwalkable {
            backup: String::new(),
            host: String::new(),
            time: String::new(),
            why: why.message(),
            kind: why.kind(),
        });
    }

    /// The error of a look at which something may have moved.
    pub fn doubt(&self) -> Option<Error> {
        let first = self.reasons().next()?;
        Some(Error::damaged(first.describe()))
    }
}

/// What of due tombstones stays: packs and index objects of frozen domains, and packs whose domain nobody can tell.
#[derive(Debug, Default)]
pub struct Spared(HashSet<Id>);

impl Spared {
    /// What of `stones` stays. Two small requests for each pack that no index object names, if anything is frozen.
    pub fn of(look: &Look, stones: &[Buried]) -> Result<Spared> {
        let mut spared = HashSet::new();
        if look.frozen.is_empty() {
            return Ok(Spared(spared));
        }
        let frozen = |n: &u32| look.is_frozen(*n);
        for (object, packs) in look.base.objects() {
            if packs.iter().any(frozen) {
                spared.insert(*object);
            }
        }
        let named: HashSet<Id> = stones
            .iter()
            .filter_map(|b| b.stone.as_deref())
            .flat_map(|s| s.packs.iter().copied())
            .collect();
        for (pack, size) in look
            .table
            .buried
            .iter()
            .filter(|(id, _)| named.contains(id))
        {
            let own = |n: &u32| !look.table.foreign(*n);
            let mut numbers = look.table.numbers(pack).filter(own).peekable();
            let stays = match numbers.peek() {
                Some(_) => numbers.any(|n| frozen(&n)),
                None => look.may_be_frozen(pack, *size)?,
            };
            if stays {
                spared.insert(*pack);
            }
        }
        Ok(Spared(spared))
    }

    /// Does this pack or index object stay?
    pub fn has(&self, id: &Id) -> bool {
        self.0.contains(id)
    }
}

impl Look {
    /// Is pack `number` of a frozen domain?
    pub fn is_frozen(&self, number: u32) -> bool {
        let pack = self.table.pack(number);
        pack.is_some_and(|p| self.frozen.has(&p.domain))
    }

    /// May a pack that no index object names be of a frozen domain? Its trailer tells.
    pub fn may_be_frozen(&self, pack: &Id, size: u64) -> Result<bool> {
        if self.frozen.is_empty() {
            return Ok(false);
        }
        let domain = domain_of(&self.repo, pack, size)?;
        Ok(domain.is_none_or(|domain| self.frozen.has(&domain)))
    }
}

/// The error where backups cannot be read at all: whose they are is not known, so nobody's data may be touched.
pub fn unreadable(mut backups: Vec<(Id, Error)>) -> Option<Error> {
    const NAMED: usize = 5;
    let count = backups.len();
    let names: Vec<String> = backups
        .iter()
        .take(NAMED)
        .map(|(id, _)| id.short())
        .collect();
    let (_, first) = backups.drain(..).next()?;
    let more = match count.saturating_sub(NAMED) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let text = format!(
        "{} cannot be read ({}{more}), so nothing is known of whose data it needs",
        plural(count as u64, "backup", "backups"),
        names.join(", ")
    );
    Some(first.context(text).hint_instead(
        "nothing was marked or deleted; run `corso repo check`, and put the backup's object back from another copy, or delete it with `corso backup delete`",
    ))
}
