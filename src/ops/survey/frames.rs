//! What of a damaged pack can still be read: each frame is tried by itself.

use crate::error::Result;
use crate::format::container::{ObjectKey, TRAILER_LEN};
use crate::format::pack::{PackRow, open_chunk, open_directory};
use crate::id::{Id, Id16};
use crate::index::Index;
use crate::repo::Repository;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The chunks of a pack, sorted by whether they open. Each with the domain that it is of.
#[derive(Debug, Default)]
pub struct Frames {
    /// Key epoch and kind of the pack, where its header can be read.
    pub header: Option<(u32, crate::format::container::ObjectKind)>,
    /// Chunks that open and have their ids.
    pub good: Vec<(Id16, PackRow)>,
    /// The rest.
    pub bad: Vec<(Id16, PackRow)>,
}

/// What the index says of the chunks of `packs`: domain and row. One pass over all rows.
pub fn rows_of(index: &Index, packs: &HashSet<Id>) -> Result<HashMap<Id, Vec<(Id16, PackRow)>>> {
    let mut found: HashMap<Id, Vec<(Id16, PackRow)>> = HashMap::new();
    let base = index.base();
    base.scan(&mut |_, row| {
        if let Some(pack) = base.pack(row.pack)
            && packs.contains(&pack.name)
        {
            let rows = found.entry(pack.name).or_default();
            rows.push((pack.domain, row.in_pack()));
        }
        Ok(())
    })?;
    Ok(found)
}

/// Tries every frame of `bytes`, what is left of a pack, that its directory or the index (`said`) tells of.
pub fn frames(repo: &Repository, bytes: &[u8], said: &[(Id16, PackRow)]) -> Result<Frames> {
    let mut rows: BTreeMap<(u32, Id16, Id), PackRow> = BTreeMap::new();
    let mut enter = |writer: Id16, row: PackRow| {
        rows.insert((row.offset, writer, row.id), row);
    };
    said.iter().for_each(|(writer, row)| enter(*writer, *row));
    let key = ObjectKey::from_header(bytes, &repo.keyring)
        .ok()
        .filter(|k| k.kind().is_pack());
    if let Some((writer, listed)) = key.as_ref().and_then(|key| directory(key, bytes)) {
        listed.into_iter().for_each(|row| enter(writer, row));
    }
    let all: Vec<(Id16, PackRow)> = rows.into_iter().map(|((_, w, _), row)| (w, row)).collect();
    let Some(key) = key else {
        return Ok(Frames {
            bad: all,
            ..Frames::default()
        });
    };
    let opens = |(writer, row): &(Id16, PackRow)| chunk(repo, &key, bytes, writer, row).is_some();
    let (good, bad) = all.into_par_iter().partition(opens);
    Ok(Frames {
        header: Some((key.epoch(), key.kind())),
        good,
        bad,
    })
}

/// The raw bytes of one chunk of a pack.
pub fn chunk(
    repo: &Repository,
    key: &ObjectKey,
    bytes: &[u8],
    writer: &Id16,
    row: &PackRow,
) -> Option<Vec<u8>> {
    let domain = repo.keyring.domain(*writer, key.epoch()).ok()?;
    let frame = bytes.get(row.offset as usize..usize::try_from(row.end()).ok()?)?;
    open_chunk(key, &domain, row, frame).ok()
}

/// The directory, where trailer and directory open. Its MAC cannot hold in a damaged pack: ids of chunks do.
fn directory(key: &ObjectKey, bytes: &[u8]) -> Option<(Id16, Vec<PackRow>)> {
    let trailer = key.open_trailer(bytes, bytes.len() as u64).ok()?;
    let at = usize::try_from(trailer.directory_offset).ok()?;
    let frame = bytes.get(at..bytes.len().checked_sub(TRAILER_LEN)?)?;
    let rows = open_directory(key, &trailer, frame).ok()?;
    Some((trailer.writer, rows))
}
