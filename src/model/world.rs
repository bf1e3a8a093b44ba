//! Where the actors meet: a repository with a short history, and files to back up.
//!
//! The history is made once by the engine itself; every execution starts from a copy of it. Three runs made it:
//! - the first backed up two files and a small one, and was deleted;
//! - the second lacks one of those files, and is kept: so the first run's pack is half rubbish;
//! - the third has a file more than the second, and was deleted: so its packs are rubbish.
//!
//! All this was long ago, so that maintenance may bury it. But the source has all these files again, and one that is
//! new: a backup finds the rubbish in the index and relies on it.

use super::plan;
use crate::crypto::Keyring;
use crate::error::{Context, Result};
use crate::format::config::Config;
use crate::format::index;
use crate::format::tombstone::{self, Tombstone};
use crate::fs::path::Source;
use crate::fs::walk;
use crate::id::{Id, Id16};
use crate::ops::backup::{BackupOptions, BackupReport, Parent, create};
use crate::ops::forget;
use crate::repo::Repository;
use crate::report::{Silent, Stop};
use crate::storage::Storage;
use crate::storage::memory::MemoryStorage;
use crate::units::{MIB, Time};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The grace period of the model: the shortest, so that the 15 minutes for which a signed request is good are as long
/// as they can be beside it.
pub const G: Duration = Duration::from_secs(3600);
/// When the actors start.
pub const NOW: Time = Time(1_700_000_000_000);

/// The writer.
const WRITER: Id16 = Id16([9; 16]);

/// A part of the grace period.
pub fn grace(quarters: u32) -> Duration {
    G / 4 * quarters
}

/// An object as it lies in a storage.
pub type Object = (String, Arc<[u8]>, Time);

/// What the repository holds when the actors start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Start {
    /// Whose runs made the history: a writer key's, or a full key's.
    pub writer: bool,
    /// A tombstone, and its age in quarters of the grace period.
    pub stone: Option<(Stone, u32)>,
    /// Are there so many index objects that they are worth merging?
    pub scattered: bool,
    /// Are all files so small that they share a bundle?
    pub small: bool,
}

/// What a tombstone at the start names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stone {
    /// What the third run wrote, which nothing needs.
    Rubbish,
    /// The same without the index object, as another maintenance that merged index objects would leave it.
    RubbishPacks,
    /// What the first two runs wrote, which the kept snapshot needs: it was put while the tombstone was.
    Needed,
}

/// Keys, files, and what is needed to make storages.
pub struct World {
    config: Config,
    config_bytes: Vec<u8>,
    full: Arc<Keyring>,
    writer: Arc<Keyring>,
    work: tempfile::TempDir,
    histories: [History; 2],
}

/// What the runs left.
#[derive(Default)]
pub struct History {
    objects: Vec<Object>,
    /// More index objects, which say the same as the others.
    scattered: Vec<Object>,
    /// The snapshot that is kept.
    pub kept: Id,
    /// The last snapshot that was deleted.
    pub gone: Id,
    /// Packs and index objects of the first two runs, and of the third.
    wrote: [Tombstone; 2],
}

impl World {
    /// The world of `start`: made at first use.
    pub fn of(start: Start) -> &'static World {
        static WORLDS: [OnceLock<World>; 2] = [const { OnceLock::new() }; 2];
        WORLDS[usize::from(start.small)].get_or_init(|| {
            plan::follow(b"world", NOW);
            let world = World::make(if start.small { 100 } else { 1 });
            plan::leave();
            world.unwrap()
        })
    }

    /// With files that are `smaller` by this factor.
    fn make(smaller: usize) -> Result<World> {
        let mut config = Config::new(Id16([7; 16]), NOW);
        (config.grace, config.pack_size) = (G, MIB);
        let config_bytes = config.encode()?;
        let full = Arc::new(Keyring::generate(config.repo)?);
        let mut world = World {
            config_bytes,
            config,
            writer: Arc::new(full.for_writer(WRITER, 1)?),
            full,
            work: quiet_folder()?,
            histories: Default::default(),
        };
        std::fs::create_dir(world.source()).context(|| "the source")?;
        // Files with a chunk of their own, and a small one that goes into a bundle.
        world.write("small", &pattern(0, 500))?;
        world.write("kept", &pattern(1, 140_000 / smaller))?;
        world.write("extra", &pattern(2, 150_000 / smaller))?;
        let storages = [(); 2].map(|()| MemoryStorage::from_contents([], NOW.minus(G * 8)));
        let storages = storages.map(Arc::new);
        let each = || storages.iter().zip([false, true]);
        let run = |world: &World, storage: &Arc<MemoryStorage>, writer| -> Result<Id> {
            Ok(name_of(&world.backup(world.open(storage.clone(), writer))?))
        };
        let first: Vec<Id> = (each().map(|(s, w)| run(&world, s, w))).collect::<Result<_>>()?;
        std::fs::remove_file(world.source().join("extra")).context(|| "a source file")?;
        let kept: Vec<Id> = (each().map(|(s, w)| run(&world, s, w))).collect::<Result<_>>()?;
        world.write("added", &pattern(3, 160_000 / smaller))?;
        for (number, (storage, writer)) in each().enumerate() {
            let before = names(&storage.snapshot());
            let gone = run(&world, storage, writer)?;
            let repo = world.open(storage.clone(), false);
            forget::delete(&repo, &[first[number], gone], &Silent, &Stop::default())?;
            let after = names(&storage.snapshot());
            let new = after.difference(&before).cloned().collect();
            let wrote = [stone_of(&before), stone_of(&new)];
            world.histories[number] = History {
                objects: storage.snapshot(),
                scattered: world.scatter(&repo, storage, writer)?,
                kept: kept[number],
                gone,
                wrote,
            };
        }
        world.write("extra", &pattern(2, 150_000 / smaller))?;
        world.write("fresh", &pattern(4, 170_000 / smaller))?;
        Ok(world)
    }

    /// Index objects of one pack each, twice over.
    fn scatter(
        &self,
        repo: &Repository,
        storage: &MemoryStorage,
        writer: bool,
    ) -> Result<Vec<Object>> {
        let mut packs = Vec::new();
        for (key, body, _) in storage.snapshot() {
            if key.starts_with("index/") {
                index::open(&body, &repo.keyring, &mut |_, pack| {
                    packs.push(pack);
                    Ok(())
                })?;
            }
        }
        let session = repo.keyring.session()?;
        let domain = if writer { WRITER } else { Id16::ZERO };
        let keys = repo.keyring.domain(domain, session.epoch)?;
        let mut made = Vec::new();
        for pack in packs.iter().chain(&packs) {
            let one = std::slice::from_ref(pack);
            for object in index::seal(one, &session, self.config.cipher, &keys)? {
                let key = format!("index/{}", object.sealed.name);
                made.push((key, object.sealed.bytes.into(), NOW.minus(G * 8)));
            }
        }
        Ok(made)
    }

    fn source(&self) -> PathBuf {
        self.work.path().join("source")
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        std::fs::write(self.source().join(name), bytes).context(|| "a source file")
    }

    /// The history that `start` goes on from.
    pub fn history(&self, start: Start) -> &History {
        &self.histories[usize::from(start.writer)]
    }

    /// What is stored at `start`.
    pub fn objects(&self, start: Start) -> Vec<Object> {
        let history = self.history(start);
        let mut objects = history.objects.clone();
        if start.scattered {
            objects.extend(history.scattered.iter().cloned());
        }
        if let Some((what, quarters)) = start.stone {
            let mut stone = history.wrote[usize::from(what != Stone::Needed)].clone();
            if what == Stone::RubbishPacks {
                stone.index.clear();
            }
            let bytes = tombstone::encode(&stone, &self.full).expect("a full key");
            let key = format!("tombstones/{}", Id::sha256(&bytes));
            objects.push((key, bytes.into(), NOW.minus(grace(quarters))));
        }
        objects
    }

    /// The repository on `storage`, for one run.
    pub fn open(&self, storage: Arc<dyn Storage>, writer: bool) -> Arc<Repository> {
        let keyring = match writer {
            true => &self.writer,
            false => &self.full,
        };
        Arc::new(Repository::with_keys(
            storage,
            self.config.clone(),
            self.config_bytes.clone(),
            keyring.clone(),
        ))
    }

    /// Backs the source up.
    pub fn backup(&self, repo: Arc<Repository>) -> Result<BackupReport> {
        let source = Source::new(self.source().as_os_str())?;
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
        create(repo, &options, Arc::new(Silent), &Stop::default())
    }
}

fn names(objects: &[Object]) -> BTreeSet<String> {
    objects.iter().map(|(key, ..)| key.clone()).collect()
}

/// The packs and index objects among `keys`.
fn stone_of(keys: &BTreeSet<String>) -> Tombstone {
    let below = |prefix: &str| {
        let keys = keys.iter().filter(|k| k.starts_with(prefix));
        keys.filter_map(|k| k.rsplit('/').next()?.parse().ok())
            .collect()
    };
    Tombstone {
        packs: below("packs/"),
        index: below("index/"),
        nonce: Id16([1; 16]),
    }
}

fn name_of(report: &BackupReport) -> Id {
    let name = report.snapshot.as_deref().unwrap_or_default();
    name.parse().unwrap_or(Id::ZERO)
}

/// A folder for the source. A backup records the folders above the source too, and with them their times: so one that
/// nobody else makes files beside, where there is such a place.
fn quiet_folder() -> Result<tempfile::TempDir> {
    tempfile::tempdir_in("/var/tmp")
        .or_else(|_| tempfile::tempdir())
        .context(|| "making a folder")
}

/// Bytes that compress well and are the same every time.
fn pattern(seed: u8, len: usize) -> Vec<u8> {
    let block = *blake3::hash(&[seed]).as_bytes();
    block.iter().copied().cycle().take(len).collect()
}
