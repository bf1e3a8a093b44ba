//! The destination folder and a bounded cache of open directories below it.

use super::Dir;
use crate::error::{Context, Error, Result};
use crate::format::TreePath;
use crate::fs::path::Platform;
use rustix::io::Errno;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Open directories kept at once.
const CACHED: usize = 96;
/// Of one path, only the last so many components stay open.
const CACHED_OF_PATH: usize = 48;

/// The destination of a restore. Cheap to share between threads.
pub struct Target {
    /// `None` where a dry run found nothing.
    root: Option<Arc<Dir>>,
    pub(in super::super) from: Platform,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    open: HashMap<Vec<Vec<u8>>, (Arc<Dir>, u64)>,
    clock: u64,
}

impl Target {
    /// Opens the destination folder, creating it and its parents where they are missing. The path of the destination
    /// itself is the user's: links in it are followed.
    pub fn create(at: &Path, from: Platform) -> Result<Target> {
        std::fs::create_dir_all(at)
            .context(|| format!("creating the destination {}", at.display()))?;
        let target = Target::open_or_absent(at, from)?;
        match target.root {
            Some(_) => Ok(target),
            None => Err(Error::failed(format!(
                "the destination {} is gone again",
                at.display()
            ))),
        }
    }

    /// Opens the destination folder; if there is nothing of that name, the target is absent and so is everything in it.
    pub fn open_or_absent(at: &Path, from: Platform) -> Result<Target> {
        let root = match Dir::open_root(at) {
            Ok(dir) => Some(Arc::new(dir)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => {
                return Err(Error::io(
                    format!("opening the destination {}", at.display()),
                    e,
                ));
            }
        };
        Ok(Target {
            root,
            from,
            cache: Mutex::default(),
        })
    }

    /// Opens the directory for snapshot path `at`, going down from the nearest open ancestor without following links;
    /// `None` if a component is missing. With `make`, missing directories are created with mode 0700.
    ///
    /// Errors name the component that is in the way.
    pub(in super::super) fn walk(&self, at: &TreePath, make: bool) -> Result<Option<Arc<Dir>>> {
        let parts = at.0.as_slice();
        let mut cache = self.cache.lock().unwrap_or_else(|e| e.into_inner());
        let nearest = cache.nearest(parts);
        let Some((mut depth, mut dir)) = nearest.or_else(|| Some((0, self.root.clone()?))) else {
            return Ok(None);
        };
        while depth < parts.len() {
            match self.step(&dir, depth, &parts[depth], make)? {
                Some(next) => dir = Arc::new(next),
                None => return Ok(None),
            }
            depth += 1;
            if depth + CACHED_OF_PATH > parts.len() {
                cache.insert(&parts[..depth], dir.clone());
            }
        }
        Ok(Some(dir))
    }

    fn step(&self, dir: &Dir, depth: usize, part: &[u8], make: bool) -> Result<Option<Dir>> {
        let name = self.name(depth, part)?;
        let error = match dir.open_dir(name) {
            Ok(open) => return Ok(Some(open)),
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => e,
            Err(_) if !make => return Ok(None),
            Err(_) => match dir.make_dir(name).and_then(|()| dir.open_dir(name)) {
                Ok(open) => return Ok(Some(open)),
                Err(e) => e,
            },
        };
        // Linux says ENOTDIR for O_DIRECTORY | O_NOFOLLOW on a link, others say ELOOP.
        let blocked = matches!(
            Errno::from_io_error(&error),
            Some(Errno::NOTDIR | Errno::LOOP)
        );
        let shown = crate::report::printable(part);
        let error = Error::io(format!("opening the directory \"{shown}\""), error);
        Err(match blocked {
            true => error.hint("a file or symbolic link is in its place; move it away"),
            false => error,
        })
    }
}

impl Cache {
    /// The deepest open directory on the way to `parts`, and its depth.
    fn nearest(&mut self, parts: &[Vec<u8>]) -> Option<(usize, Arc<Dir>)> {
        self.clock += 1;
        for depth in (1..=parts.len()).rev() {
            if let Some((dir, used)) = self.open.get_mut(&parts[..depth]) {
                *used = self.clock;
                return Some((depth, dir.clone()));
            }
        }
        None
    }

    fn insert(&mut self, parts: &[Vec<u8>], dir: Arc<Dir>) {
        if self.open.len() >= CACHED
            && let Some(oldest) = self
                .open
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(path, _)| path.clone())
        {
            self.open.remove(&oldest);
        }
        self.clock += 1;
        self.open.insert(parts.to_vec(), (dir, self.clock));
    }
}
