//! Where to cut: large files by content, small files into bundles. Normative text: `man/corso-format-tree.5`, CHUNKING.

pub mod bundle;
pub mod cdc;

pub use bundle::{Bundle, Bundler, LiveBytes, Position};
pub use cdc::{Cdc, Chunker, Params};
