//! Groups of backups that a policy is applied to, each on its own.

use crate::error::{Error, Result};
use crate::format::snapshot::Manifest;
use crate::id::Id16;

/// What backups of a group have in common. The writer always counts: a host with a writer key must not be able to
/// push the backups of others out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupBy {
    /// The host.
    pub host: bool,
    /// The set of source paths.
    pub paths: bool,
    /// The set of tags.
    pub tags: bool,
}

/// What the backups of one group share; `None` where it may differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupKey {
    /// The writer; zero for the full keys.
    pub writer: Id16,
    /// The host.
    pub host: Option<String>,
    /// Source paths, sorted.
    pub paths: Option<Vec<Vec<u8>>>,
    /// Tags, sorted.
    pub tags: Option<Vec<String>>,
}

impl Default for GroupBy {
    /// Host and paths.
    fn default() -> Self {
        GroupBy {
            host: true,
            paths: true,
            tags: false,
        }
    }
}

impl GroupBy {
    /// Reads `host,paths,tags` or a part of it; nothing puts all backups together.
    pub fn parse(text: &str) -> Result<GroupBy> {
        let mut by = GroupBy {
            host: false,
            paths: false,
            tags: false,
        };
        for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            match word {
                "host" | "hosts" => by.host = true,
                "path" | "paths" => by.paths = true,
                "tag" | "tags" => by.tags = true,
                _ => {
                    return Err(Error::usage(format!(
                        "{word:?} is nothing to group backups by; write host, paths and tags, with commas between"
                    )));
                }
            }
        }
        Ok(by)
    }

    /// The group of a backup.
    pub fn key(&self, manifest: &Manifest) -> GroupKey {
        GroupKey {
            writer: manifest.writer,
            host: self.host.then(|| manifest.host.clone()),
            paths: self.paths.then(|| sorted(&manifest.sources)),
            tags: self.tags.then(|| sorted(&manifest.tags)),
        }
    }
}

fn sorted<T: Clone + Ord>(list: &[T]) -> Vec<T> {
    let mut list = list.to_vec();
    list.sort();
    list
}
