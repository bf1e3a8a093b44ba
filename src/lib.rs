//! Corso: encrypted, deduplicated backups in a folder or on S3-compatible storage.
//!
//! The modules form layers; each may use only those listed above it.
// Allowed in one file: `fs/windows/handle.rs`, for system calls that nothing safe wraps.
#![deny(unsafe_code)]
#![warn(missing_docs)]

mod command;
pub mod error;
pub mod id;
pub mod units;

pub mod chunker;
pub mod codec;
pub mod crypto;
pub mod format;
pub mod s3;

pub mod storage;

pub mod index;
pub mod repo;

pub mod fs;

pub mod policy;

pub mod ops;
pub mod report;

pub mod cli;

#[cfg(test)]
mod model;
