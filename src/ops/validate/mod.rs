//! Is a place fit for a repository? Asks it for everything that Corso does, one thing at a time, in a scratch prefix that is
//! removed afterwards, and says what it makes of the answers.

mod folder;
mod integrity;
mod locks;
mod operations;
mod permissions;
mod report;
mod s3;
mod scratch;
mod speed;
#[cfg(test)]
mod tests;

pub use folder::folder;
pub use locks::Meant;
pub use report::{Feature, Finding, Group, Report, Speed, Verdict};
pub use s3::s3;
