//! Forgetting, deleting, pins, and noticing what is missing, on the memory storage with its own clock.

use super::*;
use crate::crypto::{Keyring, Passphrase, Role};
use crate::format::config::Retention;
use crate::format::record::{self, Record};
use crate::format::snapshot::{self, Manifest};
use crate::id::{Id16, Prefix};
use crate::ops::testing::{G, Warnings, World};
use crate::ops::undelete;
use crate::policy::Span;
use crate::report::Silent;
use crate::storage::PutOptions;
use crate::storage::fault::Op;
use crate::storage::memory::Request;
use crate::units::Time;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

impl World {
    /// A snapshot of `writer` without a tree, put an hour after the one before.
    fn snapshot(&self, writer: Id16, change: impl FnOnce(&mut Manifest)) -> Id {
        self.storage.advance(HOUR);
        let keyring = &self.repo.keyring;
        let session = keyring.session().unwrap();
        let mut manifest = Manifest {
            host: "h".into(),
            sources: vec![b"/s".to_vec()],
            writer,
            run: session.run,
            domain_epoch: session.epoch,
            ended: self.repo.storage().now(),
            ..Manifest::default()
        };
        change(&mut manifest);
        let keys = keyring.domain(writer, session.epoch).unwrap();
        let cipher = self.repo.config().cipher;
        let sealed = snapshot::seal(&manifest, &session, cipher, &keys).unwrap();
        self.put("snapshots/", &sealed.bytes)
    }

    fn put(&self, folder: &str, bytes: &[u8]) -> Id {
        let name = Id::sha256(bytes);
        let options = PutOptions::default();
        self.storage
            .put(&format!("{folder}{name}"), bytes, &options)
            .unwrap();
        name
    }

    pub fn delete(&self, id: &Id) {
        delete(&self.repo, &[*id], &Silent, &Stop::default()).unwrap();
    }

    fn plan(&self, policy: &Policy) -> Result<Plan> {
        let (by, all) = (GroupBy::default(), SnapshotFilter::default());
        plan(&self.repo, policy, by, &all, false, &Silent)
    }
}

fn last(n: u64) -> Policy {
    Policy {
        last: n,
        ..Policy::default()
    }
}

#[test]
fn a_writers_false_dates_push_nothing_out() {
    let world = World::small();
    let (writer, other) = (Id16([1; 16]), Id16([2; 16]));
    let dated = |writer, time: i64| world.snapshot(writer, |m| m.time = Time(time));
    // The full keys' hosts are believed: the order of their times counts.
    let full = [3, 1, 2].map(|day| dated(Id16::ZERO, day * 86_400_000));
    let far = 4_000_000_000_000;
    let false_dates = [far, far + 1, -far].map(|time| dated(writer, time));
    let another = dated(other, 0);
    let plan = world.plan(&last(1)).unwrap();
    let mut kept: Vec<Id> = plan
        .groups
        .iter()
        .flat_map(|g| g.keep.iter().map(|(s, _)| s.id))
        .collect();
    kept.sort();
    let mut expected = vec![full[0], false_dates[2], another];
    expected.sort();
    assert_eq!((plan.groups.len(), kept), (3, expected));
    // Within counts by the storage's clock too.
    let policy = Policy {
        within: Span::parse("1h").unwrap(),
        ..Policy::default()
    };
    let gone = world.plan(&policy).unwrap().removed();
    assert!(gone.contains(&false_dates[0]) && gone.contains(&false_dates[1]));
    assert!(!gone.contains(&false_dates[2]));
}

#[test]
fn in_a_copy_of_the_repository_writers_backups_stay() {
    let world = World::small();
    let writer = Id16([1; 16]);
    let now = world.repo.storage().now();
    let old = [30u64, 20, 10].map(|days| {
        let time = now.minus(Duration::from_secs(days * 86_400));
        world.snapshot(writer, |m| (m.time, m.ended) = (time, time))
    });
    let fresh = [0, 1].map(|_| world.snapshot(writer, |m| m.time = m.ended));
    let planned = world.plan(&last(1)).unwrap();
    assert_eq!(planned.removed(), [fresh[0]], "they take nobody's place");
    let kept = &planned.groups[0].keep;
    assert_eq!(kept.iter().filter(|(_, why)| *why == [MISDATED]).count(), 3);
    let all = SnapshotFilter::default();
    let by = GroupBy::default();
    let trusting = plan(&world.repo, &last(3), by, &all, true, &Silent).unwrap();
    assert_eq!(trusting.removed(), old[..2]);
}

#[test]
fn a_clock_that_ran_ahead_once_does_not_stay_the_newest() {
    let world = World::small();
    let year = Duration::from_secs(365 * 86_400);
    let now = world.repo.storage().now();
    let stale = world.snapshot(Id16::ZERO, |m| m.time = now.plus(year));
    let good = world.snapshot(Id16::ZERO, |m| m.time = m.ended);
    assert_eq!(world.plan(&last(1)).unwrap().removed(), [stale]);
    let latest = world
        .repo
        .find_snapshot("latest", &SnapshotFilter::default(), &Silent);
    assert_eq!(latest.unwrap().id, good);
}

#[test]
fn latest_is_not_taken_from_another_writer() {
    let world = World::small();
    let real = world.snapshot(Id16::ZERO, |m| m.time = m.ended);
    let planted = world.snapshot(Id16([7; 16]), |m| m.time = m.ended);
    let latest = |writer: Option<&str>| {
        let filter = SnapshotFilter {
            host: Some("h".into()),
            writer: writer.and_then(Prefix::parse),
            ..SnapshotFilter::default()
        };
        world
            .repo
            .find_snapshot("latest", &filter, &Silent)
            .map(|s| s.id)
    };
    let refused = latest(None).unwrap_err();
    assert_eq!(refused.kind(), Kind::Usage);
    assert!(
        refused.to_string().contains("(full, 07070707)"),
        "{refused}"
    );
    assert_eq!(latest(Some(&Id16::ZERO.hex())).unwrap(), real);
    assert_eq!(latest(Some("0707")).unwrap(), planted);
}

#[test]
fn pins_hold_until_they_are_taken_off() {
    let world = World::small();
    let ids = [1, 2, 3].map(|t| world.snapshot(Id16::ZERO, |m| m.time = Time(t)));
    let pin = |on| set_pinned(&world.repo, &ids[..1], on, &Silent).unwrap();
    assert_eq!((pin(true), pin(true)), (vec![ids[0]], vec![]));
    let planned = world.plan(&last(1)).unwrap();
    assert_eq!(planned.removed(), [ids[1]]);
    assert_eq!(planned.groups[0].keep[0].1, ["pinned"]);
    let refused = refuse_pinned(&world.repo, &ids, &Silent).unwrap_err();
    assert!(refused.to_string().contains("is pinned"), "{refused}");
    world.storage.advance(HOUR);
    assert_eq!(pin(false), [ids[0]]);
    refuse_pinned(&world.repo, &ids, &Silent).unwrap();
    assert_eq!(world.plan(&last(1)).unwrap().removed(), ids[..2]);
}

#[test]
fn a_record_without_the_repositorys_seal_says_nothing() {
    let world = World::small();
    let ids = [1, 2].map(|t| world.snapshot(Id16::ZERO, |m| m.time = Time(t)));
    let forger = Keyring::generate(world.repo.id()).unwrap();
    let forged = Record {
        number: 9,
        change: Change::Pin(ids[0]),
        time: Time(0),
        nonce: Id16::ZERO,
    };
    world.put("records/", &record::encode(&forged, &forger).unwrap());
    world.put("records/", b"rubbish");
    let warnings = Warnings::default();
    let records = world.repo.records(Deletions::All, &warnings).unwrap();
    assert!(records.pins.is_empty());
    let text = warnings.take();
    assert_eq!(
        text.matches("does not carry this repository's seal")
            .count(),
        2,
        "{text}"
    );
    assert_eq!(world.plan(&last(1)).unwrap().removed(), [ids[0]]);
}

#[test]
fn without_a_rule_nothing_is_forgotten() {
    let world = World::small();
    let ids = [1, 2].map(|t| world.snapshot(Id16::ZERO, |m| m.time = Time(t)));
    let none = world.plan(&Policy::default()).unwrap_err();
    assert_eq!(none.kind(), Kind::Usage);
    // A tag that no backup has.
    let tag = Policy {
        tags: vec![vec!["relaese".into()]],
        ..Policy::default()
    };
    let spared = world.plan(&tag).unwrap();
    assert!(spared.groups[0].spared && spared.removed().is_empty());
    // The repository's own rules.
    let mut retention = Retention {
        last: 1,
        ..Retention::default()
    };
    let settings = Change::Settings {
        retention,
        grace: None,
    };
    world.repo.put_records(vec![settings], &Silent).unwrap();
    assert_eq!(world.plan(&Policy::default()).unwrap().removed(), [ids[0]]);
    retention.unknown = true;
    let records = Records {
        retention: Some(retention),
        ..Records::default()
    };
    let newer = policy_in_force(&world.repo, &records).unwrap_err();
    assert_eq!(newer.kind(), Kind::NewerFormat);
}

#[test]
fn what_cannot_be_read_stays() {
    let world = World::small();
    let ids = [1, 2, 3].map(|t| world.snapshot(Id16::ZERO, |m| m.time = Time(t)));
    world.storage.tamper(&format!("snapshots/{}", ids[0]), |b| {
        let middle = b.len() / 2;
        b[middle] ^= 1;
    });
    let plan = world.plan(&last(1)).unwrap();
    assert_eq!((plan.unreadable, plan.removed()), (1, vec![ids[1]]));
    // Named, it goes; without a way back, and that is said.
    let warnings = Warnings::default();
    delete(&world.repo, &ids[..1], &warnings, &Stop::default()).unwrap();
    assert!(warnings.take().contains("cannot be brought back"));
    assert_eq!(world.repo.snapshot_names().unwrap().len(), 2);
    assert!(undelete::find(&world.repo, &ids[0].hex(), &Silent).is_err());
}

#[test]
fn the_record_is_there_before_the_backup_goes() {
    let world = World::small();
    let ids = [1, 2, 3].map(|t| world.snapshot(Id16::ZERO, |m| m.time = Time(t)));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    world
        .storage
        .set_hook(Some(Arc::new(move |r: &Request<'_>| {
            if matches!(r.op, Op::Put | Op::Delete)
                && r.phase == crate::storage::memory::Phase::Sent
            {
                log.lock().unwrap().push((r.op, r.key.to_owned()));
            }
            match r.op {
                Op::Delete if r.key.contains("snapshots/") => {
                    Err(Error::new(Kind::PermissionDenied, "403"))
                }
                _ => Ok(()),
            }
        })));
    let denied = delete(&world.repo, &ids, &Silent, &Stop::default()).unwrap_err();
    assert_eq!(denied.kind(), Kind::PermissionDenied);
    let text = denied.to_string();
    assert!(
        text.contains("0 of 3") && text.contains("may not delete"),
        "{text}"
    );
    assert!(
        seen.lock()
            .unwrap()
            .iter()
            .all(|(op, key)| *op == Op::Put && key.starts_with("records/"))
    );
    world.storage.set_hook(None);
    assert_eq!(world.repo.snapshot_names().unwrap().len(), 3);
    let all = SnapshotFilter::default();
    assert!(
        undelete::deleted(&world.repo, &all, &Silent)
            .unwrap()
            .is_empty()
    );
    delete(&world.repo, &ids, &Silent, &Stop::default()).unwrap();
    // Two records of each by now; each is shown once, and no longer than the grace period.
    let found = undelete::deleted(&world.repo, &all, &Silent).unwrap();
    assert_eq!(found.len(), 3);
    assert_eq!(found[0].until, found[0].deleted.plus(G));
    world.storage.advance(G + HOUR);
    assert!(
        undelete::deleted(&world.repo, &all, &Silent)
            .unwrap()
            .is_empty()
    );
}

/// What `repo` warns of when it lists the backups.
fn told(repo: &Repository) -> String {
    let warnings = Warnings::default();
    repo.snapshots(&SnapshotFilter::default(), &warnings)
        .unwrap();
    warnings.take()
}

#[test]
fn a_storage_that_shows_less_is_noticed() {
    let world = World::small();
    let there = world.open("there", "full");
    let snapshot = |counter| world.snapshot(Id16::ZERO, |m| m.counter = counter);
    let [one, two, three] = [1, 2, 3].map(snapshot);
    assert_eq!(
        (told(&world.repo), told(&there)),
        (String::new(), String::new())
    );
    // Deleted here, not an alarm there; nor after the record is all that is left of it.
    world.delete(&three);
    assert_eq!(told(&there), "");
    // Taken away without a record.
    world.storage.delete(&format!("snapshots/{two}")).unwrap();
    let text = told(&there);
    assert!(
        text.contains(&two.short()) && text.contains(&one.short()),
        "{text}"
    );
    assert!(
        text.contains("number 2") && text.lines().count() == 1,
        "{text}"
    );
    assert_eq!(told(&there), text, "until it is accepted");
    let warnings = Warnings::default();
    there.resolve(&one.hex(), &warnings).unwrap();
    assert_eq!(warnings.take(), text, "also where only names are listed");
    assert_eq!(there.accept_missing().unwrap(), 1);
    assert_eq!(told(&there), "");
    // Nothing newer takes its place: that is what an intruder's deletions would hide behind.
    let four = world.snapshot(Id16::ZERO, |m| m.counter = 4);
    let text = told(&world.repo);
    assert!(
        text.contains(&two.short()) && text.contains(&four.short()),
        "{text}"
    );
    assert_eq!(told(&there), "");
    // An older one that is gone is missed as much as the newest.
    world.storage.delete(&format!("snapshots/{one}")).unwrap();
    assert!(told(&there).contains(&one.short()));
    assert!(told(&world.repo).contains("2 backups of host"));
    assert_eq!(world.repo.accept_missing().unwrap(), 2);
    assert_eq!(there.accept_missing().unwrap(), 1);
    assert_eq!(told(&there), "");
    // Who has not looked for a month cannot know: the record may have gone as well.
    world.storage.advance(31 * G);
    world.storage.delete(&format!("snapshots/{four}")).unwrap();
    assert_eq!(told(&there), "");
}

#[test]
fn a_number_is_not_given_again() {
    let world = World::small();
    let there = world.open("there", "full");
    let quiet = Arc::new(Warnings::default());
    let counter = |id| world.repo.snapshot(&id).unwrap().manifest.counter;
    let first = world.backup_as(&there, quiet.clone());
    let second = world.backup_as(&there, quiet.clone());
    world
        .storage
        .delete(&format!("snapshots/{second}"))
        .unwrap();
    let third = world.backup_as(&there, quiet.clone());
    assert_eq!([counter(first), counter(third)], [1, 3]);
    let text = quiet.take();
    assert!(text.contains(&second.short()), "{text}");
    assert!(
        told(&there).contains(&second.short()),
        "the next backup does not hide it"
    );
}

#[test]
fn a_writer_notices_that_its_newest_backup_is_gone() {
    let world = World::small();
    let key = Passphrase::new("writer");
    world.repo.add_key(&key, Role::Writer, "w").unwrap();
    let writer = world.open("laptop", "writer");
    let warnings = Arc::new(Warnings::default());
    let first = world.backup_as(&writer, warnings.clone());
    let second = world.backup_as(&writer, warnings.clone());
    assert_eq!(warnings.take(), "");
    world.delete(&second);
    let third = world.backup_as(&writer, warnings.clone());
    assert_eq!(warnings.take(), "", "a record claims a deletion");
    world.storage.delete(&format!("snapshots/{third}")).unwrap();
    world.backup_as(&writer, warnings.clone());
    let text = warnings.take();
    assert!(
        text.contains(&third.short()) && text.contains("no record"),
        "{text}"
    );
    assert!(world.repo.snapshot(&first).is_ok());
}

/// It may be the pin of any backup. What a stranger puts there says nothing.
#[test]
fn a_damaged_record_stops_forget_and_delete() {
    let world = World::small();
    let ids = [1, 2].map(|day| world.snapshot(Id16::ZERO, |m| m.time = Time(day * 86_400_000)));
    set_pinned(&world.repo, &ids[..1], true, &Silent).unwrap();
    world.put("records/", b"a stranger's");
    assert_eq!(world.plan(&last(1)).unwrap().removed(), []);
    let pin = world.names("records/").into_iter().find(|name| {
        let bytes = &world.storage.contents()[&format!("records/{name}")];
        record::verify(bytes, &world.repo.keyring) == Some(true)
    });
    let key = format!("records/{}", pin.unwrap());
    world.storage.tamper(&key, |b| b[40] ^= 1);
    let repo = world.open("elsewhere", "full");
    let (by, all) = (GroupBy::default(), SnapshotFilter::default());
    let refused = plan(&repo, &last(1), by, &all, false, &Silent).unwrap_err();
    assert_eq!(refused.kind(), Kind::Damaged);
    assert!(refused.to_string().contains(&key), "{refused}");
    let refused = refuse_pinned(&repo, &ids[1..], &Silent).unwrap_err();
    assert_eq!(refused.kind(), Kind::Damaged);
}

/// Nor is an older one taken for the latest.
#[test]
fn latest_is_not_guessed() {
    let world = World::small();
    let ids = [1, 2].map(|day| world.snapshot(Id16::ZERO, |m| m.time = Time(day * 86_400_000)));
    let latest = |host| {
        let repo = world.open(host, "full");
        let found = repo.find_snapshot("latest", &SnapshotFilter::default(), &Silent);
        found.map(|s| s.id)
    };
    assert_eq!(latest("one").unwrap(), ids[1]);
    let well = world.storage.save();
    world
        .storage
        .tamper(&format!("snapshots/{}", ids[1]), |b| b[300] ^= 1);
    assert_eq!(latest("two").unwrap_err().kind(), Kind::Damaged);
    world.storage.load(&well);
    world
        .storage
        .tamper(&format!("snapshots/{}", ids[0]), |b| b[300] ^= 1);
    assert_eq!(
        latest("three").unwrap(),
        ids[1],
        "an older one does not matter"
    );
}
