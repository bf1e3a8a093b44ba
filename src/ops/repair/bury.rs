//! Index objects that take the place of others, and the tombstone that names the old ones and packs.

use crate::error::{Context, Error, Result};
use crate::format::container::{Header, Secret};
use crate::format::index::{self as index_format, IndexPack};
use crate::format::pack::ROW_LEN;
use crate::format::tombstone::{self, Tombstone};
use crate::id::{Id, Id16};
use crate::index::Pack;
use crate::ops::maintenance::Copier;
use crate::ops::survey::{Survey, read_object};
use crate::repo::Repository;
use crate::report::Stop;
use crate::units::Time;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Writes index objects of any domains. Memory: about one object's rows a domain.
pub struct Indexer {
    repo: Arc<Repository>,
    not_after: Option<Time>,
    groups: HashMap<(Id16, u32), Group>,
    /// What has been taken, by digest: each description is written once.
    seen: HashSet<[u8; 16]>,
    /// Index objects put.
    pub written: u64,
}

#[derive(Default)]
struct Group {
    packs: Vec<IndexPack>,
    rows: usize,
}

impl Indexer {
    /// Everything is put before `not_after`, or fails with `TooLate`.
    pub fn new(repo: Arc<Repository>, not_after: Option<Time>) -> Indexer {
        Indexer {
            repo,
            not_after,
            groups: HashMap::new(),
            seen: HashSet::new(),
            written: 0,
        }
    }

    /// Takes the description of a pack of domain `key.0` in epoch `key.1`.
    pub fn add(&mut self, key: (Id16, u32), pack: IndexPack) -> Result<()> {
        if !self.seen.insert(Pack::new(&key.0, &pack).digest) {
            return Ok(());
        }
        let group = self.groups.entry(key).or_default();
        group.rows += pack.rows.len();
        group.packs.push(pack);
        match group.rows * ROW_LEN >= index_format::OBJECT_TARGET {
            true => self.put(key),
            false => Ok(()),
        }
    }

    /// Puts what is left.
    pub fn finish(&mut self) -> Result<()> {
        let keys: Vec<_> = self.groups.keys().copied().collect();
        keys.into_iter().try_for_each(|key| self.put(key))
    }

    fn put(&mut self, key: (Id16, u32)) -> Result<()> {
        let group = self.groups.remove(&key).unwrap_or_default();
        if !group.packs.is_empty() {
            let copier = Copier::new(self.repo.clone(), key.0, key.1, self.not_after)?;
            self.written += copier.put_index(&group.packs)?;
        }
        Ok(())
    }
}

/// The index objects, of those that count, that name one of `packs`.
pub fn naming(survey: &Survey, packs: &HashSet<Id>) -> Vec<Id> {
    let base = survey.index.base();
    let named = |n: &u32| base.pack(*n).is_some_and(|p| packs.contains(&p.name));
    let mut found: Vec<Id> = base
        .objects()
        .filter(|(object, numbers)| survey.view.index.contains(object) && numbers.iter().any(named))
        .map(|(object, _)| *object)
        .collect();
    found.sort_unstable();
    found
}

/// Gives `to` what the index objects `objects` name, but for the packs in `without` and those that a tombstone names.
pub fn copy_without(
    repo: &Repository,
    survey: &Survey,
    objects: &[Id],
    without: &HashSet<Id>,
    stop: &Stop,
    to: &mut Indexer,
) -> Result<()> {
    for name in objects {
        stop.check()?;
        let key = format!("index/{name}");
        let bytes = read_object(repo, &key, name, index_format::MAX_OBJECT)?;
        let header = Header::decode(&bytes)?;
        let Secret::Domain(writer) = header.secret else {
            return Err(Error::damaged(format!("{key} is no index object")));
        };
        index_format::open(&bytes, &repo.keyring, &mut |_, pack| {
            let stays =
                !without.contains(&pack.pack) && !survey.view.dead_packs.contains(&pack.pack);
            if stays {
                to.add((writer, header.epoch), pack)?;
            }
            Ok(())
        })
        .context(|| format!("reading {key}"))?;
    }
    Ok(())
}

/// Puts a tombstone that names `packs` and `index`. Final: what it names is not used again, and deleted by a later
/// maintenance.
pub fn bury(repo: &Repository, packs: &[Id], index: &[Id], not_after: Option<Time>) -> Result<()> {
    if packs.is_empty() && index.is_empty() {
        return Ok(());
    }
    let stone = Tombstone {
        packs: packs.to_vec(),
        index: index.to_vec(),
        nonce: Id16::random()?,
    };
    let bytes = tombstone::encode(&stone, &repo.keyring)?;
    let name = Id::sha256(&bytes);
    repo.put_new(&format!("tombstones/{name}"), &bytes, &name, not_after)?;
    Ok(())
}
