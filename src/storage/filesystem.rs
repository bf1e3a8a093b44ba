//! A repository in a folder: local disks and network mounts.
//!
//! An object is a file at its key's path. A put writes to `.tmp/` (no key has a dot, so nothing in there is ever
//! listed), syncs the file, moves it into place in one step and syncs the directory: after a crash or a power cut an
//! object is there whole or not at all. Folders are 0700, files 0600.

mod listing;
mod platform;
#[cfg(test)]
mod tests;

use super::{Listed, ObjectInfo, PutOptions, Storage, Stored, Usage, check_key, check_not_after};
use crate::codec::spare;
use crate::error::{Error, Kind, Result};
use crate::id::Id16;
use crate::units::Time;
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Where unfinished puts live, under the root. Not the form of a key.
const TEMPORARY: &str = ".tmp";

/// Files that a dead run left in [`TEMPORARY`] are removed at this age.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// Clock differences below this are the granularity of file times (2 s on FAT), not skew.
const GRANULARITY_MS: i64 = 2_000;

/// Objects as files under one root folder.
///
/// Its clock is that of the machine that stamps file times, which on a network mount is the server: this host's clock
/// corrected by what a fresh temporary file showed, at opening and again at every put. A folder that cannot be
/// written has the local clock.
pub struct FilesystemStorage {
    root: PathBuf,
    /// File times minus the local clock, in milliseconds.
    skew: AtomicI64,
    /// Directories known to exist and to survive a power cut.
    durable: Mutex<HashSet<PathBuf>>,
    swept: AtomicBool,
    usage: Mutex<Usage>,
}

impl FilesystemStorage {
    /// Opens the folder `path`; with `create` it and its parents are made (0700) where missing.
    ///
    /// Errors: `BucketMissing` if it is not there, or is not a folder; `PermissionDenied`.
    pub fn open(path: &Path, create: bool) -> Result<FilesystemStorage> {
        let root = std::path::absolute(path).map_err(|e| failure("finding", path, e))?;
        if create {
            platform::create_dirs(&root).map_err(|e| failure("creating", &root, e))?;
        }
        let storage = FilesystemStorage {
            root,
            skew: AtomicI64::new(0),
            durable: Mutex::default(),
            swept: AtomicBool::new(false),
            usage: Mutex::default(),
        };
        storage.check_place()?;
        // Only where a put has been before: opening a folder that holds no repository leaves no trace in it.
        if storage.root.join(TEMPORARY).is_dir() {
            drop(storage.temporary());
        }
        Ok(storage)
    }

    /// The root folder, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, key: &str) -> Result<PathBuf> {
        check_key(key)?;
        Ok(key
            .split('/')
            .fold(self.root.clone(), |path, part| path.join(part)))
    }

    fn count(&self, add: impl FnOnce(&mut Usage)) {
        add(&mut lock(&self.usage));
    }

    /// A missing file in a folder that is there, or no folder at all?
    fn missing(&self, key: &str) -> Error {
        match self.check_place() {
            Err(e) => e,
            Ok(()) => Error::new(
                Kind::ObjectMissing,
                format!("there is no object {key} in {}", self.describe()),
            ),
        }
    }

    fn object_failure(&self, doing: &str, key: &str, path: &Path, error: io::Error) -> Error {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => self.missing(key),
            _ => failure(doing, path, error),
        }
    }

    /// The file of an object and its metadata; folders and special files are no objects.
    fn open_object(&self, key: &str) -> Result<(File, Metadata, PathBuf)> {
        let path = self.path(key)?;
        // Before opening: a fifo in the way would block.
        let is_file = fs::metadata(&path)
            .map_err(|e| self.object_failure("reading", key, &path, e))?
            .is_file();
        if !is_file {
            return Err(self.missing(key));
        }
        let file = File::open(&path).map_err(|e| self.object_failure("reading", key, &path, e))?;
        let metadata = file.metadata().map_err(|e| failure("reading", &path, e))?;
        Ok((file, metadata, path))
    }

    /// A fresh temporary file; its time sets the clock.
    fn temporary(&self) -> Result<Temporary> {
        let path = self.root.join(TEMPORARY).join(Id16::random()?.hex());
        let file = platform::create_file(&path).map_err(|e| failure("creating", &path, e))?;
        if let Ok(stamped) = file.metadata().and_then(|m| m.modified()) {
            let skew = Time::from(stamped).0.saturating_sub(Time::local_now().0);
            let skew = if skew.abs() < GRANULARITY_MS { 0 } else { skew };
            self.skew.store(skew, Ordering::Relaxed);
        }
        Ok(Temporary { file, path })
    }

    /// Makes `directory` (under the root) and all above it, so that they survive a power cut.
    fn make_durable(&self, directory: &Path) -> Result<()> {
        if directory == self.root || (lock(&self.durable).contains(directory) && directory.is_dir())
        {
            return Ok(());
        }
        let parent = directory.parent().unwrap_or(&self.root);
        self.make_durable(parent)?;
        match platform::create_dir(directory) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Err(self.place_or(failure("creating", directory, e)));
            }
            Err(e) => return Err(failure("creating", directory, e)),
        }
        // Also when it was there: another process may have made it and not have synced yet.
        platform::sync_dir(parent).map_err(|e| failure("syncing", parent, e))?;
        lock(&self.durable).insert(directory.to_owned());
        Ok(())
    }

    fn place_or(&self, error: Error) -> Error {
        self.check_place().err().unwrap_or(error)
    }

    /// Removes what dead runs left behind; once, at the first put, and as far as it goes.
    fn sweep_stale(&self) {
        if self.swept.swap(true, Ordering::Relaxed) {
            return;
        }
        let Ok(entries) = fs::read_dir(self.root.join(TEMPORARY)) else {
            return;
        };
        for entry in entries.flatten() {
            let stamped = entry.metadata().and_then(|m| m.modified());
            if stamped.is_ok_and(|t| self.now().since(Time::from(t)) > STALE) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn write(&self, body: &[u8]) -> Result<Temporary> {
        self.make_durable(&self.root.join(TEMPORARY))?;
        let mut temporary = self.temporary()?;
        self.sweep_stale();
        temporary
            .file
            .write_all(body)
            .and_then(|()| temporary.file.sync_all())
            .map_err(|e| failure("writing", &temporary.path, e))?;
        Ok(temporary)
    }

    fn put_object(&self, key: &str, body: &[u8], options: &PutOptions) -> Result<()> {
        let path = self.path(key)?;
        let directory = path.parent().unwrap_or(&self.root);
        self.make_durable(directory)?;
        let temporary = self.write(body)?;
        // Writing can take long on a slow disk; the object appears with the next step and not before.
        check_not_after(self.now(), options)?;
        let moved = match options.if_absent {
            true => platform::place_new(&temporary.path, &path),
            false => platform::replace(&temporary.path, &path),
        };
        moved.map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => Error::new(
                Kind::ObjectExists,
                format!("{key} is in {} already", self.describe()),
            ),
            _ => failure("creating", &path, e),
        })?;
        platform::sync_dir(directory).map_err(|e| failure("syncing", directory, e))
    }

    /// Removes without syncing; gives the directory to sync if something was removed.
    fn remove(&self, key: &str) -> Result<Option<PathBuf>> {
        let path = self.path(key)?;
        match fs::remove_file(&path) {
            Ok(()) => Ok(path.parent().map(Path::to_owned)),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                self.check_place().map(|()| None)
            }
            Err(e) => Err(failure("deleting", &path, e)),
        }
    }
}

impl Storage for FilesystemStorage {
    fn put(&self, key: &str, body: &[u8], options: &PutOptions) -> Result<Stored> {
        check_key(key)?;
        self.check_place()?;
        check_not_after(self.now(), options)?;
        self.count(|u| {
            u.put += 1;
            u.bytes_up += body.len() as u64;
        });
        self.put_object(key, body, options)?;
        Ok(Stored { date: self.now() })
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>> {
        self.count(|u| u.get += 1);
        let (file, metadata, path) = self.open_object(key)?;
        let too_long = || Error::damaged(format!("object {key} is longer than {limit} bytes"));
        if metadata.len() > limit {
            return Err(too_long());
        }
        let mut body = Vec::with_capacity(usize::try_from(metadata.len()).map_err(|_| too_long())?);
        file.take(limit.saturating_add(1))
            .read_to_end(&mut body)
            .map_err(|e| failure("reading", &path, e))?;
        if body.len() as u64 > limit {
            return Err(too_long());
        }
        self.count(|u| u.bytes_down += body.len() as u64);
        Ok(body)
    }

    fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Vec<u8>> {
        self.count(|u| u.get += 1);
        let (mut file, metadata, path) = self.open_object(key)?;
        let short = || {
            let size = metadata.len();
            Error::damaged(format!(
                "object {key} has {size} bytes, too few for {length} from {offset}"
            ))
        };
        if offset
            .checked_add(length)
            .is_none_or(|end| end > metadata.len())
        {
            return Err(short());
        }
        let mut body = spare::take(usize::try_from(length).map_err(|_| short())?);
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.take(length).read_to_end(&mut body))
            .map_err(|e| failure("reading", &path, e))?;
        if (body.len() as u64) < length {
            return Err(short());
        }
        self.count(|u| u.bytes_down += length);
        Ok(body)
    }

    fn head(&self, key: &str) -> Result<ObjectInfo> {
        self.count(|u| u.get += 1);
        let path = self.path(key)?;
        let metadata =
            fs::metadata(&path).map_err(|e| self.object_failure("reading", key, &path, e))?;
        if !metadata.is_file() {
            return Err(self.missing(key));
        }
        info(key.to_owned(), &metadata)
    }

    fn list(&self, prefix: &str, each: &mut dyn FnMut(ObjectInfo) -> Result<()>) -> Result<Listed> {
        if !prefix.is_empty() {
            check_key(prefix.trim_end_matches('/'))?;
        }
        self.count(|u| u.list += 1);
        let began = self.now();
        self.check_place()?;
        // Start in the deepest folder that holds all of the prefix.
        let key = prefix.rfind('/').map_or("", |slash| &prefix[..=slash]);
        self.walk(key, prefix, false, each)?;
        Ok(Listed {
            began,
            ended: self.now(),
        })
    }

    fn delete(&self, key: &str) -> Result<()> {
        self.delete_many(&[key.to_owned()]).into_iter().collect()
    }

    /// Each directory is synced once, after the last removal: deletions that follow one another in two calls reach
    /// the disk in that order, which maintenance relies on.
    fn delete_many(&self, keys: &[String]) -> Vec<Result<()>> {
        self.count(|u| u.delete += 1);
        let mut synced: BTreeMap<PathBuf, Option<String>> = BTreeMap::new();
        let removed: Vec<Result<Option<PathBuf>>> =
            keys.iter().map(|key| self.remove(key)).collect();
        for directory in removed.iter().flatten().flatten() {
            if !synced.contains_key(directory) {
                let problem = platform::sync_dir(directory).err().map(|e| e.to_string());
                synced.insert(directory.clone(), problem);
            }
        }
        let outcome = |result: Result<Option<PathBuf>>| match result?
            .and_then(|d| Some((synced.get(&d)?.clone()?, d)))
        {
            Some((problem, d)) => Err(Error::failed(format!("syncing {}: {problem}", d.display()))),
            None => Ok(()),
        };
        removed.into_iter().map(outcome).collect()
    }

    fn now(&self) -> Time {
        Time(
            Time::local_now()
                .0
                .saturating_add(self.skew.load(Ordering::Relaxed)),
        )
    }

    fn check_place(&self) -> Result<()> {
        let missing = |what: &str| {
            Error::new(
                Kind::BucketMissing,
                format!("{} {what}", self.root.display()),
            )
            .hint("check the path, and that the disk or share is mounted")
        };
        match fs::metadata(&self.root) {
            Ok(metadata) if metadata.is_dir() => Ok(()),
            Ok(_) => Err(missing("is not a folder")),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Err(missing("does not exist"))
            }
            Err(e) => Err(failure("reading", &self.root, e)),
        }
    }

    fn describe(&self) -> String {
        format!("path {}", self.root.display())
    }

    fn usage(&self) -> Usage {
        *lock(&self.usage)
    }
}

/// A file in [`TEMPORARY`], removed when dropped (after a rename there is nothing left to remove).
struct Temporary {
    file: File,
    path: PathBuf,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn info(key: String, metadata: &Metadata) -> Result<ObjectInfo> {
    let modified = metadata
        .modified()
        .map_err(|e| Error::io(format!("reading the time of {key}"), e))?;
    Ok(ObjectInfo {
        key,
        size: metadata.len(),
        modified: Time::from(modified),
    })
}

/// `doing path: why`, with the kind that fits.
pub(crate) fn failure(doing: &str, path: &Path, error: io::Error) -> Error {
    let denied = matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    );
    let failure = Error::io(format!("{doing} {}", path.display()), error);
    match failure.kind() {
        _ if denied => failure
            .with_kind(Kind::PermissionDenied)
            .hint("the user that runs Corso needs to read and write the repository's folder"),
        Kind::NoSpace => failure.hint("nothing is lost: make some room there, a few MB for `corso repo maintenance`, and run it again"),
        _ => failure,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
