//! What takes objects out of use, for maintenance and repair alike: copies of chunks, then index objects in the place of
//! others, then a tombstone that names what they replace.

mod copier;

pub use copier::Copier;

use crate::error::{Context, Error, Result};
use crate::format::container::{Header, Secret};
use crate::format::index::{self as index_format, IndexPack};
use crate::format::pack::ROW_LEN;
use crate::format::tombstone::{self, Tombstone};
use crate::id::{Id, Id16};
use crate::index::Pack;
use crate::ops::survey::read_object;
use crate::repo::Repository;
use crate::report::Stop;
use crate::units::Time;
use std::collections::HashSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::Arc;

/// Names in one tombstone.
const NAMES: usize = 200_000;

/// Writes index objects of any domains. Memory: about one object's rows a domain.
pub struct Indexer {
    repo: Arc<Repository>,
    not_after: Option<Time>,
    /// By domain and key epoch.
    groups: BTreeMap<(Id16, u32), Group>,
    /// What has been taken, by digest: each description is written once.
    seen: HashSet<[u8; 16]>,
    /// Index objects put.
    pub written: u64,
    /// Bytes of them.
    pub bytes: u64,
}

struct Group {
    copier: Copier,
    packs: Vec<IndexPack>,
    rows: usize,
}

impl Indexer {
    /// Everything is put before `not_after`, or fails with `TooLate`.
    pub fn new(repo: Arc<Repository>, not_after: Option<Time>) -> Indexer {
        Indexer {
            repo,
            not_after,
            groups: BTreeMap::new(),
            seen: HashSet::new(),
            written: 0,
            bytes: 0,
        }
    }

    /// Takes the description of a pack of domain `key.0` in epoch `key.1`.
    pub fn add(&mut self, key: (Id16, u32), pack: IndexPack) -> Result<()> {
        if !self.seen.insert(Pack::new(&key.0, &pack).digest) {
            return Ok(());
        }
        let group = match self.groups.entry(key) {
            Entry::Occupied(e) => e.into_mut(),
            Entry::Vacant(e) => e.insert(Group {
                copier: Copier::new(self.repo.clone(), key.0, key.1, self.not_after)?,
                packs: Vec::new(),
                rows: 0,
            }),
        };
        group.rows += pack.rows.len();
        group.packs.push(pack);
        match group.rows * ROW_LEN >= index_format::OBJECT_TARGET {
            true => group.put(&mut self.written),
            false => Ok(()),
        }
    }

    /// Takes what the index objects `objects` name, as far as it `stays`.
    ///
    /// # Errors
    /// `Damaged`, with nothing deleted, if one of them is.
    pub fn add_from(
        &mut self,
        objects: &[Id],
        stays: &dyn Fn(&Id) -> bool,
        stop: &Stop,
    ) -> Result<()> {
        let repo = self.repo.clone();
        for name in objects {
            stop.check()?;
            let key = format!("index/{name}");
            self.add_object(&repo, &key, name, stays)
                .context(|| format!("reading {key}"))
                .map_err(|e| match e.is_damage() {
                    true => e.hint("nothing was deleted; run `corso repo repair index`"),
                    false => e,
                })?;
        }
        Ok(())
    }

    fn add_object(
        &mut self,
        repo: &Repository,
        key: &str,
        name: &Id,
        stays: &dyn Fn(&Id) -> bool,
    ) -> Result<()> {
        let bytes = read_object(repo, key, name, index_format::MAX_OBJECT)?;
        let header = Header::decode(&bytes)?;
        let Secret::Domain(writer) = header.secret else {
            return Err(Error::damaged("it is no index object"));
        };
        index_format::open(
            &bytes,
            &repo.keyring,
            &mut |_, pack| match stays(&pack.pack) {
                true => self.add((writer, header.epoch), pack),
                false => Ok(()),
            },
        )
    }

    /// Puts what is left.
    pub fn finish(&mut self) -> Result<()> {
        for group in self.groups.values_mut() {
            group.put(&mut self.written)?;
            self.bytes += group.copier.stored();
        }
        self.groups.clear();
        Ok(())
    }
}

impl Group {
    fn put(&mut self, written: &mut u64) -> Result<()> {
        if !self.packs.is_empty() {
            *written += self.copier.put_index(&self.packs)?;
        }
        self.packs.clear();
        self.rows = 0;
        Ok(())
    }
}

/// Puts tombstones that name `packs` and `index`: one, unless there are very many. Final: what they name is not used
/// again, and deleted by a later maintenance.
pub fn bury(repo: &Repository, packs: &[Id], index: &[Id], not_after: Option<Time>) -> Result<()> {
    let (mut packs, mut index) = (packs.chunks(NAMES), index.chunks(NAMES));
    loop {
        let stone = Tombstone {
            packs: packs.next().unwrap_or_default().to_vec(),
            index: index.next().unwrap_or_default().to_vec(),
            nonce: Id16::random()?,
        };
        if stone.packs.is_empty() && stone.index.is_empty() {
            return Ok(());
        }
        let bytes = tombstone::encode(&stone, &repo.keyring)?;
        let name = Id::sha256(&bytes);
        repo.put_new(&format!("tombstones/{name}"), &bytes, &name, not_after)?;
    }
}
