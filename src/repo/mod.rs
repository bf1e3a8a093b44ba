//! A repository on a storage; the only writer of objects.

pub mod cache;
pub mod chunks;
pub mod gate;
pub mod index;
pub mod nodes;
pub mod open;
pub mod patience;
pub mod protocol;
mod put;
pub mod reader;
pub mod records;
mod rollback;
pub mod run;
pub mod slots;
pub mod snapshots;
pub(crate) mod threads;

pub use open::{InitOptions, Repository};
pub use put::pack_key;
