//! What a look shows, for how long it is good, and what of it counts.

use super::super::look::Look;
use super::super::marks::{Marker, Marks};
use super::super::sweep;
use super::*;
use crate::format::entry::TreePath;
use crate::ops::reach::{Need, Reached};
use crate::repo::protocol::{Buried, Grace, View, Viewer};
use std::sync::atomic::{AtomicBool, Ordering};

/// A folder of Corso's own cache holds raw tree nodes. Who backs it up has a file with the id of a node.
#[test]
fn what_is_below_a_node_counts_though_a_file_has_the_same_bytes() {
    let world = World::new(G);
    world.write("a", 2_000_000, 1);
    world.backup();
    let mut viewer = Viewer::new(world.repo.storage.clone());
    let look = Look::take(&world.repo, &mut viewer, &|_| true, &Silent).unwrap();
    let manifest = &look.snapshots[0].manifest;
    let (mut marks, stop) = (Marks::new(look.base.rows()), Stop::default());
    let mut marker = Marker {
        marks: &mut marks,
        base: &look.base,
        table: &look.table,
        domain: manifest.writer,
        epoch: manifest.domain_epoch,
        stop: &stop,
    };
    let path = TreePath::default();
    let mut chunk = |need| marker.chunk(need, &manifest.root, &path).unwrap();
    assert!(chunk(Need::Data));
    assert!(chunk(Need::Node), "what is below it is not known");
    assert!(!chunk(Need::Data) && !chunk(Need::Node));
    assert_eq!(marks.chunks, 1);
}

/// Others maintain by the repository's grace period: what is put late on an old look may name what they deleted.
#[test]
fn waiting_longer_makes_no_look_good_for_longer() {
    let world = World::with_rubbish(G);
    world.storage.advance(G * 8);
    let (storage, slow) = (world.storage.clone(), AtomicBool::new(true));
    let hook: Arc<Hook> = Arc::new(move |request: &Request<'_>| {
        if request.op == Op::Put && slow.swap(false, Ordering::SeqCst) {
            storage.advance(G / 2 + Duration::from_secs(1));
        }
        Ok(())
    });
    world.storage.set_hook(Some(hook));
    let options = MaintenanceOptions {
        prices: Prices::FREE,
        grace: Some(G * 7),
        ..MaintenanceOptions::default()
    };
    let warnings = Warnings::default();
    maintain(&world.repo, &options, &warnings, &Stop::default()).unwrap();
    let told = warnings.take();
    assert!(told.contains("beginning anew"), "{told:?}");
    world.assert_restores();
}

/// Some storages show whole seconds: what was put within the second of the look seems to come after it.
#[test]
fn with_no_grace_times_do_not_matter() {
    let stone = Buried {
        name: Id::ZERO,
        modified: Time(1_999),
        stone: Some(Arc::default()),
        authentic: true,
    };
    let view = View {
        time: Time(1_000),
        tombstones: vec![stone],
        ..View::default()
    };
    assert_eq!(sweep::due(&view, Grace(Duration::ZERO)).len(), 1);
    assert_eq!(sweep::due(&view, Grace(G)).len(), 0);
}
