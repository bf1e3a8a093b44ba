//! Runs that are still under way: what they have stored counts as young, however long they take.
//!
//! A first backup over a slow line takes days. Its early packs are older than the grace period and no snapshot needs
//! them yet; burying them would make the run store them again, and again. A run names its packs in an index object every
//! few minutes, so one with a young index object and no snapshot is taken to be alive.

use super::look::Look;
use crate::error::{Error, Kind, Result};
use crate::format::container::{
    INDEX_HEADER_LEN, ObjectKey, SEALED_HEADER_LEN, TRAILER_LEN, Trailer,
};
use crate::id::{Id, Id16};
use crate::repo::protocol::Grace;
use crate::repo::{Repository, pack_key};
use std::collections::HashSet;

/// Runs that put an index object less than a grace period ago and have no snapshot.
pub struct Active<'a> {
    look: &'a Look,
    grace: Grace,
    /// `None` until somebody asks.
    runs: Option<HashSet<Id16>>,
}

impl<'a> Active<'a> {
    /// Asks nothing yet.
    pub fn new(look: &'a Look, grace: Grace) -> Active<'a> {
        Active {
            look,
            grace,
            runs: None,
        }
    }

    /// Did such a run write this pack of `size` bytes? The first time, two small requests for each young index object;
    /// then two for the pack, if there is such a run.
    pub fn wrote(&mut self, pack: &Id, size: u64) -> Result<bool> {
        let runs = match self.runs.take() {
            Some(runs) => runs,
            None => find(self.look, self.grace)?,
        };
        let runs = self.runs.insert(runs);
        if runs.is_empty() {
            return Ok(false);
        }
        let run = run_of(self.look, &pack_key(pack), SEALED_HEADER_LEN, size)?;
        Ok(run.is_some_and(|run| runs.contains(&run)))
    }
}

/// The runs behind the young index objects of `look`.
fn find(look: &Look, grace: Grace) -> Result<HashSet<Id16>> {
    let finished: HashSet<Id16> = look.snapshots.iter().map(|s| s.manifest.run).collect();
    let mut runs = HashSet::new();
    for (name, (modified, size)) in &look.view.index_info {
        if grace.0.is_zero() || modified.plus(grace.0) <= look.view.time {
            continue;
        }
        let key = format!("index/{name}");
        if let Some(run) = run_of(look, &key, INDEX_HEADER_LEN, *size)?
            && !finished.contains(&run)
        {
            runs.insert(run);
        }
    }
    Ok(runs)
}

/// The run in an object's trailer; `None` if the object is damaged or gone.
fn run_of(look: &Look, key: &str, header_len: usize, size: u64) -> Result<Option<Id16>> {
    match trailer_of(&look.repo, key, header_len, size) {
        Ok(trailer) => Ok(Some(trailer.run)),
        Err(e) if e.is_damage() => Ok(None),
        Err(e) => Err(e),
    }
}

/// The domain that a pack of `size` bytes is of, by its sealed trailer; `None` if that cannot be told.
pub fn domain_of(repo: &Repository, pack: &Id, size: u64) -> Result<Option<Id16>> {
    match trailer_of(repo, &pack_key(pack), SEALED_HEADER_LEN, size) {
        Ok(trailer) => Ok(Some(trailer.writer)),
        Err(e) if e.is_of_one_object() || e.kind() == Kind::RoleNeeded => Ok(None),
        Err(e) => Err(e),
    }
}

/// Two small requests.
fn trailer_of(repo: &Repository, key: &str, header_len: usize, size: u64) -> Result<Trailer> {
    let read = || -> Result<Trailer> {
        let storage = &repo.storage;
        let from = size
            .checked_sub(TRAILER_LEN as u64)
            .ok_or_else(|| Error::damaged("too short"))?;
        let header = storage.get_range(key, 0, header_len as u64)?;
        let tail = storage.get_range(key, from, TRAILER_LEN as u64)?;
        let object = ObjectKey::from_header(&header, &repo.keyring)?;
        object.open_trailer(&tail, size)
    };
    repo.patience.judge(key, read())
}
