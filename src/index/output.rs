//! Writes one segment; its layout is described in [`super::segment`].

use super::filter::{Filter, LINE_WORDS, word};
use super::place::Medium;
use super::segment::{
    BLOCK, FOOTER, MAGIC, PACK, ROWS_BYTES, ROWS_PER_BLOCK, Segment, VERSION, block_check,
    meta_hash,
};
use super::{Pack, Row};
use crate::error::{Error, Result};
use crate::id::Id16;

/// Writes a segment in one pass from rows in order.
pub(crate) struct Output {
    medium: Medium,
    nonce: Id16,
    rows: u64,
    fences: Vec<u64>,
    filter: Filter,
    buffer: Vec<u8>,
    /// Where the block being filled begins in `buffer`.
    block: usize,
}

/// Whole blocks are written together up to this many bytes.
const WRITE: usize = 64 * BLOCK;

impl Output {
    /// `rows` is how many will come; more are accepted, and only make the filter worse.
    pub(crate) fn new(medium: Medium, rows: u64) -> Result<Output> {
        Ok(Output {
            medium,
            nonce: Id16::random()?,
            rows: 0,
            fences: Vec::with_capacity(rows.div_ceil(ROWS_PER_BLOCK as u64) as usize),
            filter: Filter::new(rows),
            buffer: Vec::with_capacity(WRITE),
            block: 0,
        })
    }

    pub(crate) fn push(&mut self, row: &Row) -> Result<()> {
        if self.buffer.len() == self.block {
            self.fences.push(word(&row.id, 0));
        }
        self.filter.insert(&row.id);
        self.buffer.extend_from_slice(&row.id.0);
        for number in [row.pack, row.offset, row.stored, row.raw] {
            self.buffer.extend_from_slice(&number.to_be_bytes());
        }
        self.rows += 1;
        if self.buffer.len() - self.block == ROWS_BYTES {
            self.end_block()
        } else {
            Ok(())
        }
    }

    fn end_block(&mut self) -> Result<()> {
        self.buffer.resize(self.block + ROWS_BYTES, 0);
        let check = block_check(
            &self.nonce,
            self.fences.len() as u64 - 1,
            &self.buffer[self.block..],
        );
        self.buffer.extend_from_slice(&check);
        self.block = self.buffer.len();
        if self.buffer.len() < WRITE {
            return Ok(());
        }
        self.block = 0;
        let done = self.medium.append(&self.buffer);
        self.buffer.clear();
        done
    }

    /// Ends the segment, whose rows refer to `packs`.
    pub(crate) fn finish(mut self, packs: Vec<Pack>) -> Result<Segment> {
        if self.buffer.len() > self.block {
            self.end_block()?;
        }
        self.medium.append(&self.buffer)?;
        let mut meta = Vec::with_capacity(
            packs.len() * PACK + (self.fences.len() + self.filter.words().len()) * 8,
        );
        packs.iter().for_each(|p| encode_pack(p, &mut meta));
        for number in self.fences.iter().chain(self.filter.words()) {
            meta.extend_from_slice(&number.to_be_bytes());
        }
        let too_many = |_| Error::failed("an index segment would have too many packs");
        let mut footer = [0; FOOTER];
        footer[..8].copy_from_slice(&MAGIC);
        footer[8..12].copy_from_slice(&VERSION.to_be_bytes());
        footer[12..16]
            .copy_from_slice(&u32::try_from(packs.len()).map_err(too_many)?.to_be_bytes());
        footer[16..24].copy_from_slice(&self.rows.to_be_bytes());
        footer[24..32]
            .copy_from_slice(&((self.filter.words().len() / LINE_WORDS) as u64).to_be_bytes());
        footer[32..48].copy_from_slice(&self.nonce.0);
        let hash = meta_hash(&meta, &footer);
        footer[48..].copy_from_slice(&hash);
        self.medium.append(&meta)?;
        self.medium.append(&footer)?;
        let Output {
            medium,
            nonce,
            rows,
            fences,
            filter,
            ..
        } = self;
        Ok(Segment {
            medium,
            rows,
            nonce,
            fences,
            filter,
            packs,
            hash,
        })
    }
}

fn encode_pack(pack: &Pack, out: &mut Vec<u8>) {
    out.extend_from_slice(&pack.name.0);
    out.extend_from_slice(&pack.domain.0);
    out.extend_from_slice(&pack.size.to_be_bytes());
    out.push(pack.kind);
    out.extend_from_slice(&pack.rows.to_be_bytes());
    out.extend_from_slice(&pack.digest);
}
