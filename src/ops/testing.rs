//! A small repository on the memory storage, for the tests of check and repair.

use super::backup::{self, BackupOptions, BackupReport, Parent};
use super::opened::OpenSnapshot;
use super::restore::RestoreOptions;
use crate::crypto::Passphrase;
use crate::fs::path::Source;
use crate::fs::walk;
use crate::id::Id;
use crate::repo::{InitOptions, Repository};
use crate::report::{Silent, Stop};
use crate::storage::Storage;
use crate::storage::memory::MemoryStorage;
use crate::units::{MIB, Time};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Relative names and bytes of restored files.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A source folder and a repository, opened once and without a cache.
pub struct World {
    pub work: tempfile::TempDir,
    pub storage: Arc<MemoryStorage>,
    pub repo: Arc<Repository>,
}

impl World {
    /// Twenty small files, a few large ones, nothing backed up yet.
    pub fn new() -> World {
        let storage = Arc::new(MemoryStorage::new());
        storage.set_clock(Time(1_700_000_000_000));
        let options = InitOptions {
            pack_size: MIB,
            ..InitOptions::default()
        };
        let dynamic: Arc<dyn Storage> = storage.clone();
        let repo =
            Repository::init(dynamic, &Passphrase::new("full"), &options, None, &Silent).unwrap();
        let work = tempfile::tempdir().unwrap();
        let world = World {
            work,
            storage,
            repo: Arc::new(repo),
        };
        std::fs::create_dir(world.source()).unwrap();
        for n in 0..20u8 {
            world.write(&format!("small{n}"), &noise(3000, n));
        }
        for n in 0..3u8 {
            world.write(&format!("large{n}"), &noise(2 << 20, 100 + n));
        }
        world
    }

    pub fn source(&self) -> PathBuf {
        self.work.path().join("source")
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.source().join(name), bytes).unwrap();
    }

    pub fn backup(&self) -> BackupReport {
        let source = Source::new(self.source().as_os_str()).unwrap();
        let options = BackupOptions {
            source_names: vec![source.absolute()],
            sources: vec![source],
            stdin: None,
            walk: Box::new(|| Ok(walk::Options::default())),
            excludes: vec![],
            tags: vec![],
            host: "h".into(),
            user: "u".into(),
            parent: Parent::Newest,
            force: false,
            dry_run: false,
            look_ahead: false,
        };
        backup::create(
            self.repo.clone(),
            &options,
            Arc::new(Silent),
            &Stop::default(),
        )
        .unwrap()
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
        let out = tempfile::tempdir().unwrap();
        let options = RestoreOptions {
            destination: out.path().to_owned(),
            ..RestoreOptions::default()
        };
        let snapshot = self.repo.snapshot(id).unwrap();
        let opened = OpenSnapshot::new(&self.repo, snapshot, &Silent).unwrap();
        let report = opened.restore(&options, &Silent, &Stop::default()).unwrap();
        let landed = out.path().join(self.source().strip_prefix("/").unwrap());
        (read_files(&landed), report.errors)
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

fn read_files(folder: &std::path::Path) -> Files {
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
