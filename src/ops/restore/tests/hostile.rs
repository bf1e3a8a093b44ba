//! Snapshots and targets made by somebody who means harm.

use super::*;
use std::os::unix::fs::symlink;

/// A target with an outside that nothing may touch.
fn guarded() -> (Place, RestoreOptions) {
    let place = Place::new();
    place.write("outside/secret", b"untouched");
    std::fs::create_dir(place.at("target")).unwrap();
    let options = RestoreOptions {
        destination: place.at("target"),
        ..place.options()
    };
    (place, options)
}

fn assert_untouched(place: &Place) {
    assert_eq!(place.read("outside/secret"), b"untouched");
    assert_eq!(std::fs::read_dir(place.at("outside")).unwrap().count(), 1);
    let mut top: Vec<_> = std::fs::read_dir(place.dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    top.sort();
    assert_eq!(top, ["outside", "target"]);
    place.assert_clean();
}

fn insert(snapshot: &mut Snapshot, parts: &[&[u8]], kind: FileKind) {
    let path = TreePath(parts.iter().map(|p| p.to_vec()).collect());
    let mut entry = Entry::new(kind);
    entry.mode = 0o777;
    snapshot.entries.insert(path, entry);
}

#[test]
fn components_that_are_no_names() {
    let mut snapshot = Snapshot::default();
    for bad in [
        &b".."[..],
        b".",
        b"",
        b"../outside/secret",
        b"/etc",
        b"a\0b",
    ] {
        insert(&mut snapshot, &[bad], FileKind::Dir);
        insert(&mut snapshot, &[bad, b"secret"], FileKind::File);
        insert(&mut snapshot, &[b"ok", bad], FileKind::File);
        insert(&mut snapshot, &[b"ok", bad, b"x"], FileKind::Fifo);
    }
    insert(&mut snapshot, &[b"ok"], FileKind::Dir);
    let (place, options) = guarded();
    let (report, log) = snapshot.restore(&options);
    let report = report.unwrap();
    assert_eq!((report.files, report.dirs), (0, 1), "{log:?}");
    // Each entry, and six directories without an entry.
    assert_eq!(report.errors, 30, "{log:?}");
    assert_untouched(&place);
}

#[test]
fn a_link_of_the_snapshot_is_not_followed() {
    let mut snapshot = Snapshot::default();
    snapshot.symlink("/l", "../outside");
    insert(&mut snapshot, &[b"l", b"secret"], FileKind::File);
    insert(&mut snapshot, &[b"l", b"sub"], FileKind::Dir);
    let (place, options) = guarded();
    let (report, log) = snapshot.restore(&options);
    assert_eq!(report.unwrap().errors, 3, "{log:?}");
    assert!(log.error("/l").contains("\"l\""), "{log:?}");
    assert_untouched(&place);
}

#[test]
fn links_planted_in_the_target_are_not_followed() {
    for collisions in [Collisions::Replace, Collisions::Skip, Collisions::Copy] {
        let mut snapshot = Snapshot::default();
        snapshot.file("/d/secret", b"overwritten");
        snapshot.file("/secret", b"mine");
        snapshot.dir("/d/e", 0o777);
        let (place, options) = guarded();
        symlink("../outside", place.at("target/d")).unwrap();
        symlink("../outside/secret", place.at("target/secret")).unwrap();
        let (report, log) = snapshot.restore(&RestoreOptions {
            collisions,
            ..options
        });
        let report = report.unwrap();
        assert!(report.errors + report.skipped >= 3, "{report:?} {log:?}");
        assert_untouched(&place);
        if collisions == Collisions::Replace {
            assert!(
                std::fs::symlink_metadata(place.at("target/secret"))
                    .unwrap()
                    .is_file()
            );
            assert_eq!(place.read("target/secret"), b"mine");
        }
    }
}

#[test]
fn a_directory_swapped_for_a_link_on_the_way() {
    /// Swaps as soon as the directory appears.
    struct Swap(PathBuf, PathBuf);
    impl Observer for Swap {
        fn event(&self, _: Event<'_>) {
            if std::fs::symlink_metadata(&self.0).is_ok_and(|m| m.is_dir())
                && std::fs::rename(&self.0, self.0.with_extension("moved")).is_ok()
            {
                symlink(&self.1, &self.0).unwrap();
            }
        }
    }
    let mut snapshot = Snapshot::default();
    for n in 0..300 {
        snapshot.file(format!("/d/{n}/secret"), b"overwritten");
    }
    snapshot.add("/d/fifo", Entry::new(FileKind::Fifo));
    let (place, options) = guarded();
    let swap = Swap(place.at("target/d"), place.at("outside"));
    let source = Source {
        tree: &snapshot,
        chunks: &snapshot.chunks,
        chunk_id: &MemoryChunks::id_of,
    };
    restore(&source, &options, &swap, &Stop::default()).unwrap();
    assert_untouched(&place);
}

#[test]
fn entries_that_contradict_themselves() {
    let mut snapshot = Snapshot::default();
    let data = noise(1, 1000);
    snapshot.file("/too-long", &data).size = 2000;
    snapshot.file("/too-short", &data).size = 10;
    snapshot.file("/outside-chunk", &data).content.pieces[0].offset = 1;
    snapshot.file("/far-outside", &data).content.pieces[0].offset = u64::MAX - 999;
    snapshot.file("/wraps", &data).content.pieces[0].offset = u64::MAX - 5;
    let entry = snapshot.file("/no-bytes", b"");
    entry.content.pieces = vec![Piece {
        chunk: Id::ZERO,
        offset: 0,
        len: 0,
    }];
    snapshot.file("/deep", &data).content.depth = 200;
    snapshot.file("/not-a-list", &data).content.depth = 1;
    for (name, list) in [
        (
            "/overlap",
            vec![
                Extent {
                    offset: 0,
                    len: 600,
                },
                Extent {
                    offset: 500,
                    len: 400,
                },
            ],
        ),
        (
            "/backwards",
            vec![
                Extent {
                    offset: 500,
                    len: 500,
                },
                Extent {
                    offset: 0,
                    len: 500,
                },
            ],
        ),
        (
            "/beyond",
            vec![Extent {
                offset: 500,
                len: 1000,
            }],
        ),
        (
            "/nothing",
            vec![
                Extent { offset: 0, len: 0 },
                Extent {
                    offset: 0,
                    len: 1000,
                },
            ],
        ),
        (
            "/overflow",
            vec![Extent {
                offset: u64::MAX,
                len: 1000,
            }],
        ),
    ] {
        snapshot.file(name, &data).extents = Some(extents(&list));
    }
    snapshot.file("/no-extents", &data).extents = Some(Blob::Inline(vec![0x9b, 0xff, 0xff]));
    snapshot.file("/bad-xattrs", &data).xattrs = Some(Blob::Inline(vec![0x81, 0x00]));
    snapshot.file("/good", &data);
    let place = Place::new();
    let (report, log) = snapshot.restore(&place.options());
    let report = report.unwrap();
    assert_eq!((report.files, report.errors), (1, 15), "{log:?}");
    assert_eq!(std::fs::read_dir(place.dir.path()).unwrap().count(), 1);
}
