//! A backup that cannot be walked freezes its domain, and no other.

use super::*;
use crate::crypto::{Passphrase, Role};
use crate::id::Id16;
use crate::ops::check::{CheckOptions, check};
use crate::ops::survey::Survey;
use std::collections::BTreeSet;

/// Two domains, each with a backup that stays and data that nothing needs.
struct Shared {
    world: World,
    writer: Arc<Repository>,
    /// The writer's backup that stays.
    theirs: Id,
}

impl Shared {
    fn new() -> Shared {
        let world = World::with_rubbish(G);
        let pass = Passphrase::new("writer");
        world.repo.add_key(&pass, Role::Writer, "").unwrap();
        let writer = world.open("there", "writer");
        let silent = || Arc::new(Silent);
        world.write("a", 2_000_000, 3);
        let first = world.backup_as(&writer, silent());
        world.write("a", 2_000_000, 4);
        let theirs = world.backup_as(&writer, silent());
        world.forget(&first);
        world.write("a", 2_000_000, 2);
        world.storage.advance(DAY);
        Shared {
            world,
            writer,
            theirs,
        }
    }

    /// Packs and index objects of the writer's domain.
    fn of_writer(&self) -> BTreeSet<String> {
        let survey = Survey::take(&self.world.repo, &Silent, &Stop::default()).unwrap();
        let (base, writer): (_, Id16) = (survey.index.base(), self.writer.writer());
        let mut keys = BTreeSet::new();
        for (object, packs) in base.objects() {
            for pack in packs.iter().filter_map(|n| base.pack(*n)) {
                if pack.domain == writer {
                    keys.insert(pack_key(&pack.name));
                    keys.insert(format!("index/{object}"));
                }
            }
        }
        keys
    }

    /// A pack without which the writer's backup cannot be walked.
    fn vital(&self) -> String {
        let before = self.world.storage.save();
        let vital = |key: &&String| {
            self.world.remove(key);
            let report = check(
                &self.world.repo,
                &CheckOptions::default(),
                &Silent,
                &Stop::default(),
            );
            self.world.storage.load(&before);
            let node = |f: &crate::ops::check::Finding| f.what == crate::ops::check::What::Node;
            report.unwrap().findings.iter().any(node)
        };
        let packs = self.of_writer();
        let found = packs.iter().filter(|k| k.starts_with("packs/")).find(vital);
        found.unwrap().clone()
    }

    fn is_there(&self, keys: &BTreeSet<String>) -> bool {
        let there = self.world.storage.contents();
        keys.iter().all(|k| there.contains_key(k))
    }
}

#[test]
fn the_other_domain_is_maintained() {
    let shared = Shared::new();
    let world = &shared.world;
    let vital = shared.vital();
    let body = world.storage.contents()[&vital].clone();
    world.remove(&vital);
    let mut theirs = shared.of_writer();
    theirs.remove(&vital);
    let warnings = Warnings::default();
    let options = MaintenanceOptions::default();
    let report = maintain(&world.repo, &options, &warnings, &Stop::default()).unwrap();
    let told = warnings.take();
    assert_eq!(report.frozen.len(), 1);
    assert_eq!(report.frozen[0].backup, shared.theirs.hex());
    assert_eq!(report.frozen[0].kind, Kind::Damaged);
    for words in [
        &shared.theirs.short(),
        "of h at",
        "repo check",
        "repo repair",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(report.buried.packs_buried > 0, "what the other domain has");
    world.storage.advance(DAY);
    let report = maintain(&world.repo, &options, &Silent, &Stop::default()).unwrap();
    assert!(report.swept.packs_deleted > 0);
    assert!(shared.is_there(&theirs));
    // Mended, it is maintained again.
    world
        .storage
        .put(&vital, &body, &Default::default())
        .unwrap();
    for _ in 0..2 {
        assert!(world.maintain().frozen.is_empty());
        world.storage.advance(DAY);
    }
    assert!(!shared.is_there(&theirs), "what nothing needs has gone");
    assert_eq!(
        testing::restore(&world.repo, &shared.theirs, &world.source()).1,
        0
    );
}

#[test]
fn of_a_tombstone_for_both_what_is_frozen_stays() {
    let shared = Shared::new();
    let world = &shared.world;
    let before = shared.of_writer();
    let report = world.maintain();
    assert!(report.buried.packs_buried > 0);
    assert_eq!(world.names("tombstones/").len(), 1, "one names both");
    world.storage.advance(DAY);
    let vital = shared.vital();
    let body = world.storage.contents()[&vital].clone();
    world.remove(&vital);
    let mut theirs: BTreeSet<String> = before.union(&shared.of_writer()).cloned().collect();
    theirs.remove(&vital);
    let report = world.maintain();
    assert_eq!(report.frozen.len(), 1);
    assert!(report.swept.packs_deleted > 0 && report.swept.refused == 0);
    assert_eq!(report.swept.tombstones_deleted, 0);
    assert!(shared.is_there(&theirs));
    // A pack that no index object names may be theirs too: its trailer tells.
    world
        .storage
        .put(&vital, &body, &Default::default())
        .unwrap();
    let report = world.maintain();
    assert!(report.frozen.is_empty() && report.swept.tombstones_deleted == 1);
    assert!(!shared.is_there(&theirs));
    assert_eq!(
        testing::restore(&world.repo, &shared.theirs, &world.source()).1,
        0
    );
}

#[test]
fn packs_that_nothing_names_stay_if_they_may_be_of_the_frozen_domain() {
    let shared = Shared::new();
    let world = &shared.world;
    // Its index is lost: its backup cannot be walked, and its packs look like rubbish.
    let theirs = shared.of_writer();
    let (index, packs): (BTreeSet<String>, BTreeSet<String>) =
        theirs.into_iter().partition(|k| k.starts_with("index/"));
    index.iter().for_each(|key| world.remove(key));
    for _ in 0..3 {
        let report = world.maintain();
        assert_eq!(report.frozen.len(), 1);
        assert!(shared.is_there(&packs));
        world.storage.advance(DAY);
    }
    assert!(
        world.names("tombstones/").is_empty(),
        "the rest is done with"
    );
}

#[test]
fn a_backup_that_does_not_open_stops_all_and_is_named() {
    let shared = Shared::new();
    let world = &shared.world;
    let key = format!("snapshots/{}", shared.theirs);
    world.storage.tamper(&key, |b| b[300] ^= 1);
    let before = world.storage.contents();
    let error = world
        .try_maintain(&MaintenanceOptions::default())
        .unwrap_err();
    let text = error.to_string();
    assert_eq!(world.storage.contents(), before);
    assert_eq!(error.kind(), Kind::Damaged);
    assert!(text.contains(&shared.theirs.short()), "{text}");
    let hint = error.hint_text().unwrap();
    assert!(
        hint.contains("repo check") && hint.contains("nothing was marked"),
        "{hint}"
    );
}

/// A chunk is in a pack that is about to go and nowhere else, and damaged there: the pack stays, and only its domain.
#[test]
fn a_chunk_that_cannot_be_rescued_freezes_its_domain() {
    let shared = Shared::new();
    let world = &shared.world;
    let check = || {
        let options = CheckOptions {
            read: Some(crate::ops::check::Subset::All),
            ..CheckOptions::default()
        };
        check(&world.repo, &options, &Silent, &Stop::default()).unwrap()
    };
    let node = |f: &crate::ops::check::Finding| f.what == crate::ops::check::What::Node;
    let well = world.storage.save();
    let packs = shared.of_writer();
    let content = packs
        .iter()
        .filter(|k| k.starts_with("packs/"))
        .find(|key| {
            world.storage.load(&well);
            world.storage.tamper(key, |b| {
                let middle = b.len() / 2;
                b[middle] ^= 1;
            });
            let report = check();
            !report.files.is_empty() && !report.findings.iter().any(node)
        });
    let key = content.unwrap().clone();
    let name: Id = key.rsplit('/').next().unwrap().parse().unwrap();
    world.bury(vec![name], Vec::new());
    world.storage.advance(DAY);
    let warnings = Warnings::default();
    let options = MaintenanceOptions::default();
    let report = maintain(&world.repo, &options, &warnings, &Stop::default()).unwrap();
    assert_eq!(report.frozen.len(), 1, "{:?}", report.frozen);
    assert_eq!(report.frozen[0].kind, Kind::Damaged);
    let told = warnings.take();
    assert!(
        told.contains("cannot be read") && told.contains("repo check"),
        "{told}"
    );
    assert!(report.buried.packs_buried > 0, "what the other domain has");
    world.storage.advance(DAY);
    let report = maintain(&world.repo, &options, &Silent, &Stop::default()).unwrap();
    assert!(report.swept.packs_deleted > 0);
    assert!(world.storage.contents().contains_key(&key), "{key}");
}
