//! Index objects speak for packs of their own domain only.

use super::*;
use crate::crypto::{Passphrase, Role};
use crate::format::index::IndexPack;
use crate::ops::replace::Copier;
use crate::ops::survey::Survey;

#[test]
fn what_a_writer_says_of_packs_of_others_is_ignored() {
    let world = World::with_rubbish(G);
    let pass = Passphrase::new("writer");
    world.repo.add_key(&pass, Role::Writer, "").unwrap();
    let writer = world.open("there", "writer").writer();
    // It names every pack, and says that it is empty.
    let survey = Survey::take(&world.repo, &Silent, &Stop::default()).unwrap();
    let mut claims = Vec::new();
    survey.each_described(&mut |pack| {
        claims.push(IndexPack {
            pack: pack.name,
            size: pack.size,
            kind: pack.kind,
            rows: Vec::new(),
        });
    });
    let copier = Copier::new(world.repo.clone(), writer, 1, None)
        .or_else(|_| Copier::new(world.repo.clone(), writer, 0, None));
    copier.unwrap().put_index(&claims).unwrap();
    world.storage.advance(DAY);
    let warnings = Warnings::default();
    let options = MaintenanceOptions {
        prices: Prices::FREE,
        ..MaintenanceOptions::default()
    };
    let report = maintain(&world.repo, &options, &warnings, &Stop::default()).unwrap();
    assert!(report.buried.packs_buried > 0, "rubbish goes all the same");
    let told = warnings.take();
    assert!(
        told.contains(&format!("writer {}", writer.short())),
        "{told}"
    );
    world.storage.advance(DAY);
    let report = world.maintain();
    assert!(report.swept.packs_deleted > 0);
    assert_eq!(report.swept.tombstones_deleted, 1, "no claim keeps it");
    world.assert_restores();
}
