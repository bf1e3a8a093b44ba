//! What a writer's host keeps of its earlier backups.

use super::*;

/// Does a node in the writer's cache hold these bytes?
fn known(world: &World, words: &[u8]) -> bool {
    let mut folders = vec![world.work.path().join("cache-writer")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read(path)
                .unwrap()
                .windows(words.len())
                .any(|w| w == words)
            {
                return true;
            }
        }
    }
    false
}

#[test]
fn names_of_earlier_backups_are_forgotten() {
    let world = World::new();
    world
        .open("full")
        .add_key(&Passphrase::new("writer"), Role::Writer, "laptop")
        .unwrap();
    // A file large enough for a list of chunks of its own, which later runs need and do not write.
    world.write("huge", &noise(40 << 20, 5));
    world.write("first secret", b"1");
    world.backup("writer").unwrap();
    assert!(known(&world, b"first secret"));
    std::fs::remove_file(world.source().join("first secret")).unwrap();
    world.write("second secret", b"2");
    world.backup("writer").unwrap();
    assert!(!known(&world, b"first secret"));
    assert!(known(&world, b"second secret"));
    let third = world.backup("writer").unwrap();
    assert_eq!(third.counts.files_read, 0, "the last tree is all there");

    // Another set of sources has a last tree of its own.
    let inner = world.source().join("inner");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(inner.join("third secret"), b"3").unwrap();
    let backup = || {
        let repo = world.open("writer");
        create(
            repo,
            &options_of(&inner),
            Arc::new(Silent),
            &Stop::default(),
        )
        .unwrap()
    };
    backup();
    std::fs::rename(inner.join("third secret"), inner.join("fourth secret")).unwrap();
    backup();
    assert!(known(&world, b"second secret"));
    assert!(!known(&world, b"third secret"));
    assert!(known(&world, b"fourth secret"));
    std::fs::remove_dir_all(&inner).unwrap();
    assert_eq!(world.backup("writer").unwrap().counts.files_read, 0);
}
