//! The destination folder.

use super::Dir;
use crate::error::{Context, Error, Result};
use crate::format::{FileKind, TreePath};
use crate::fs::path::Platform;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The destination of a restore.
pub struct Target {
    root: PathBuf,
    pub(in super::super) from: Platform,
    /// The directory asked for last: files come directory by directory.
    last: Mutex<Option<(TreePath, Arc<Dir>)>>,
}

impl Target {
    /// Opens the destination folder, creating it and its parents where they are missing.
    pub fn create(at: &Path, from: Platform) -> Result<Target> {
        std::fs::create_dir_all(at)
            .context(|| format!("creating the destination {}", at.display()))?;
        Target::open_or_absent(at, from)
    }

    /// Opens the destination folder; if there is nothing of that name, everything in it is absent too.
    pub fn open_or_absent(at: &Path, from: Platform) -> Result<Target> {
        // The canonical form is a verbatim path, which has no length limit of 260 characters.
        let root = std::fs::canonicalize(at).unwrap_or_else(|_| at.to_path_buf());
        Ok(Target {
            root,
            from,
            last: Mutex::default(),
        })
    }

    /// The directory for snapshot path `at`; `None` if a component is missing and is not to be made.
    pub(in super::super) fn walk(&self, at: &TreePath, make: bool) -> Result<Option<Arc<Dir>>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((path, dir)) = &*last
            && path == at
        {
            return Ok(Some(dir.clone()));
        }
        let mut dir = Dir(self.root.clone());
        for (depth, part) in at.0.iter().enumerate() {
            let name = self.name(depth, part)?;
            let shown = || format!("the directory \"{}\"", crate::report::printable(part));
            match dir.look(name).context(shown)?.map(|found| found.kind) {
                Some(Some(FileKind::Dir)) => {}
                Some(_) => {
                    return Err(Error::failed("it is no directory")
                        .context(shown())
                        .hint("a file or link is in its place; move it away"));
                }
                None if make => dir.make_dir(name).context(shown)?,
                None => return Ok(None),
            }
            dir = dir.below(name);
        }
        let dir = Arc::new(dir);
        *last = Some((at.clone(), dir.clone()));
        Ok(Some(dir))
    }
}
