//! The rules of view and renewal, and the two roles, on the memory storage with its own clock.

mod kept;
mod late;
mod moved;
mod trouble;

use super::{BackupOptions, BackupReport, create};
use crate::crypto::{Passphrase, Role};
use crate::error::{Kind, Result};
use crate::id::Id;
use crate::ops::opened::OpenSnapshot;
use crate::ops::restore::RestoreOptions;
use crate::ops::testing::{self, G, noise, options_of};
use crate::repo::snapshots::SnapshotFilter;
use crate::repo::{InitOptions, Repository};
use crate::report::{Event, Observer, Silent, Stop};
use crate::storage::Storage;
use crate::storage::fault::Op;
use crate::storage::memory::{Hook, MemoryStorage, Phase, Request};
use crate::units::{MIB, Time};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

struct World {
    work: tempfile::TempDir,
    storage: Arc<MemoryStorage>,
}

impl World {
    fn new() -> World {
        let storage = Arc::new(MemoryStorage::new());
        storage.set_clock(Time(1_700_000_000_000));
        let world = World {
            work: tempfile::tempdir().unwrap(),
            storage,
        };
        let options = InitOptions {
            pack_size: MIB,
            ..InitOptions::default()
        };
        let dynamic: Arc<dyn Storage> = world.storage.clone();
        Repository::init(dynamic, &Passphrase::new("full"), &options, None, &Silent).unwrap();
        std::fs::create_dir(world.source()).unwrap();
        for n in 0..20u8 {
            world.write(&format!("small{n}"), &[n; 3000]);
        }
        world.write("large", &noise(3 << 20, 1));
        world
    }

    fn source(&self) -> PathBuf {
        self.work.path().join("source")
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.source().join(name), bytes).unwrap();
    }

    fn open(&self, passphrase: &str) -> Arc<Repository> {
        let cache = self.work.path().join(format!("cache-{passphrase}"));
        let storage: Arc<dyn Storage> = self.storage.clone();
        Arc::new(
            Repository::open(storage, &Passphrase::new(passphrase), Some(&cache), &Silent).unwrap(),
        )
    }

    fn backup(&self, passphrase: &str) -> Result<BackupReport> {
        let options = options_of(&self.source());
        create(
            self.open(passphrase),
            &options,
            Arc::new(Silent),
            &Stop::default(),
        )
    }

    fn names(&self, prefix: &str) -> Vec<Id> {
        testing::names(&self.storage, prefix)
    }

    /// A tombstone that names `packs` and `index`, as maintenance would leave it.
    fn bury(&self, packs: Vec<Id>, index: Vec<Id>) {
        testing::bury(&self.storage, &self.open("full").keyring, packs, index);
    }

    fn sweep(&self, packs: &[Id], index: &[Id]) {
        for id in index {
            self.storage.delete(&format!("index/{id}")).unwrap();
        }
        for id in packs {
            self.storage
                .delete(&format!("packs/{}/{id}", &id.hex()[..2]))
                .unwrap();
        }
    }

    /// Every snapshot restores, byte for byte as the source is now.
    fn assert_restores(&self) {
        self.storage.set_hook(None);
        let repo = self.open("full");
        let (all, unreadable) = repo.snapshots(&SnapshotFilter::default(), &Silent).unwrap();
        assert_eq!(unreadable, 0);
        assert!(!all.is_empty());
        for snapshot in all {
            let restored = testing::restore(&repo, &snapshot.id, &self.source());
            assert!(restored == (testing::read_files(&self.source()), 0));
        }
    }

    /// Does `act` once, when a put of a key under `prefix` reaches `phase`.
    fn at_put(
        self: &Arc<Self>,
        prefix: &'static str,
        phase: Phase,
        act: impl Fn(&World) + Send + Sync + 'static,
    ) {
        let done = AtomicBool::new(false);
        let world = Arc::downgrade(self);
        let hook = move |request: &Request<'_>| {
            let here =
                request.op == Op::Put && request.phase == phase && request.key.starts_with(prefix);
            if here && !done.swap(true, Ordering::SeqCst) {
                act(&world.upgrade().unwrap());
            }
            Ok(())
        };
        let hook: Arc<Hook> = Arc::new(hook);
        self.storage.set_hook(Some(hook));
    }
}

#[test]
fn what_a_tombstone_names_is_not_reused() {
    let world = World::new();
    world.backup("full").unwrap();
    let (packs, index) = (world.names("packs/"), world.names("index/"));
    world.bury(packs.clone(), index.clone());
    let again = world.backup("full").unwrap();
    assert_eq!(
        again.counts.files_read, 21,
        "the parent's chunks do not count as present"
    );
    world.sweep(&packs, &index);
    world.assert_restores_latest_only();
}

impl World {
    /// After a sweep that ignored snapshots: only the newest can be whole.
    fn assert_restores_latest_only(&self) {
        let repo = self.open("full");
        let newest = repo
            .find_snapshot("latest", &SnapshotFilter::default(), &Silent)
            .unwrap();
        for id in self.names("snapshots/") {
            if id != newest.id {
                self.storage.delete(&format!("snapshots/{id}")).unwrap();
            }
        }
        self.assert_restores();
    }
}

#[test]
fn a_tombstone_that_comes_during_the_run_is_seen_at_renewal() {
    for (passphrase, writer) in [("full", false), ("writer", true)] {
        let world = Arc::new(World::new());
        if writer {
            world
                .open("full")
                .add_key(&Passphrase::new("writer"), Role::Writer, "w")
                .unwrap();
        }
        world.backup(passphrase).unwrap();
        world.write("new", &noise(10_000, 9));
        let (packs, index) = (world.names("packs/"), world.names("index/"));
        let (p, i) = (packs.clone(), index.clone());
        world.at_put("snapshots/", Phase::Ready, move |w| {
            w.bury(p.clone(), i.clone());
            w.storage.advance(G / 2 + Duration::from_secs(1));
        });
        world.backup(passphrase).unwrap();
        world.storage.set_hook(None);
        world.sweep(&packs, &index);
        world.assert_restores_latest_only();
    }
}

#[test]
fn a_run_that_slept_longer_than_the_grace_period_trusts_nothing_it_did() {
    let world = Arc::new(World::new());
    world.backup("full").unwrap();
    world.write("new", &noise(10_000, 9));
    let old = (world.names("packs/"), world.names("index/"));
    // A tombstone has come and gone meanwhile, and with it everything that no snapshot needed when it was looked at.
    world.at_put("index/", Phase::Ready, move |w| {
        w.storage.advance(2 * G);
        w.sweep(&w.names("packs/"), &old.1);
    });
    world.backup("full").unwrap();
    world.storage.set_hook(None);
    world.assert_restores_latest_only();
}

#[test]
fn a_snapshot_that_arrives_too_late_is_looked_at_again() {
    let world = Arc::new(World::new());
    world.backup("full").unwrap();
    world.write("new", &noise(10_000, 9));
    let (packs, index) = (world.names("packs/"), world.names("index/"));
    let (p, i) = (packs.clone(), index.clone());
    // The storage does not enforce the window of 15 minutes: the put is under way for two grace periods.
    world.at_put("snapshots/", Phase::Sent, move |w| {
        w.bury(p.clone(), i.clone());
        w.storage.advance(2 * G);
    });
    let report = world.backup("full").unwrap();
    world.storage.set_hook(None);
    world.sweep(&packs, &index);
    assert!(
        world
            .names("snapshots/")
            .iter()
            .any(|n| Some(n.hex()) == report.snapshot)
    );
    world.assert_restores_latest_only();
}

#[test]
fn an_interrupted_run_leaves_what_it_uploaded_to_the_next() {
    let world = Arc::new(World::new());
    world.write("huge", &noise(12 << 20, 3));
    let stop = Stop::default();
    let asked = stop.clone();
    world.at_put("packs/", Phase::Sent, move |_| asked.request(2));
    let repo = world.open("full");
    let options = options_of(&world.source());
    let error = create(repo, &options, Arc::new(Silent), &stop).unwrap_err();
    assert_eq!(error.kind(), Kind::Interrupted);
    world.storage.set_hook(None);
    assert!(world.names("snapshots/").is_empty());
    assert_eq!(
        world.names("index/").len(),
        1,
        "the packs that were uploaded are indexed"
    );
    let report = world.backup("full").unwrap();
    assert!(report.written.reused_chunks > 0);
    world.assert_restores();
}

#[test]
fn no_repository_is_made_where_one_has_lost_its_config() {
    let world = World::new();
    world.backup("full").unwrap();
    world.storage.delete("config").unwrap();
    let before = world.storage.contents();
    let storage: Arc<dyn Storage> = world.storage.clone();
    let pass = Passphrase::new("full");
    let made = Repository::init(storage, &pass, &InitOptions::default(), None, &Silent);
    assert_eq!(made.err().unwrap().kind(), Kind::Damaged);
    assert_eq!(world.storage.contents(), before);
    let storage: Arc<dyn Storage> = world.storage.clone();
    let opened = Repository::open(storage, &pass, None, &Silent)
        .err()
        .unwrap();
    let text = opened.to_string();
    assert!(
        text.contains("`config` is missing") && !text.contains("repo init"),
        "{text}"
    );
}

/// A manifest that nobody can read would be no backup.
#[test]
fn more_than_a_manifest_may_say_is_refused_before_anything_is_put() {
    let world = World::new();
    let before = world.storage.contents();
    let refused = |change: &dyn Fn(&mut BackupOptions)| {
        let mut options = options_of(&world.source());
        change(&mut options);
        let silent = Arc::new(Silent);
        let done = create(world.open("full"), &options, silent, &Stop::default());
        assert_eq!(done.unwrap_err().kind(), Kind::Usage);
    };
    refused(&|o| o.excludes = vec!["*.tmp".into(); 70_000]);
    refused(&|o| o.tags = vec!["t".repeat(70_000)]);
    refused(&|o| o.host = "h".repeat(70_000));
    assert_eq!(world.storage.contents(), before);
}

#[test]
fn a_writer_backs_up_and_reads_nothing() {
    let world = World::new();
    world
        .open("full")
        .add_key(&Passphrase::new("writer"), Role::Writer, "laptop")
        .unwrap();
    world.backup("full").unwrap();
    let before = world.names("packs/").len();

    let first = world.backup("writer").unwrap();
    assert_eq!(first.counts.files_read, 21);
    assert!(
        world.names("packs/").len() > before,
        "a writer shares nothing with others"
    );
    let second = world.backup("writer").unwrap();
    assert_eq!(
        (second.counts.files_read, second.written.data_packs),
        (0, 0)
    );

    // A lost cache costs reading, not uploading.
    std::fs::remove_dir_all(world.work.path().join("cache-writer")).unwrap();
    let third = world.backup("writer").unwrap();
    assert_eq!((third.counts.files_read, third.written.data_packs), (21, 0));

    let repo = world.open("writer");
    let id = world.names("snapshots/")[0];
    assert_eq!(repo.snapshot(&id).unwrap_err().kind(), Kind::RoleNeeded);
    assert_eq!(
        repo.snapshots(&SnapshotFilter::default(), &Silent)
            .unwrap_err()
            .kind(),
        Kind::RoleNeeded
    );
    let delete = crate::ops::forget::delete(&repo, &[id], &Silent, &Stop::default());
    assert_eq!(delete.unwrap_err().kind(), Kind::RoleNeeded);
    assert_eq!(repo.keys().unwrap_err().kind(), Kind::RoleNeeded);
    let add = repo
        .add_key(&Passphrase::new("x"), Role::Full, "")
        .unwrap_err();
    assert_eq!(add.kind(), Kind::RoleNeeded);
    world.assert_restores();
}

#[test]
fn one_flipped_byte_anywhere_never_restores_a_wrong_one() {
    let world = World::new();
    world.backup("full").unwrap();
    let objects = world.storage.contents();
    for (key, body) in &objects {
        // A spread of places in every object: header, frames, directory, trailer.
        let step = (body.len() / 4).max(1);
        for at in (0..body.len()).step_by(step).chain([body.len() - 1]) {
            assert!(world.storage.tamper(key, |b| b[at] ^= 0x20));
            restore_or_fail(&world, key, at);
            assert!(world.storage.tamper(key, |b| b[at] ^= 0x20));
        }
    }
    world.assert_restores();
}

/// A fresh host without a cache: opening fails, or restore reports errors, or every file is right.
fn restore_or_fail(world: &World, key: &str, at: usize) {
    let storage: Arc<dyn Storage> = world.storage.clone();
    let Ok(repo) = Repository::open(storage, &Passphrase::new("full"), None, &Silent) else {
        return;
    };
    let repo = Arc::new(repo);
    let Ok(snapshot) = repo.find_snapshot("latest", &SnapshotFilter::default(), &Silent) else {
        return;
    };
    let out = world.work.path().join("damaged");
    let Ok(opened) = OpenSnapshot::new(&repo, snapshot, &Silent) else {
        return;
    };
    let options = RestoreOptions {
        destination: out.clone(),
        ..RestoreOptions::default()
    };
    let report = opened.restore(&options, &Silent, &Stop::default());
    let landed = out.join(world.source().strip_prefix("/").unwrap());
    let mut whole = true;
    for entry in std::fs::read_dir(world.source()).unwrap() {
        let name = entry.unwrap().file_name();
        match std::fs::read(landed.join(&name)) {
            Ok(bytes) => assert!(
                bytes == std::fs::read(world.source().join(&name)).unwrap(),
                "{key} byte {at}: {name:?} has wrong bytes"
            ),
            Err(_) => whole = false,
        }
    }
    assert!(
        whole || report.is_err() || report.is_ok_and(|r| r.errors > 0),
        "{key} byte {at}: files are missing, unnoticed"
    );
    remove(&out);
}

fn remove(path: &Path) {
    let _ = std::fs::remove_dir_all(path);
}

/// Asks for a stop when the large file and some small ones are read, in the middle of a bundle.
struct StopsEarly(Stop);

impl Observer for StopsEarly {
    fn event(&self, event: Event<'_>) {
        if let Event::Progress(p) = event
            && p.files >= 10
        {
            self.0.request(2);
        }
    }
}

#[test]
fn a_stop_within_a_bundle_ends_the_run() {
    let world = World::new();
    let options = options_of(&world.source());
    let (repo, stop) = (world.open("full"), Stop::default());
    let observer = Arc::new(StopsEarly(stop.clone()));
    let (sender, receiver) = crossbeam_channel::bounded(1);
    std::thread::spawn(move || sender.send(create(repo, &options, observer, &stop).map(drop)));
    let ended = receiver
        .recv_timeout(Duration::from_secs(60))
        .expect("the run hangs");
    assert_eq!(ended.unwrap_err().kind(), Kind::Interrupted);
    assert!(world.names("snapshots/").is_empty());
    assert_eq!(world.backup("full").unwrap().counts.files, 21);
}
