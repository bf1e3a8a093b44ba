#![cfg(unix)]

use super::*;
use crate::format::FileTime;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// A temporary directory with its symlinks resolved, and its own path in a snapshot.
struct Base {
    _dir: tempfile::TempDir,
    path: PathBuf,
    tree: TreePath,
}

fn base() -> Base {
    let dir = tempfile::tempdir().unwrap();
    let path = std::fs::canonicalize(dir.path()).unwrap();
    let tree = Source::new(path.as_os_str()).unwrap().path;
    Base {
        _dir: dir,
        path,
        tree,
    }
}

impl Base {
    fn file(&self, name: impl AsRef<Path>, content: &[u8]) -> PathBuf {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    fn walk(&self, sources: &[&str], options: Options) -> Found {
        let sources: Vec<Source> = sources
            .iter()
            .map(|s| Source::new(self.path.join(s).as_os_str()).unwrap())
            .collect();
        self.collect(Walker::new(&sources, options).unwrap())
    }

    /// Everything found, with paths relative to the base; what leads to the base is left out.
    fn collect(&self, walker: Walker) -> Found {
        let mut found = Found::default();
        let mut previous = TreePath::default();
        for walked in walker {
            match walked {
                Walked::Item(item) => {
                    assert!(
                        previous < item.path,
                        "{:?} is not before {:?}",
                        previous,
                        item.path
                    );
                    previous = item.path.clone();
                    if item.path.starts_with(&self.tree) {
                        found.items.push((self.relative(&item.path), item));
                    }
                }
                Walked::Note { path, note } => found.notes.push((self.relative(&path), note)),
                Walked::Error { path, error } => {
                    found.errors.push((self.relative(&path), error.to_string()))
                }
            }
        }
        found
    }

    fn relative(&self, path: &TreePath) -> String {
        let parts = path.0.get(self.tree.0.len()..).unwrap_or_default();
        crate::report::printable(&parts.join(&b'/'))
    }
}

#[derive(Default)]
struct Found {
    items: Vec<(String, Item)>,
    notes: Vec<(String, String)>,
    errors: Vec<(String, String)>,
}

impl Found {
    fn names(&self) -> Vec<&str> {
        self.items
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| !name.is_empty())
            .collect()
    }

    fn item(&self, name: &str) -> &Item {
        &self
            .items
            .iter()
            .find(|(n, _)| n == name)
            .unwrap_or_else(|| panic!("{name} is not there"))
            .1
    }
}

#[test]
fn order_is_the_trees() {
    let base = base();
    for name in ["b/x", "b/c/y", "b.x", "a/z", "B", "c"] {
        base.file(name, b"");
    }
    let found = base.walk(&["."], Options::default());
    assert_eq!(
        found.names(),
        ["B", "a", "b", "b.x", "c", "a/z", "b/c", "b/x", "b/c/y"]
    );
    assert!(found.notes.is_empty() && found.errors.is_empty());
}

#[test]
fn sources_merge_and_ancestors_stand_alone() {
    let base = base();
    for name in ["a/b/1", "a/b/2", "a/c/3", "d/4", "e"] {
        base.file(name, b"");
    }
    let found = base.walk(&["a/b", "a/b/1", "a/b", "d/4"], Options::default());
    assert_eq!(found.names(), ["a", "d", "a/b", "a/b/1", "a/b/2", "d/4"]);
    assert_eq!(found.items[0].0, "", "the base itself is an ancestor");
    assert_eq!(found.items[0].1.entry.kind, FileKind::Dir);
}

#[test]
fn missing_sources_are_errors_and_others_go_on() {
    let base = base();
    base.file("a/1", b"");
    let found = base.walk(&["a", "x/y/z", "a/1/2"], Options::default());
    assert_eq!(found.names(), ["a"]);
    let failed: Vec<_> = found.errors.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(failed, ["x/y/z", "a/1/2"]);
}

#[test]
fn symlinks_are_kept_and_only_followed_when_asked() {
    let base = base();
    base.file("real/f", b"");
    symlink("real", base.path.join("link")).unwrap();
    symlink("missing\n", base.path.join("broken")).unwrap();
    let found = base.walk(&["link", "broken"], Options::default());
    assert_eq!(found.names(), ["broken", "link"]);
    assert_eq!(found.item("link").entry.link, b"real");
    assert_eq!(found.item("broken").entry.link, b"missing\n");
    assert_eq!(found.item("broken").entry.size, 0);
    assert_eq!(
        base.walk(&["link/"], Options::default()).names(),
        ["link", "link/f"]
    );
    // What leads to a source is followed.
    let found = base.walk(&["link/f"], Options::default());
    assert_eq!(found.names(), ["link", "link/f"]);
    assert_eq!(found.item("link").entry.kind, FileKind::Dir);
    // A trailing slash after something else is an error.
    assert_eq!(base.walk(&["real/f/"], Options::default()).errors.len(), 1);
}

#[test]
fn metadata_is_complete() {
    let base = base();
    let path = base.file(OsStr::from_bytes(b"n\xff\n"), b"hello");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o4751)).unwrap();
    std::fs::hard_link(&path, base.path.join("second")).unwrap();
    let found = base.walk(&["."], Options::default());
    let entry = &found.item("n\\xff\\n").entry;
    let meta = path.metadata().unwrap();
    assert_eq!(
        (entry.kind, entry.mode, entry.size),
        (FileKind::File, 0o4751, 5)
    );
    assert_eq!((entry.uid, entry.gid), (meta.uid(), meta.gid()));
    assert_eq!(
        entry.mtime,
        FileTime {
            secs: meta.mtime(),
            nanos: meta.mtime_nsec() as u32
        }
    );
    assert_eq!(
        entry.ctime,
        FileTime {
            secs: meta.ctime(),
            nanos: meta.ctime_nsec() as u32
        }
    );
    assert_eq!(entry.hardlink, Some((meta.dev(), meta.ino())));
    assert_eq!(entry.hardlink, found.item("second").entry.hardlink);
    assert_eq!((entry.device, entry.inode), (meta.dev(), meta.ino()));
    if entry.uid == 0 {
        assert_eq!(entry.user, b"root");
    }
    assert_eq!(
        found.items[0].1.entry.hardlink, None,
        "a directory's link count means nothing"
    );
}

mod special;
