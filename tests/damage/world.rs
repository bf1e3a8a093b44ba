//! A repository with a history, and a bench on which its objects are damaged.

use corso::crypto::{Passphrase, Role};
use corso::format::container::{Header, ObjectKind};
use corso::fs::path::Source;
use corso::id::Id;
use corso::ops::backup::{self, BackupOptions};
use corso::ops::forget;
use corso::ops::maintenance::{MaintenanceOptions, maintain};
use corso::repo::{InitOptions, Repository};
use corso::report::{Event, Observer, Silent, Stop};
use corso::storage::Storage;
use corso::storage::memory::{MemoryStorage, Saved};
use corso::units::{MIB, Time};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Relative names and bytes.
pub type Files = BTreeMap<String, Vec<u8>>;
/// Objects by key.
pub type Objects = BTreeMap<String, Vec<u8>>;

const HOUR: Duration = Duration::from_secs(3600);
const G: Duration = Duration::from_secs(24 * 3600);

/// A repository at the end of its history, and what was in it at any time.
pub struct History {
    pub work: tempfile::TempDir,
    saved: Saved,
    pub now: Time,
    /// Every object that ever was.
    pub ever: Objects,
    /// The backup that was deleted first, with all that it alone needed.
    pub first_deleted: Option<Id>,
    /// What is in each backup.
    pub files: BTreeMap<Id, Files>,
}

/// Counts warnings.
#[derive(Default)]
pub struct Warnings(pub AtomicU64);

impl Observer for Warnings {
    fn event(&self, event: Event<'_>) {
        if let Event::Warning(_) = event {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl History {
    /// Five backups; two are deleted again, and maintenance runs in between and afterwards.
    pub fn make() -> History {
        let storage = Arc::new(MemoryStorage::new());
        storage.set_clock(Time(1_700_000_000_000));
        let dynamic: Arc<dyn Storage> = storage.clone();
        let options = InitOptions {
            pack_size: 8 * MIB,
            ..InitOptions::default()
        };
        let repo = Repository::init(dynamic, &Passphrase::new("p"), &options, None, &Silent);
        let repo = Arc::new(repo.unwrap());
        let mut history = History {
            work: tempfile::tempdir().unwrap(),
            saved: storage.save(),
            now: Time(0),
            ever: Objects::new(),
            first_deleted: None,
            files: BTreeMap::new(),
        };
        let old = repo
            .add_key(&Passphrase::new("old"), Role::Full, "old")
            .unwrap();
        repo.add_key(&Passphrase::new("q"), Role::Full, "q")
            .unwrap();
        history.ever.extend(storage.contents());
        repo.remove_key(&old.id.hex()).unwrap();
        std::fs::create_dir(history.source()).unwrap();
        for n in 0..12u8 {
            history.write(&format!("small{n}"), &noise(4000, n));
        }
        let mut ids = Vec::new();
        for round in 0..6u8 {
            // The second backup goes first: all that it alone needs is deleted in the end.
            let deleted = [None, None, None, Some(1), Some(0), Some(2)][usize::from(round)];
            if let Some(at) = deleted {
                let id: &[Id] = std::slice::from_ref(&ids[at]);
                history.first_deleted.get_or_insert(id[0]);
                forget::delete(&repo, id, &Silent, &Stop::default()).unwrap();
                history.maintain(&repo);
                history.ever.extend(storage.contents());
            }
            // One large file stays as it is, the other one changes.
            for (n, seed) in [(0, 100), (1, 110 + round)] {
                history.write(&format!("large{n}"), &noise(700_000, seed));
            }
            ids.push(history.backup(&repo));
            history.ever.extend(storage.contents());
            // The last two tombstones are pending together.
            storage.advance(if round == 4 { HOUR } else { G + HOUR });
        }
        // Records are never removed but by hand.
        let records = |s: &MemoryStorage| -> Vec<String> {
            s.contents()
                .into_keys()
                .filter(|k| k.starts_with("records/"))
                .collect()
        };
        storage.delete(&records(&storage)[0]).unwrap();
        history.now = storage.now();
        history.saved = storage.save();
        history
    }

    pub fn source(&self) -> PathBuf {
        self.work.path().join("source")
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.source().join(name), bytes).unwrap();
    }

    fn maintain(&self, repo: &Arc<Repository>) {
        maintain(
            repo,
            &MaintenanceOptions::default(),
            &Silent,
            &Stop::default(),
        )
        .unwrap();
    }

    fn backup(&mut self, repo: &Arc<Repository>) -> Id {
        let report = backup::create(
            repo.clone(),
            &options(&self.source()),
            Arc::new(Silent),
            &Stop::default(),
        );
        let id: Id = report.unwrap().snapshot.unwrap().parse().unwrap();
        self.files.insert(id, read_files(&self.source()));
        id
    }

    /// A storage with all objects, and the repository on it.
    pub fn bench(&self) -> Bench<'_> {
        let storage = Arc::new(MemoryStorage::new());
        let bench = Bench {
            history: self,
            objects: {
                storage.load(&self.saved);
                storage.contents()
            },
            repo: Bench::open(&storage).unwrap(),
            broken: Mutex::default(),
            storage,
        };
        bench.reset();
        bench
    }
}

/// One storage, damaged and mended over and over.
pub struct Bench<'h> {
    pub history: &'h History,
    pub storage: Arc<MemoryStorage>,
    /// Opened once: keys cost time.
    pub repo: Arc<Repository>,
    /// As they are undamaged.
    pub objects: Objects,
    /// What did not hold.
    pub broken: Mutex<Vec<String>>,
}

impl Bench<'_> {
    pub fn reset(&self) {
        self.storage.load(&self.history.saved);
        self.storage.set_clock(self.history.now);
    }

    pub fn open(storage: &Arc<MemoryStorage>) -> corso::error::Result<Arc<Repository>> {
        let dynamic: Arc<dyn Storage> = storage.clone();
        Repository::open(dynamic, &Passphrase::new("p"), None, &Silent).map(Arc::new)
    }

    /// Keys of one kind, oldest first.
    pub fn keys(&self, kind: &str, of: &Objects) -> Vec<String> {
        let times = self.times();
        let mut keys: Vec<(i64, String)> = of
            .iter()
            .filter(|(key, body)| kind_of(key, body) == kind)
            .map(|(key, _)| (times.get(key).copied().unwrap_or(0), key.clone()))
            .collect();
        keys.sort();
        keys.into_iter().map(|(_, key)| key).collect()
    }

    fn times(&self) -> BTreeMap<String, i64> {
        let mut times = BTreeMap::new();
        for prefix in [
            "config",
            "keys/",
            "packs/",
            "index/",
            "snapshots/",
            "records/",
            "tombstones/",
        ] {
            let listed = self.storage.list(prefix, &mut |o| {
                times.insert(o.key, o.modified.0);
                Ok(())
            });
            listed.unwrap();
        }
        times
    }
}

/// As the table calls them.
fn kind_of(key: &str, body: &[u8]) -> &'static str {
    match key.split('/').next().unwrap_or_default() {
        "config" => "config",
        "keys" => "key slot",
        "packs" => match Header::decode(body).map(|h| h.kind) {
            Ok(ObjectKind::Metadata) => "metadata pack",
            _ => "data pack",
        },
        "index" => "index object",
        "snapshots" => "snapshot",
        "records" => "record",
        "tombstones" => "tombstone",
        _ => "",
    }
}

pub fn options(source: &Path) -> BackupOptions {
    let source = Source::new(source.as_os_str()).unwrap();
    BackupOptions::new(vec![source], "h".into(), "u".into())
}

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
fn noise(len: usize, seed: u8) -> Vec<u8> {
    let mut state = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..len).map(next).collect()
}
