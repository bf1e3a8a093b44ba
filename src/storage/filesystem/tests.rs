use super::*;
use crate::storage::conformance;

fn open(dir: &tempfile::TempDir) -> FilesystemStorage {
    FilesystemStorage::open(dir.path(), false).unwrap()
}

fn put(storage: &FilesystemStorage, key: &str) {
    storage
        .put(key, key.as_bytes(), &PutOptions::default())
        .unwrap();
}

fn keys(storage: &FilesystemStorage, prefix: &str) -> Vec<String> {
    let mut keys = Vec::new();
    storage
        .list(prefix, &mut |o| {
            keys.push(o.key);
            Ok(())
        })
        .unwrap();
    keys
}

#[test]
fn keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let gone = tempfile::tempdir().unwrap();
    let missing = open(&gone);
    drop(gone);
    let options = conformance::Options {
        keys: 1100,
        missing: Some(&missing),
    };
    let report = conformance::run(&open(&dir), &options).unwrap();
    assert!(report.conditional_puts);
    assert_eq!(report.race_winners, 1);
    assert_eq!(report.ghosts, [""; 0]);
    assert_eq!(fs::read_dir(dir.path().join(TEMPORARY)).unwrap().count(), 0);
}

#[test]
fn a_missing_folder_is_named_and_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a").join("b");
    let error = FilesystemStorage::open(&path, false).err().unwrap();
    assert_eq!(error.kind(), Kind::BucketMissing);
    let named = format!("a{}b does not exist", std::path::MAIN_SEPARATOR);
    assert!(error.to_string().contains(&named), "{error}");
    assert!(!path.exists());
    FilesystemStorage::open(&path, true).unwrap();
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    fs::write(dir.path().join("file"), "").unwrap();
    let error = FilesystemStorage::open(&dir.path().join("file"), false)
        .err()
        .unwrap();
    assert_eq!(error.kind(), Kind::BucketMissing);
}

#[cfg(unix)]
#[test]
fn modes_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("repository");
    let storage = FilesystemStorage::open(&root, true).unwrap();
    put(&storage, "packs/ab/abcd");
    let mode = |path: &str| fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o7777;
    for (path, expected) in [
        ("", 0o700),
        ("packs", 0o700),
        ("packs/ab", 0o700),
        ("packs/ab/abcd", 0o600),
    ] {
        assert_eq!(mode(path), expected, "{path}");
    }
}

#[test]
fn strangers_and_leftovers_are_not_listed() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(&dir);
    for key in ["config", "packs/ab/1", "packs/ab0", "packs/a/1"] {
        put(&storage, key);
    }
    for stranger in [
        "lost+found",
        "packs/Thumbs.db",
        "packs/ab/1.bak",
        ".DS_Store",
    ] {
        fs::write(dir.path().join(stranger), "x").unwrap();
    }
    fs::write(dir.path().join(TEMPORARY).join("0123"), "x").unwrap();
    fs::create_dir(dir.path().join("empty")).unwrap();
    assert_eq!(
        keys(&storage, ""),
        ["config", "packs/a/1", "packs/ab/1", "packs/ab0"]
    );
    assert_eq!(keys(&storage, "packs/ab/"), ["packs/ab/1"]);
    assert_eq!(keys(&storage, "packs/ab"), ["packs/ab/1", "packs/ab0"]);
    assert_eq!(keys(&storage, "empty/"), [""; 0]);
}

#[test]
fn folders_are_not_objects() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(&dir);
    put(&storage, "packs/ab/1");
    for result in [
        storage.get("packs/ab", 10).map(|_| ()),
        storage.head("packs").map(|_| ()),
    ] {
        assert_eq!(result.unwrap_err().kind(), Kind::ObjectMissing);
    }
    assert_eq!(
        storage.head("packs/ab/1/2").unwrap_err().kind(),
        Kind::ObjectMissing
    );
}

#[test]
fn old_leftovers_are_removed_and_young_ones_kept() {
    let dir = tempfile::tempdir().unwrap();
    put(&open(&dir), "a");
    let leave = |name: &str, age: Duration| {
        let file = File::create(dir.path().join(TEMPORARY).join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - age)
            .unwrap();
    };
    leave("old", STALE + Duration::from_secs(60));
    leave("young", STALE / 2);
    put(&open(&dir), "b");
    assert!(!dir.path().join(TEMPORARY).join("old").exists());
    assert!(dir.path().join(TEMPORARY).join("young").exists());
}

#[test]
fn a_removed_folder_comes_back_with_the_next_put() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(&dir);
    put(&storage, "packs/ab/1");
    fs::remove_dir_all(dir.path().join("packs")).unwrap();
    put(&storage, "packs/ab/2");
    assert_eq!(keys(&storage, ""), ["packs/ab/2"]);
}

#[test]
fn the_clock_follows_the_file_times() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(&dir);
    storage.skew.store(3_600_000, Ordering::Relaxed);
    assert!(storage.now().since(Time::local_now()) > Duration::from_secs(3590));
    // A put measures again.
    put(&storage, "a");
    assert!(storage.now().since(Time::local_now()) < Duration::from_secs(5));
}

/// As root nothing is denied, so the error's mapping is tried directly.
#[test]
fn io_errors_get_their_kind_and_name_the_path() {
    for (io, kind) in [
        (ErrorKind::PermissionDenied, Kind::PermissionDenied),
        (ErrorKind::ReadOnlyFilesystem, Kind::PermissionDenied),
        (ErrorKind::StorageFull, Kind::NoSpace),
        (ErrorKind::QuotaExceeded, Kind::NoSpace),
        (ErrorKind::Other, Kind::Failed),
    ] {
        let error = failure("writing", Path::new("/r/packs/1"), io.into());
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains("writing /r/packs/1"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(&dir);
    put(&storage, "a");
    // Every write to /dev/full fails with ENOSPC, after an open that works.
    let temporary = Temporary {
        file: File::options().write(true).open("/dev/full").unwrap(),
        path: dir.path().join("x"),
    };
    let error = (&temporary.file)
        .write_all(b"x")
        .map_err(|e| failure("writing", &temporary.path, e))
        .unwrap_err();
    assert_eq!(error.kind(), Kind::NoSpace);
    assert_eq!(error.kind().exit_code(), 1);
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_dangling_ones_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let storage = open(&dir);
    fs::create_dir(other.path().join("disk")).unwrap();
    std::os::unix::fs::symlink(other.path().join("disk"), dir.path().join("packs")).unwrap();
    put(&storage, "packs/ab/1");
    assert_eq!(keys(&storage, "packs/"), ["packs/ab/1"]);
    drop(other);
    for prefix in ["", "packs/"] {
        let error = storage.list(prefix, &mut |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("packs"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn links_that_lead_back_are_passed_over_and_others_followed() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let storage = open(&dir);
    for key in ["config", "packs/ab/abcd", "packs/cd/cdef", "index/ab"] {
        put(&storage, key);
    }
    let at = |path: &str| dir.path().join(path);
    // A folder moved to another disk.
    fs::rename(at("packs/cd"), elsewhere.path().join("cd")).unwrap();
    symlink(elsewhere.path().join("cd"), at("packs/cd")).unwrap();
    let whole = ["config", "index/ab", "packs/ab/abcd", "packs/cd/cdef"];
    assert_eq!(keys(&storage, ""), whole);
    symlink("self", at("packs/self")).unwrap();
    symlink("..", at("packs/ab/up")).unwrap();
    symlink(dir.path(), at("packs/ab/root")).unwrap();
    // Two that lead to each other by way of folders; what is behind the first link is a stranger.
    symlink(at("packs/ab"), elsewhere.path().join("cd/ef")).unwrap();
    symlink(elsewhere.path().join("cd"), at("packs/ab/gh")).unwrap();
    let listed = keys(&storage, "packs/");
    assert_eq!(
        listed,
        ["packs/ab/abcd", "packs/ab/gh/cdef", "packs/cd/cdef"]
    );
    assert_eq!(keys(&storage, "index/"), ["index/ab"]);
}
