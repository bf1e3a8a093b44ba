//! The engine through the library: backup, backup again, restore, on a folder.

mod support;

use corso::crypto::Passphrase;
use corso::fs::path::Source;
use corso::ops::backup::{self, BackupOptions};
use corso::ops::opened::OpenSnapshot;
use corso::ops::restore::RestoreOptions;
use corso::repo::snapshots::SnapshotFilter;
use corso::repo::{InitOptions, Repository};
use corso::report::{Silent, Stop};
use corso::storage::Storage;
use corso::storage::filesystem::FilesystemStorage;
use std::path::Path;
use std::sync::Arc;

fn options(source: &Path) -> BackupOptions {
    let source = Source::new(source.as_os_str()).unwrap();
    BackupOptions::new(vec![source], "h".into(), "u".into())
}

fn open(storage: Arc<dyn Storage>, cache: &Path) -> Arc<Repository> {
    Arc::new(Repository::open(storage, &Passphrase::new("p"), Some(cache), &Silent).unwrap())
}

#[test]
fn backup_again_and_restore() {
    let work = support::temp_dir();
    let path = |name: &str| work.path().join(name);
    let (source, cache) = (path("source"), path("cache"));
    support::make_tree(&source, 1, 800, 3 << 20);
    let storage: Arc<dyn Storage> = Arc::new(FilesystemStorage::open(&path("repo"), true).unwrap());
    Repository::init(
        storage.clone(),
        &Passphrase::new("p"),
        &InitOptions::default(),
        Some(&cache),
        &Silent,
    )
    .unwrap();

    let repo = open(storage.clone(), &cache);
    let first = backup::create(
        repo.clone(),
        &options(&source),
        Arc::new(Silent),
        &Stop::default(),
    )
    .unwrap();
    eprintln!("{first:?}");
    assert_eq!(first.counts.errors, 0);
    assert_eq!(first.counts.files_read, first.counts.files);

    let repo = open(storage.clone(), &cache);
    let second = backup::create(
        repo.clone(),
        &options(&source),
        Arc::new(Silent),
        &Stop::default(),
    )
    .unwrap();
    eprintln!("{second:?}");
    assert_eq!(second.counts.files_read, 0);
    assert_eq!(second.written.data_packs, 0);
    assert_eq!(second.parent, first.snapshot);

    for cache in [cache.as_path(), path("fresh").as_path()] {
        let repo = open(storage.clone(), cache);
        let snapshot = repo
            .find_snapshot("latest", &SnapshotFilter::default(), &Silent)
            .unwrap();
        assert_eq!(Some(snapshot.id.hex()), second.snapshot);
        let opened = OpenSnapshot::new(&repo, snapshot, &Silent).unwrap();
        let target = support::temp_dir();
        let wanted = RestoreOptions {
            destination: target.path().join("out"),
            verify: true,
            ..RestoreOptions::default()
        };
        let report = opened.restore(&wanted, &Silent, &Stop::default()).unwrap();
        eprintln!("{report:?}");
        assert_eq!(report.errors, 0);
        let landed = target
            .path()
            .join("out")
            .join(source.strip_prefix("/").unwrap());
        support::assert_same_tree(&source, &landed);
    }
}
