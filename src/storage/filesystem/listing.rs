//! Listing a folder in the order of keys.

use super::{FilesystemStorage, failure, info};
use crate::error::Result;
use crate::storage::{ObjectInfo, Storage, check_key};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;

#[derive(Clone, Copy)]
enum Entry {
    File,
    Folder,
}

impl FilesystemStorage {
    /// Lists the folder `key` (which ends with a slash, or is empty for the root), then what is below it: the objects
    /// whose keys start with `prefix`. Holds the names of one folder per level in memory.
    pub(super) fn walk(
        &self,
        key: &str,
        prefix: &str,
        each: &mut dyn FnMut(ObjectInfo) -> Result<()>,
    ) -> Result<()> {
        for (name, kind) in self.sorted_names(key)? {
            let child = format!("{key}{name}");
            if !child.starts_with(prefix) {
                continue;
            }
            match kind {
                Entry::Folder => self.walk(&child, prefix, each)?,
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
    fn sorted_names(&self, key: &str) -> Result<BTreeMap<String, Entry>> {
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
            if kind.is_symlink() {
                // A folder may have been moved to another disk and linked.
                let target = fs::metadata(entry.path());
                kind = target
                    .map_err(|e| failure("following", &entry.path(), e))?
                    .file_type();
            }
            if kind.is_dir() {
                names.insert(name + "/", Entry::Folder);
            } else if kind.is_file() {
                names.insert(name, Entry::File);
            }
        }
        Ok(names)
    }
}
