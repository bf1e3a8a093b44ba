//! Reading while others move and remove, and while the local cache fails.

use super::*;

fn restore_all(world: &World, repo: &Arc<Repository>, prepare: impl Fn(&OpenSnapshot)) {
    let newest = repo
        .find_snapshot("latest", &SnapshotFilter::default(), &Silent)
        .unwrap();
    let opened = OpenSnapshot::new(repo, newest, &Silent).unwrap();
    prepare(&opened);
    let out = tempfile::tempdir().unwrap();
    let options = RestoreOptions {
        destination: out.path().to_owned(),
        ..RestoreOptions::default()
    };
    let report = opened.restore(&options, &Silent, &Stop::default()).unwrap();
    assert_eq!((report.errors, report.files), (0, 21));
    let large = world.source().join("large");
    let landed = out.path().join(large.strip_prefix("/").unwrap());
    assert!(std::fs::read(landed).unwrap() == std::fs::read(large).unwrap());
}

/// Maintenance may move chunks to other packs and remove the old ones while a restore runs.
#[test]
fn chunks_that_have_moved_are_found() {
    let world = World::new();
    world.backup("full").unwrap();
    let old = (world.names("packs/"), world.names("index/"));
    let repo = world.open("full");
    restore_all(&world, &repo, |_| {
        // The same chunks once more, and the packs that the index named before are gone.
        world.bury(old.0.clone(), old.1.clone());
        world.backup("full").unwrap();
        world.sweep(&old.0, &old.1);
    });
}

/// Every file of the cache is damaged, again and again; neither a backup nor a restore minds.
#[test]
fn a_damaged_cache_fails_no_run() {
    for (passphrase, writer) in [("full", false), ("writer", true)] {
        let world = World::new();
        if writer {
            world
                .open("full")
                .add_key(&Passphrase::new("writer"), Role::Writer, "w")
                .unwrap();
        }
        world.backup(passphrase).unwrap();
        let cache = world.work.path().join(format!("cache-{passphrase}"));
        for round in 0..4usize {
            world.write(&format!("more{}", round / 2), &noise(200_000, round as u8));
            for file in files_below(&cache) {
                let mut bytes = std::fs::read(&file).unwrap();
                match round {
                    0 => bytes.iter_mut().step_by(777).for_each(|b| *b ^= 0x10),
                    1 => bytes.truncate(bytes.len() / 2),
                    2 => bytes.clear(),
                    // The middle alone: opening finds all right.
                    _ => {
                        let middle = bytes.len() / 2;
                        bytes.iter_mut().take(middle).skip(60).for_each(|b| *b = 0);
                    }
                }
                std::fs::write(&file, bytes).unwrap();
            }
            world.backup(passphrase).unwrap();
            std::fs::remove_file(world.source().join(format!("more{}", round / 2))).unwrap();
        }
        if !writer {
            let repo = world.open("full");
            world.backup("full").unwrap();
            restore_all(&world, &repo, |_| {
                for file in files_below(&cache) {
                    let len = std::fs::metadata(&file).unwrap().len();
                    std::fs::write(file, vec![0xff; len as usize]).unwrap();
                }
            });
        }
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files_below(&path)),
            false => found.push(path),
        }
    }
    found
}
