//! What another key may open is left alone.

use super::*;
use crate::format::container::Header;

/// A copy of an object that is of a key epoch which nobody here holds, under its right name.
fn of_another_epoch(world: &World, key: &str) -> (String, String) {
    let mut bytes = world.storage.contents()[key].clone();
    let epoch = Header::decode(&bytes).unwrap().epoch;
    bytes[12..16].copy_from_slice(&(epoch + 7).to_be_bytes());
    let id = Id::sha256(&bytes);
    let key = match key.starts_with("packs/") {
        true => crate::repo::pack_key(&id),
        false => format!("index/{id}"),
    };
    world
        .storage
        .put(&key, &bytes, &Default::default())
        .unwrap();
    (key, id.hex())
}

#[test]
fn a_pack_of_a_key_epoch_that_is_not_held_stays() {
    let world = World::backed_up();
    let (key, name) = of_another_epoch(&world, &world.packs()[1]);
    let report = packs(&world, &[name], false);
    assert_eq!(report.unread, std::slice::from_ref(&key));
    assert!(report.packs_damaged.is_empty() && world.keys("tombstones/").is_empty());
    let report = index(&world, true);
    assert_eq!((report.unread, report.packs_damaged.len()), (vec![key], 0));
}

#[test]
fn an_index_object_of_a_key_epoch_that_is_not_held_stays() {
    let world = World::backed_up();
    let (key, _) = of_another_epoch(&world, &world.keys("index/")[0]);
    let report = index(&world, false);
    assert_eq!(report.unread, std::slice::from_ref(&key));
    assert!(report.index_deleted.is_empty() && world.keys("index/").contains(&key));
    let id = world.snapshots()[0];
    assert_eq!(world.restore(&id).1, 0, "and is in nobody's way");
}
