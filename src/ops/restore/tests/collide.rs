//! Names that the target has already.

use super::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

fn with(place: &Place, collisions: Collisions) -> RestoreOptions {
    RestoreOptions {
        collisions,
        ..place.options()
    }
}

#[test]
fn replace_fetches_only_what_differs() {
    let mut snapshot = Snapshot::default();
    let data = noise(1, 1_000_000);
    snapshot.file_cut("/big", &data, 100_000);
    snapshot.bundle(&[("/x", b"one"), ("/y", b"two"), ("/z", b"three")]);
    let place = Place::new();
    snapshot.restore_well(&place.options());
    let inode = |name: &str| std::fs::metadata(place.at(name)).unwrap().ino();
    let before = (inode("big"), inode("x"), snapshot.chunks.fetched());

    let (report, _) = snapshot.restore_well(&place.options());
    assert_eq!((report.unchanged, report.verified), (4, 4));
    assert_eq!(
        (inode("big"), inode("x"), snapshot.chunks.fetched()),
        before
    );

    let mut changed = data.clone();
    changed[250_000] ^= 1;
    place.write("big", &changed);
    place.write("y", b"TWO");
    let (report, _) = snapshot.restore_well(&place.options());
    assert_eq!(report.unchanged, 2);
    assert_eq!(snapshot.chunks.fetched() - before.2, 2);
    assert_eq!(report.bytes_reused, 900_008);
    assert_eq!(
        (place.read("big"), place.read("y")),
        (data, b"two".to_vec())
    );
    assert_eq!(inode("x"), before.1);
    place.assert_clean();
}

#[test]
fn replace_shortens_lengthens_and_resets_metadata() {
    let mut snapshot = Snapshot::default();
    snapshot.file_cut("/f", &noise(2, 5000), 1000);
    snapshot.file_cut("/g", &noise(3, 5000), 1000);
    let place = Place::new();
    place.write("f", noise(2, 9000));
    place.write("g", noise(3, 1500));
    xattr::set(place.at("f"), "user.old", b"1").unwrap();
    snapshot.restore_well(&place.options());
    assert_eq!(
        (place.read("f"), place.read("g")),
        (noise(2, 5000), noise(3, 5000))
    );
    // Equal content keeps the file, and loses what the snapshot does not have.
    xattr::set(place.at("f"), "user.old", b"1").unwrap();
    std::fs::set_permissions(place.at("f"), std::fs::Permissions::from_mode(0o777)).unwrap();
    let (report, _) = snapshot.restore_well(&place.options());
    assert_eq!(report.unchanged, 2);
    assert_eq!(xattr::get(place.at("f"), "user.old").unwrap(), None);
    assert_eq!(
        std::fs::metadata(place.at("f")).unwrap().mode() & 0o7777,
        0o644
    );
}

#[test]
fn skip_leaves_everything() {
    let mut snapshot = Snapshot::default();
    snapshot.dir("/d", 0o711);
    snapshot.file("/d/f", b"new");
    snapshot.file("/d/other", b"other");
    snapshot.symlink("/d/l", "new");
    snapshot.file("/was-file/x", b"x");
    let place = Place::new();
    place.write("d/f", b"old");
    place.write("was-file", b"a file");
    symlink("old", place.at("d/l")).unwrap();
    std::fs::set_permissions(place.at("d"), std::fs::Permissions::from_mode(0o700)).unwrap();
    let (report, log) = snapshot.restore_well(&with(&place, Collisions::Skip));
    assert_eq!((report.files, report.skipped), (1, 4));
    assert!(log.note("/d/f").contains("exists already"));
    assert_eq!(
        (place.read("d/f"), place.read("was-file")),
        (b"old".to_vec(), b"a file".to_vec())
    );
    assert_eq!(
        std::fs::read_link(place.at("d/l")).unwrap(),
        Path::new("old")
    );
    assert_eq!(
        std::fs::metadata(place.at("d")).unwrap().mode() & 0o7777,
        0o700
    );
    place.assert_clean();
}

#[test]
fn copy_restores_beside() {
    let mut snapshot = Snapshot::default();
    snapshot.file("/f", b"new").hardlink = Some((1, 1));
    snapshot.file("/g", b"new").hardlink = Some((1, 1));
    snapshot.symlink("/l", "new");
    let place = Place::new();
    place.write("f", b"old");
    symlink("old", place.at("l")).unwrap();
    std::fs::create_dir(place.at("f (restored)")).unwrap();
    let (report, _) = snapshot.restore_well(&with(&place, Collisions::Copy));
    assert_eq!((report.files, report.hardlinks, report.symlinks), (1, 1, 1));
    assert_eq!(
        (place.read("f"), place.read("f (restored 2)")),
        (b"old".to_vec(), b"new".to_vec())
    );
    let inode = |name: &str| std::fs::metadata(place.at(name)).unwrap().ino();
    assert_eq!(inode("f (restored 2)"), inode("g"));
    assert_eq!(
        std::fs::read_link(place.at("l (restored)")).unwrap(),
        Path::new("new")
    );
    place.assert_clean();
}

#[test]
fn kinds_that_differ() {
    let mut snapshot = Snapshot::default();
    snapshot.file("/empty-dir", b"file now");
    snapshot.file("/full-dir", b"file now");
    snapshot.file("/was-file/x", b"x");
    snapshot.file("/was-link/x", b"x");
    snapshot.symlink("/was-file-2", "t");
    snapshot.file("/was-fifo", b"file now");
    let place = Place::new();
    std::fs::create_dir(place.at("empty-dir")).unwrap();
    place.write("full-dir/keep", b"k");
    place.write("was-file", b"f");
    place.write("was-file-2", b"f");
    place.write("elsewhere/x", b"untouched");
    symlink("elsewhere", place.at("was-link")).unwrap();
    let fifo = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, place.at("was-fifo"), fifo).unwrap();
    let (report, log) = snapshot.restore(&place.options());
    let report = report.unwrap();
    assert_eq!(report.errors, 3, "{log:?}");
    assert!(log.error("/full-dir").contains("not empty"), "{log:?}");
    assert!(log.error("/was-link").contains("symbolic link"), "{log:?}");
    assert_eq!(log.errors.lock().unwrap().len(), 2);
    assert_eq!(place.read("empty-dir"), b"file now");
    assert_eq!(place.read("was-fifo"), b"file now");
    assert_eq!(place.read("was-file/x"), b"x");
    assert_eq!(place.read("elsewhere/x"), b"untouched");
    assert_eq!(
        std::fs::read_link(place.at("was-file-2")).unwrap(),
        Path::new("t")
    );
    place.assert_clean();
}

#[test]
fn dry_run_writes_nothing() {
    let mut snapshot = Snapshot::default();
    snapshot.file("/d/f", b"new").hardlink = Some((1, 1));
    snapshot.file("/d/g", b"new").hardlink = Some((1, 1));
    snapshot.file("/top", b"new");
    snapshot.symlink("/l", "x");
    let place = Place::new();
    let absent = place.at("not/there");
    let options = RestoreOptions {
        dry_run: true,
        destination: absent.clone(),
        ..place.options()
    };
    let (report, log) = snapshot.restore_well(&options);
    assert_eq!(
        (report.files, report.hardlinks, report.symlinks, report.dirs),
        (2, 1, 1, 1)
    );
    assert!(report.dry_run && !absent.exists());
    assert_eq!(snapshot.chunks.fetched(), 0);
    assert_eq!(log.note("/d/f"), "would be created");
    place.write("top", b"old");
    let options = RestoreOptions {
        dry_run: true,
        ..place.options()
    };
    let (_, log) = snapshot.restore_well(&options);
    assert_eq!(log.note("/top"), "would be replaced");
    assert_eq!(std::fs::read_dir(place.dir.path()).unwrap().count(), 1);
}

#[test]
fn other_names_of_an_existing_file_keep_their_owner() {
    if !crate::fs::is_root() {
        return;
    }
    let mut snapshot = Snapshot::default();
    let entry = snapshot.file("/f", b"same content");
    (entry.uid, entry.mode) = (4321, 0o666);
    let place = Place::new();
    place.write("secret", b"same content");
    std::fs::hard_link(place.at("secret"), place.at("f")).unwrap();
    snapshot.restore_well(&place.options());
    let secret = std::fs::metadata(place.at("secret")).unwrap();
    assert_eq!((secret.uid(), secret.nlink()), (0, 1));
    assert_eq!(std::fs::metadata(place.at("f")).unwrap().uid(), 4321);
}
