//! Listing a folder in the order of keys.

use super::{FilesystemStorage, failure, info, platform};
use crate::error::Result;
use crate::storage::{ObjectInfo, Storage, check_key};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

#[derive(Clone, Copy)]
enum Entry {
    File,
    Folder {
        /// Behind a link.
        linked: bool,
    },
}

impl FilesystemStorage {
    /// Lists the folder `key` (which ends with a slash, or is empty for the root), then what is below it: the objects
    /// whose keys start with `prefix`. Holds the names of one folder per level in memory.
    ///
    /// A folder may have been moved to another disk and linked. Behind one link (`linked`) no other is followed, so that
    /// links cannot make a listing endless.
    pub(super) fn walk(
        &self,
        key: &str,
        prefix: &str,
        linked: bool,
        each: &mut dyn FnMut(ObjectInfo) -> Result<()>,
    ) -> Result<()> {
        for (name, kind) in self.sorted_names(key, linked)? {
            let child = format!("{key}{name}");
            if !child.starts_with(prefix) {
                continue;
            }
            match kind {
                Entry::Folder { linked } => self.walk(&child, prefix, linked, each)?,
                Entry::File => {
                    let path = self.path(&child)?;
                    match fs::metadata(&path) {
                        Ok(metadata) => each(info(child, &metadata)?)?,
                        // Deleted since the folder was read.
                        Err(e) if e.kind() == ErrorKind::NotFound => {}
                        Err(e) => return Err(failure("reading", &path, e)),
                    }
                }
            }
        }
        Ok(())
    }

    /// Files and folders in the folder `key` that can be objects or hold some; a folder's name gets its slash, so
    /// that byte order is key order. A folder that is not there is empty; one that cannot be read is an error, for
    /// an object that seems to be gone would mislead.
    fn sorted_names(&self, key: &str, linked: bool) -> Result<BTreeMap<String, Entry>> {
        let directory = match key.strip_suffix('/') {
            Some(key) => self.path(key)?,
            None => self.root.clone(),
        };
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            // A link to nowhere (a disk that is not mounted) is there and cannot be read.
            Err(e)
                if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
                    && !directory.is_symlink() =>
            {
                self.check_place()?;
                return Ok(BTreeMap::new());
            }
            Err(e) => return Err(failure("listing", &directory, e)),
        };
        let mut names = BTreeMap::new();
        for entry in entries {
            let entry = entry.map_err(|e| failure("listing", &directory, e))?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if check_key(&format!("{key}{name}")).is_err() {
                continue;
            }
            let mut kind = entry
                .file_type()
                .map_err(|e| failure("listing", &directory, e))?;
            let link = kind.is_symlink();
            if link {
                if leads_back(&entry.path(), &directory) {
                    continue;
                }
                let target = fs::metadata(entry.path());
                kind = target
                    .map_err(|e| failure("following", &entry.path(), e))?
                    .file_type();
            }
            if kind.is_dir() {
                if link && linked {
                    continue;
                }
                let linked = link || linked;
                names.insert(name + "/", Entry::Folder { linked });
            } else if kind.is_file() {
                names.insert(name, Entry::File);
            }
        }
        Ok(names)
    }
}

/// Does the link lead to itself, or to a folder that it is in?
fn leads_back(link: &Path, directory: &Path) -> bool {
    match fs::canonicalize(link) {
        Ok(target) => fs::canonicalize(directory).is_ok_and(|d| d.starts_with(target)),
        Err(e) => platform::is_loop(&e),
    }
}
