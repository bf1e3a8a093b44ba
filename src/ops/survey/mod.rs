//! What the storage holds, read from it alone: the ground that check and repair stand on. The local cache is asked for
//! nothing, so that damage there neither hides damage of the repository nor looks like it.

mod frames;
mod health;
mod load;

pub use frames::{Frames, chunk, frames, rows_of};
pub use health::{Health, Held};
pub use load::read_object;

use crate::error::{Context, Error, Kind, Result};
use crate::id::{Id, Id16};
use crate::index::place::private_folder;
use crate::index::{Index, Pack};
use crate::repo::Repository;
use crate::repo::protocol::{View, Viewer, list_names, list_packs};
use crate::report::{Event, Observer, Silent, Stop};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

/// How often the look is taken anew because an index object went away between list and get.
const MAX_LOOKS: usize = 5;

/// One look at a repository: tombstones, then index objects, then packs.
pub struct Survey {
    /// What counts for a writing run, damaged index objects included; and the tombstones.
    pub view: View,
    /// Every index object that exists and could be read counts here, tombstoned ones too: what they locate can be read.
    pub index: Arc<Index>,
    /// Index objects that nobody can use, or that cannot be read now, and why.
    pub damaged_index: BTreeMap<Id, Error>,
    /// Index objects that exist, tombstoned or not.
    pub index_objects: BTreeSet<Id>,
    /// Length of every pack in the listing.
    pub packs: HashMap<Id, u64>,
    /// Keys below `packs/` that no pack can have.
    pub strangers: Vec<String>,
    _scratch: Option<Scratch>,
}

impl Survey {
    /// Looks. Needs a full key.
    ///
    /// # Errors
    /// What the storage fails with. Damage is no error here: it is in the result.
    pub fn take(repo: &Repository, observer: &dyn Observer, stop: &Stop) -> Result<Survey> {
        for _ in 0..MAX_LOOKS {
            match Self::look(repo, observer, stop) {
                Err(e) if e.kind() == Kind::ObjectMissing => continue,
                other => return other,
            }
        }
        Err(
            Error::new(Kind::Changed, "index objects were replaced at every look")
                .hint("try again later"),
        )
    }

    fn look(repo: &Repository, observer: &dyn Observer, stop: &Stop) -> Result<Survey> {
        observer.event(Event::Phase("reading the index"));
        let view = Viewer::new(repo.storage().clone()).take(&repo.keyring, &Silent)?;
        let all: BTreeSet<Id> = view.index.union(&view.leaving).copied().collect();
        let scratch = Scratch::new(repo);
        let folder = scratch.as_ref().map(|s| s.0.as_path());
        let (index, damaged_index) = load::index(repo, folder, &all, stop)?;
        let mut packs = HashMap::new();
        let strangers = list_packs(&**repo.storage(), &mut |id, object| {
            packs.insert(id, object.size);
        })?;
        Ok(Survey {
            view,
            index: Arc::new(index),
            damaged_index,
            index_objects: all,
            packs,
            strangers,
            _scratch: scratch,
        })
    }

    /// Calls `each` with every pack that index objects name which no tombstone names; more than once if several do.
    pub fn each_described(&self, each: &mut dyn FnMut(&Pack)) {
        let base = self.index.base();
        for (object, numbers) in base.objects() {
            if self.view.index.contains(object) {
                numbers
                    .iter()
                    .filter_map(|n| base.pack(*n))
                    .for_each(&mut *each);
            }
        }
    }

    /// What index objects that count say of packs.
    pub fn descriptions(&self) -> Descriptions {
        let mut said: HashMap<Id, Vec<[u8; 16]>> = HashMap::new();
        self.each_described(&mut |pack| {
            let digests = said.entry(pack.name).or_default();
            if !digests.contains(&pack.digest) {
                digests.push(pack.digest);
            }
        });
        Descriptions(said)
    }

    /// The index objects, of those that count, that name one of `packs`.
    pub fn naming(&self, packs: &HashSet<Id>) -> Vec<Id> {
        let base = self.index.base();
        let named = |n: &u32| base.pack(*n).is_some_and(|p| packs.contains(&p.name));
        let mut found: Vec<Id> = base
            .objects()
            .filter(|(object, numbers)| {
                self.view.index.contains(object) && numbers.iter().any(named)
            })
            .map(|(object, _)| *object)
            .collect();
        found.sort_unstable();
        found
    }

    /// Which packs go on being named when those in `gone` are not: those that no tombstone names.
    pub fn staying<'a>(&'a self, gone: &'a HashSet<Id>) -> impl Fn(&Id) -> bool + 'a {
        |pack| !gone.contains(pack) && !self.view.dead_packs.contains(pack)
    }

    /// Has the set of index objects changed since? Then what seems to be missing may have moved.
    pub fn is_stale(&self, repo: &Repository) -> Result<bool> {
        let mut now = BTreeSet::new();
        list_names(&**repo.storage(), "index/", &mut |id| {
            now.insert(id);
        })
        .context(|| "listing index objects")?;
        Ok(now != self.index_objects)
    }
}

/// What is said of packs: the digest of each different description ([`Pack::digest`]).
pub struct Descriptions(HashMap<Id, Vec<[u8; 16]>>);

impl Descriptions {
    /// What is said of this one; nothing, or several things if index objects disagree.
    pub fn of(&self, pack: &Id) -> &[[u8; 16]] {
        self.0.get(pack).map_or(&[], Vec::as_slice)
    }
}

/// A folder of one look's own beside the cache, so that the index does not have to fit into memory.
struct Scratch(PathBuf);

impl Scratch {
    /// None where no folder can be had: memory will do.
    fn new(repo: &Repository) -> Option<Scratch> {
        let name = format!("look-{}", Id16::random().ok()?.short());
        let path = repo.cache()?.dir().join(name);
        private_folder(&path).ok()?;
        Some(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
