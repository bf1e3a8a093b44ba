//! Encodings with hard length limits: everything read is hostile.

pub mod cbor;
pub mod compress;
pub mod pad;
pub mod spare;
