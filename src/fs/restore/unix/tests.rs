use super::{Dir, Target};
use crate::format::{FileKind, TreePath};
use crate::fs::path::Platform;
use crate::fs::restore::{Meta, Placed, Policy};
use std::os::unix::fs::{MetadataExt, symlink};

const NOTHING: Policy = Policy {
    owner: false,
    set_id: false,
};

fn target() -> (tempfile::TempDir, Target) {
    let place = tempfile::tempdir().unwrap();
    let target = Target::create(place.path(), Platform::HERE).unwrap();
    (place, target)
}

fn path(parts: &[&str]) -> TreePath {
    TreePath(parts.iter().map(|p| p.as_bytes().to_vec()).collect())
}

fn root(target: &Target) -> std::sync::Arc<Dir> {
    target.dir(&TreePath::default(), false).unwrap()
}

#[test]
fn more_directories_than_are_kept_open() {
    let (place, target) = target();
    for round in 0..2 {
        for n in 0..300 {
            let dir = target
                .dir(&path(&["a", &n.to_string(), "b"]), true)
                .unwrap();
            assert_eq!(dir.look(b"f").unwrap().is_some(), round == 1);
            if round == 0 {
                dir.create_file(b"f").unwrap();
            }
        }
    }
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    assert!(open < 900, "{open} descriptors are open");
    assert_eq!(
        std::fs::metadata(place.path().join("a")).unwrap().mode() & 0o777,
        0o700
    );
}

#[test]
fn a_link_among_the_components_is_an_error() {
    let (place, target) = target();
    std::fs::create_dir(place.path().join("real")).unwrap();
    symlink("real", place.path().join("link")).unwrap();
    assert!(target.dir(&path(&["real"]), false).is_ok());
    let error = target.dir(&path(&["link", "x"]), true).err().unwrap();
    assert!(error.to_string().contains("symbolic link"), "{error}");
    assert!(target.dir_if_there(&path(&["none"])).unwrap().is_none());
}

#[test]
fn a_taken_name_stays_unless_it_is_to_be_replaced() {
    let (place, target) = target();
    let dir = root(&target);
    std::fs::write(place.path().join("f"), b"old").unwrap();
    dir.create_file(b"t").unwrap();
    assert_eq!(dir.place(b"t", b"f", false).unwrap(), Placed::Taken);
    assert_eq!(dir.place(b"t", b"g", false).unwrap(), Placed::Done);
    assert_eq!(std::fs::read(place.path().join("f")).unwrap(), b"old");
    assert_eq!(dir.place(b"g", b"f", true).unwrap(), Placed::Done);
    assert_eq!(std::fs::read(place.path().join("f")).unwrap(), b"");
}

#[test]
fn only_regular_files_are_opened() {
    let (place, target) = target();
    let dir = root(&target);
    dir.make_special(b"fifo", FileKind::Fifo, (0, 0)).unwrap();
    std::fs::write(place.path().join("f"), b"x").unwrap();
    symlink("f", place.path().join("l")).unwrap();
    assert!(dir.open_read(b"f").is_ok());
    for other in [&b"fifo"[..], b"l", b"none"] {
        assert!(dir.open_read(other).is_err() && dir.open_write(other).is_err());
    }
}

#[test]
fn metadata_never_goes_to_what_a_link_points_to() {
    let (place, target) = target();
    let dir = root(&target);
    std::fs::write(place.path().join("victim"), b"x").unwrap();
    let before = std::fs::metadata(place.path().join("victim")).unwrap();
    symlink("victim", place.path().join("l")).unwrap();
    let meta = Meta {
        mode: 0o777,
        uid: 99,
        xattrs: vec![(b"user.x".to_vec(), b"1".to_vec())],
        ..Meta::default()
    };
    let policy = Policy {
        owner: crate::fs::is_root(),
        set_id: false,
    };
    let applied = dir
        .apply_name(b"l", FileKind::Symlink, &meta, policy)
        .unwrap();
    // Links cannot have attributes of users.
    assert_eq!(applied.xattrs.len(), 1);
    let after = std::fs::metadata(place.path().join("victim")).unwrap();
    assert_eq!(
        (after.mode(), after.uid(), after.ctime_nsec()),
        (before.mode(), before.uid(), before.ctime_nsec())
    );
    assert_eq!(
        std::fs::symlink_metadata(place.path().join("l"))
            .unwrap()
            .mtime(),
        0
    );
    // Whoever swaps the fifo for a link gains nothing.
    assert!(
        dir.apply_name(b"l", FileKind::Fifo, &meta, NOTHING)
            .is_err()
    );
}
