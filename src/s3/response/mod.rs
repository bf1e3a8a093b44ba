//! Answers as plain values: XML parsing that trusts nothing, and the servers' errors.

mod delete;
mod error;
mod list;
mod location;
mod lock;
mod versions;
pub mod xml;

pub use delete::{DeleteFailure, parse_delete};
pub use error::{Detour, S3Error, looks_like_html, plain_region};
pub use list::{Listed, ListedObject, parse_list};
pub use location::parse_location;
pub use lock::{parse_lock_configuration, parse_retention, parse_versioning, retained};
pub use versions::{ListedVersion, ListedVersions, parse_versions};

/// Longest key a server may name (S3's own limit).
const MAX_KEY: usize = 1024;
