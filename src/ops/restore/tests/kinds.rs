//! Every kind of file and metadata.

use super::*;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

#[test]
fn files_of_every_size_and_sharing() {
    let mut snapshot = Snapshot::default();
    snapshot.file("/empty", b"");
    snapshot.file_cut("/a/large", &noise(1, 3_000_000), 70_000);
    snapshot.file_cut("/a/again", &noise(1, 3_000_000), 70_000);
    snapshot.bundle(&[("/a/x", b"one"), ("/a/y", b"two"), ("/b/z", b"three")]);
    let place = Place::new();
    let (report, _) = snapshot.restore_well(&place.options());
    assert_eq!((report.files, report.dirs, report.verified), (6, 2, 6));
    assert_eq!(report.bytes, 6_000_011);
    assert_eq!(place.read("a/large"), noise(1, 3_000_000));
    assert_eq!(place.read("a/again"), noise(1, 3_000_000));
    assert_eq!(place.read("a/y"), b"two");
    assert_eq!(place.read("b/z"), b"three");
    assert_eq!(place.read("empty"), b"");
    for name in ["a/large", "a", "empty", "b/z"] {
        let meta = std::fs::metadata(place.at(name)).unwrap();
        assert_eq!(
            (meta.mtime(), meta.mtime_nsec()),
            (1_000_000_000, 123_456_789),
            "{name}"
        );
    }
    place.assert_clean();
}

#[test]
fn special_files_owners_and_set_id_as_root() {
    let mut snapshot = Snapshot::default();
    snapshot.file("/tool", b"#!/bin/sh").mode = 0o6755;
    snapshot.entry("/tool").uid = 1234;
    snapshot.symlink("/link", "/no/where").gid = 77;
    snapshot.add("/fifo", Entry::new(FileKind::Fifo)).mode = 0o620;
    snapshot.add("/null", Entry::new(FileKind::CharDevice)).rdev = (1, 3);
    snapshot
        .add("/disk", Entry::new(FileKind::BlockDevice))
        .rdev = (7, 300);
    snapshot.dir("/closed", 0o2510);
    snapshot.file("/closed/in", b"x");
    if !crate::fs::is_root() {
        return;
    }
    let place = Place::new();
    let (report, _) = snapshot.restore_well(&place.options());
    assert_eq!((report.symlinks, report.specials), (1, 3));
    let meta = |name: &str| std::fs::symlink_metadata(place.at(name)).unwrap();
    assert_eq!(
        (meta("tool").mode() & 0o7777, meta("tool").uid()),
        (0o6755, 1234)
    );
    assert_eq!(
        (meta("link").gid(), meta("link").mtime()),
        (77, 1_000_000_000)
    );
    assert_eq!(
        std::fs::read_link(place.at("link")).unwrap(),
        Path::new("/no/where")
    );
    assert!(meta("fifo").file_type().is_fifo());
    assert_eq!(
        (meta("fifo").mode() & 0o7777, meta("fifo").mtime()),
        (0o620, 1_000_000_000)
    );
    assert!(meta("null").file_type().is_char_device());
    assert_eq!(meta("null").rdev(), rustix::fs::makedev(1, 3));
    assert_eq!(meta("disk").rdev(), rustix::fs::makedev(7, 300));
    assert_eq!(
        (meta("closed").mode() & 0o7777, meta("closed").mtime()),
        (0o2510, 1_000_000_000)
    );
}

#[test]
fn other_users_and_no_special_drop_what_is_dangerous() {
    let mut snapshot = Snapshot::default();
    snapshot.file("/tool", b"#!/bin/sh").mode = 0o4755;
    snapshot.add("/null", Entry::new(FileKind::CharDevice)).rdev = (1, 3);
    for no_special in [true, false] {
        let root = no_special && crate::fs::is_root();
        let place = Place::new();
        let options = RestoreOptions {
            no_special,
            ..place.options()
        };
        let (report, log) = snapshot.restore_as(&options, root, &Stop::default());
        let report = report.unwrap();
        assert_eq!((report.errors, report.skipped, report.files), (0, 1, 1));
        assert!(log.note("/tool").contains("set-user-id"), "{log:?}");
        assert!(log.note("/null").contains("device"), "{log:?}");
        assert_eq!(
            std::fs::metadata(place.at("tool")).unwrap().mode() & 0o7777,
            0o755
        );
        assert!(!place.at("null").exists());
    }
}

#[test]
fn hard_links_of_files_and_others() {
    let mut snapshot = Snapshot::default();
    for name in ["/a/one", "/b/two", "/c"] {
        snapshot.file(name, b"shared").hardlink = Some((5, 9));
    }
    for name in ["/s1", "/s2"] {
        snapshot.symlink(name, "t").hardlink = Some((5, 10));
    }
    snapshot.file("/empty1", b"").hardlink = Some((5, 11));
    snapshot.file("/empty2", b"").hardlink = Some((5, 11));
    let place = Place::new();
    let inode = |name: &str| std::fs::symlink_metadata(place.at(name)).unwrap().ino();
    // The second round finds everything there.
    for _ in 0..2 {
        let (report, _) = snapshot.restore_well(&place.options());
        assert_eq!((report.files, report.hardlinks, report.symlinks), (2, 4, 1));
        assert_eq!(inode("a/one"), inode("b/two"));
        assert_eq!(inode("a/one"), inode("c"));
        assert_eq!(inode("s1"), inode("s2"));
        assert_eq!(inode("empty1"), inode("empty2"));
        place.assert_clean();
    }
    // Only a later name is selected: a plain file.
    let other = Place::new();
    let options = RestoreOptions {
        paths: vec![path("/b/two")],
        ..other.options()
    };
    let (report, _) = snapshot.restore_well(&options);
    assert_eq!((report.files, report.hardlinks, report.dirs), (1, 0, 1));
    assert_eq!(other.read("b/two"), b"shared");
    assert!(!other.at("a").exists());
}

#[test]
fn a_copy_stands_in_for_a_link() {
    let snapshot = Snapshot::default();
    let place = Place::new();
    place.write("first", b"content");
    let source = snapshot.source();
    let (options, stop) = (place.options(), Stop::default());
    let target = Target::create(place.dir.path(), options.platform).unwrap();
    let log = Log::default();
    let run = Run::new(&source, target, &options, &log, &stop, false).unwrap();
    let dir = run.target.dir(&TreePath::default(), false).unwrap();
    let first = dir.look(b"first").unwrap().unwrap();
    run.copy_file(&dir, b"first", &first, &dir, b"second")
        .unwrap();
    let second = dir.look(b"second").unwrap().unwrap();
    assert_eq!(place.read("second"), b"content");
    assert_eq!((second.mode, second.mtime), (first.mode, first.mtime));
    assert_ne!(second.identity, first.identity);
}

#[test]
fn holes_stay_holes() {
    let mut snapshot = Snapshot::default();
    let mut entry = Entry::new(FileKind::File);
    entry.size = 20 << 30;
    entry.extents = Some(extents(&[]));
    snapshot.add("/hole", entry);
    let data = noise(3, 12_288);
    let mut entry = Entry::new(FileKind::File);
    entry.size = 10 << 20;
    // Pieces and extents end at different places.
    entry.content = snapshot.content(&data, 5000);
    entry.extents = Some(extents(&[
        Extent {
            offset: 4096,
            len: 8192,
        },
        Extent {
            offset: 1 << 20,
            len: 4096,
        },
    ]));
    snapshot.add("/sparse", entry);
    let place = Place::new();
    for _ in 0..2 {
        snapshot.restore_well(&place.options());
        let hole = std::fs::metadata(place.at("hole")).unwrap();
        assert_eq!((hole.len(), hole.blocks()), (20 << 30, 0));
        let sparse = std::fs::metadata(place.at("sparse")).unwrap();
        assert!(sparse.len() == 10 << 20 && sparse.blocks() * 512 < 100 << 10);
        let read = place.read("sparse");
        assert_eq!(read[4096..12_288], data[..8192]);
        assert_eq!(read[1 << 20..(1 << 20) + 4096], data[8192..]);
        assert!(read[12_288..1 << 20].iter().all(|&b| b == 0));
    }
}

#[test]
fn long_lists_of_content_and_attributes() {
    let mut snapshot = Snapshot::default();
    let data = noise(4, 1_000_000);
    let mut inner = Vec::new();
    let content = snapshot.content(&data, 10_000);
    for part in content.pieces.chunks(30) {
        let mut writer = Writer::new();
        writer.array(part.len());
        for piece in part {
            writer
                .array(3)
                .bytes(piece.chunk)
                .u64(piece.offset)
                .u64(piece.len);
        }
        let chunk = snapshot.chunks.put(&writer.into_vec());
        inner.push(Piece {
            chunk,
            offset: 0,
            len: part.iter().map(|p| p.len).sum(),
        });
    }
    let value = noise(5, 900);
    let encoded = xattrs(&[("user.long", &value), ("user.short", b"x")]);
    let stored = Blob::Stored(snapshot.content(&encoded, 100));
    let mut entry = Entry::new(FileKind::File);
    entry.size = data.len() as u64;
    entry.content = Content {
        depth: 1,
        pieces: inner,
    };
    entry.xattrs = Some(stored);
    snapshot.add("/listed", entry);
    let place = Place::new();
    let (first, _) = snapshot.restore_well(&place.options());
    assert_eq!((first.verified, first.unchanged, first.notes), (1, 0, 0));
    assert_eq!(place.read("listed"), data);
    assert_eq!(
        xattr::get(place.at("listed"), "user.long")
            .unwrap()
            .unwrap(),
        value
    );
    let (second, _) = snapshot.restore_well(&place.options());
    assert_eq!(
        (second.unchanged, second.bytes_reused),
        (1, data.len() as u64)
    );
}

#[test]
fn attributes_and_acls() {
    let mut snapshot = Snapshot::default();
    // Version 2; user::rw-, user:1001:r--, group::r--, mask::r--, other::---.
    let acl = b"\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x02\0\x04\0\xe9\x03\0\0\x04\0\x04\0\xff\xff\xff\xff\
        \x10\0\x04\0\xff\xff\xff\xff\x20\0\0\0\xff\xff\xff\xff";
    let list = xattrs(&[("system.posix_acl_access", acl), ("user.colour", b"green")]);
    let entry = snapshot.file("/f", b"x");
    (entry.mode, entry.xattrs) = (0o640, Some(Blob::Inline(list.clone())));
    snapshot.dir("/d", 0o750).xattrs = Some(Blob::Inline(list));
    snapshot.symlink("/l", "f").xattrs =
        Some(Blob::Inline(xattrs(&[("trusted.t", b"on the link")])));
    snapshot.file("/odd", b"x").xattrs = Some(Blob::Inline(xattrs(&[
        ("nonsense.a", b"1"),
        ("nonsense.b", b"2"),
    ])));
    let place = Place::new();
    let (report, log) = snapshot.restore_well(&place.options());
    let get = |name: &str, attr: &str| xattr::get(place.at(name), attr).unwrap();
    for name in ["f", "d"] {
        assert_eq!(get(name, "user.colour").as_deref(), Some(&b"green"[..]));
        assert_eq!(
            get(name, "system.posix_acl_access").as_deref(),
            Some(&acl[..])
        );
        assert_eq!(
            std::fs::metadata(place.at(name)).unwrap().mtime(),
            1_000_000_000
        );
    }
    assert_eq!(report.notes, log.notes.lock().unwrap().len() as u64);
    assert!(log.note("/odd").contains("said once"), "{log:?}");
    if crate::fs::is_root() {
        assert_eq!(get("l", "trusted.t").as_deref(), Some(&b"on the link"[..]));
        assert_eq!(get("f", "trusted.t"), None);
    }
}

#[test]
fn odd_names_and_long_paths() {
    let mut snapshot = Snapshot::default();
    let odd: [&[u8]; 4] = [b"\xff\xfe", b"new\nline", b"\x1b[31mred", b"C:"];
    for name in odd {
        snapshot.file([b"/", name].concat(), name);
    }
    let deep = format!("/{}", ["d".repeat(200).as_str(); 40].join("/"));
    snapshot.file(format!("{deep}/leaf"), b"deep down");
    for n in 0..150 {
        snapshot.file(format!("{deep}/{n}/leaf"), b"deeper");
    }
    let place = Place::new();
    let (report, _) = snapshot.restore_well(&place.options());
    assert_eq!(
        (report.files, report.dirs, report.verified),
        (155, 190, 155)
    );
    for name in odd {
        let at = place.dir.path().join(std::ffi::OsStr::from_bytes(name));
        assert_eq!(std::fs::read(at).unwrap(), name);
    }
}

#[test]
fn a_selection_makes_the_directories_above_it() {
    let mut snapshot = Snapshot::default();
    snapshot.dir("/a", 0o711);
    snapshot.file("/a/b/c", b"wanted");
    snapshot.file("/a/b/d", b"not");
    snapshot.file("/a/e", b"not");
    let place = Place::new();
    let options = RestoreOptions {
        paths: vec![path("/a/b/c"), path("/nope")],
        ..place.options()
    };
    let (report, log) = snapshot.restore(&options);
    let report = report.unwrap();
    assert_eq!((report.files, report.dirs, report.errors), (1, 2, 1));
    assert!(log.error("/nope").contains("nothing of this name"));
    assert_eq!(
        std::fs::metadata(place.at("a")).unwrap().mode() & 0o7777,
        0o711
    );
    assert!(!place.at("a/e").exists() && !place.at("a/b/d").exists());
    // What is there keeps its mode when only something below it is asked for.
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(place.at("a"), std::fs::Permissions::from_mode(0o700)).unwrap();
    snapshot.restore(&options).0.unwrap();
    assert_eq!(
        std::fs::metadata(place.at("a")).unwrap().mode() & 0o7777,
        0o700
    );
}

#[test]
fn more_files_and_pieces_than_a_batch_holds() {
    let mut snapshot = Snapshot::default();
    let data = noise(9, 140_000);
    snapshot.file_cut("/many", &data, 2);
    let entry = snapshot.entry("/many");
    // Too many pieces for one batch: such a file is planned as a large one.
    entry.extents = Some(Blob::Stored(Content::default()));
    let encoded = match extents(&[Extent {
        offset: 0,
        len: 140_000,
    }]) {
        Blob::Inline(bytes) => bytes,
        Blob::Stored(_) => unreachable!(),
    };
    let stored = snapshot.content(&encoded, 1 << 20);
    snapshot.entry("/many").extents = Some(Blob::Stored(stored));
    for n in 0..20_000 {
        snapshot.file(format!("/d/{n}"), &[n as u8]);
    }
    let place = Place::new();
    let (report, _) = snapshot.restore_well(&place.options());
    assert_eq!((report.files, report.verified), (20_001, 20_001));
    assert_eq!(place.read("many"), data);
    let (again, _) = snapshot.restore_well(&place.options());
    assert_eq!(again.unchanged, 20_001);
}
