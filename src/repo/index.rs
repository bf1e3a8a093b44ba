//! From the index objects of a view to the local chunk lookup.

use super::Repository;
use super::patience::opened;
use super::protocol::{View, Viewer, list_names};
use super::threads::each_at_once;
use crate::crypto::Role;
use crate::error::{Error, Kind, Result};
use crate::format::container::{self, Secret};
use crate::format::index as index_format;
use crate::id::{Id, Id16};
use crate::index::{self, Base, Index, Refetch, Sink, Synced};
use crate::report::{Event, Observer, Silent};
use std::sync::Arc;

/// How often a view is taken again because an index object was gone when it was read.
const MAX_RETAKES: usize = 5;

/// What to do about an index object that is there and cannot be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unreadable {
    /// Fail: what it names would be stored anew, or count as rubbish.
    Fails,
    /// Do without: what it names may be named elsewhere, and the rest can be read.
    IsPassedOver,
}

/// An index object's bytes; `None` for one of another domain, which this key cannot open and need not.
type Fetched = Result<Option<Vec<u8>>>;

impl Repository {
    /// A fresh view, and the index that shows what counts in it. An object gone between list and get: look again.
    pub(crate) fn view_and_index(
        self: &Arc<Self>,
        viewer: &mut Viewer,
        observer: &dyn Observer,
    ) -> Result<(View, Index)> {
        for _ in 0..MAX_RETAKES {
            let view = viewer.take(&self.keyring, observer)?;
            match self.load_index(&view, observer) {
                Err(e) if e.kind() == Kind::ObjectMissing => continue,
                other => return Ok((view, other?)),
            }
        }
        Err(changing())
    }

    /// An index for reading: everything that exists counts, since what a tombstone names can be read until it goes.
    pub(crate) fn readable_index(self: &Arc<Self>, observer: &dyn Observer) -> Result<Index> {
        let synced = self.sync_readable(None, observer)?;
        Ok(Index::new(&synced).healing(self.refetch()))
    }

    /// Brings an index for reading in line with what exists now.
    pub(crate) fn reload_readable(&self, index: &Index, observer: &dyn Observer) -> Result<()> {
        let synced = self.sync_readable(Some(&index.base()), observer)?;
        index.replace(synced.base, &|_| true, &|_| true);
        Ok(())
    }

    fn sync_readable(&self, previous: Option<&Base>, observer: &dyn Observer) -> Result<Synced> {
        for _ in 0..MAX_RETAKES {
            let mut all = View::default();
            list_names(&*self.storage, "index/", &mut |id| {
                all.index.insert(id);
            })?;
            match self.sync_index(&all, previous, Unreadable::IsPassedOver, observer) {
                Err(e) if e.kind() == Kind::ObjectMissing => continue,
                other => return other,
            }
        }
        Err(changing())
    }

    /// The rows of every index object that exists, tombstoned or not.
    ///
    /// # Errors
    /// `Damaged` if one of them is: the packs that it names would look like ones that nothing names.
    pub(crate) fn load_everything(
        &self,
        view: &View,
        observer: &dyn Observer,
    ) -> Result<Arc<Base>> {
        let all = View {
            index: view.index.union(&view.leaving).copied().collect(),
            ..View::default()
        };
        let base = self.sync_whole(&all, observer)?;
        let mut unread = all.index;
        base.objects().for_each(|(object, _)| {
            unread.remove(object);
        });
        match unread.first() {
            None => Ok(base),
            Some(name) => Err(Error::damaged(format!("index/{name} cannot be read"))
                .hint("nothing was deleted; run `corso repo repair index`")),
        }
    }

    /// The rows of `view`, with every block of the local cache read and found right: for who reads all of them anyway,
    /// and refers to them by position.
    fn sync_whole(&self, view: &View, observer: &dyn Observer) -> Result<Arc<Base>> {
        for _ in 0..MAX_RETAKES {
            let base = self
                .sync_index(view, None, Unreadable::Fails, observer)?
                .base;
            match base.verify() {
                Ok(()) => return Ok(base),
                // The next sync builds anew what was damaged.
                Err(e) => observer.event(Event::Warning(&e.message())),
            }
        }
        Err(Error::failed("the index cache is damaged again and again")
            .hint("check the disk that holds the cache, or give another place in CORSO_CACHE_DIR"))
    }

    /// The index of `view`.
    pub(crate) fn load_index(
        self: &Arc<Self>,
        view: &View,
        observer: &dyn Observer,
    ) -> Result<Index> {
        let synced = self.sync_index(view, None, Unreadable::Fails, observer)?;
        let index = Index::new(&synced).healing(self.refetch());
        index.set_view(&|object| view.index.contains(object), &|pack| {
            !view.dead_packs.contains(pack)
        });
        Ok(index)
    }

    /// Where an index gets rows again when the local cache turns out to be damaged.
    fn refetch(self: &Arc<Self>) -> Refetch {
        let repo = self.clone();
        Box::new(move |names, sink| {
            if let Some(cache) = &repo.cache {
                cache.warn(&Error::failed(
                    "a file of the index was damaged, and is built anew",
                ));
            }
            repo.fetch_index(names, sink, Unreadable::Fails, &Silent)
                .map(drop)
        })
    }

    /// Brings `index`, of an older view, in line with `view`; the run's own packs stay.
    pub(crate) fn refresh_index(
        &self,
        index: &Index,
        view: &View,
        observer: &dyn Observer,
    ) -> Result<()> {
        let synced = self.sync_index(view, Some(&index.base()), Unreadable::Fails, observer)?;
        index.replace(
            synced.base,
            &|object| view.index.contains(object),
            &|pack| !view.dead_packs.contains(pack),
        );
        Ok(())
    }

    fn sync_index(
        &self,
        view: &View,
        previous: Option<&Base>,
        unreadable: Unreadable,
        observer: &dyn Observer,
    ) -> Result<Synced> {
        let mut failed = None;
        let current: Vec<Id> = view.index.iter().copied().collect();
        let writer = self.writer();
        let only = (self.role() == Role::Writer).then_some(&writer);
        let folder = self.cache.as_ref().map(|c| c.index_dir(only));
        let synced = index::sync(
            folder.as_deref(),
            previous,
            &current,
            &mut |missing, sink| {
                missing.chunks(self.threads.loaders).try_for_each(|names| {
                    let why = self.fetch_index(names, sink, unreadable, observer)?;
                    failed = failed.take().or(why);
                    Ok(())
                })
            },
        )?;
        // Nothing can be read without any of the index: the reason is a better answer than what would follow from it.
        if let (Some(why), None) = (failed, synced.base.objects().next()) {
            return Err(why.of_all());
        }
        for warning in &synced.warnings {
            observer.event(Event::Warning(warning));
        }
        Ok(synced)
    }

    /// Fetches a few index objects at once and hands their packs to `sink`. A damaged one is reported and does not
    /// count: what it names is uploaded anew, or found through another index object. Gives why one was passed over that
    /// is there.
    fn fetch_index(
        &self,
        names: &[Id],
        sink: &mut Sink,
        unreadable: Unreadable,
        observer: &dyn Observer,
    ) -> Result<Option<Error>> {
        let mut passed_over = None;
        let get = |name: &Id| self.index_object(name);
        let fetched = each_at_once(self.threads.loaders, names, &get);
        for (name, bytes) in names.iter().zip(fetched) {
            let opened = bytes.and_then(|bytes| match bytes {
                None => Ok(()),
                Some(bytes) => {
                    let each = &mut |writer: &Id16, pack| sink.pack(name, writer, &pack);
                    opened(index_format::open(&bytes, &self.keyring, each))
                }
            });
            match opened {
                Ok(()) => sink.done(name),
                Err(e) if e.kind() == Kind::Damaged => {
                    let text = format!(
                        "index/{name} is damaged and not used: {e}; what it names is found through others or uploaded anew"
                    );
                    observer.event(Event::Warning(&text));
                }
                Err(e) if e.is_unreadable() && unreadable == Unreadable::IsPassedOver => {
                    let e = e.context(format!("reading index/{name}"));
                    let text = format!("{e}; what it names is looked for elsewhere");
                    observer.event(Event::Warning(&text));
                    passed_over.get_or_insert(e);
                }
                Err(e) => return Err(e.context(format!("reading index/{name}"))),
            }
        }
        Ok(passed_over)
    }

    fn index_object(&self, name: &Id) -> Fetched {
        let key = format!("index/{name}");
        if self.role() == Role::Writer {
            let header = self
                .storage
                .get_range(&key, 0, container::INDEX_HEADER_LEN as u64);
            let header = self.patience.judge(&key, header)?;
            if container::Header::decode(&header)?.secret != Secret::Domain(self.writer()) {
                return Ok(None);
            }
        }
        let bytes = self.ask(&key, index_format::MAX_OBJECT)?;
        match Id::sha256(&bytes) == *name {
            true => Ok(Some(bytes)),
            false => Err(Error::damaged("its bytes do not have the hash of its name")),
        }
    }
}

/// The repository changed at every look.
fn changing() -> Error {
    Error::new(Kind::Changed, "index objects were replaced at every look").hint("try again later")
}
