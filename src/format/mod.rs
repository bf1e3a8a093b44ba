//! The repository format, version 1: pure encoding and decoding, no I/O. Normative text: `man/corso-format.5`.

pub mod entry;
pub mod tree;

pub use entry::{
    Blob, Content, Entry, Extent, FileKind, FileTime, LinkId, Piece, Stream, TreePath,
};
