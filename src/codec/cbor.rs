//! Deterministic CBOR (RFC 8949, section 4.2.1) over `minicbor`: shortest integers, definite lengths, maps with
//! ascending unsigned integer keys.
//!
//! [`Writer`] can produce nothing else and [`Reader`] accepts nothing else, so every structure has exactly one
//! encoding. Unknown map keys are skipped, whatever their values hold (up to a nesting of [`MAX_DEPTH`]).
//! Only integers, byte strings, text, arrays, maps, booleans and null exist in the format.

use crate::error::{Error, Result};
use crate::id::{Id, Id16};
use minicbor::{Decoder, Encoder};

/// How deeply arrays and maps may nest inside a value that is skipped.
pub const MAX_DEPTH: usize = 16;

/// Encodes into a buffer of its own. Writing cannot fail.
pub struct Writer(Encoder<Vec<u8>>);

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// An empty writer with room for `bytes`.
    pub fn with_capacity(bytes: usize) -> Self {
        Writer(Encoder::new(Vec::with_capacity(bytes)))
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.0.writer().len()
    }

    /// Nothing written yet?
    pub fn is_empty(&self) -> bool {
        self.0.writer().is_empty()
    }

    /// The encoding.
    pub fn into_vec(self) -> Vec<u8> {
        self.0.into_writer()
    }

    /// An unsigned integer.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        infallible(self.0.u64(value));
        self
    }

    /// A signed integer.
    pub fn i64(&mut self, value: i64) -> &mut Self {
        infallible(self.0.i64(value));
        self
    }

    /// A byte string.
    pub fn bytes(&mut self, value: impl AsRef<[u8]>) -> &mut Self {
        infallible(self.0.bytes(value.as_ref()));
        self
    }

    /// A text string.
    pub fn text(&mut self, value: &str) -> &mut Self {
        infallible(self.0.str(value));
        self
    }

    /// A boolean.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        infallible(self.0.bool(value));
        self
    }

    /// The head of an array of `count` items, which the caller writes next.
    pub fn array(&mut self, count: usize) -> &mut Self {
        infallible(self.0.array(count as u64));
        self
    }

    /// An item that is encoded already.
    pub fn raw(&mut self, item: &[u8]) -> &mut Self {
        self.0.writer_mut().extend_from_slice(item);
        self
    }

    /// A map; `fields` writes them in ascending order of their keys. At most 23 fields.
    pub fn map(&mut self, fields: impl FnOnce(&mut Fields<'_>)) -> &mut Self {
        let head = self.len();
        infallible(self.0.map(0));
        let mut map = Fields {
            writer: self,
            count: 0,
            last: None,
        };
        fields(&mut map);
        let count = map.count;
        assert!(
            count < 24,
            "a map of more than 23 fields needs a longer head"
        );
        // The head of a short map is one byte, 0xa0 + count: patched once the count is known.
        if let Some(byte) = self.0.writer_mut().get_mut(head) {
            *byte += count;
        }
        self
    }
}

/// The buffer is a `Vec`, whose error type has no values.
fn infallible<T>(result: Result<T, minicbor::encode::Error<std::convert::Infallible>>) {
    debug_assert!(result.is_ok(), "writing to memory");
}

/// The fields of a map being written.
pub struct Fields<'w> {
    writer: &'w mut Writer,
    count: u8,
    last: Option<u64>,
}

impl Fields<'_> {
    /// Writes `key`; the caller must write exactly one value to what is returned.
    pub fn key(&mut self, key: u64) -> &mut Writer {
        debug_assert!(
            self.last.is_none_or(|last| last < key),
            "map keys must ascend"
        );
        self.last = Some(key);
        self.count += 1;
        self.writer.u64(key)
    }

    /// An unsigned integer.
    pub fn u64(&mut self, key: u64, value: u64) {
        self.key(key).u64(value);
    }

    /// An unsigned integer, left out when it is zero.
    pub fn u64_nonzero(&mut self, key: u64, value: u64) {
        if value != 0 {
            self.u64(key, value);
        }
    }

    /// A signed integer.
    pub fn i64(&mut self, key: u64, value: i64) {
        self.key(key).i64(value);
    }

    /// A byte string (ids, too).
    pub fn bytes(&mut self, key: u64, value: impl AsRef<[u8]>) {
        self.key(key).bytes(value);
    }

    /// A text string.
    pub fn text(&mut self, key: u64, value: &str) {
        self.key(key).text(value);
    }
}

const UINT: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const SIMPLE: u8 = 7;

/// The first bytes of an item: its major type, argument, and the length of both.
struct Head {
    major: u8,
    argument: u64,
    len: usize,
}

/// Decodes a buffer; every error is [`crate::error::Kind::Damaged`] and names the position.
pub struct Reader<'b> {
    decoder: Decoder<'b>,
}

impl<'b> Reader<'b> {
    /// Reads from the start of `input`.
    pub fn new(input: &'b [u8]) -> Self {
        Reader {
            decoder: Decoder::new(input),
        }
    }

    /// Bytes consumed so far.
    pub fn position(&self) -> usize {
        self.decoder.position()
    }

    /// What is left.
    pub fn rest(&self) -> &'b [u8] {
        self.decoder
            .input()
            .get(self.position()..)
            .unwrap_or_default()
    }

    /// Must be called last: anything left over is damage.
    pub fn finish(self) -> Result<()> {
        match self.rest().len() {
            0 => Ok(()),
            n => Err(self.error(&format!("{n} bytes follow the last item"))),
        }
    }

    /// An unsigned integer.
    pub fn u64(&mut self) -> Result<u64> {
        self.expect(UINT, "an unsigned integer")?;
        self.decoder.u64().map_err(bad)
    }

    /// An unsigned integer below 2^32.
    pub fn u32(&mut self) -> Result<u32> {
        let at = self.position();
        u32::try_from(self.u64()?).map_err(|_| error_at(at, "an integer is too large"))
    }

    /// An unsigned integer below 2^8.
    pub fn u8(&mut self) -> Result<u8> {
        let at = self.position();
        u8::try_from(self.u64()?).map_err(|_| error_at(at, "an integer is too large"))
    }

    /// A signed integer.
    pub fn i64(&mut self) -> Result<i64> {
        let head = self.head()?;
        if head.major != UINT && head.major != NEGATIVE {
            return Err(self.error("expected an integer"));
        }
        self.decoder.i64().map_err(bad)
    }

    /// A boolean.
    pub fn bool(&mut self) -> Result<bool> {
        self.expect(SIMPLE, "a boolean")?;
        self.decoder.bool().map_err(bad)
    }

    /// A byte string of at most `max` bytes, borrowed from the input.
    pub fn bytes(&mut self, max: usize) -> Result<&'b [u8]> {
        self.string(BYTES, "a byte string", max)?;
        self.decoder.bytes().map_err(bad)
    }

    /// A text string of at most `max` bytes.
    pub fn text(&mut self, max: usize) -> Result<&'b str> {
        self.string(TEXT, "text", max)?;
        self.decoder.str().map_err(bad)
    }

    /// A byte string of exactly `N` bytes.
    pub fn fixed<const N: usize>(&mut self) -> Result<[u8; N]> {
        let at = self.position();
        let bytes = self.bytes(N)?;
        bytes
            .try_into()
            .map_err(|_| error_at(at, &format!("expected {N} bytes, got {}", bytes.len())))
    }

    /// A 32-byte id.
    pub fn id(&mut self) -> Result<Id> {
        self.fixed().map(Id)
    }

    /// A 16-byte id.
    pub fn id16(&mut self) -> Result<Id16> {
        self.fixed().map(Id16)
    }

    /// The head of an array of at most `max` items. The count is never above the number of bytes left.
    pub fn array(&mut self, max: usize) -> Result<usize> {
        let head = self.expect(ARRAY, "an array")?;
        let count = self.count(&head, max, 1)?;
        self.advance(head.len);
        Ok(count)
    }

    /// The head of an array of exactly `count` items.
    pub fn array_of(&mut self, count: usize) -> Result<()> {
        match self.array(count)? {
            n if n == count => Ok(()),
            n => Err(self.error(&format!("expected {count} items, got {n}"))),
        }
    }

    /// All items of an array of at most `max`, each read by `item`.
    pub fn list<T>(
        &mut self,
        max: usize,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let count = self.array(max)?;
        // Grown as items really arrive: a count is only a claim, and `T` may be far larger than its encoding.
        let mut items = Vec::with_capacity(count.min(1024));
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// A map. `field` is called for each key and either reads exactly its value and returns true,
    /// or reads nothing and returns false: the value is skipped then.
    pub fn map(&mut self, mut field: impl FnMut(u64, &mut Self) -> Result<bool>) -> Result<()> {
        let head = self.expect(MAP, "a map")?;
        let count = self.count(&head, usize::MAX, 2)?;
        self.advance(head.len);
        let mut last = None;
        for _ in 0..count {
            let key = self.u64()?;
            if last.is_some_and(|last| key <= last) {
                return Err(self.error("map keys do not ascend"));
            }
            last = Some(key);
            if !field(key, self)? {
                self.skip()?;
            }
        }
        Ok(())
    }

    /// Skips one item of any kind, checked as strictly as one that is used.
    pub fn skip(&mut self) -> Result<()> {
        self.skip_nested(MAX_DEPTH)
    }

    fn skip_nested(&mut self, depth: usize) -> Result<()> {
        let head = self.head()?;
        match head.major {
            UINT | NEGATIVE => self.advance(head.len),
            BYTES => drop(self.bytes(usize::MAX)?),
            TEXT => drop(self.text(usize::MAX)?),
            SIMPLE if (20..=22).contains(&head.argument) => self.advance(head.len),
            ARRAY | MAP if depth == 0 => return Err(self.error("nested too deeply")),
            ARRAY => {
                let count = self.count(&head, usize::MAX, 1)?;
                self.advance(head.len);
                for _ in 0..count {
                    self.skip_nested(depth - 1)?;
                }
            }
            MAP => self.map(|_, value| value.skip_nested(depth - 1).map(|()| true))?,
            _ => return Err(self.error("a tag, a float or an unassigned value")),
        }
        Ok(())
    }

    /// Checks the head of the next item without consuming it: shortest form, definite length.
    fn head(&self) -> Result<Head> {
        let rest = self.rest();
        let first = *rest
            .first()
            .ok_or_else(|| self.error("the data ends early"))?;
        let (major, info) = (first >> 5, first & 31);
        let width = match info {
            0..24 => {
                return Ok(Head {
                    major,
                    argument: info.into(),
                    len: 1,
                });
            }
            24..28 => 1usize << (info - 24),
            _ => return Err(self.error("an indefinite length or a reserved head")),
        };
        let tail = rest
            .get(1..1 + width)
            .ok_or_else(|| self.error("the data ends early"))?;
        let argument = tail.iter().fold(0u64, |n, byte| n << 8 | u64::from(*byte));
        let least = [24, 1 << 8, 1 << 16, 1 << 32][usize::from(info - 24)];
        if argument < least {
            return Err(self.error("a head that is not the shortest"));
        }
        Ok(Head {
            major,
            argument,
            len: 1 + width,
        })
    }

    fn expect(&self, major: u8, what: &str) -> Result<Head> {
        let head = self.head()?;
        if head.major == major {
            Ok(head)
        } else {
            Err(self.error(&format!("expected {what}")))
        }
    }

    fn string(&self, major: u8, what: &str, max: usize) -> Result<()> {
        let head = self.expect(major, what)?;
        if head.argument > max as u64 {
            return Err(self.error(&format!(
                "{what} of {} bytes, more than {max}",
                head.argument
            )));
        }
        if head.argument > (self.rest().len() - head.len) as u64 {
            return Err(self.error("the data ends early"));
        }
        Ok(())
    }

    /// A count of items of at least `item_len` bytes each that can be there at all.
    fn count(&self, head: &Head, max: usize, item_len: usize) -> Result<usize> {
        let possible = (self.rest().len() - head.len) / item_len;
        match usize::try_from(head.argument) {
            Ok(count) if count > max => Err(self.error(&format!("{count} items, more than {max}"))),
            Ok(count) if count <= possible => Ok(count),
            _ => Err(self.error("the data ends early")),
        }
    }

    fn advance(&mut self, by: usize) {
        self.decoder.set_position(self.position() + by);
    }

    fn error(&self, what: &str) -> Error {
        error_at(self.position(), what)
    }
}

fn error_at(position: usize, what: &str) -> Error {
    Error::damaged(format!("bad CBOR at byte {position}: {what}"))
}

fn bad(error: minicbor::decode::Error) -> Error {
    Error::damaged(format!("bad CBOR: {error}"))
}

/// The value of a field that must be there.
pub fn required<T>(value: Option<T>, name: &str) -> Result<T> {
    value.ok_or_else(|| Error::damaged(format!("the field {name:?} is missing")))
}

#[cfg(test)]
mod tests;
