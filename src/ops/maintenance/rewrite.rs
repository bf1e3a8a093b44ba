//! Which index objects are replaced, by fewer, without the packs that go.

use super::look::Look;
use crate::format::index as index_format;
use crate::format::pack::ROW_LEN;
use crate::id::{Id, Id16};
use std::collections::{HashMap, HashSet};

/// Objects of one size class that are merged into fewer.
const MANY: usize = 8;
/// The smallest size class, in rows; each next one is four times larger.
const CLASS: u64 = 1024;

/// The index objects that are to be replaced: those that name a pack which is `gone` or tombstoned, and small ones of
/// which there are many.
pub fn choose(look: &Look, gone: &HashSet<Id>) -> Vec<Id> {
    let mut chosen = Vec::new();
    let mut classes: HashMap<(Id16, u32), Vec<Id>> = HashMap::new();
    for (object, packs) in look.base.objects() {
        if !look.view.index.contains(object) {
            continue;
        }
        if packs.iter().any(|n| look.is_frozen(*n)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_grow_four_fold() {
        assert_eq!([0, 1024, 1025, 4096, 4097].map(class), [0, 0, 1, 1, 2]);
    }
}
