//! What seems to be lost is cut out only if it is lost when that is done.

use super::*;
use crate::error::Error;
use crate::storage::fault::Op;
use crate::storage::memory::{Hook, Phase, Request};
use std::sync::atomic::{AtomicU64, Ordering};

/// A file of both backups is lost, and its source is still there.
fn lossy() -> Arc<World> {
    let world = World::backed_up();
    let before = world.storage.save();
    for key in world.packs() {
        world.remove(&key);
        packs(&world, &[], false);
        let found = checked(&world);
        let nodes = found
            .findings
            .iter()
            .any(|f| f.what == crate::ops::check::What::Node);
        if !nodes && found.damaged_snapshots.len() == 2 {
            return Arc::new(world);
        }
        world.storage.load(&before);
    }
    panic!("no pack of this kind");
}

/// Does `act` once, before the listing of `prefix` number `nth`.
fn before_list(
    world: &Arc<World>,
    prefix: &'static str,
    nth: u64,
    act: impl Fn(&World) + Send + Sync + 'static,
) {
    let (seen, weak) = (AtomicU64::new(0), Arc::downgrade(world));
    let hook = move |r: &Request<'_>| {
        let here = r.op == Op::List && r.phase == Phase::Ready && r.key.starts_with(prefix);
        if here && seen.fetch_add(1, Ordering::SeqCst) + 1 == nth {
            act(&weak.upgrade().unwrap());
        }
        Ok(())
    };
    let hook: Arc<Hook> = Arc::new(hook);
    world.storage.set_hook(Some(hook));
}

#[test]
fn what_comes_back_during_the_look_is_not_cut_out() {
    let world = lossy();
    let old = world.snapshots();
    before_list(&world, "packs/", 1, |w| drop(w.backup()));
    let report = snapshots(&world, true);
    assert!(report.damaged.is_empty(), "{:?}", report.damaged);
    assert!(old.iter().all(|id| world.snapshots().contains(id)));
}

#[test]
fn what_comes_back_after_the_look_is_not_cut_out() {
    let world = lossy();
    let old = world.snapshots();
    // The second look at tombstones is the run's own.
    before_list(&world, "tombstones/", 2, |w| drop(w.backup()));
    let report = snapshots(&world, true);
    assert!(report.damaged.is_empty(), "{:?}", report.damaged);
    assert!(old.iter().all(|id| world.snapshots().contains(id)));
    assert!(checked(&world).is_clean());
}

#[test]
fn a_backup_put_late_is_withdrawn_where_nobody_can_look_again() {
    let world = lossy();
    let old = world.snapshots();
    let (storage, late) = (world.storage.clone(), AtomicU64::new(0));
    let hook = move |r: &Request<'_>| {
        if r.op == Op::Put && r.phase == Phase::Sent && r.key.starts_with("snapshots/") {
            storage.advance(2 * G);
            late.store(1, Ordering::SeqCst);
        }
        match r.op == Op::List && late.load(Ordering::SeqCst) == 1 {
            true => Err(Error::new(crate::error::Kind::Network, "gone")),
            false => Ok(()),
        }
    };
    let hook: Arc<Hook> = Arc::new(hook);
    world.storage.set_hook(Some(hook));
    let options = SnapshotsOptions {
        snapshots: vec![],
        holes: true,
    };
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    let failed = repair_snapshots(&world.repo, &options, &observer, &Stop::default());
    assert_eq!(failed.unwrap_err().kind(), crate::error::Kind::Network);
    world.storage.set_hook(None);
    let sorted = |mut ids: Vec<Id>| {
        ids.sort();
        ids
    };
    assert_eq!(sorted(world.snapshots()), sorted(old));
}
