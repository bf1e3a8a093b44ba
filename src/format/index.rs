//! Index objects: which chunks are in which packs, for packs of one domain.

use super::builder::seal_payloads;
use super::container::{MAX_ROWS, ObjectKind};
use super::pack::{Object, PackRow, ROW_LEN, Sealed, decode_rows};
use crate::codec::cbor::{Reader, Writer};
use crate::crypto::{Cipher, DomainKeys, Keyring, Session};
use crate::error::{Error, Result};
use crate::id::{Id, Id16};
use std::sync::Arc;

/// Longest raw frame, bytes.
pub const MAX_FRAME: usize = 16 << 20;
/// A frame is ended when it is longer than this.
pub const FRAME_TARGET: usize = 4 << 20;
/// An object is ended when its raw frames are longer than this in all.
pub const OBJECT_TARGET: usize = 8 << 20;
/// Longest object, bytes.
pub const MAX_OBJECT: u64 = 256 << 20;

/// One pack and its chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexPack {
    /// Name of the pack.
    pub pack: Id,
    /// Length of the pack in bytes.
    pub size: u64,
    /// 1 for data, 2 for metadata.
    pub kind: u8,
    /// Its chunks, in the order of their frames.
    pub rows: Vec<PackRow>,
}

impl IndexPack {
    /// What an index object should say of the pack `name`, of `size` bytes, that was opened as `object`.
    pub fn of(name: Id, size: u64, object: &Object<'_>) -> IndexPack {
        IndexPack {
            pack: name,
            size,
            kind: object.kind() as u8,
            rows: object.rows.clone(),
        }
    }
}

/// Raw frames for `packs`, with how many packs each holds.
pub fn encode_frames(packs: &[IndexPack]) -> Result<Vec<(Vec<u8>, usize)>> {
    let mut frames = Vec::new();
    let mut rest = packs;
    while !rest.is_empty() {
        let mut size = 0;
        let fits = |p: &IndexPack| {
            let start = size;
            size += 64 + p.rows.len() * ROW_LEN;
            start == 0 || size <= FRAME_TARGET
        };
        let count = rest
            .iter()
            .map(fits)
            .take_while(|fits| *fits)
            .count()
            .max(1);
        let (now, later) = rest.split_at(count);
        frames.push((encode_frame(now)?, count));
        rest = later;
    }
    Ok(frames)
}

fn encode_frame(packs: &[IndexPack]) -> Result<Vec<u8>> {
    if packs.iter().any(|p| p.rows.len() > MAX_ROWS) {
        return Err(Error::failed("a pack has too many chunks for the index"));
    }
    let mut w = Writer::new();
    w.map(|f| {
        let w = f.key(1).array(packs.len());
        for pack in packs {
            w.array(4)
                .bytes(pack.pack)
                .u64(pack.size)
                .u64(pack.kind.into())
                .bytes(
                    pack.rows
                        .iter()
                        .flat_map(PackRow::encode)
                        .collect::<Vec<u8>>(),
                );
        }
    });
    Ok(w.into_vec())
}

/// Hands each pack of a raw frame to `each`.
pub fn decode_frame(raw: &[u8], each: &mut dyn FnMut(IndexPack) -> Result<()>) -> Result<()> {
    if raw.len() > MAX_FRAME {
        return Err(Error::damaged("a frame of an index object is too long"));
    }
    let mut r = Reader::new(raw);
    let mut seen = false;
    r.map(|key, r| {
        if key != 1 {
            return Ok(false);
        }
        seen = true;
        for _ in 0..r.array(MAX_FRAME / 40)? {
            r.array_of(4)?;
            let (pack, size, kind) = (r.id()?, r.u64()?, r.u8()?);
            let rows = decode_rows(r.bytes(MAX_ROWS * ROW_LEN)?)?;
            check(&rows, size, kind)?;
            each(IndexPack {
                pack,
                size,
                kind,
                rows,
            })?;
        }
        Ok(true)
    })?;
    r.finish()?;
    match seen {
        true => Ok(()),
        false => Err(Error::damaged("a frame of an index object lists no packs")),
    }
}

/// Rows must lie inside of their pack: readers ask for ranges by them.
fn check(rows: &[PackRow], size: u64, kind: u8) -> Result<()> {
    let inside = |r: &PackRow| r.end() <= size && r.check().is_ok();
    match matches!(kind, 1 | 2) && size <= 1 << 30 && rows.iter().all(inside) {
        true => Ok(()),
        false => Err(Error::damaged(
            "an index object describes an impossible pack",
        )),
    }
}

/// A sealed index object and the packs that it names.
pub struct SealedIndex {
    /// The object.
    pub sealed: Sealed,
    /// Names of the packs.
    pub packs: Vec<Id>,
}

/// Seals index objects that name `packs`, all of the domain of `keys`.
pub fn seal(
    packs: &[IndexPack],
    session: &Session,
    cipher: Cipher,
    keys: &Arc<DomainKeys>,
) -> Result<Vec<SealedIndex>> {
    let frames = encode_frames(packs)?;
    let mut names = packs.iter().map(|p| p.pack);
    // A frame is at most FRAME_TARGET, so this many make an object of about OBJECT_TARGET.
    let groups = frames.chunks(OBJECT_TARGET / FRAME_TARGET);
    groups
        .map(|group| {
            let raw: Vec<&[u8]> = group.iter().map(|(raw, _)| raw.as_slice()).collect();
            let count = group.iter().map(|(_, n)| n).sum();
            let sealed = seal_payloads(ObjectKind::Index, &raw, session, cipher, keys)?;
            Ok(SealedIndex {
                sealed,
                packs: names.by_ref().take(count).collect(),
            })
        })
        .collect()
}

/// Opens an index object and hands each pack to `each`, with the writer whose domain it is of. The caller has checked
/// the object's name.
///
/// # Errors
/// `RoleNeeded` where the key is of another domain, `Damaged`, and what `each` fails with.
pub fn open(
    bytes: &[u8],
    keyring: &Keyring,
    each: &mut dyn FnMut(&Id16, IndexPack) -> Result<()>,
) -> Result<()> {
    let object = Object::open_kind(bytes, keyring, ObjectKind::Index)?;
    let writer = object.trailer.writer;
    for row in &object.rows {
        if row.raw as usize > MAX_FRAME {
            return Err(Error::damaged("a frame of an index object is too long"));
        }
        decode_frame(&object.chunk(row)?, &mut |pack| each(&writer, pack))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(n: u8, rows: usize) -> IndexPack {
        let row = |i: usize| PackRow {
            id: Id([i as u8; 32]),
            offset: i as u32,
            stored: 20,
            raw: 4,
        };
        IndexPack {
            pack: Id([n; 32]),
            size: 1 << 20,
            kind: 1 + n % 2,
            rows: (0..rows).map(row).collect(),
        }
    }

    #[test]
    fn frames_round_trip_and_are_bounded() {
        let packs: Vec<_> = (0..5)
            .map(|n| pack(n, 40_000))
            .chain([pack(9, 0)])
            .collect();
        let frames = encode_frames(&packs).unwrap();
        assert!(frames.len() > 1 && frames.iter().all(|(raw, _)| raw.len() <= FRAME_TARGET));
        assert_eq!(frames.iter().map(|(_, n)| n).sum::<usize>(), packs.len());
        let mut got = Vec::new();
        for (raw, _) in &frames {
            decode_frame(raw, &mut |p| {
                got.push(p);
                Ok(())
            })
            .unwrap();
        }
        assert_eq!(got, packs);
    }

    #[test]
    fn hostile_frames_are_refused() {
        let raw = encode_frames(&[pack(1, 3)]).unwrap().remove(0).0;
        for at in 0..raw.len() {
            assert!(decode_frame(&raw[..at], &mut |_| Ok(())).is_err());
        }
        let mut outside = pack(1, 3);
        outside.rows[0].offset = u32::MAX;
        let raw = encode_frames(&[outside]).unwrap().remove(0).0;
        assert!(decode_frame(&raw, &mut |_| Ok(())).is_err());
    }
}
