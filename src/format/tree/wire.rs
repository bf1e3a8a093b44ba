//! Deterministic CBOR (RFC 8949, 4.2.1) for nodes, entries and lists: the few forms that the tree uses.
//!
//! Reading borrows from the input and never allocates; a length is compared with what is left of the input
//! before anything else is done with it. Numbers must have their shortest form, lengths must be definite.

use crate::error::{Error, Result};

const UINT: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;

/// The shortest head of an item of `major` type with argument `n`.
fn put_head(out: &mut Vec<u8>, major: u8, n: u64) {
    let major = major << 5;
    match n {
        0..=0x17 => out.push(major | n as u8),
        0x18..=0xff => out.extend_from_slice(&[major | 0x18, n as u8]),
        0x100..=0xffff => {
            out.push(major | 0x19);
            out.extend_from_slice(&(n as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 0x1a);
            out.extend_from_slice(&(n as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 0x1b);
            out.extend_from_slice(&n.to_be_bytes());
        }
    }
}

/// Length of the head that [`put_head`] writes for `n`.
pub fn head_len(n: u64) -> usize {
    match n {
        0..=0x17 => 1,
        0x18..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

/// An unsigned integer.
pub fn put_uint(out: &mut Vec<u8>, n: u64) {
    put_head(out, UINT, n);
}

/// A signed integer.
pub fn put_int(out: &mut Vec<u8>, n: i64) {
    if n < 0 {
        put_head(out, NEGATIVE, !n as u64)
    } else {
        put_head(out, UINT, n as u64)
    }
}

/// A byte string.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_head(out, BYTES, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The head of an array of `n` items.
pub fn put_array(out: &mut Vec<u8>, n: usize) {
    put_head(out, ARRAY, n as u64);
}

/// The head of a map of `n` pairs.
pub fn put_map(out: &mut Vec<u8>, n: usize) {
    put_head(out, MAP, n as u64);
}

/// The simple value `true`.
pub fn put_true(out: &mut Vec<u8>) {
    out.push(0xf5);
}

/// Reads items one after another from a slice.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    data: &'a [u8],
    pos: usize,
}

fn damaged(what: &str) -> Error {
    Error::damaged(format!("malformed CBOR: {what}"))
}

impl<'a> Reader<'a> {
    /// Reads from the start of `data`.
    pub fn new(data: &'a [u8]) -> Self {
        Reader { data, pos: 0 }
    }

    /// Reads `data` from `pos` on; `pos` came from [`Self::position`].
    pub fn at(data: &'a [u8], pos: usize) -> Self {
        Reader {
            data,
            pos: pos.min(data.len()),
        }
    }

    /// Bytes consumed so far.
    pub fn position(&self) -> usize {
        self.pos
    }

    fn left(&self) -> usize {
        self.data.len() - self.pos
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let part = self
            .pos
            .checked_add(n)
            .and_then(|end| self.data.get(self.pos..end));
        let part = part.ok_or_else(|| damaged("it ends too early"))?;
        self.pos += n;
        Ok(part)
    }

    /// Major type and argument of the next item.
    fn head(&mut self) -> Result<(u8, u64)> {
        let first = match self.take(1)? {
            [b] => *b,
            _ => return Err(damaged("it ends too early")),
        };
        let size = match first & 0x1f {
            small @ 0..=0x17 => return Ok((first >> 5, u64::from(small))),
            info @ 0x18..=0x1b => 1usize << (info - 0x18),
            _ => return Err(damaged("a length is not definite")),
        };
        let n = self
            .take(size)?
            .iter()
            .fold(0u64, |n, b| n << 8 | u64::from(*b));
        // Floats (of major type 7) occur only in values of unknown keys.
        if first >> 5 != SIMPLE && head_len(n) != 1 + size {
            return Err(damaged("a number is not in its shortest form"));
        }
        Ok((first >> 5, n))
    }

    fn expect(&mut self, major: u8, what: &str) -> Result<u64> {
        match self.head()? {
            (m, n) if m == major => Ok(n),
            _ => Err(damaged(&format!("{what} expected"))),
        }
    }

    /// The next item, an unsigned integer.
    pub fn uint(&mut self) -> Result<u64> {
        self.expect(UINT, "an unsigned integer")
    }

    /// The next item, an unsigned integer below 2^32.
    pub fn uint32(&mut self) -> Result<u32> {
        u32::try_from(self.uint()?).map_err(|_| damaged("a number is too large"))
    }

    /// The next item, a signed integer of 64 bits.
    pub fn int(&mut self) -> Result<i64> {
        let (major, n) = self.head()?;
        let n = i64::try_from(n).map_err(|_| damaged("a number is too large"))?;
        match major {
            UINT => Ok(n),
            NEGATIVE => Ok(!n),
            _ => Err(damaged("an integer expected")),
        }
    }

    /// The next item, a byte string of at most `max` bytes.
    pub fn bytes(&mut self, max: usize) -> Result<&'a [u8]> {
        let n = self.expect(BYTES, "a byte string")?;
        match usize::try_from(n) {
            Ok(n) if n <= max => self.take(n),
            _ => Err(damaged("a byte string is too long")),
        }
    }

    /// The next item, a byte string of exactly `N` bytes.
    pub fn fixed<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.bytes(N)?
            .try_into()
            .map_err(|_| damaged("a byte string is too short"))
    }

    /// Head of an array; its length cannot exceed the bytes left, since an item has at least one.
    pub fn array(&mut self) -> Result<usize> {
        let n = self.expect(ARRAY, "an array")?;
        self.bounded(n, 1)
    }

    /// Head of an array of exactly `n` items.
    pub fn array_of(&mut self, n: usize) -> Result<()> {
        if self.array()? == n {
            Ok(())
        } else {
            Err(damaged(&format!("an array of {n} expected")))
        }
    }

    /// Head of a map: the number of pairs.
    pub fn map(&mut self) -> Result<usize> {
        let n = self.expect(MAP, "a map")?;
        self.bounded(n, 2)
    }

    fn bounded(&self, n: u64, each: u64) -> Result<usize> {
        if n.checked_mul(each)
            .is_none_or(|bytes| bytes > self.left() as u64)
        {
            return Err(damaged("an array or map is longer than its container"));
        }
        Ok(n as usize)
    }

    /// The next item, `true`. `false` is left out where it is the default, so it is not a valid value.
    pub fn truth(&mut self) -> Result<()> {
        if self.take(1)? == [0xf5] {
            Ok(())
        } else {
            Err(damaged("true expected"))
        }
    }

    /// Is the next item a byte string?
    pub fn at_bytes(&self) -> bool {
        self.data.get(self.pos).is_some_and(|b| b >> 5 == BYTES)
    }

    /// Passes over one item of any type, whatever its nesting, without recursion.
    pub fn skip(&mut self) -> Result<()> {
        let mut items = 1u64;
        while items > 0 {
            items -= 1;
            let (major, n) = self.head()?;
            match major {
                UINT | NEGATIVE | SIMPLE => {}
                ARRAY => items += self.bounded(n, 1)? as u64,
                MAP => items += 2 * self.bounded(n, 2)? as u64,
                TAG => items += 1,
                _ => {
                    let n = usize::try_from(n).map_err(|_| damaged("a string is too long"))?;
                    self.take(n)?;
                }
            }
        }
        Ok(())
    }

    /// Nothing may follow.
    pub fn end(&self) -> Result<()> {
        if self.left() == 0 {
            Ok(())
        } else {
            Err(damaged("bytes follow its end"))
        }
    }
}

/// Walks a map's pairs, with strictly ascending unsigned keys.
pub struct Keys {
    left: usize,
    last: Option<u64>,
}

impl Keys {
    /// Reads the map's head.
    pub fn new(r: &mut Reader<'_>) -> Result<Self> {
        Ok(Keys {
            left: r.map()?,
            last: None,
        })
    }

    /// The next key; the caller then reads or skips its value.
    pub fn next(&mut self, r: &mut Reader<'_>) -> Result<Option<u64>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let key = r.uint()?;
        if self.last.is_some_and(|last| last >= key) {
            return Err(damaged("the keys of a map do not ascend"));
        }
        self.last = Some(key);
        Ok(Some(key))
    }
}
