//! Index objects that take the place of others: fewer of them, and without the packs that go.

use super::copy::Copier;
use super::look::Look;
use crate::error::{Context, Error, Result};
use crate::format::container::{Header, Secret};
use crate::format::index::{self as index_format, IndexPack};
use crate::format::pack::ROW_LEN;
use crate::id::{Id, Id16};
use crate::index::Pack;
use crate::report::{Observer, Stop};
use crate::units::Time;
use std::collections::{HashMap, HashSet};

/// Objects of one size class that are merged into fewer.
const MANY: usize = 8;
/// The smallest size class, in rows; each next one is four times larger.
const CLASS: u64 = 1024;

/// What a rewrite did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rewritten {
    /// Index objects put.
    pub written: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// The index objects that are to be replaced: those that name a pack which is `gone` or tombstoned, and small ones of
/// which there are many.
pub fn choose(look: &Look, gone: &HashSet<Id>) -> Vec<Id> {
    let mut chosen = Vec::new();
    let mut classes: HashMap<(Id16, u32), Vec<Id>> = HashMap::new();
    for (object, packs) in look.base.objects() {
        if !look.view.index.contains(object) {
            continue;
        }
        let doomed = |n: &u32| {
            look.table.dead(*n) || look.table.pack(*n).is_some_and(|p| gone.contains(&p.name))
        };
        if packs.iter().any(doomed) || packs.is_empty() {
            chosen.push(*object);
            continue;
        }
        let rows = |n: &u32| look.table.pack(*n).map_or(0, |p| u64::from(p.rows));
        let rows: u64 = packs.iter().map(rows).sum();
        let domain = packs.first().and_then(|n| look.table.pack(*n));
        if rows * (ROW_LEN as u64) < index_format::OBJECT_TARGET as u64 / 2
            && let Some(pack) = domain
        {
            classes
                .entry((pack.domain, class(rows)))
                .or_default()
                .push(*object);
        }
    }
    let mut domains: HashMap<Id16, u32> = HashMap::new();
    for ((domain, class), objects) in &classes {
        if objects.len() >= MANY {
            let top = domains.entry(*domain).or_default();
            *top = (*top).max(*class);
        }
    }
    for ((domain, class), objects) in classes {
        if domains.get(&domain).is_some_and(|top| class <= *top) {
            chosen.extend(objects);
        }
    }
    chosen.sort_unstable();
    chosen
}

fn class(rows: u64) -> u32 {
    let (mut class, mut limit) = (0, CLASS);
    while rows > limit {
        (class, limit) = (class + 1, limit * 4);
    }
    class
}

/// One domain's packs on their way into new objects.
struct Group {
    copier: Copier,
    packs: Vec<IndexPack>,
    rows: usize,
}

/// Puts index objects that name what `objects` name, less what is `gone` or tombstoned, and the packs `added`.
///
/// Memory: about one object's rows a domain.
pub fn rewrite(
    look: &Look,
    objects: &[Id],
    gone: &HashSet<Id>,
    added: HashMap<(Id16, u32), Vec<IndexPack>>,
    not_after: Option<Time>,
    stop: &Stop,
    _observer: &dyn Observer,
) -> Result<Rewritten> {
    let mut groups: HashMap<(Id16, u32), Group> = HashMap::new();
    let mut seen: HashSet<[u8; 16]> = HashSet::new();
    let mut done = Rewritten::default();
    let mut take = |key: (Id16, u32), pack: IndexPack, done: &mut Rewritten| -> Result<()> {
        if !seen.insert(Pack::new(&key.0, &pack).digest) {
            return Ok(());
        }
        let group = match groups.entry(key) {
            std::collections::hash_map::Entry::Occupied(e) => e.into_mut(),
            std::collections::hash_map::Entry::Vacant(e) => e.insert(Group {
                copier: Copier::new(look.repo.clone(), key.0, key.1, not_after)?,
                packs: Vec::new(),
                rows: 0,
            }),
        };
        group.rows += pack.rows.len();
        group.packs.push(pack);
        match group.rows * ROW_LEN >= index_format::OBJECT_TARGET {
            true => group.put(done),
            false => Ok(()),
        }
    };
    for (key, packs) in added {
        for pack in packs {
            take(key, pack, &mut done)?;
        }
    }
    for name in objects {
        stop.check()?;
        let (key, packs) = read(look, name)?;
        for pack in packs {
            let stays = !gone.contains(&pack.pack) && !look.view.dead_packs.contains(&pack.pack);
            if stays {
                take(key, pack, &mut done)?;
            }
        }
    }
    for group in groups.values_mut() {
        group.put(&mut done)?;
        done.bytes += group.copier.stored();
    }
    Ok(done)
}

impl Group {
    fn put(&mut self, done: &mut Rewritten) -> Result<()> {
        if !self.packs.is_empty() {
            done.written += self.copier.put_index(&self.packs)?;
        }
        self.packs.clear();
        self.rows = 0;
        Ok(())
    }
}

/// An index object: its domain and epoch, and its packs.
fn read(look: &Look, name: &Id) -> Result<((Id16, u32), Vec<IndexPack>)> {
    let key = format!("index/{name}");
    let bytes = look
        .repo
        .storage
        .get(&key, index_format::MAX_OBJECT)
        .context(|| format!("reading {key}"))?;
    let damaged = || {
        Error::damaged(format!("{key} is damaged"))
            .hint("nothing was deleted; run `corso repo repair index`")
    };
    if Id::sha256(&bytes) != *name {
        return Err(damaged());
    }
    let header = Header::decode(&bytes)?;
    let Secret::Domain(writer) = header.secret else {
        return Err(damaged());
    };
    let mut packs = Vec::new();
    index_format::open(&bytes, &look.repo.keyring, &mut |_, pack| {
        packs.push(pack);
        Ok(())
    })
    .context(|| format!("reading {key}"))?;
    Ok(((writer, header.epoch), packs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_grow_four_fold() {
        assert_eq!([0, 1024, 1025, 4096, 4097].map(class), [0, 0, 1, 1, 2]);
    }
}
