//! Mends the index of a run whose local cache turns out to be damaged, without ending the run.
//!
//! One segment is written anew from the index objects that name its packs. Packs keep their numbers, so that what
//! counts, and everything that refers to a pack by number, stays as it is.

use super::base::Base;
use super::place::Place;
use super::segment::Segment;
use super::sync::Sink;
use super::writer::RUN_ROWS;
use crate::error::{Error, Result};
use crate::id::Id;
use std::collections::HashMap;

/// Gives the packs of index objects once more, as the `fetch` of [`super::sync()`] does.
pub type Refetch = Box<dyn Fn(&[Id], &mut Sink) -> Result<()> + Send + Sync>;

/// Writes segment `position` of `base` anew. Rows that no index object gives any more are left out: their chunks count
/// as absent. What `place` does not take goes to memory.
///
/// # Errors
/// What `refetch` fails with, but for objects that are missing or damaged.
pub(crate) fn rebuild(
    base: &Base,
    position: usize,
    place: &Place,
    refetch: &Refetch,
) -> Result<Segment> {
    match attempt(base, position, place, refetch) {
        Err(Trouble::Cache(_)) if *place != Place::Memory => {
            attempt(base, position, &Place::Memory, refetch)
        }
        other => other,
    }
    .map_err(|trouble| match trouble {
        Trouble::Cache(e) | Trouble::Other(e) => e,
    })
}

/// Whose fault a failed attempt is.
enum Trouble {
    Cache(Error),
    Other(Error),
}

fn attempt(
    base: &Base,
    position: usize,
    place: &Place,
    refetch: &Refetch,
) -> Result<Segment, Trouble> {
    let unknown = || Trouble::Other(Error::failed("the index has no such segment"));
    let packs = base.segments().get(position).ok_or_else(unknown)?.packs();
    let first = base.number(position, 0).unwrap_or_default();
    let here = first..first.saturating_add(packs.len() as u32);
    let wanted: HashMap<[u8; 16], u32> = packs.iter().map(|p| p.digest).zip(0..).collect();
    let mut sink = Sink::for_packs(packs.to_vec(), wanted, place, RUN_ROWS);
    for (object, numbers) in base.objects() {
        if !numbers.iter().any(|n| here.contains(n)) {
            continue;
        }
        let given = refetch(&[*object], &mut sink);
        if let Some(e) = sink.take_fault() {
            return Err(Trouble::Cache(e));
        }
        match given {
            Err(e) if e.is_damage() => {}
            other => other.map_err(Trouble::Other)?,
        }
    }
    sink.into_segment().map_err(Trouble::Cache)
}

#[cfg(test)]
mod tests {
    use crate::error::{Error, Kind};
    use crate::id::{Id, Id16};
    use crate::index::testing::*;
    use crate::index::tests::cache_files;
    use crate::index::{Index, Sink};

    const HOME: Id16 = Id16([0; 16]);

    /// A run goes on where its cache is damaged or gone under way, and what counts stays what it was.
    #[test]
    fn a_cache_damaged_under_way_is_mended() {
        let dir = tempfile::tempdir().unwrap();
        let mut repository = Repository::default();
        for n in 0..4 {
            repository.put(n, HOME, vec![pack(n, n * 1000..n * 1000 + 200 * (8 >> n))]);
            repository.sync(Some(dir.path()), None);
        }
        let synced = repository.sync(Some(dir.path()), None);
        assert!(synced.base.segments().len() > 1);
        // A source may be shared by threads; the counters of this one are not.
        let objects = repository.objects.clone();
        let refetch = move |names: &[Id], sink: &mut Sink| {
            let source = Repository {
                objects: objects.clone(),
                ..Repository::default()
            };
            source.fetch(names, sink)
        };
        let index = Index::new(&synced).healing(Box::new(refetch));
        let hidden = repository.names()[1];
        index.set_view(&|o| *o != hidden, &|_| true);
        let numbers: Vec<Id> = synced.base.packs().map(|p| p.name).collect();
        // Again and again, the segments that were made to replace the first ones included.
        for round in 0..3 {
            for file in cache_files(dir.path()) {
                if file.extension().is_some_and(|e| e == "seg") {
                    let mut bytes = std::fs::read(&file).unwrap();
                    bytes
                        .iter_mut()
                        .step_by(1000)
                        .for_each(|b| *b ^= 1 << round);
                    std::fs::write(&file, bytes).unwrap();
                }
            }
            for n in 0..3400 {
                let chunk = id(b'c', n);
                let found = index.lookup(&HOME, &chunk).unwrap();
                let expected = repository.expected(&HOME, &chunk, &|o| *o != hidden);
                assert_eq!(sorted(found), expected, "{n}");
            }
            let now: Vec<Id> = index.base().packs().map(|p| p.name).collect();
            assert_eq!(now, numbers, "packs keep their numbers");
        }
        let mut rows = 0;
        index
            .for_each_sorted(&mut |_| {
                rows += 1;
                Ok(())
            })
            .unwrap();
        assert!(rows > 1000);
    }

    /// What no index object gives any more counts as absent, wherever a new segment has to be kept.
    #[cfg_attr(
        windows,
        ignore = "a folder with open files cannot be removed on Windows"
    )]
    #[test]
    fn a_damaged_cache_whose_objects_are_gone_knows_less() {
        let dir = tempfile::tempdir().unwrap();
        let mut repository = Repository::default();
        repository.put(0, HOME, vec![pack(0, 0..400)]);
        let synced = repository.sync(Some(dir.path()), None);
        let gone = |_: &[Id], _: &mut Sink| Err(Error::new(Kind::ObjectMissing, "gone"));
        let index = Index::new(&synced).healing(Box::new(gone));
        for file in cache_files(dir.path()) {
            std::fs::write(file, b"").unwrap();
        }
        // Nor can anything be written there.
        std::fs::remove_dir_all(dir.path()).unwrap();
        assert_eq!(index.lookup(&HOME, &id(b'c', 1)).unwrap(), []);
        let refused = |_: &[Id], _: &mut Sink| Err(Error::new(Kind::Network, "away"));
        let dir = tempfile::tempdir().unwrap();
        let index = Index::new(&repository.sync(Some(dir.path()), None)).healing(Box::new(refused));
        for file in cache_files(dir.path()) {
            std::fs::write(file, b"").unwrap();
        }
        let error = index.lookup(&HOME, &id(b'c', 1)).unwrap_err();
        assert_eq!(error.kind(), Kind::Network);
    }
}
