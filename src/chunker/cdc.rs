//! Content-defined chunking of large files: a gear hash with normalised chunking, after FastCDC (Xia et al., USENIX
//! ATC 2016), on a gear table of the domain's own.
//!
//! The hash at a position is the sum over the 64 bytes before it of `gear[byte] << age`, where age 0 is the byte just
//! before. Whether a chunk may end at a position thus depends on those 64 bytes and on nothing else, so chunks fall
//! back into step soon after an insertion, and cut points do not depend on how the data arrives.

use crate::codec::spare;
use crate::error::{Error, Result};
use std::io::{self, Read};
use zeroize::Zeroizing;

/// Bytes that the hash looks back on: a byte has been shifted out of 64 bits after as many steps.
const WINDOW: usize = 64;
/// Largest `max` of [`Params`], bytes; readers allow no larger chunk.
pub const MAX_CHUNK: usize = 64 << 20;

/// Chunk sizes in bytes; see [`Params::check`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// No chunk but the last of a file is shorter.
    pub min: usize,
    /// Up to here cuts are made less likely, from here on more likely.
    pub avg: usize,
    /// No chunk is longer.
    pub max: usize,
}

impl Default for Params {
    /// 512 KiB, 1 MiB, 8 MiB.
    fn default() -> Self {
        Params {
            min: 512 << 10,
            avg: 1 << 20,
            max: 8 << 20,
        }
    }
}

impl Params {
    /// Requires 64 <= min < avg < max <= 64 MiB.
    pub fn check(&self) -> Result<()> {
        if self.min >= WINDOW && self.min < self.avg && self.avg < self.max && self.max <= MAX_CHUNK
        {
            return Ok(());
        }
        let Params { min, avg, max } = self;
        Err(Error::damaged(format!(
            "chunk sizes {min}, {avg}, {max} are not in order or out of range (64 bytes to 64 MiB)"
        )))
    }
}

/// Finds cut points for one domain: the gear table, sizes and masks.
pub struct Cdc {
    gear: Zeroizing<[u64; 256]>,
    params: Params,
    /// Before `avg` and from there on: the top bits of the hash that must be zero for a cut.
    masks: [u64; 2],
}

impl Cdc {
    /// `key` is the domain's chunker key.
    ///
    /// The table is 2048 bytes of keyed BLAKE3 output over `corso/1/gear`, as 256 big-endian words. The masks are the
    /// top b + 2 and the top b - 2 bits, where b is the logarithm of `avg` to base 2, rounded down.
    pub fn new(params: Params, key: &[u8; 32]) -> Result<Self> {
        params.check()?;
        let mut bytes = Zeroizing::new([0u8; 2048]);
        blake3::Hasher::new_keyed(key)
            .update(b"corso/1/gear")
            .finalize_xof()
            .fill(bytes.as_mut());
        let mut gear = Zeroizing::new([0u64; 256]);
        let (words, _) = bytes.as_chunks::<8>();
        for (word, bytes) in gear.iter_mut().zip(words) {
            *word = u64::from_be_bytes(*bytes);
        }
        let bits = params.avg.ilog2();
        let top = |n: u32| !(u64::MAX >> n);
        Ok(Cdc {
            gear,
            params,
            masks: [top(bits + 2), top(bits - 2)],
        })
    }

    /// The sizes.
    pub fn params(&self) -> Params {
        self.params
    }

    /// Length of the chunk that starts `data`. `None`: no cut in `data` yet, more is needed; or `data` is empty.
    /// With `eof`, all of the rest is there, and what has no cut is the last chunk.
    pub fn cut(&self, data: &[u8], eof: bool) -> Option<usize> {
        self.cut_from(data, 0, eof)
    }

    /// As [`Self::cut`], when it is known that no cut lies in the first `scanned` bytes.
    fn cut_from(&self, data: &[u8], scanned: usize, eof: bool) -> Option<usize> {
        let Params { min, avg, max } = self.params;
        let limit = data.len().min(max);
        let start = min.max(scanned + 1);
        let found = self.search(data, start, limit.min(avg - 1), self.masks[0]);
        let found = found.or_else(|| self.search(data, start.max(avg), limit, self.masks[1]));
        match found {
            Some(n) => Some(n),
            None if data.len() >= max => Some(max),
            None if eof && !data.is_empty() => Some(data.len()),
            None => None,
        }
    }

    /// The first length n, `from` <= n <= `to` <= data.len(), where the bits of `mask` are zero in the hash of the
    /// 64 bytes before. `from` is at least 64.
    fn search(&self, data: &[u8], from: usize, to: usize, mask: u64) -> Option<usize> {
        let gear: &[u64; 256] = &self.gear;
        let step = |hash: u64, byte: u8| (hash << 1).wrapping_add(gear[usize::from(byte)]);
        // The byte before position `from` is the first that can complete a cut.
        let warm = data.get(from.checked_sub(WINDOW)?..from.checked_sub(1)?)?;
        let mut hash = warm.iter().fold(0, |hash, byte| step(hash, *byte));
        let range = data.get(from - 1..to)?;
        let (blocks, tail) = range.as_chunks::<8>();
        for (i, block) in blocks.iter().enumerate() {
            for (j, byte) in block.iter().enumerate() {
                hash = step(hash, *byte);
                if hash & mask == 0 {
                    return Some(from + i * 8 + j);
                }
            }
        }
        for (j, byte) in tail.iter().enumerate() {
            hash = step(hash, *byte);
            if hash & mask == 0 {
                return Some(from + blocks.len() * 8 + j);
            }
        }
        None
    }
}

/// Cuts what a reader gives into chunks. Holds one chunk and one block of reading ahead, no more.
///
/// Cut points depend on the bytes only. The end is where the reader first returns 0 bytes; compare
/// [`Self::bytes_read`] with the length that was expected to see a file that shrank or grew.
pub struct Chunker<'c, R> {
    cdc: &'c Cdc,
    reader: R,
    buffer: Vec<u8>,
    /// So many bytes at the start of `buffer` hold no cut.
    scanned: usize,
    block: usize,
    total: u64,
    ended: bool,
}

impl<'c, R: Read> Chunker<'c, R> {
    /// Reads `reader` to its end, in blocks of a quarter of the average chunk, 4 to 256 KiB.
    pub fn new(cdc: &'c Cdc, reader: R) -> Self {
        let block = (cdc.params.avg / 4).clamp(4 << 10, 256 << 10);
        Chunker {
            cdc,
            reader,
            buffer: Vec::new(),
            scanned: 0,
            block,
            total: 0,
            ended: false,
        }
    }

    /// The next chunk; `None` at the end. An error is the reader's own and ends the chunks: what was read and not yet
    /// returned is dropped, since it would be cut in the wrong place.
    pub fn next_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(len) = self.cdc.cut_from(&self.buffer, self.scanned, self.ended) {
                return Ok(Some(self.take(len)));
            }
            if self.ended {
                return Ok(None);
            }
            self.scanned = self.buffer.len();
            self.fill()?;
        }
    }

    /// Bytes that the reader has given so far.
    pub fn bytes_read(&self) -> u64 {
        self.total
    }

    /// The first `len` bytes of the buffer; the rest stays for the next chunk.
    fn take(&mut self, len: usize) -> Vec<u8> {
        // After the last chunk nothing comes.
        let room = match self.ended && len == self.buffer.len() {
            true => 0,
            false => self.cdc.params.avg + self.block,
        };
        let mut rest = spare::take(room);
        rest.extend_from_slice(self.buffer.get(len..).unwrap_or_default());
        self.buffer.truncate(len);
        self.scanned = 0;
        std::mem::replace(&mut self.buffer, rest)
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.reserve(self.block);
        let before = self.buffer.len();
        let read = self
            .reader
            .by_ref()
            .take(self.block as u64)
            .read_to_end(&mut self.buffer);
        let got = self.buffer.len() - before;
        self.total += got as u64;
        // `read_to_end` stops short of the block only at the end of the file, or at an error.
        self.ended = got < self.block || read.is_err();
        if read.is_err() {
            self.buffer.clear();
        }
        read.map(|_| ())
    }
}

impl<R: Read> Iterator for Chunker<'_, R> {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_chunk().transpose()
    }
}

#[cfg(test)]
mod tests;
