//! What only some trees have: excludes, depth, size, special files, holes, changes under the walk.

use super::*;
use crate::format::Extent;
use crate::fs::filter::CACHE_TAG;
use rustix::fs::{FileType, Mode, OFlags, mknodat};
use std::io::{Read, Write};

fn excluding(patterns: &[&str]) -> Options {
    let mut options = Options::default();
    for pattern in patterns {
        options.filter.add(pattern.as_bytes()).unwrap();
    }
    options
}

#[test]
fn excluded_directories_are_not_entered() {
    let base = base();
    for name in ["a/x/1", "a/y/x", "a/y/2", "b/x/3", "keep.o", "drop.o"] {
        base.file(name, b"");
    }
    let found = base.walk(&["."], excluding(&["x", "*.o", "!keep.o"]));
    assert_eq!(found.names(), ["a", "b", "keep.o", "a/y", "a/y/2"]);
    // A source inside what is excluded was asked for; one that is itself excluded is left out.
    let found = base.walk(&[".", "b/x/3", "drop.o"], excluding(&["x", "*.o"]));
    assert_eq!(found.names(), ["a", "b", "a/y", "a/y/2", "b/x", "b/x/3"]);
    assert_eq!(found.notes.len(), 1);
    assert_eq!(found.notes[0].0, "drop.o");
}

#[test]
fn caches_keep_only_their_tag() {
    let base = base();
    let tag = b"Signature: 8a477f597d28d172789f06886806bc55\n# made by a test";
    for name in ["c/CACHEDIR.TAG", "c/1", "c/d/2"] {
        base.file(name, tag);
    }
    base.file("not/CACHEDIR.TAG", b"Signature: something else");
    base.file("not/3", b"");
    base.file("pipe/4", b"");
    mkfifo(&base.path.join("pipe").join(OsStr::from_bytes(CACHE_TAG)));
    let options = || Options {
        exclude_caches: true,
        ..Options::default()
    };
    let rest = ["not/3", "not/CACHEDIR.TAG", "pipe/4", "pipe/CACHEDIR.TAG"];
    let expected = [&["c", "not", "pipe", "c/CACHEDIR.TAG"], &rest[..]].concat();
    assert_eq!(base.walk(&["."], options()).names(), expected);
    // A source inside was asked for.
    let found = base.walk(&[".", "c/d"], options());
    let expected = [
        &["c", "not", "pipe", "c/CACHEDIR.TAG", "c/d", "c/d/2"],
        &rest[..],
    ]
    .concat();
    assert_eq!(found.names(), expected);
    assert_eq!(base.walk(&["."], Options::default()).names().len(), 11);
}

fn mkfifo(path: &Path) {
    mknodat(
        rustix::fs::CWD,
        path,
        FileType::Fifo,
        Mode::from_raw_mode(0o644),
        0,
    )
    .unwrap();
}

#[test]
fn special_files() {
    let base = base();
    mkfifo(&base.path.join("fifo"));
    let _socket = std::os::unix::net::UnixListener::bind(base.path.join("socket")).unwrap();
    let found = base.walk(&["."], Options::default());
    assert_eq!(found.names(), ["fifo"]);
    assert_eq!(found.item("fifo").entry.kind, FileKind::Fifo);
    assert!(
        found.item("fifo").open_for_read().is_err(),
        "a pipe is no file, and opening it does not block"
    );
    assert!(found.item("fifo").xattrs().unwrap().is_empty());
    assert_eq!(
        found.notes,
        [("socket".to_owned(), "skipped: a socket".to_owned())]
    );
}

#[test]
fn devices() {
    let base = base();
    let device = rustix::fs::makedev(1, 3);
    let mode = Mode::from_raw_mode(0o600);
    if mknodat(
        rustix::fs::CWD,
        base.path.join("null"),
        FileType::CharacterDevice,
        mode,
        device,
    )
    .is_err()
    {
        eprintln!("skipped: only root may make device nodes");
        return;
    }
    let found = base.walk(&["."], Options::default());
    let entry = &found.item("null").entry;
    assert_eq!(
        (entry.kind, entry.rdev, entry.mode),
        (FileKind::CharDevice, (1, 3), 0o600)
    );
}

#[test]
fn other_file_systems_are_not_entered() {
    let device = |path: &str| std::fs::metadata(path).map(|m| m.dev()).ok();
    if device("/dev").is_none()
        || device("/dev/shm").is_none()
        || device("/dev") == device("/dev/shm")
    {
        eprintln!("skipped: /dev/shm is not a file system of its own");
        return;
    }
    let inside = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = Source::new(inside.path().as_os_str()).unwrap();
    let dev = Source::new(OsStr::new("/dev")).unwrap();
    let walk = |sources: &[Source]| {
        let options = Options {
            one_file_system: true,
            ..Options::default()
        };
        let walker = Walker::new(sources, options).unwrap();
        let paths = walker.filter_map(|walked| match walked {
            Walked::Item(item) => Some(item.path),
            _ => None,
        });
        paths.collect::<Vec<_>>()
    };
    let shm = TreePath(vec![b"dev".to_vec(), b"shm".to_vec()]);
    let found = walk(std::slice::from_ref(&dev));
    assert!(found.contains(&shm) && !found.contains(&path.path));
    // Unless asked for by name.
    let found = walk(&[dev, path.clone()]);
    assert!(found.contains(&shm) && found.contains(&path.path));
}

/// Makes `depth` directories inside each other, too deep for any path.
fn nest(base: &Path, depth: usize, name: &str) -> std::os::fd::OwnedFd {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = rustix::fs::open(base, flags, Mode::empty()).unwrap();
    for _ in 0..depth {
        rustix::fs::mkdirat(&at, name, Mode::from_raw_mode(0o755)).unwrap();
        // A file and a second directory that is entered on the way back up, when the parents' descriptors are closed.
        rustix::fs::mkdirat(&at, "z", Mode::from_raw_mode(0o755)).unwrap();
        at = rustix::fs::openat(&at, name, flags, Mode::empty()).unwrap();
    }
    at
}

#[test]
fn deep_trees_and_long_paths() {
    let base = base();
    let bottom = nest(&base.path, 1200, "name");
    let flags = OFlags::WRONLY | OFlags::CREATE;
    let file = rustix::fs::openat(&bottom, "file", flags, Mode::from_raw_mode(0o600)).unwrap();
    std::fs::File::from(file).write_all(b"deep").unwrap();
    let mut count = 0;
    let mut deepest = None;
    for walked in Walker::new(
        &[Source::new(base.path.as_os_str()).unwrap()],
        Options::default(),
    )
    .unwrap()
    {
        let Walked::Item(item) = walked else {
            panic!("a note or an error")
        };
        count += usize::from(item.path.0.len() > base.tree.0.len());
        deepest = if item.entry.kind == FileKind::File {
            Some(item)
        } else {
            deepest
        };
    }
    assert_eq!(count, 2401);
    let item = deepest.unwrap();
    assert!(item.path.to_bytes().len() > 6000);
    // The walk is over: every descriptor on the way has been closed and is opened again.
    let mut text = String::new();
    item.open_for_read()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "deep");
}

#[test]
fn large_directories() {
    let base = base();
    for i in 0..3000 {
        std::fs::File::create(base.path.join(format!("{i}"))).unwrap();
    }
    let found = base.walk(&["."], Options::default());
    assert_eq!(found.names().len(), 3000);
}

#[test]
fn an_unreadable_directory_is_kept_and_reported() {
    if crate::fs::is_root() {
        eprintln!("skipped: root may read everything");
        return;
    }
    let base = base();
    base.file("closed/1", b"");
    base.file("open/2", b"");
    std::fs::set_permissions(base.path.join("closed"), PermissionsExt::from_mode(0o000)).unwrap();
    let found = base.walk(&["."], Options::default());
    assert_eq!(found.names(), ["closed", "open", "open/2"]);
    assert_eq!(found.errors.len(), 1);
    assert_eq!(found.errors[0].0, "closed");
    std::fs::set_permissions(base.path.join("closed"), PermissionsExt::from_mode(0o700)).unwrap();
}

#[test]
fn what_changes_under_the_walk_is_noticed() {
    let base = base();
    for name in ["grows", "shrinks", "replaced", "linked", "gone", "same"] {
        base.file(name, b"content");
    }
    let found = base.walk(&["."], Options::default());
    let open = |name: &str| found.item(name).open_for_read();

    let same = open("same").unwrap();
    assert_eq!(same.size(), 7);
    assert!(same.still_same().unwrap());
    let grows = open("grows").unwrap();
    std::fs::write(base.path.join("grows"), b"more content").unwrap();
    assert!(!grows.still_same().unwrap());
    let shrinks = open("shrinks").unwrap();
    std::fs::write(base.path.join("shrinks"), b"").unwrap();
    assert!(!shrinks.still_same().unwrap());

    base.file("other", b"content");
    std::fs::rename(base.path.join("other"), base.path.join("replaced")).unwrap();
    assert!(
        open("replaced")
            .err()
            .unwrap()
            .to_string()
            .contains("replaced")
    );
    std::fs::remove_file(base.path.join("linked")).unwrap();
    symlink("same", base.path.join("linked")).unwrap();
    assert!(open("linked").is_err());
    std::fs::remove_file(base.path.join("gone")).unwrap();
    assert!(open("gone").is_err());
}

#[test]
fn a_replaced_directory_is_noticed() {
    let base = base();
    base.file("a/1", b"");
    base.file("elsewhere/1", b"");
    let source = Source::new(base.path.as_os_str()).unwrap();
    let mut walker = Walker::new(&[source], Options::default()).unwrap();
    let is_a = |walked: &Walked| matches!(walked, Walked::Item(item) if item.path.0.last().unwrap() == b"a");
    assert!(walker.any(|walked| is_a(&walked)));
    std::fs::rename(base.path.join("a"), base.path.join("b")).unwrap();
    symlink("elsewhere", base.path.join("a")).unwrap();
    let found = base.collect(walker);
    assert_eq!(found.names(), ["elsewhere", "elsewhere/1"]);
    assert_eq!(found.errors.len(), 1);
    assert_eq!(found.errors[0].0, "a");
}

#[test]
fn extended_attributes() {
    let base = base();
    let path = base.file("f", b"");
    let value = vec![7; 3000];
    if rustix::fs::setxattr(&path, "user.b", &value, rustix::fs::XattrFlags::empty()).is_err() {
        eprintln!("skipped: no extended attributes on this file system");
        return;
    }
    rustix::fs::setxattr(&path, "user.a", b"", rustix::fs::XattrFlags::empty()).unwrap();
    let dir = base.path.join("d");
    std::fs::create_dir(&dir).unwrap();
    rustix::fs::setxattr(&dir, "user.d", b"x", rustix::fs::XattrFlags::empty()).unwrap();
    symlink("f", base.path.join("link")).unwrap();
    let found = base.walk(&["."], Options::default());
    let xattrs = |name: &str| {
        let mut list = found.item(name).xattrs().unwrap();
        list.retain(|(name, _)| !name.starts_with(b"security."));
        list
    };
    assert_eq!(
        xattrs("f"),
        [(b"user.a".to_vec(), vec![]), (b"user.b".to_vec(), value)]
    );
    assert_eq!(xattrs("d"), [(b"user.d".to_vec(), b"x".to_vec())]);
    assert!(
        xattrs("link").is_empty(),
        "a symlink does not show its target's"
    );
    if crate::fs::is_root() {
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::lsetxattr(base.path.join("link"), "trusted.l", b"own", flags).unwrap();
        assert_eq!(xattrs("link"), [(b"trusted.l".to_vec(), b"own".to_vec())]);
    }
}

#[test]
fn acls_are_extended_attributes() {
    let base = base();
    let path = base.file("f", b"");
    // Version 2; then tag, permissions, id: user::rw-, user:1:r--, group::r--, mask::r--, other::---.
    let mut acl = 2_u32.to_le_bytes().to_vec();
    for (tag, perm, id) in [
        (1_u16, 6_u16, u32::MAX),
        (2, 4, 1),
        (4, 4, u32::MAX),
        (16, 4, u32::MAX),
        (32, 0, u32::MAX),
    ] {
        acl.extend([tag.to_le_bytes(), perm.to_le_bytes()].concat());
        acl.extend(id.to_le_bytes());
    }
    let name = "system.posix_acl_access";
    if rustix::fs::setxattr(&path, name, &acl, rustix::fs::XattrFlags::empty()).is_err() {
        eprintln!("skipped: no ACLs on this file system");
        return;
    }
    let found = base.walk(&["."], Options::default());
    assert!(
        found
            .item("f")
            .xattrs()
            .unwrap()
            .contains(&(name.as_bytes().to_vec(), acl))
    );
}

#[test]
fn holes_are_found() {
    let base = base();
    std::fs::File::create(base.path.join("hole"))
        .unwrap()
        .set_len(20 << 30)
        .unwrap();
    let mut file = std::fs::File::create(base.path.join("mixed")).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(1 << 20)).unwrap();
    file.write_all(&[1; 65_536]).unwrap();
    file.set_len(10 << 20).unwrap();
    base.file("dense", &[0; 100_000]);
    base.file("empty", b"");
    let found = base.walk(&["."], Options::default());
    let extents = |name: &str| found.item(name).open_for_read().unwrap().extents().unwrap();
    assert_eq!(extents("dense"), None);
    assert_eq!(extents("empty"), None);
    let mixed = extents("mixed");
    if mixed.is_none() {
        eprintln!("skipped: no holes on this file system");
        return;
    }
    assert_eq!(
        mixed,
        Some(vec![Extent {
            offset: 1 << 20,
            len: 65_536
        }])
    );
    assert_eq!(extents("hole"), Some(vec![]));
    let mut first = [0; 1];
    let mut mixed = found.item("mixed").open_for_read().unwrap();
    mixed.extents().unwrap();
    assert_eq!(
        mixed.read(&mut first).unwrap(),
        1,
        "reading starts at the start"
    );
}

/// By hand: `CORSO_WALK=/usr cargo test --release walk_speed -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement of speed: it asserts nothing that holds on a busy machine"]
fn walk_speed() {
    let path = std::env::var_os("CORSO_WALK").unwrap_or("/usr".into());
    let start = std::time::Instant::now();
    let walker = Walker::new(&[Source::new(&path).unwrap()], Options::default()).unwrap();
    let (mut items, mut attributes) = (0, 0);
    for walked in walker {
        if let Walked::Item(item) = walked {
            items += 1;
            if std::env::var_os("CORSO_XATTRS").is_some() {
                attributes += item.xattrs().unwrap().len();
            }
        }
    }
    println!(
        "{items} items, {attributes} attributes, {:?}",
        start.elapsed()
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!(
        "{}",
        status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap_or_default()
    );
}
