//! The manifest names the segments of a cache folder and the index objects that they cover.
//!
//! ```text
//! magic 8 | version u32 | segments u32 | objects u32
//! segment *   name 16 | hash 32 (of all but its blocks)
//! object *    name 32 | packs u32 | (segment u32 | pack u32) *
//! BLAKE3 of all before
//! ```
//! Integers are big-endian. The file is replaced as a whole, by rename, by the one process that holds the lock.

use super::place::{SEGMENT_SUFFIX, private_file};
use super::segment::Segment;
use crate::error::{Context, Result};
use crate::id::{Id, Id16};
use std::collections::{BTreeMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

const MAGIC: [u8; 8] = *b"corso\0im";
const VERSION: u32 = 1;
const FILE: &str = "manifest";
const NEW_FILE: &str = "manifest.new";
/// Larger files are not ours.
const MAX_LEN: u64 = 1 << 30;

/// A pack of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PackRef {
    pub(crate) segment: u32,
    pub(crate) pack: u32,
}

/// Segments, and the index objects that they cover.
#[derive(Default)]
pub(crate) struct Set {
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) objects: BTreeMap<Id, Vec<PackRef>>,
}

/// A decoded manifest.
#[derive(Debug, Default, PartialEq, Eq)]
struct Manifest {
    segments: Vec<(Id16, [u8; 32])>,
    objects: Vec<(Id, Vec<PackRef>)>,
}

/// The set in `dir`, as far as it is sound: objects that need a segment which is missing or damaged are left out.
pub(crate) fn load(dir: &Path) -> Set {
    let mut bytes = read(dir);
    // Another process may replace the manifest and delete segments between our two steps.
    for _ in 0..3 {
        let manifest = bytes.as_deref().and_then(decode).unwrap_or_default();
        let segments: Vec<_> = manifest.segments.iter().map(|s| open(dir, s)).collect();
        let again = if segments.iter().all(Option::is_some) {
            None
        } else {
            read(dir)
        };
        if again.is_none() || again == bytes {
            return assemble(segments, manifest.objects);
        }
        bytes = again;
    }
    Set::default()
}

/// Replaces the manifest in `dir` by one that names `set`, and deletes what it does not name. Needs the lock.
pub(crate) fn store(dir: &Path, set: &Set) -> Result<()> {
    let (path, new) = (dir.join(FILE), dir.join(NEW_FILE));
    let write = || {
        let mut file = private_file(
            OpenOptions::new().write(true).create(true).truncate(true),
            &new,
        )?;
        file.write_all(&encode(set))?;
        drop(file);
        std::fs::rename(&new, &path)
    };
    write().context(|| format!("writing {}", path.display()))?;
    set.segments.iter().for_each(|s| s.keep());
    clean(dir, set);
    Ok(())
}

/// Deletes segment files that `set` does not use. Readers that have them open do not notice.
fn clean(dir: &Path, set: &Set) {
    let used: HashSet<String> = set
        .segments
        .iter()
        .filter_map(|s| s.name())
        .map(|n| format!("{n}{SEGMENT_SUFFIX}"))
        .collect();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name
            .to_str()
            .is_some_and(|n| n.ends_with(SEGMENT_SUFFIX) && !used.contains(n))
        {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn read(dir: &Path) -> Option<Vec<u8>> {
    let file = File::open(dir.join(FILE)).ok()?;
    let len = file.metadata().ok()?.len();
    if len > MAX_LEN {
        return None;
    }
    let mut bytes = Vec::with_capacity(len as usize);
    file.take(MAX_LEN).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn open(dir: &Path, (name, hash): &(Id16, [u8; 32])) -> Option<Arc<Segment>> {
    Segment::open(dir, name)
        .ok()
        .filter(|s| s.hash() == hash)
        .map(Arc::new)
}

/// Leaves out segments that could not be opened, and the objects that need them.
fn assemble(opened: Vec<Option<Arc<Segment>>>, objects: Vec<(Id, Vec<PackRef>)>) -> Set {
    let mut set = Set::default();
    let mut numbers = Vec::with_capacity(opened.len());
    for segment in opened {
        numbers.push(
            segment
                .as_ref()
                .map(|s| (set.segments.len() as u32, s.packs().len())),
        );
        set.segments.extend(segment);
    }
    let moved = |r: &PackRef| {
        let (segment, packs) = (*numbers.get(r.segment as usize)?)?;
        ((r.pack as usize) < packs).then_some(PackRef {
            segment,
            pack: r.pack,
        })
    };
    for (id, refs) in objects {
        if let Some(refs) = refs.iter().map(moved).collect() {
            set.objects.insert(id, refs);
        }
    }
    set
}

fn encode(set: &Set) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    // Segments in memory have no name, and nothing that is stored refers to them.
    let named: Vec<_> = set
        .segments
        .iter()
        .map(|s| (s.name().unwrap_or_default(), s.hash()))
        .collect();
    for number in [VERSION, named.len() as u32, set.objects.len() as u32] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    for (name, hash) in named {
        out.extend_from_slice(&name.0);
        out.extend_from_slice(hash);
    }
    for (id, refs) in &set.objects {
        out.extend_from_slice(&id.0);
        out.extend_from_slice(&(refs.len() as u32).to_be_bytes());
        for r in refs {
            out.extend_from_slice(&r.segment.to_be_bytes());
            out.extend_from_slice(&r.pack.to_be_bytes());
        }
    }
    let hash = blake3::hash(&out);
    out.extend_from_slice(hash.as_bytes());
    out
}

/// Nothing if `bytes` are not exactly what [`encode`] gives.
fn decode(bytes: &[u8]) -> Option<Manifest> {
    let (body, hash) = bytes.split_last_chunk::<32>()?;
    if blake3::hash(body) != *hash {
        return None;
    }
    let mut rest = body;
    if *take::<8>(&mut rest)? != MAGIC || number(&mut rest)? != VERSION {
        return None;
    }
    let (segments, objects) = (number(&mut rest)?, number(&mut rest)?);
    let mut manifest = Manifest::default();
    for _ in 0..segments {
        manifest
            .segments
            .push((Id16(*take(&mut rest)?), *take(&mut rest)?));
    }
    for _ in 0..objects {
        let id = Id(*take(&mut rest)?);
        let count = number(&mut rest)? as usize;
        let (refs, after) = rest.split_at_checked(count.checked_mul(8)?)?;
        rest = after;
        let decode_ref = |mut r: &[u8]| {
            Some(PackRef {
                segment: number(&mut r)?,
                pack: number(&mut r)?,
            })
        };
        manifest.objects.push((
            id,
            refs.chunks_exact(8)
                .map(decode_ref)
                .collect::<Option<_>>()?,
        ));
    }
    rest.is_empty().then_some(manifest)
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(head)
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    take(rest).map(|b| u32::from_be_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_every_damage_is_seen() {
        let refs = vec![
            PackRef {
                segment: 0,
                pack: 7,
            },
            PackRef {
                segment: 3,
                pack: 1,
            },
        ];
        let objects = BTreeMap::from([(Id([1; 32]), refs), (Id([2; 32]), vec![])]);
        let set = Set {
            segments: vec![],
            objects,
        };
        let bytes = encode(&set);
        let decoded = decode(&bytes).unwrap();
        assert_eq!(decoded.objects, set.objects.into_iter().collect::<Vec<_>>());
        for i in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[i] ^= 1;
            assert_eq!(decode(&damaged), None);
            assert_eq!(decode(&bytes[..i]), None);
        }
    }

    #[test]
    fn a_manifest_with_false_counts_is_refused() {
        let mut bytes = MAGIC.to_vec();
        for n in [VERSION, 0, 1] {
            bytes.extend_from_slice(&n.to_be_bytes());
        }
        bytes.extend_from_slice(&[9; 32]);
        bytes.extend_from_slice(&u32::MAX.to_be_bytes());
        let hash = blake3::hash(&bytes);
        bytes.extend_from_slice(hash.as_bytes());
        assert_eq!(decode(&bytes), None);
    }
}
