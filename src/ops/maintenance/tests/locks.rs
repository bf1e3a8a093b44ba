//! Locks on a storage that has them: what is needed stays locked, and what is locked is waited for.

use super::*;
use crate::crypto::Passphrase;
use crate::format::lock::{LockMode, ObjectLock};
use crate::storage::memory::MemoryStorage;
use crate::storage::{Listed, ObjectInfo, PutOptions, Retained, Stored, Usage};

/// Keeps locks; with `refuses`, deletes nothing that is locked. (With versions, a deletion is no matter of locks.)
struct Locking {
    inner: Arc<MemoryStorage>,
    locks: Mutex<BTreeMap<String, Retained>>,
    refuses: bool,
    may_extend: bool,
}

impl Locking {
    fn until(&self, key: &str) -> Option<Time> {
        self.locks.lock().unwrap().get(key).map(|lock| lock.until)
    }
}

impl Storage for Locking {
    fn put(&self, key: &str, body: &[u8], options: &PutOptions) -> Result<Stored> {
        if let Some(lock) = options.lock {
            let lock = Retained {
                mode: lock.mode,
                until: self.now().plus(lock.duration),
            };
            self.locks.lock().unwrap().insert(key.to_owned(), lock);
        }
        self.inner.put(key, body, options)
    }
    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>> {
        self.inner.get(key, limit)
    }
    fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Vec<u8>> {
        self.inner.get_range(key, offset, length)
    }
    fn head(&self, key: &str) -> Result<ObjectInfo> {
        self.inner.head(key)
    }
    fn list(&self, prefix: &str, each: &mut dyn FnMut(ObjectInfo) -> Result<()>) -> Result<Listed> {
        self.inner.list(prefix, each)
    }
    fn delete(&self, key: &str) -> Result<()> {
        if self.refuses && self.until(key).is_some_and(|until| until > self.now()) {
            return Err(Error::new(Kind::PermissionDenied, "it is locked"));
        }
        self.inner.delete(key)
    }
    fn now(&self) -> Time {
        self.inner.now()
    }
    fn check_place(&self) -> Result<()> {
        Ok(())
    }
    fn check_lock(&self) -> Result<()> {
        Ok(())
    }
    fn retention(&self, key: &str) -> Result<Option<Retained>> {
        Ok(self.locks.lock().unwrap().get(key).copied())
    }
    fn retain(&self, key: &str, lock: &Retained) -> Result<()> {
        if !self.may_extend {
            return Err(Error::new(
                Kind::PermissionDenied,
                "no s3:PutObjectRetention",
            ));
        }
        self.locks.lock().unwrap().insert(key.to_owned(), *lock);
        Ok(())
    }
    fn describe(&self) -> String {
        "a storage with locks".to_owned()
    }
    fn usage(&self) -> Usage {
        self.inner.usage()
    }
}

/// A world whose objects are locked for `days`.
fn locked(days: u32, extend: bool, refuses: bool, may_extend: bool) -> (World, Arc<Locking>) {
    let inner = Arc::new(MemoryStorage::new());
    inner.set_clock(Time(1_700_000_000_000));
    let storage = Arc::new(Locking {
        inner: inner.clone(),
        locks: Mutex::default(),
        refuses,
        may_extend,
    });
    let options = InitOptions {
        lock: Some(ObjectLock {
            mode: LockMode::Governance,
            duration: days * Duration::from_secs(86400),
            extend,
        }),
        ..testing::small_packs()
    };
    let dynamic: Arc<dyn Storage> = storage.clone();
    let repo = Repository::init(dynamic, &Passphrase::new("full"), &options, None, &Silent);
    let work = tempfile::tempdir().unwrap();
    std::fs::create_dir(work.path().join("source")).unwrap();
    let world = World {
        base: testing::World {
            work,
            storage: inner,
            repo: Arc::new(repo.unwrap()),
        },
        kept: Mutex::default(),
    };
    (world, storage)
}

/// Some time of every object that is there, and none of which any is without a lock.
fn assert_all_locked(world: &World, storage: &Locking) {
    for key in world.storage.contents().keys() {
        let until = storage.until(key);
        match key.starts_with("tombstones/") {
            true => assert_eq!(until, None, "{key}"),
            false => assert!(until.unwrap() > world.storage.now(), "{key}"),
        }
    }
}

#[test]
fn what_is_needed_stays_locked_for_little() {
    let (world, storage) = locked(10, true, false, true);
    world.write("a", 2_000_000, 1);
    world.backup();
    let objects = world.storage.contents().len() as u64;
    let mut extended = 0;
    for day in 0..30 {
        let done = world.maintain().extended;
        // Nobody asks before half of a lock is over.
        assert!(day > 5 || done.locks_looked_at == 0, "day {day}: {done:?}");
        extended += done.locks_extended;
        assert_all_locked(&world, &storage);
        world.storage.advance(DAY - Duration::from_secs(3600));
    }
    // Each object about every five days, not every day.
    assert!(
        extended >= 4 * (objects - 2) && extended <= 6 * objects,
        "{extended} of {objects}"
    );
}

#[test]
fn what_is_not_needed_is_not_extended() {
    let (world, storage) = locked(10, true, false, true);
    world.write("a", 2_000_000, 1);
    let first = world.backup();
    let gone: Vec<String> = world
        .storage
        .contents()
        .into_keys()
        .filter(|key| key.starts_with("packs/"))
        .collect();
    world.write("a", 2_000_000, 2);
    world.backup();
    world.forget(&first);
    world.storage.advance(Duration::from_secs(6 * 86400));
    let before = storage.locks.lock().unwrap().clone();
    let done = world.maintain();
    assert!(done.buried.packs_buried > 0 && done.extended.locks_extended > 0);
    for key in gone {
        assert_eq!(
            storage.until(&key),
            before.get(&key).map(|l| l.until),
            "{key}"
        );
    }
}

#[test]
fn nothing_is_extended_unasked() {
    let (world, storage) = locked(10, false, false, true);
    world.write("a", 100_000, 1);
    world.backup();
    world.storage.advance(Duration::from_secs(6 * 86400));
    let before = storage.locks.lock().unwrap().clone();
    assert_eq!(world.maintain().extended, Default::default());
    let dry = MaintenanceOptions {
        dry_run: true,
        extend_locks: true,
        ..MaintenanceOptions::default()
    };
    let would = world.try_maintain(&dry).unwrap().extended;
    assert!(would.locks_extended > 0);
    assert_eq!(*storage.locks.lock().unwrap(), before);
    let asked = MaintenanceOptions {
        dry_run: false,
        ..dry
    };
    assert_eq!(world.try_maintain(&asked).unwrap().extended, would);
    assert_ne!(*storage.locks.lock().unwrap(), before);
}

#[test]
fn who_may_not_extend_is_told_once() {
    let (world, _) = locked(10, true, false, false);
    world.write("a", 2_000_000, 1);
    world.backup();
    world.storage.advance(Duration::from_secs(6 * 86400));
    let warnings = Warnings::default();
    let options = MaintenanceOptions::default();
    let report = maintain(&world.repo, &options, &warnings, &Stop::default()).unwrap();
    assert!(report.extended.locks_not_extended);
    let said = warnings.take();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("locks are not extended"), "{said}");
}

#[test]
fn what_is_locked_in_place_is_waited_for_without_a_word() {
    let (world, storage) = locked(10, false, true, true);
    world.write("a", 2_000_000, 1);
    let first = world.backup();
    world.write("a", 2_000_000, 2);
    world.backup();
    // By another way than ours: here a deletion would have to wait, too.
    world.kept.lock().unwrap().remove(&first);
    world.remove(&format!("snapshots/{first}"));
    world.storage.advance(DAY);
    let marked = world.maintain().buried.packs_buried;
    assert!(marked > 0);
    world.storage.advance(DAY);
    let warnings = Warnings::default();
    let options = MaintenanceOptions::default();
    let run = || maintain(&world.repo, &options, &warnings, &Stop::default()).unwrap();
    let waiting = run();
    assert_eq!(waiting.swept.packs_deleted, 0);
    assert!(waiting.swept.locked >= marked, "{:?}", waiting.swept);
    assert_eq!(waiting.swept.refused, 0);
    assert!(waiting.next_deletion.is_some());
    assert_eq!(warnings.take(), "");
    world.assert_restores();
    world.storage.advance(Duration::from_secs(10 * 86400));
    assert_eq!(run().swept.packs_deleted, marked);
    assert_eq!(warnings.take(), "");
    let _ = storage;
    world.assert_restores();
}

/// A copy in a folder, say, of a repository whose config speaks of locks.
#[test]
fn a_storage_without_locks_is_no_matter() {
    let (world, _) = locked(10, true, false, true);
    world.write("a", 100_000, 1);
    world.backup();
    world.storage.advance(Duration::from_secs(6 * 86400));
    let plain: Arc<dyn Storage> = world.storage.clone();
    let copy = Arc::new(Repository::serial(plain, &world.repo));
    let options = MaintenanceOptions::default();
    let warnings = Warnings::default();
    let done = maintain(&copy, &options, &warnings, &Stop::default()).unwrap();
    assert_eq!(done.extended, Default::default());
    assert_eq!(warnings.take(), "");
}
