//! What a run may rely on: the view of the repository and its renewal (`corso-format(5)`, PROTOCOL).
//!
//! Backups take no locks. A run lists tombstones, *then* index objects; a chunk counts as present only through an
//! index object and in a pack that no tombstone names. A view older than half the grace period carries no put.
//! Every request goes through [`Storage`], and the only clock is the storage's.

use crate::crypto::Keyring;
use crate::error::{Context, Error, Kind, Result};
use crate::format::tombstone::{self, Tombstone};
use crate::id::Id;
#[cfg(test)]
use crate::model::bugs::{Bug, planted};
use crate::repo::put::pack_key;
use crate::report::{Event, Observer};
use crate::storage::{ObjectInfo, Storage};
use crate::units::Time;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// How often a listing is repeated because an object in it was gone when it was read.
const MAX_RELISTS: usize = 5;

/// Index objects by name, with time and length in bytes.
pub type IndexInfo = BTreeMap<Id, (Time, u64)>;

/// What one look at the repository showed.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// By the storage's clock, not later than the first request of the look.
    pub time: Time,
    /// By the storage's clock, when the look's last listing had ended.
    pub ended: Time,
    /// Packs that some tombstone names: they will be deleted and must not be relied on.
    pub dead_packs: HashSet<Id>,
    /// Index objects that some tombstone names.
    pub dead_index: HashSet<Id>,
    /// Index objects that exist and that no tombstone names.
    pub index: BTreeSet<Id>,
    /// Index objects that exist, and that a tombstone names.
    pub leaving: BTreeSet<Id>,
    /// Time and length in bytes of all index objects that exist.
    pub index_info: IndexInfo,
    /// The tombstones themselves.
    pub tombstones: Vec<Buried>,
}

/// A tombstone as a look found it.
#[derive(Clone, Debug)]
pub struct Buried {
    /// Its name.
    pub name: Id,
    /// When it was put, by the storage's clock.
    pub modified: Time,
    /// What it names; `None` if it is damaged.
    pub stone: Option<Arc<Tombstone>>,
    /// A full key of this repository made it. A writer key cannot tell, and has `false`.
    pub authentic: bool,
}

impl View {
    /// Does this view show less than `older` did? Then something that the run relied on may be going away.
    pub fn takes_away_from(&self, older: &View) -> bool {
        !self.dead_packs.is_subset(&older.dead_packs) || !older.index.is_subset(&self.index)
    }
}

/// Takes views. Remembers tombstones already read: they are immutable.
pub struct Viewer {
    storage: Arc<dyn Storage>,
    known: HashMap<Id, Known>,
}

/// A tombstone that was read: what it names, unless it is damaged, and whether its seal is right.
type Known = (Option<Arc<Tombstone>>, bool);

impl Viewer {
    /// A viewer of the repository on `storage`.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Viewer {
            storage,
            known: HashMap::new(),
        }
    }

    /// Lists tombstones, then index objects.
    ///
    /// `keyring` checks the tombstones' MACs where it can; one that fails is honoured all the same (that costs at
    /// most uploads) and reported. A tombstone that is damaged at rest is reported and names nothing: no sweep
    /// can act on it either.
    pub fn take(&mut self, keyring: &Keyring, observer: &dyn Observer) -> Result<View> {
        self.look(keyring, observer, &mut || Ok(()))
    }

    /// The same, with `between` called after the tombstones were listed and read, and before index objects are listed.
    pub fn look(
        &mut self,
        keyring: &Keyring,
        observer: &dyn Observer,
        between: &mut dyn FnMut() -> Result<()>,
    ) -> Result<View> {
        for _ in 0..MAX_RELISTS {
            #[cfg(test)]
            let early = planted(Bug::IndexFirst).then(|| self.index_objects());
            let mut found = Vec::new();
            let listed = list_objects(&*self.storage, "tombstones/", &mut |id, o| {
                found.push((id, o.modified));
            })
            .context(|| "listing tombstones")?;
            let names: Vec<Id> = found.iter().map(|(name, _)| *name).collect();
            if !self.read_tombstones(&names, keyring, observer)? {
                continue;
            }
            between()?;
            let mut view = View {
                time: listed.began,
                ..View::default()
            };
            for (name, modified) in found {
                let (stone, authentic) = self.known.get(&name).cloned().unwrap_or_default();
                if let Some(stone) = &stone {
                    view.dead_packs.extend(&stone.packs);
                    view.dead_index.extend(&stone.index);
                }
                view.tombstones.push(Buried {
                    name,
                    modified,
                    stone,
                    authentic,
                });
            }
            let dead = &view.dead_index;
            #[cfg(test)]
            let listed = early.unwrap_or_else(|| self.index_objects());
            #[cfg(not(test))]
            let listed = self.index_objects();
            let (index_info, ended) = listed?;
            let names = index_info.keys().copied();
            (view.leaving, view.index) = names.partition(|id| dead.contains(id));
            (view.index_info, view.ended) = (index_info, ended);
            return Ok(view);
        }
        Err(Error::new(
            Kind::Changed,
            "the list of tombstones changed at every look",
        )
        .hint("try again later"))
    }

    /// The index objects that exist, with time and length, and when the listing had ended.
    fn index_objects(&self) -> Result<(IndexInfo, Time)> {
        let mut found = BTreeMap::new();
        let listed = list_objects(&*self.storage, "index/", &mut |id, object| {
            found.insert(id, (object.modified, object.size));
        })
        .context(|| "listing index objects")?;
        Ok((found, listed.ended))
    }

    /// Reads those of `names` that are not known yet; `false` if one has gone since it was listed.
    fn read_tombstones(
        &mut self,
        names: &[Id],
        keyring: &Keyring,
        observer: &dyn Observer,
    ) -> Result<bool> {
        for name in names {
            if self.known.contains_key(name) {
                continue;
            }
            let key = format!("tombstones/{name}");
            let get = || self.storage.get(&key, tombstone::MAX_LEN as u64);
            let bytes = match get() {
                Ok(bytes) if Id::sha256(&bytes) == *name => bytes,
                // Once more: the way here may have damaged it.
                Ok(_) => get()?,
                Err(e) if e.kind() == Kind::ObjectMissing => return Ok(false),
                Err(e) => return Err(e.context(format!("reading {key}"))),
            };
            let whole = Id::sha256(&bytes) == *name;
            let stone = match tombstone::decode(&bytes) {
                Ok(stone) if whole => Some(stone),
                // What it names cannot be known, and others may act on it.
                Err(e) if whole && e.kind() == Kind::NewerFormat => return Err(e.context(key)),
                _ => None,
            };
            let seal = tombstone::verify(&bytes, keyring);
            if stone.is_some() {
                if seal == Some(false) {
                    observer.event(Event::Warning(&format!(
                        "{key} does not carry this repository's seal; its packs are not reused, and it deletes nothing"
                    )));
                }
            } else {
                observer.event(Event::Warning(&format!(
                    "{key} is damaged; nothing will be deleted because of it"
                )));
            }
            self.known
                .insert(*name, (stone.map(Arc::new), seal == Some(true)));
        }
        Ok(true)
    }
}

/// Lists the names (hex ids) below `prefix`; keys of another form are strangers and passed over.
pub fn list_names(
    storage: &dyn Storage,
    prefix: &str,
    each: &mut dyn FnMut(Id),
) -> Result<crate::storage::Listed> {
    list_objects(storage, prefix, &mut |id, _| each(id))
}

/// The same with size and time of each object.
pub fn list_objects(
    storage: &dyn Storage,
    prefix: &str,
    each: &mut dyn FnMut(Id, &ObjectInfo),
) -> Result<crate::storage::Listed> {
    storage.list(prefix, &mut |object| {
        if let Some(id) = object
            .key
            .strip_prefix(prefix)
            .and_then(|rest| rest.parse().ok())
        {
            each(id, &object);
        }
        Ok(())
    })
}

/// Lists the packs. Gives the keys that no pack can have.
pub fn list_packs(
    storage: &dyn Storage,
    each: &mut dyn FnMut(Id, &ObjectInfo),
) -> Result<Vec<String>> {
    let mut strangers = Vec::new();
    let listed = storage.list("packs/", &mut |object| {
        let name = object.key.rsplit('/').next().unwrap_or_default();
        match name.parse::<Id>() {
            Ok(id) if pack_key(&id) == object.key => each(id, &object),
            _ => strangers.push(object.key),
        }
        Ok(())
    });
    listed.context(|| "listing packs")?;
    Ok(strangers)
}

/// The rules on a view's age, for one grace period. A grace of zero is the user's word that nothing else runs.
#[derive(Clone, Copy, Debug)]
pub struct Grace(pub Duration);

impl Grace {
    /// No put may be sent on `view` after this moment; `None` where there is no limit.
    pub fn deadline(self, view: &View) -> Option<Time> {
        #[cfg(test)]
        if planted(Bug::LatePut) {
            return Some(view.time.plus(self.0));
        }
        (!self.0.is_zero()).then(|| view.time.plus(self.0 / 2))
    }

    /// Time to renew before the deadline comes: a sixteenth of the grace period ahead of it.
    pub fn wants_renewal(self, view: &View, now: Time) -> bool {
        self.deadline(view)
            .is_some_and(|d| now >= d.minus(self.0 / 16) || went_back(view, now))
    }

    /// May `newer` continue `older`? Only if its look had ended before a tombstone could have come and gone unseen.
    pub fn continues(self, older: &View, newer: &View) -> bool {
        #[cfg(test)]
        if planted(Bug::EndlessRenewal) {
            return true;
        }
        self.0.is_zero()
            || (newer.ended.since(older.time) < self.0 && !went_back(older, newer.time))
    }

    /// Was an answer dated `date` so late after `view` that the window of 15 minutes did not hold?
    pub fn slept_through(self, view: &View, date: Time) -> bool {
        const WINDOW: Duration = Duration::from_secs(15 * 60);
        self.deadline(view)
            .is_some_and(|d| date > d.plus(WINDOW) || went_back(view, date))
    }
}

/// Does the storage's clock show a time before `view`? Then nobody can tell how old the view is. (A folder's clock is the
/// host's, and may be put right in the middle of a run; servers behind one name may differ by seconds.)
fn went_back(view: &View, now: Time) -> bool {
    const APART: Duration = Duration::from_secs(60);
    now.plus(APART) < view.time
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(time: i64, ended: i64) -> View {
        View {
            time: Time(time),
            ended: Time(ended),
            ..View::default()
        }
    }

    #[test]
    fn the_rules_of_age() {
        let g = Grace(Duration::from_secs(3600));
        let old = view(0, 10);
        assert_eq!(g.deadline(&old), Some(Time(1_800_000)));
        assert!(!g.wants_renewal(&old, Time(1_574_000)));
        assert!(g.wants_renewal(&old, Time(1_576_000)));
        assert!(g.continues(&old, &view(3_599_000, 3_599_999)));
        assert!(!g.continues(&old, &view(3_599_000, 3_600_000)));
        assert!(!g.slept_through(&old, Time(2_700_000)));
        assert!(g.slept_through(&old, Time(2_700_001)));
        let later = view(100_000, 100_000);
        assert!(!g.wants_renewal(&later, Time(50_000)) && g.wants_renewal(&later, Time(39_999)));
        assert!(g.continues(&later, &view(40_000, 40_001)));
        assert!(!g.continues(&later, &view(39_999, 40_001)));
        assert!(!g.slept_through(&later, Time(40_000)) && g.slept_through(&later, Time(39_999)));
        let zero = Grace(Duration::ZERO);
        assert_eq!(zero.deadline(&old), None);
        assert!(zero.continues(&old, &view(i64::MAX, i64::MAX)));
    }

    #[test]
    fn what_takes_away() {
        let id = |n| Id([n; 32]);
        let mut old = view(0, 0);
        old.index.insert(id(1));
        let mut new = old.clone();
        new.index.insert(id(2));
        assert!(!new.takes_away_from(&old));
        new.dead_packs.insert(id(9));
        assert!(new.takes_away_from(&old));
        let mut merged = view(0, 0);
        merged.index.insert(id(2));
        assert!(merged.takes_away_from(&old));
    }
}
