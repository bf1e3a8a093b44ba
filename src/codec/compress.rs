//! zstd, one chunk a frame, contexts kept per thread, output bounded before decoding.
//!
//! Whether a payload is compressed is not stored: it is compressed exactly when it is shorter than its raw bytes.

use super::spare;
use crate::error::{Error, Result};
use std::borrow::Cow;
use std::cell::RefCell;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe;

/// The level used unless the user chooses another.
pub const DEFAULT_LEVEL: i32 = 3;
/// The level that stores everything as it is.
pub const LEVEL_NONE: i32 = 0;
/// The highest level.
pub const MAX_LEVEL: i32 = 22;

thread_local! {
    /// The context and the level it is set to: setting one up costs more than compressing a small chunk.
    static COMPRESSOR: RefCell<Option<(Compressor<'static>, i32)>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// What is stored of `raw`: a zstd frame if that is shorter, else `raw` itself. Level 0 ([`LEVEL_NONE`]) always
/// stores; other levels are zstd's (negative ones are faster), cut to its range.
pub fn pack_chunk(raw: &[u8], level: i32) -> Result<Cow<'_, [u8]>> {
    if level == LEVEL_NONE || raw.len() < 2 {
        return Ok(Cow::Borrowed(raw));
    }
    let level = level.clamp(*zstd::compression_level_range().start(), MAX_LEVEL);
    // One byte less than the input, whatever the buffer holds: zstd stops as soon as the result cannot be shorter, and the
    // result does not depend on where the buffer comes from.
    let mut out = spare::take(raw.len() - 1);
    out.resize(raw.len() - 1, 0);
    let shorter = COMPRESSOR.with_borrow_mut(|slot| {
        let (compressor, at) = match slot {
            Some(context) => context,
            None => slot.insert((Compressor::new(level).map_err(zstd_error)?, level)),
        };
        if *at != level {
            compressor
                .set_compression_level(level)
                .map_err(zstd_error)?;
            *at = level;
        }
        Ok::<_, Error>(compressor.compress_to_buffer(raw, &mut out[..]).ok())
    })?;
    if let Some(len) = shorter.filter(|len| *len < raw.len()) {
        out.truncate(len);
        Ok(Cow::Owned(out))
    } else {
        spare::give(out);
        Ok(Cow::Borrowed(raw))
    }
}

/// Gives the buffer of what [`pack_chunk`] made back, to be used again.
pub fn recycle(packed: Cow<'_, [u8]>) {
    if let Cow::Owned(buffer) = packed {
        spare::give(buffer);
    }
}

/// The raw bytes of a payload: `stored` itself when it has `raw_len` bytes, else what its one zstd frame holds,
/// which must be exactly `raw_len` bytes. The caller has bounded `raw_len`.
pub fn unpack(stored: &[u8], raw_len: usize) -> Result<Cow<'_, [u8]>> {
    if stored.len() == raw_len {
        return Ok(Cow::Borrowed(stored));
    }
    let mut raw = Vec::new();
    unpack_into(stored, raw_len, &mut raw)?;
    Ok(Cow::Owned(raw))
}

/// As [`unpack`] for a payload shorter than its raw bytes, into a buffer that is reused (cleared first).
pub fn unpack_into(stored: &[u8], raw_len: usize, raw: &mut Vec<u8>) -> Result<()> {
    raw.clear();
    if stored.len() >= raw_len {
        return Err(Error::damaged(format!(
            "{} bytes are stored for a chunk of {raw_len}",
            stored.len()
        )));
    }
    // zstd would accept several frames in a row, and skippable ones: a chunk has one encoding only.
    if zstd_safe::find_frame_compressed_size(stored) != Ok(stored.len()) {
        return Err(Error::damaged("a chunk is not one zstd frame"));
    }
    raw.try_reserve_exact(raw_len).map_err(|_| {
        Error::failed(format!(
            "not enough memory to decompress a chunk of {raw_len} bytes"
        ))
    })?;
    // The buffer may be larger from earlier use; the declared size keeps zstd from filling more than it should.
    if !matches!(zstd_safe::get_frame_content_size(stored), Ok(Some(n)) if n == raw_len as u64) {
        return Err(Error::damaged(
            "a zstd frame declares another length than its chunk",
        ));
    }
    let got = DECOMPRESSOR.with_borrow_mut(|slot| {
        let decompressor = match slot {
            Some(context) => context,
            None => slot.insert(Decompressor::new().map_err(zstd_error)?),
        };
        decompressor
            .decompress_to_buffer(stored, raw)
            .map_err(|e| Error::damaged("a chunk cannot be decompressed").with_source(e))
    })?;
    if got != raw_len || raw.len() != raw_len {
        return Err(Error::damaged(format!(
            "a chunk decompressed to {got} bytes instead of {raw_len}"
        )));
    }
    Ok(())
}

fn zstd_error(error: std::io::Error) -> Error {
    Error::failed("setting up zstd").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn compresses_only_what_shrinks() {
        let text = b"to be or not to be, ".repeat(100);
        let packed = pack_chunk(&text, 3).unwrap();
        assert!(packed.len() < text.len() / 10);
        assert_eq!(*unpack(&packed, text.len()).unwrap(), text);
        assert!(matches!(
            pack_chunk(&text, LEVEL_NONE).unwrap(),
            Cow::Borrowed(_)
        ));
        assert!(matches!(
            pack_chunk(b"random", 19).unwrap(),
            Cow::Borrowed(b"random")
        ));
        assert!(matches!(pack_chunk(b"", 3).unwrap(), Cow::Borrowed(b"")));
        assert_eq!(&*unpack(b"", 0).unwrap(), b"");
    }

    #[test]
    fn refuses_wrong_lengths_and_extra_frames() {
        let raw = vec![0u8; 10_000];
        let packed = pack_chunk(&raw, 3).unwrap().into_owned();
        for wrong in [0, packed.len() - 1, packed.len() + 1, 9_999, 10_001] {
            assert!(unpack(&packed, wrong).is_err(), "{wrong}");
        }
        let mut two = packed.clone();
        two.extend_from_slice(&packed);
        assert!(unpack(&two, 20_000).is_err());
        // An empty skippable frame after the real one.
        let skippable = [&packed[..], &[0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]].concat();
        assert!(unpack(&skippable, 10_000).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn round_trips_at_any_level(raw in proptest::collection::vec(0u8..4, 0..3000), level in -7i32..12) {
            let packed = pack_chunk(&raw, level).unwrap();
            prop_assert_eq!(&*unpack(&packed, raw.len()).unwrap(), &raw[..]);
        }

        #[test]
        fn hostile_payloads_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), at: usize, to: u8) {
            let _ = unpack(&bytes, 1000);
            let raw = vec![7u8; 1000];
            let mut packed = pack_chunk(&raw, 3).unwrap().into_owned();
            let at = at % packed.len();
            packed[at] = to;
            if let Ok(out) = unpack(&packed, 1000) {
                prop_assert_eq!(out.len(), 1000);
            }
        }
    }
}
