//! The repository format, version 1: pure encoding and decoding, no I/O. Normative text: `man/corso-format.5`.
//!
//! Every decoder here takes bytes from a hostile place: lengths are checked before anything is allocated,
//! seals and MACs before anything is used.

pub mod builder;
pub mod config;
pub mod container;
mod control;
pub mod entry;
pub mod index;
pub mod keyslot;
pub mod lock;
pub mod pack;
pub mod record;
pub mod snapshot;
pub mod tombstone;
pub mod tree;

pub use entry::{
    Blob, Content, Entry, Extent, FileKind, FileTime, LinkId, Piece, Stream, TreePath,
};

use crate::error::{Error, Kind, Result};

/// Checks an object's first ten bytes: eight of magic, and a version up to `newest`.
fn check_magic(object: &[u8], magic: &[u8; 8], newest: u16, what: &str) -> Result<()> {
    let Some((head, rest)) = object.split_first_chunk::<8>() else {
        return Err(Error::damaged(format!(
            "{} bytes are too few for {what}",
            object.len()
        )));
    };
    if head != magic {
        return Err(Error::damaged(format!("not {what}")));
    }
    match rest.first_chunk::<2>().map(|v| u16::from_be_bytes(*v)) {
        Some(0) | None => Err(Error::damaged(format!("{what} of no version"))),
        Some(version) if version > newest => Err(newer(&format!("{what} of version {version}"))),
        Some(_) => Ok(()),
    }
}

/// The error for anything that a later version has written.
fn newer(what: &str) -> Error {
    Error::new(
        Kind::NewerFormat,
        format!("{what} was written by a newer Corso"),
    )
    .hint("upgrade this one")
}
