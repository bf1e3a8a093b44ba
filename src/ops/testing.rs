//! A small repository on the memory storage, for the tests of operations.

use super::backup::{self, BackupOptions, BackupReport};
use super::opened::OpenSnapshot;
use super::restore::RestoreOptions;
use crate::crypto::{Keyring, Passphrase};
use crate::format::tombstone::{self, Tombstone};
use crate::fs::path::Source;
use crate::id::{Id, Id16};
use crate::repo::{InitOptions, Repository};
use crate::report::{Event, Observer, Silent, Stop};
use crate::storage::memory::MemoryStorage;
use crate::storage::{PutOptions, Storage};
use crate::units::{MIB, Time};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Relative names and bytes of restored files.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The grace period of repositories.
pub const G: Duration = Duration::from_secs(24 * 3600);

/// A source folder and a repository on a storage whose clock stands still.
pub struct World {
    pub work: tempfile::TempDir,
    pub storage: Arc<MemoryStorage>,
    pub repo: Arc<Repository>,
}

/// Packs of a MiB.
pub fn small_packs() -> InitOptions {
    InitOptions {
        pack_size: MIB,
        ..InitOptions::default()
    }
}

impl World {
    /// Nothing in the source yet; the cache, if there is to be one, is that of the machine "here".
    pub fn empty(options: &InitOptions, cached: bool) -> World {
        let storage = Arc::new(MemoryStorage::new());
        storage.set_clock(Time(1_700_000_000_000));
        let work = tempfile::tempdir().unwrap();
        let dynamic: Arc<dyn Storage> = storage.clone();
        let (pass, cache) = (Passphrase::new("full"), work.path().join("here"));
        let cache = cached.then_some(cache.as_path());
        let repo = Repository::init(dynamic, &pass, options, cache, &Silent).unwrap();
        std::fs::create_dir(work.path().join("source")).unwrap();
        World {
            work,
            storage,
            repo: Arc::new(repo),
        }
    }

    /// Twenty small files, a few large ones, nothing backed up yet; without a cache.
    pub fn new() -> World {
        let world = World::empty(&small_packs(), false);
        for n in 0..20u8 {
            world.write(&format!("small{n}"), &noise(3000, n));
        }
        for n in 0..3u8 {
            world.write(&format!("large{n}"), &noise(2 << 20, 100 + n));
        }
        world
    }

    /// The same after two backups, between which a large file changed.
    pub fn backed_up() -> World {
        let world = World::new();
        world.backup();
        world.write("large0", &noise(2 << 20, 200));
        world.backup();
        world
    }

    /// One small file, nothing backed up yet; with a cache.
    pub fn small() -> World {
        let world = World::empty(&small_packs(), true);
        world.write("small", &[7; 3000]);
        world
    }

    /// The repository as another machine opens it.
    pub fn open(&self, machine: &str, passphrase: &str) -> Arc<Repository> {
        let (pass, cache) = (Passphrase::new(passphrase), self.work.path().join(machine));
        let storage: Arc<dyn Storage> = self.storage.clone();
        Arc::new(Repository::open(storage, &pass, Some(&cache), &Silent).unwrap())
    }

    pub fn source(&self) -> PathBuf {
        self.work.path().join("source")
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.source().join(name), bytes).unwrap();
    }

    pub fn backup(&self) -> BackupReport {
        self.backup_with(&self.repo, Arc::new(Silent))
    }

    /// The same with `repo`, as one machine has it open.
    pub fn backup_with(&self, repo: &Arc<Repository>, observer: Arc<dyn Observer>) -> BackupReport {
        let options = options_of(&self.source());
        backup::create(repo.clone(), &options, observer, &Stop::default()).unwrap()
    }

    /// The same; gives the snapshot.
    pub fn backup_as(&self, repo: &Arc<Repository>, observer: Arc<dyn Observer>) -> Id {
        let report = self.backup_with(repo, observer);
        report.snapshot.unwrap().parse().unwrap()
    }

    /// Names of the objects under `prefix`.
    pub fn names(&self, prefix: &str) -> Vec<Id> {
        names(&self.storage, prefix)
    }

    /// Keys under `prefix`.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let keys = self.storage.contents().into_keys();
        keys.filter(|k| k.starts_with(prefix)).collect()
    }

    /// Keys of packs, the longest first: with the small ones those of metadata.
    pub fn packs(&self) -> Vec<String> {
        let mut packs: Vec<_> = self
            .storage
            .contents()
            .into_iter()
            .filter(|(k, _)| k.starts_with("packs/"))
            .map(|(k, b)| (std::cmp::Reverse(b.len()), k))
            .collect();
        packs.sort();
        packs.into_iter().map(|(_, k)| k).collect()
    }

    /// Removes an object without a request.
    pub fn remove(&self, key: &str) {
        self.storage.delete(key).unwrap();
    }

    /// Restores snapshot `id`: what came out, and how many errors there were.
    pub fn restore(&self, id: &Id) -> (Files, u64) {
        restore(&self.repo, id, &self.source())
    }

    /// The files of the source as they are now.
    pub fn files(&self) -> Files {
        read_files(&self.source())
    }

    /// Names of all snapshots.
    pub fn snapshots(&self) -> Vec<Id> {
        self.repo.snapshot_names().unwrap()
    }
}

/// Restores snapshot `id` of `source`: what came out, and how many errors there were.
pub fn restore(repo: &Arc<Repository>, id: &Id, source: &Path) -> (Files, u64) {
    let out = tempfile::tempdir().unwrap();
    let options = RestoreOptions {
        destination: out.path().to_owned(),
        ..RestoreOptions::default()
    };
    let opened = OpenSnapshot::new(repo, repo.snapshot(id).unwrap(), &Silent).unwrap();
    let report = opened.restore(&options, &Silent, &Stop::default()).unwrap();
    let landed = out.path().join(source.strip_prefix("/").unwrap());
    (read_files(&landed), report.errors)
}

/// How `source` is backed up.
pub fn options_of(source: &Path) -> BackupOptions {
    let source = Source::new(source.as_os_str()).unwrap();
    BackupOptions::new(vec![source], "h".into(), "u".into())
}

/// Names of the objects under `prefix`.
pub fn names(storage: &MemoryStorage, prefix: &str) -> Vec<Id> {
    let keys = storage.contents().into_keys();
    keys.filter(|k| k.starts_with(prefix))
        .map(|k| k.rsplit('/').next().unwrap().parse().unwrap())
        .collect()
}

/// Puts a tombstone that names `packs` and `index`, as maintenance would leave it.
pub fn bury(storage: &MemoryStorage, keyring: &Keyring, packs: Vec<Id>, index: Vec<Id>) {
    let stone = Tombstone {
        packs,
        index,
        nonce: Id16::random().unwrap(),
    };
    let bytes = tombstone::encode(&stone, keyring).unwrap();
    let key = format!("tombstones/{}", Id::sha256(&bytes));
    storage.put(&key, &bytes, &PutOptions::default()).unwrap();
}

/// Collects warnings.
#[derive(Default)]
pub struct Warnings(Mutex<Vec<String>>);

impl Observer for Warnings {
    fn event(&self, event: Event<'_>) {
        if let Event::Warning(text) = event {
            self.0.lock().unwrap().push(text.to_owned());
        }
    }
}

impl Warnings {
    pub fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap()).join("\n")
    }
}

/// Files of a folder, by name.
pub fn read_files(folder: &Path) -> Files {
    let Ok(list) = std::fs::read_dir(folder) else {
        return Files::new();
    };
    let read = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, std::fs::read(entry.path()).unwrap())
    };
    list.map(|entry| read(entry.unwrap())).collect()
}

/// Bytes that do not compress.
pub fn noise(len: usize, seed: u8) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new()
        .update(&[seed])
        .finalize_xof()
        .fill(&mut out);
    out
}
