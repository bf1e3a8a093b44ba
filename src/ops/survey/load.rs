//! Reading index objects from the storage, and nothing else.

use crate::error::{Context, Error, Kind, Result};
use crate::format::index as index_format;
use crate::id::{Id, Id16};
use crate::index::{self, Index, Sink};
use crate::repo::Repository;
use crate::repo::patience::opened;
use crate::repo::threads::each_at_once;
use crate::report::Stop;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// An object whose name is the hash of its bytes.
///
/// # Errors
/// `Damaged` if it is not, at a second look either: the way here may have damaged the first answer.
pub fn read_object(repo: &Repository, key: &str, name: &Id, limit: u64) -> Result<Vec<u8>> {
    for last in [false, true] {
        match repo.ask(key, limit) {
            Ok(bytes) if Id::sha256(&bytes) == *name => return Ok(bytes),
            Err(e) if e.kind() != Kind::Damaged || last => {
                return Err(e.context(format!("reading {key}")));
            }
            _ => {}
        }
    }
    Err(Error::damaged("its bytes do not have the hash of its name"))
}

/// The index of all objects in `names`, built in `folder` (which must be empty) or in memory; and those that are
/// damaged, or cannot be read now.
pub(super) fn index(
    repo: &Repository,
    folder: Option<&Path>,
    names: &BTreeSet<Id>,
    stop: &Stop,
) -> Result<(Index, BTreeMap<Id, Error>)> {
    let mut damaged = BTreeMap::new();
    let current: Vec<Id> = names.iter().copied().collect();
    let synced = index::sync(folder, None, &current, &mut |missing, sink| {
        damaged.clear();
        missing.chunks(repo.threads.loaders).try_for_each(|some| {
            stop.check()?;
            fetch(repo, some, sink, &mut damaged)
        })
    })?;
    Ok((Index::new(&synced), damaged))
}

fn fetch(
    repo: &Repository,
    names: &[Id],
    sink: &mut Sink,
    damaged: &mut BTreeMap<Id, Error>,
) -> Result<()> {
    let get = |name: &Id| {
        read_object(
            repo,
            &format!("index/{name}"),
            name,
            index_format::MAX_OBJECT,
        )
    };
    let fetched = each_at_once(repo.threads.loaders, names, &get);
    for (name, bytes) in names.iter().zip(fetched) {
        let opened = bytes.and_then(|bytes| {
            let each = &mut |writer: &Id16, pack| sink.pack(name, writer, &pack);
            opened(index_format::open(&bytes, &repo.keyring, each))
        });
        match opened {
            Ok(()) => sink.done(name),
            Err(e) if e.kind() == Kind::ObjectMissing => return Err(e),
            Err(e) if e.is_of_one_object() => drop(damaged.insert(*name, e)),
            Err(e) => return Err(e).context(|| format!("reading index/{name}")),
        }
    }
    Ok(())
}
