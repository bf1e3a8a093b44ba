//! The local cache: one folder per repository, private to its user, rebuildable, never trusted.
//!
//! ```text
//! ROOT/<repository id>/index/         segments of the chunk index (see the module `index`); index-<writer id>/ for
//!                                     a writer key
//!                      nodes/xx/<id>  tree nodes, raw
//!                      state.json     the newest snapshot seen of each writer
//!                      slot           the key slot that was opened last: the others need not be listed and tried
//!                      trees.json     the last tree of each source set, for keys that cannot read snapshots
//! ROOT/<repository id>-past/          the same for `--point-in-time`; without what this host has seen
//! ```
//! A cache that fails costs time and never a result: what goes wrong is told once, as a warning (see
//! [`Cache::take_warning`]).

mod nodes;
mod state;

pub use state::{LastTree, Seen, source_key};

use crate::error::{Context, Error, Result};
use crate::id::Id16;
use crate::index::place::{private_file, private_folder};
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The folder under which repositories have their caches: `$CORSO_CACHE_DIR`; else `%LOCALAPPDATA%\corso` on Windows,
/// `$XDG_CACHE_HOME/corso` or `~/.cache/corso` elsewhere. `env` looks a variable up. None if nothing is set.
pub fn root(env: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let get = |name: &str| env(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(dir) = get("CORSO_CACHE_DIR") {
        return Some(dir);
    }
    if cfg!(windows) {
        return Some(get("LOCALAPPDATA")?.join("corso"));
    }
    // The XDG base directory specification wants relative paths ignored.
    let xdg = get("XDG_CACHE_HOME").filter(|p| p.is_absolute());
    Some(
        xdg.or_else(|| Some(get("HOME")?.join(".cache")))?
            .join("corso"),
    )
}

/// Holds the id of a key slot, as hexadecimal digits.
const SLOT: &str = "slot";
/// Longer files are not ours.
const MAX_SLOT: u64 = 64;

/// The cache of one repository.
pub struct Cache {
    dir: PathBuf,
    warning: Mutex<Warning>,
}

/// See <https://bford.info/cachedir/>.
const CACHE_TAG: &str =
    "Signature: 8a477f597d28d172789f06886806bc55\n# The cache of a Corso repository.\n";

#[derive(Default)]
struct Warning {
    text: Option<String>,
    given: bool,
}

impl Cache {
    /// Opens, and if need be creates, the cache of repository `repository` under `root`.
    pub fn open(root: &Path, repository: &Id16) -> Result<Cache> {
        Self::open_folder(root.join(repository.hex()))
    }

    /// The same for looking at the repository as it was: what that shows must not pass for the present.
    pub fn open_past(root: &Path, repository: &Id16) -> Result<Cache> {
        Self::open_folder(root.join(format!("{repository}-past")))
    }

    fn open_folder(dir: PathBuf) -> Result<Cache> {
        private_folder(&dir).context(|| format!("creating the cache folder {}", dir.display()))?;
        // So that `--exclude-caches` of any program leaves it out; without it nothing is lost but room.
        let tag = dir.join("CACHEDIR.TAG");
        if !tag.exists() {
            let _ = std::fs::write(tag, CACHE_TAG);
        }
        Ok(Cache {
            dir,
            warning: Mutex::default(),
        })
    }

    /// The key slot that was opened last, without making a cache where there is none.
    pub fn slot(root: &Path, repository: &Id16) -> Option<Id16> {
        let path = root.join(repository.hex()).join(SLOT);
        let text = read_limited(&path, MAX_SLOT).ok()??;
        std::str::from_utf8(&text).ok()?.trim().parse().ok()
    }

    /// Remembers it.
    pub(crate) fn remember_slot(&self, slot: &Id16) {
        self.tolerate(replace(&self.dir.join(SLOT), slot.hex().as_bytes()));
    }

    /// The folder of the repository.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder for [`crate::index::sync`]: one for the full keys, and one for each writer key. A writer's index marks
    /// other domains' index objects as known and empty, which must not hide them from a full key.
    pub fn index_dir(&self, only: Option<&Id16>) -> PathBuf {
        match only {
            None => self.dir.join("index"),
            Some(writer) => self.dir.join(format!("index-{writer}")),
        }
    }

    /// The first thing that went wrong, once.
    pub fn take_warning(&self) -> Option<String> {
        let mut warning = self.warning.lock().unwrap_or_else(PoisonError::into_inner);
        let text = warning.text.take()?;
        warning.given = true;
        Some(text)
    }

    /// Deletes the repository's cache.
    pub fn remove(self) -> Result<()> {
        std::fs::remove_dir_all(&self.dir).context(|| format!("deleting {}", self.dir.display()))
    }

    /// Remembers what went wrong, unless something was remembered already.
    pub(crate) fn warn(&self, error: &Error) {
        let mut warning = self.warning.lock().unwrap_or_else(PoisonError::into_inner);
        if !warning.given && warning.text.is_none() {
            warning.text = Some(format!(
                "the local cache does not work: {}",
                error.message()
            ));
        }
    }

    /// The result of a step whose failure costs only time.
    fn tolerate<T>(&self, result: Result<T>) -> Option<T> {
        result.map_err(|e| self.warn(&e)).ok()
    }
}

/// The content of a file of up to `limit` bytes; none if it is absent. Longer files are refused unread.
fn read_limited(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io(format!("reading {}", path.display()), e)),
    };
    let read = || -> std::io::Result<Option<Vec<u8>>> {
        let len = file.metadata()?.len();
        if len > limit {
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(len as usize);
        (&file).take(limit).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    };
    read().context(|| format!("reading {}", path.display()))
}

/// Suffix of files being written.
const TEMPORARY: &str = ".tmp";

/// Puts `bytes` at `path` as a whole: readers see the old or the new content.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}{TEMPORARY}", Id16::random()?.short()));
    let temporary = PathBuf::from(name);
    let write = || {
        private_file(OpenOptions::new().write(true).create_new(true), &temporary)?
            .write_all(bytes)?;
        std::fs::rename(&temporary, path)
    };
    let written = write().context(|| format!("writing {}", path.display()));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_root_follows_the_environment() {
        let at = |vars: &[(&str, &str)]| {
            let vars: Vec<(String, String)> = vars
                .iter()
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect();
            root(&move |name| vars.iter().find(|(k, _)| k == name).map(|(_, v)| v.into()))
        };
        let all = [
            ("CORSO_CACHE_DIR", "/a"),
            ("XDG_CACHE_HOME", "/b"),
            ("HOME", "/c"),
        ];
        assert_eq!(at(&all), Some("/a".into()));
        assert_eq!(at(&all[1..]), Some("/b/corso".into()));
        assert_eq!(at(&all[2..]), Some("/c/.cache/corso".into()));
        assert_eq!(
            at(&[("XDG_CACHE_HOME", "b"), ("HOME", "/c")]),
            Some("/c/.cache/corso".into())
        );
        assert_eq!(at(&[("CORSO_CACHE_DIR", "")]), None);
    }

    #[test]
    fn a_writers_index_is_kept_apart() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path(), &Id16([1; 16])).unwrap();
        let dirs =
            [None, Some(Id16([0; 16])), Some(Id16([2; 16]))].map(|w| cache.index_dir(w.as_ref()));
        assert!(dirs[0] != dirs[1] && dirs[1] != dirs[2] && dirs[0] != dirs[2]);
    }

    #[test]
    fn a_failing_cache_warns_once() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path(), &Id16([1; 16])).unwrap();
        std::fs::write(cache.dir().join("nodes"), b"in the way").unwrap();
        cache.put_node(&crate::id::Id([2; 32]), b"node");
        assert!(cache.take_warning().is_some_and(|w| w.contains("nodes")));
        cache.put_node(&crate::id::Id([2; 32]), b"node");
        assert_eq!(cache.take_warning(), None);
        assert_eq!(cache.node(&crate::id::Id([2; 32])), None);
    }

    #[cfg(unix)]
    #[test]
    fn everything_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
        let cache = Cache::open(&dir.path().join("corso"), &Id16([1; 16])).unwrap();
        let id = crate::id::Id([2; 32]);
        cache.put_node(&id, b"node");
        assert_eq!(mode(&dir.path().join("corso")), 0o700);
        assert_eq!(mode(cache.dir()), 0o700);
        assert_eq!(mode(&cache.dir().join("nodes/02")), 0o700);
        assert_eq!(mode(&cache.dir().join("nodes/02").join(id.hex())), 0o600);
        cache.remove().unwrap();
    }
}
