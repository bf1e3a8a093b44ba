//! What the tests of this module share: index objects made from numbers, and a repository of them.

use super::*;
use crate::error::Result;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

/// An id from a number, spread like a real one.
pub(crate) fn id(tag: u8, n: u64) -> Id {
    let mut hasher = blake3::Hasher::new();
    Id(*hasher
        .update(&[tag])
        .update(&n.to_be_bytes())
        .finalize()
        .as_bytes())
}

/// The pack numbered `n` with the chunks `chunks`.
pub(crate) fn pack(n: u64, chunks: impl IntoIterator<Item = u64>) -> IndexPack {
    let row = |(i, c): (usize, u64)| PackRow {
        id: id(b'c', c),
        offset: 1152 + 100 * i as u32,
        stored: 100,
        raw: 200 + c as u32 % 50,
    };
    let rows: Vec<_> = chunks.into_iter().enumerate().map(row).collect();
    IndexPack {
        pack: id(b'p', n),
        size: 2000 + n,
        kind: 1,
        rows,
    }
}

/// Index objects as they are in the repository.
#[derive(Default)]
pub(crate) struct Repository {
    pub(crate) objects: BTreeMap<Id, (Id16, Vec<IndexPack>)>,
    /// Names fetched so far.
    pub(crate) fetched: RefCell<Vec<Id>>,
}

impl Repository {
    pub(crate) fn put(&mut self, name: u64, domain: Id16, packs: Vec<IndexPack>) -> Id {
        let name = id(b'o', name);
        self.objects.insert(name, (domain, packs));
        name
    }

    pub(crate) fn fetch(&self, names: &[Id], sink: &mut Sink) -> Result<()> {
        for name in names {
            self.fetched.borrow_mut().push(*name);
            let (domain, packs) = &self.objects[name];
            packs.iter().try_for_each(|p| sink.pack(name, domain, p))?;
            sink.done(name);
        }
        Ok(())
    }

    pub(crate) fn names(&self) -> Vec<Id> {
        self.objects.keys().copied().collect()
    }

    pub(crate) fn sync(&self, dir: Option<&Path>, previous: Option<&Base>) -> Synced {
        super::sync::sync_with(
            dir,
            previous,
            &self.names(),
            &mut |n, s| self.fetch(n, s),
            100,
        )
        .unwrap()
    }

    /// What a lookup must give, sorted.
    pub(crate) fn expected(
        &self,
        domain: &Id16,
        chunk: &Id,
        object: &dyn Fn(&Id) -> bool,
    ) -> Vec<Location> {
        let mut found = Vec::new();
        for (_, (of, packs)) in self.objects.iter().filter(|(name, _)| object(name)) {
            for p in packs.iter().filter(|_| of == domain) {
                let (pack, size, kind) = (p.pack, p.size, p.kind);
                let location = |r: &PackRow| Location {
                    pack,
                    size,
                    kind,
                    offset: r.offset,
                    stored: r.stored,
                    raw: r.raw,
                };
                found.extend(p.rows.iter().filter(|r| r.id == *chunk).map(location));
            }
        }
        sorted(found)
    }
}

/// Locations in a fixed order, each once.
pub(crate) fn sorted(mut found: Vec<Location>) -> Vec<Location> {
    found.sort_by_key(|l| (l.pack, l.offset));
    found.dedup();
    found
}
