//! One immutable segment: sorted rows in checked blocks, read by offset.
//!
//! ```text
//! block *            4,096 bytes: 85 rows of 48 bytes | first 16 bytes of their BLAKE3, keyed with
//!                    nonce | block number u64 | 8 zero bytes
//! pack *             77 bytes: name 32 | domain 16 | size u64 | kind u8 | rows u32 | digest 16
//! fence *            8 bytes: the first 8 bytes of the first id of each block
//! filter word *      8 bytes
//! footer             80 bytes: magic 8 | version u32 | packs u32 | rows u64 | filter lines u64 | nonce 16 |
//!                    BLAKE3 of all from the first pack up to here
//! row                id 32 | pack u32 | offset u32 | stored u32 | raw u32
//! ```
//! All integers are big-endian. The last block is filled up with zero bytes. Blocks come first so that a segment is
//! written in one pass; everything but the blocks is held in memory.

use super::filter::{Filter, LINE_WORDS, word};
use super::place::Medium;
use super::{Pack, Row};
use crate::error::{Error, Result};
use crate::id::{Id, Id16};
use std::path::Path;

pub(crate) const BLOCK: usize = 4096;
pub(crate) const ROW: usize = 48;
pub(crate) const ROWS_PER_BLOCK: usize = 85;
pub(super) const ROWS_BYTES: usize = ROW * ROWS_PER_BLOCK;
pub(super) const PACK: usize = 77;
pub(super) const FOOTER: usize = 80;
pub(super) const MAGIC: [u8; 8] = *b"corso\0is";
pub(super) const VERSION: u32 = 1;

/// An open segment. Any number of threads may read it.
pub struct Segment {
    pub(super) medium: Medium,
    pub(super) rows: u64,
    pub(super) nonce: Id16,
    pub(super) fences: Vec<u64>,
    pub(super) filter: Filter,
    pub(super) packs: Vec<Pack>,
    /// BLAKE3 of all but the blocks: what the manifest knows the segment by.
    pub(super) hash: [u8; 32],
}

impl Segment {
    /// Opens the segment file `name` in `dir`. [`crate::error::Kind::Damaged`] when it is not what was written.
    pub(crate) fn open(dir: &Path, name: &Id16) -> Result<Segment> {
        let medium =
            Medium::open(dir, name).map_err(|e| Error::io(format!("opening segment {name}"), e))?;
        Segment::read(medium)
    }

    /// Reads everything but the blocks. Every length is held against the length of the file before it is used.
    fn read(medium: Medium) -> Result<Segment> {
        let bad = || {
            Error::damaged(format!(
                "{} is no segment of the index cache",
                medium.describe()
            ))
        };
        let len = medium.len()?;
        let meta_end = len.checked_sub(FOOTER as u64).ok_or_else(bad)?;
        let mut footer = [0; FOOTER];
        medium.read_at(meta_end, &mut footer)?;
        if footer[..8] != MAGIC || be32(&footer[8..]) != VERSION {
            return Err(bad());
        }
        let (packs, rows, lines) = (
            be32(&footer[12..]),
            be64(&footer[16..]),
            be64(&footer[24..]),
        );
        let blocks = rows.div_ceil(ROWS_PER_BLOCK as u64);
        let sizes = [
            (u64::from(packs), PACK),
            (blocks, 8),
            (lines, 8 * LINE_WORDS),
            (blocks, BLOCK),
        ];
        let mut total = 0u64;
        for (count, size) in sizes {
            total = count
                .checked_mul(size as u64)
                .and_then(|n| total.checked_add(n))
                .ok_or_else(bad)?;
        }
        if total != meta_end {
            return Err(bad());
        }
        let meta_start = blocks * BLOCK as u64;
        let mut meta = vec![0; usize::try_from(meta_end - meta_start).map_err(|_| bad())?];
        medium.read_at(meta_start, &mut meta)?;
        let hash = meta_hash(&meta, &footer);
        if footer[48..] != hash {
            return Err(bad());
        }
        let (pack_bytes, rest) = meta.split_at(packs as usize * PACK);
        let (fence_bytes, filter_bytes) = rest.split_at(blocks as usize * 8);
        Ok(Segment {
            rows,
            nonce: Id16::from_slice(&footer[32..48])?,
            packs: pack_bytes.chunks_exact(PACK).map(decode_pack).collect(),
            fences: fence_bytes.chunks_exact(8).map(be64).collect(),
            filter: Filter::from_words(filter_bytes.chunks_exact(8).map(be64).collect()),
            hash,
            medium,
        })
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The table of packs that rows refer to.
    pub(crate) fn packs(&self) -> &[Pack] {
        &self.packs
    }

    pub(crate) fn name(&self) -> Option<Id16> {
        self.medium.name()
    }

    pub(crate) fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// The file stays when the last user is gone.
    pub(crate) fn keep(&self) {
        self.medium.keep();
    }

    /// Bytes held in memory.
    pub fn heap(&self) -> usize {
        self.fences.capacity() * 8
            + self.filter.words().len() * 8
            + self.packs.capacity() * size_of::<Pack>()
            + self.medium.heap()
    }

    /// Adds all rows of `id` to `found`.
    pub(crate) fn lookup(&self, id: &Id, found: &mut Vec<Row>) -> Result<()> {
        self.find(id, &mut |_, row| found.push(row))
    }

    /// Calls `each` with every row of `id`, and where in the segment it is.
    pub(crate) fn find(&self, id: &Id, each: &mut dyn FnMut(u64, Row)) -> Result<()> {
        if self.rows == 0 || !self.filter.may_contain(id) {
            return Ok(());
        }
        let mut block = Block::new();
        for number in self.first_block(id, &mut block)?..self.fences.len() {
            if self.fences[number] > word(id, 0) {
                break;
            }
            block.load(self, number)?;
            let rows = block.rows();
            let start = rows.partition_point(|r| r[..32] < id.0[..]);
            let matches = rows[start..].iter().take_while(|r| r[..32] == id.0[..]);
            let first = (number * ROWS_PER_BLOCK + start) as u64;
            (first..)
                .zip(matches)
                .for_each(|(at, row)| each(at, decode_row(row)));
            if rows.last().is_some_and(|r| r[..32] > id.0[..]) {
                break;
            }
        }
        Ok(())
    }

    /// The first block that can hold `id`. Reads blocks only where many share the first 8 bytes of an id.
    fn first_block(&self, id: &Id, block: &mut Block) -> Result<usize> {
        let key = word(id, 0);
        let mut low = self.fences.partition_point(|&f| f < key).saturating_sub(1);
        let mut high = self.fences.partition_point(|&f| f <= key).saturating_sub(1);
        // The block before the first whose first id is not less.
        while high.saturating_sub(low) > 1 {
            let middle = low + (high - low) / 2;
            block.load(self, middle)?;
            match block.rows().first() {
                Some(first) if first[..32] < id.0[..] => low = middle,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// Error for a block that does not check; the file is deleted so that the next sync builds it anew.
    fn damaged(&self) -> Error {
        self.medium.discard();
        Error::damaged(format!(
            "the index cache is damaged ({})",
            self.medium.describe()
        ))
        .hint("it has been dropped, and is rebuilt from the repository by the next run")
    }
}

/// Room for one block.
pub(crate) struct Block {
    bytes: Box<[u8; BLOCK]>,
    rows: usize,
}

impl Block {
    pub(crate) fn new() -> Block {
        Block {
            bytes: Box::new([0; BLOCK]),
            rows: 0,
        }
    }

    /// Reads and checks block `number` of `segment`.
    pub(crate) fn load(&mut self, segment: &Segment, number: usize) -> Result<()> {
        let before = (number * ROWS_PER_BLOCK) as u64;
        self.rows = segment
            .rows
            .saturating_sub(before)
            .min(ROWS_PER_BLOCK as u64) as usize;
        let read = segment
            .medium
            .read_at((number * BLOCK) as u64, &mut self.bytes[..]);
        match read {
            Err(e) if e.kind() == crate::error::Kind::Damaged => return Err(segment.damaged()),
            other => other?,
        }
        let check = block_check(&segment.nonce, number as u64, &self.bytes[..ROWS_BYTES]);
        if self.bytes[ROWS_BYTES..] != check {
            return Err(segment.damaged());
        }
        Ok(())
    }

    /// The encoded rows.
    pub(crate) fn rows(&self) -> &[[u8; ROW]] {
        &self.bytes.as_chunks::<ROW>().0[..self.rows]
    }
}

/// Reads a segment's rows in order.
pub(crate) struct Scan<'a> {
    segment: &'a Segment,
    block: Block,
    next_block: usize,
    next_row: usize,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(segment: &'a Segment) -> Scan<'a> {
        Scan {
            segment,
            block: Block::new(),
            next_block: 0,
            next_row: 0,
        }
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Result<Row>> {
        while self.next_row >= self.block.rows {
            if self.next_block >= self.segment.fences.len() {
                return None;
            }
            if let Err(e) = self.block.load(self.segment, self.next_block) {
                self.next_block = usize::MAX;
                return Some(Err(e));
            }
            self.next_block += 1;
            self.next_row = 0;
        }
        self.next_row += 1;
        Some(Ok(decode_row(&self.block.rows()[self.next_row - 1])))
    }
}

pub(super) fn meta_hash(meta: &[u8], footer: &[u8; FOOTER]) -> [u8; 32] {
    *blake3::Hasher::new()
        .update(meta)
        .update(&footer[..48])
        .finalize()
        .as_bytes()
}

/// Keyed with nonce and number, so that a block counts only where it was written.
pub(super) fn block_check(nonce: &Id16, number: u64, rows: &[u8]) -> [u8; 16] {
    let mut key = [0; 32];
    key[..16].copy_from_slice(&nonce.0);
    key[16..24].copy_from_slice(&number.to_be_bytes());
    let mut check = [0; 16];
    check.copy_from_slice(&blake3::keyed_hash(&key, rows).as_bytes()[..16]);
    check
}

fn decode_row(bytes: &[u8; ROW]) -> Row {
    let mut id = Id::ZERO;
    id.0.copy_from_slice(&bytes[..32]);
    let number = |at: usize| be32(&bytes[at..]);
    Row {
        id,
        pack: number(32),
        offset: number(36),
        stored: number(40),
        raw: number(44),
    }
}

/// `bytes` has the length [`PACK`].
fn decode_pack(bytes: &[u8]) -> Pack {
    let (mut name, mut domain, mut digest) = (Id::ZERO, Id16::ZERO, [0; 16]);
    name.0.copy_from_slice(&bytes[..32]);
    domain.0.copy_from_slice(&bytes[32..48]);
    digest.copy_from_slice(&bytes[61..77]);
    Pack {
        name,
        domain,
        size: be64(&bytes[48..]),
        kind: bytes[56],
        rows: be32(&bytes[57..]),
        digest,
    }
}

/// The first 4 bytes of a slice known to have them.
fn be32(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// The first 8 bytes of a slice known to have them.
fn be64(bytes: &[u8]) -> u64 {
    u64::from(be32(bytes)) << 32 | u64::from(be32(&bytes[4..]))
}
