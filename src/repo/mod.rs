//! A repository on a storage; the only writer of objects.

pub mod cache;
pub mod chunks;
