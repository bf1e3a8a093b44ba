//! A measurement: how much memory marking takes.

use super::super::marks::Marker;
use super::super::marks::Marks;
use super::super::table::Table;
use crate::format::pack::PackRow;
use crate::id::{Id, Id16};
use crate::index::{self, IndexPack};
use crate::ops::reach::{Need, Reached};
use crate::repo::protocol::View;
use crate::report::Stop;
use crate::units::Time;

/// 100 million rows, in 200,000 packs: marking them all stays below 256 MiB. Prints the peak. Takes minutes and 5 GB.
#[test]
#[ignore = "a measurement of memory that takes up to an hour and 5 GB of disk"]
fn marks_a_hundred_million_chunks() {
    const PACKS: u32 = 200_000;
    const ROWS: u32 = 500;
    let peak = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap();
        line.to_owned()
    };
    let dir = tempfile::tempdir_in(std::env::var("CORSO_BIG_TMP").unwrap()).unwrap();
    let objects: Vec<Id> = (0..100u32)
        .map(|n| Id(*blake3::hash(&n.to_be_bytes()).as_bytes()))
        .collect();
    let id = |pack: u32, row: u32| {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(&pack.to_be_bytes())
            .update(&row.to_be_bytes());
        Id(*hasher.finalize().as_bytes())
    };
    let name = |pack: u32| Id(*blake3::hash(&[&pack.to_be_bytes()[..], b"p"].concat()).as_bytes());
    let synced = index::sync(Some(dir.path()), None, &objects, &mut |missing, sink| {
        for object in missing {
            let n = objects.iter().position(|o| o == object).unwrap() as u32;
            for pack in (0..PACKS).filter(|p| p % 100 == n) {
                let row = |row: u32| PackRow {
                    id: id(pack, row),
                    offset: row * 70_000,
                    stored: 66_000,
                    raw: 66_000,
                };
                let pack = IndexPack {
                    pack: name(pack),
                    size: 40_000_000,
                    kind: 1,
                    rows: (0..ROWS).map(row).collect(),
                };
                sink.pack(object, &Id16::ZERO, &pack)?;
            }
            sink.done(object);
        }
        Ok(())
    })
    .unwrap();
    println!("rows {}; index built: {}", synced.base.rows(), peak());
    // Only what marking needs counts: the peak so far is forgotten.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let view = View {
        index: objects.iter().copied().collect(),
        ..View::default()
    };
    let base = synced.base;
    let mut table = Table::new(base.clone(), &view);
    for pack in 0..PACKS {
        table.list(name(pack), 40_000_000, Time(0), false);
    }
    let mut marks = Marks::new(base.rows());
    let stop = Stop::default();
    let mut marker = Marker {
        marks: &mut marks,
        base: &base,
        table: &table,
        domain: Id16::ZERO,
        epoch: 1,
        stop: &stop,
    };
    let begin = std::time::Instant::now();
    for pack in (0..PACKS).step_by(2) {
        for row in 0..ROWS {
            marker
                .chunk(Need::Data, &id(pack, row), &Default::default())
                .unwrap();
        }
    }
    println!(
        "marked {} in {:?}; heap of the index {}, {}",
        marks.chunks,
        begin.elapsed(),
        base.heap(),
        peak()
    );
    assert_eq!(marks.chunks, u64::from(PACKS / 2 * ROWS));
    let mut live = 0u64;
    base.scan(&mut |at, _| {
        live += u64::from(marks.needed.get(at));
        Ok(())
    })
    .unwrap();
    assert_eq!(live, marks.chunks);
    let peak = peak();
    println!("{peak}");
    let kib: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kib < 256 << 10);
}
