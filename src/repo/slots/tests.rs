//! What others put below `keys/` keeps nobody out, and can be removed.

use super::*;
use crate::ops::testing::World;
use crate::report::Silent;
use crate::storage::memory::Request;
use std::sync::Arc;

fn plant(world: &World, name: &str, bytes: &[u8]) {
    let key = format!("keys/{name}");
    world
        .storage
        .put(&key, bytes, &PutOptions::default())
        .unwrap();
}

fn opens(world: &World, passphrase: &str) -> Result<Id16> {
    opens_after(world, passphrase, None)
}

fn opens_after(world: &World, passphrase: &str, before: Option<Id16>) -> Result<Id16> {
    let (config, pass) = (&world.repo.config_bytes, Passphrase::new(passphrase));
    open_any(&*world.storage, config, &pass, before, &Silent).map(|(id, _)| id)
}

#[test]
fn the_slot_that_was_opened_before_needs_no_list() {
    let world = World::small();
    let (own, stranger) = (world.repo.slot(), Id16([7; 16]));
    let other = world
        .repo
        .add_key(&Passphrase::new("other"), Role::Full, "")
        .unwrap();
    let cost = |passphrase: &str, before: Id16| {
        let usage = world.storage.usage();
        let opened = opens_after(&world, passphrase, Some(before));
        let spent = world.storage.usage().since(&usage);
        (opened.ok(), spent.list, spent.get)
    };
    assert_eq!(cost("full", own), (Some(own), 0, 1));
    assert_eq!(cost("other", other.id), (Some(other.id), 0, 1));
    // Of another passphrase, gone, or damaged: as if nothing had been remembered.
    assert_eq!(cost("other", own).0, Some(other.id));
    assert_eq!(cost("full", stranger).0, Some(own));
    assert_eq!(cost("neither", own).0, None);
    let wrong = opens_after(&world, "neither", Some(own)).unwrap_err();
    assert_eq!(wrong.kind(), Kind::PassphraseWrong);
    assert_eq!(
        wrong.to_string(),
        opens(&world, "neither").unwrap_err().to_string()
    );
    world
        .storage
        .tamper(&key_of(&other.id), |bytes| bytes[200] ^= 1);
    assert_eq!(cost("full", other.id).0, Some(own));
    // A storage out of reach is not asked for a list, too.
    world.storage.set_hook(Some(Arc::new(|_: &Request| {
        Err(Error::new(Kind::Network, "no answer"))
    })));
    let usage = world.storage.usage();
    let ended = opens_after(&world, "full", Some(own)).unwrap_err();
    assert_eq!(ended.kind(), Kind::Network);
    assert_eq!(world.storage.usage().since(&usage).list, 0);
}

#[test]
fn a_cache_remembers_the_slot() {
    let world = World::empty(&crate::ops::testing::small_packs(), true);
    let root = world.work.path().join("here");
    let open = |passphrase: &str| {
        let storage: Arc<dyn Storage> = world.storage.clone();
        Repository::open(storage, &Passphrase::new(passphrase), Some(&root), &Silent)
    };
    let lists = || world.storage.usage().list;
    open("full").unwrap();
    let before = lists();
    let repo = open("full").unwrap();
    assert_eq!(lists(), before);
    // Nothing in the file is believed.
    let file = root.join(repo.id().hex()).join("slot");
    for text in ["", "no id", &"0".repeat(32), &"0".repeat(3200)] {
        std::fs::write(&file, text).unwrap();
        assert_eq!(open("full").unwrap().slot(), repo.slot());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), repo.slot().hex());
    }
}

#[test]
fn rubbish_is_listed_and_can_be_removed() {
    let world = World::small();
    let low = "0".repeat(32);
    plant(&world, &low, &[0; 300]);
    plant(&world, "stranger", b"hello");
    plant(&world, &"1".repeat(32), &vec![1; MAX_SLOT + 1]);
    let found = world.repo.key_objects().unwrap();
    assert_eq!((found.slots.len(), found.others.len()), (1, 3));
    assert_eq!(world.repo.keys().unwrap().len(), 1);
    for name in [low.as_str(), "stranger", "11111"] {
        let removed = world.repo.remove_key(name).unwrap();
        assert!(matches!(removed, RemovedKey::Other(_)), "{removed:?}");
    }
    assert_eq!(world.keys("keys/").len(), 1);
    let own = world.repo.slot().hex();
    assert!(world.repo.remove_key(&own).is_err());
}

#[test]
fn planted_objects_hide_no_slot() {
    let world = World::small();
    // Names that come before any slot's, of a length that a slot has.
    for n in 0..300u32 {
        plant(&world, &format!("{n:032x}"), &[7; 300]);
    }
    assert_eq!(opens(&world, "full").unwrap(), world.repo.slot());
    assert_eq!(world.repo.keys().unwrap().len(), 1);
}

#[test]
fn older_slots_are_tried_first_and_only_so_many_objects_are_looked_at() {
    let world = World::small();
    world.storage.advance(std::time::Duration::from_secs(10));
    for n in 0..MAX_LISTED + 10 {
        plant(&world, &format!("{n:032x}"), b"short");
    }
    let (listed, more) = list_slots(&*world.storage).unwrap();
    assert_eq!((listed.len(), more), (MAX_LISTED, 11));
    assert_eq!(listed[0].name, world.repo.slot().hex());
    let before = world.storage.usage();
    assert!(opens(&world, "full").is_ok());
    assert_eq!(world.storage.usage().since(&before).get, 1);
}

#[test]
fn what_may_be_a_slot_is_not_removed() {
    let world = World::small();
    let slot = world.storage.contents()[&key_of(&world.repo.slot())].clone();
    let name = "2".repeat(32);
    plant(&world, &name, &slot);
    let refused = world.repo.remove_key(&name).unwrap_err();
    assert!(refused.to_string().contains("may be a key"), "{refused}");
}
