//! One look at the whole repository: tombstones, then snapshots, then every index object, then packs.

use super::active::domain_of;
use super::frozen::{self, Frozen};
use super::marks::{Marker, Marks};
use super::table::{Stray, Table};
use crate::error::{Context, Error, Kind, Result};
use crate::format::container::Header;
use crate::format::snapshot::Manifest;
use crate::id::{Id, Id16};
use crate::index::{Base, Index, Place};
use crate::ops::reach;
use crate::repo::Repository;
use crate::repo::nodes::NodeStore;
use crate::repo::pack_key;
use crate::repo::protocol::{View, Viewer, list_names, list_packs};
use crate::repo::reader::Reader;
use crate::repo::snapshots::Snapshot;
use crate::repo::threads::each_at_once;
use crate::report::text::plural;
use crate::report::{Event, Observer, Stop};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How often a look begins again because an object in it was gone when it was read.
const MAX_RETAKES: usize = 5;

/// Index objects speak for packs of their own domain only: where those of several domains name a pack, its sealed
/// trailer says whose it is. Two small requests for each; one that cannot be asked stays disputed, and is left alone.
fn settle(repo: &Repository, table: &mut Table, observer: &dyn Observer) -> Result<()> {
    let contested = table.contested();
    let ask = |pack: &Stray| domain_of(repo, &pack.name, pack.size);
    let owners = each_at_once(repo.threads.fetchers, &contested, &ask);
    let mut told: BTreeMap<Id16, u64> = BTreeMap::new();
    for (pack, owner) in contested.iter().zip(owners) {
        if let Some(owner) = owner? {
            for claimant in table.settle(pack, &owner) {
                *told.entry(claimant).or_default() += 1;
            }
        }
    }
    for (claimant, n) in told {
        let whose = match claimant == Id16::ZERO {
            true => "the full keys".to_owned(),
            false => format!("writer {}", claimant.short()),
        };
        observer.event(Event::Warning(&format!(
            "index objects of {whose} name {} of others, which is ignored; who has that key may be up to no good: consider removing it",
            plural(n, "pack", "packs")
        )));
    }
    Ok(())
}

/// Is it only one backup that cannot be read: damaged, out of reach, or of keys or a format that are not held?
pub fn concerns_the_object(error: &Error) -> bool {
    error.is_of_one_object() || matches!(error.kind(), Kind::RoleNeeded | Kind::NewerFormat)
}

/// What a look showed. Nothing in it is renewed: what rests on it is put while it is young, or another look is taken.
pub struct Look {
    /// The repository.
    pub repo: Arc<Repository>,
    /// Tombstones and index objects.
    pub view: View,
    /// All rows of all index objects.
    pub base: Arc<Base>,
    /// The packs.
    pub table: Table,
    /// The snapshots.
    pub snapshots: Vec<Snapshot>,
    /// Everything that can be read.
    pub readable: Arc<Index>,
    /// What can be relied on.
    pub good: Arc<Index>,
    /// Domains that are left alone.
    pub frozen: Frozen,
    epochs: Vec<u32>,
    readers: HashMap<(Id16, u32, bool), Arc<Reader>>,
}

impl Look {
    /// Looks. `with_snapshots`: reads the snapshots too.
    ///
    /// # Errors
    /// `Damaged` if a snapshot or an index object is: what it needs, or names, would look like rubbish.
    pub fn take(
        repo: &Arc<Repository>,
        viewer: &mut Viewer,
        with_snapshots: &dyn Fn(&View) -> bool,
        observer: &dyn Observer,
    ) -> Result<Look> {
        for _ in 0..MAX_RETAKES {
            match Self::try_take(repo, viewer, with_snapshots, observer) {
                Err(e) if e.kind() == Kind::ObjectMissing => continue,
                other => return other,
            }
        }
        Err(
            Error::new(Kind::Changed, "the repository changed at every look")
                .hint("try again later"),
        )
    }

    fn try_take(
        repo: &Arc<Repository>,
        viewer: &mut Viewer,
        with_snapshots: &dyn Fn(&View) -> bool,
        observer: &dyn Observer,
    ) -> Result<Look> {
        observer.event(Event::Phase("looking at the repository"));
        let mut names = Vec::new();
        // Snapshots before index objects: then all that names the chunks of a listed snapshot is listed too.
        let view = viewer.look(&repo.keyring, observer, &mut || {
            names.clear();
            list_names(&*repo.storage, "snapshots/", &mut |id| names.push(id))
                .context(|| "listing backups")?;
            Ok(())
        })?;
        let base = repo.load_everything(&view, observer)?;
        let mut table = Table::new(base.clone(), &view);
        list_packs(&*repo.storage, &mut |name, object| {
            let dead = view.dead_packs.contains(&name);
            table.list(name, object.size, object.modified, dead);
        })?;
        settle(repo, &mut table, observer)?;
        let (mut snapshots, mut unreadable) = (Vec::new(), Vec::new());
        if with_snapshots(&view) {
            for id in names {
                match repo.snapshot(&id) {
                    Ok(snapshot) => snapshots.push(snapshot),
                    // Deleted since it was listed.
                    Err(e) if e.kind() == Kind::ObjectMissing => {}
                    Err(e) if concerns_the_object(&e) => unreadable.push((id, e)),
                    Err(e) => return Err(e),
                }
            }
            if let Some(e) = frozen::unreadable(unreadable) {
                return Err(e);
            }
            snapshots.sort_by_key(|s| (s.manifest.time, s.id));
        }
        let index_of = |counts: &dyn Fn(u32) -> bool| {
            let index = Index::over(base.clone(), Place::Memory);
            index.set_view(&|_| true, &|name| table.numbers(name).any(counts));
            Arc::new(index)
        };
        let readable = index_of(&|n| table.readable(n));
        let good = index_of(&|n| table.good(n));
        Ok(Look {
            repo: repo.clone(),
            epochs: repo.keyring.epochs(),
            view,
            base: base.clone(),
            readable,
            good,
            table,
            snapshots,
            frozen: Frozen::default(),
            readers: HashMap::new(),
        })
    }

    /// A reader of a domain: of all that can be read, or of what can be relied on only.
    pub fn reader(&mut self, domain: Id16, epoch: u32, good: bool) -> Result<Arc<Reader>> {
        if let Some(reader) = self.readers.get(&(domain, epoch, good)) {
            return Ok(reader.clone());
        }
        let index = if good { &self.good } else { &self.readable };
        let reader = Arc::new(Reader::with_index(
            self.repo.clone(),
            domain,
            epoch,
            index.clone(),
        )?);
        self.readers.insert((domain, epoch, good), reader.clone());
        Ok(reader)
    }

    /// Walks all snapshots. The domain of one that cannot be walked is frozen.
    pub fn mark(&mut self, observer: &dyn Observer, stop: &Stop) -> Result<Marks> {
        observer.event(Event::Phase("marking what backups need"));
        let mut marks = Marks::new(self.base.rows());
        let snapshots = std::mem::take(&mut self.snapshots);
        for snapshot in &snapshots {
            let missing = marks.missing;
            let why = match self.walk(&snapshot.manifest, &mut marks, stop) {
                Ok(()) if marks.missing == missing => continue,
                Ok(()) => marks.lack(missing),
                Err(e) if concerns_the_object(&e) => e,
                Err(e) => return Err(e),
            };
            self.frozen.add(snapshot, &why);
        }
        self.snapshots = snapshots;
        let frozen = &self.frozen;
        marks.endangered.retain(|e| !frozen.has(&e.domain));
        Ok(marks)
    }

    /// Marks what the backup of manifest `m` needs.
    pub fn walk(&mut self, m: &Manifest, marks: &mut Marks, stop: &Stop) -> Result<()> {
        let reader = self.reader(m.writer, m.domain_epoch, false)?;
        let nodes = NodeStore::new(self.repo.clone(), reader.keys().clone(), Some(reader));
        let mut marker = Marker {
            marks,
            base: &self.base,
            table: &self.table,
            domain: m.writer,
            epoch: m.domain_epoch,
            stop,
        };
        reach::reach(&nodes, m, &mut marker)
    }

    /// The epoch of the chunk ids in a pack: what its header says.
    pub fn epoch_of(&self, pack: &Id) -> Result<u32> {
        if let [only] = self.epochs.as_slice() {
            return Ok(*only);
        }
        let len = crate::format::container::SEALED_HEADER_LEN as u64;
        let bytes = self
            .repo
            .storage
            .get_range(&pack_key(pack), 0, len)
            .context(|| format!("reading the header of pack {pack}"))?;
        Ok(Header::decode(&bytes)?.epoch)
    }
}
