//! What goes wrong: missing chunks, stops, full disks.

use super::*;
use crate::error::Kind;

#[test]
fn a_lost_chunk_fails_the_files_that_need_it_and_no_other() {
    let mut snapshot = Snapshot::default();
    snapshot.file_cut("/bad", &noise(1, 10_000), 1000);
    snapshot.file_cut("/good", &noise(2, 10_000), 1000);
    snapshot.file("/bad-link", b"");
    snapshot.entry("/bad").hardlink = Some((1, 1));
    snapshot.entry("/bad-link").hardlink = Some((1, 1));
    let lost = snapshot.entry("/bad").content.pieces[7].chunk;
    snapshot.chunks.lose(&lost);
    let place = Place::new();
    place.write("bad", b"what was there before");
    let (report, log) = snapshot.restore(&place.options());
    let report = report.unwrap();
    assert_eq!((report.files, report.errors), (1, 2));
    assert!(
        log.error("/bad").contains("its content cannot be read"),
        "{log:?}"
    );
    assert_eq!(place.read("bad"), b"what was there before");
    assert_eq!(place.read("good"), noise(2, 10_000));
    place.assert_clean();
}

#[test]
fn a_storage_that_is_gone_ends_the_run() {
    let mut snapshot = Snapshot::default();
    snapshot.file("/a", b"a");
    snapshot.file("/b", b"b");
    let place = Place::new();
    let source = Source {
        tree: &snapshot,
        chunks: &Gone,
        chunk_id: &MemoryChunks::id_of,
    };
    let error = restore(&source, &place.options(), &Log::default(), &Stop::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Network);
    assert!(error.to_string().contains("restoring /"), "{error}");
    place.assert_clean();
}

/// Asks for a stop when the first chunk arrives.
struct Stopping<'a>(&'a MemoryChunks, Stop);

impl Chunks for Stopping<'_> {
    fn get(&self, id: &Id) -> Result<Vec<u8>> {
        self.0.get(id)
    }

    fn get_many(
        &self,
        ids: &[Id],
        each: &(dyn Fn(&Id, &[u8]) -> Result<()> + Sync),
    ) -> Vec<(Id, Error)> {
        self.0.get_many(ids, &|id, raw| {
            let done = each(id, raw);
            self.1.request(2);
            done
        })
    }
}

#[test]
fn a_stop_leaves_no_half_files() {
    let mut snapshot = Snapshot::default();
    for n in 0..50 {
        snapshot.file_cut(format!("/d{n}/f"), &noise(n, 10_000), 1000);
    }
    let place = Place::new();
    let stop = Stop::default();
    let chunks = Stopping(&snapshot.chunks, stop.clone());
    let source = Source {
        tree: &snapshot,
        chunks: &chunks,
        chunk_id: &MemoryChunks::id_of,
    };
    let log = Log::default();
    let error = restore(&source, &place.options(), &log, &stop).unwrap_err();
    assert_eq!(error.kind(), Kind::Interrupted);
    assert!(log.errors.lock().unwrap().is_empty());
    place.assert_clean();
    for n in 0..50 {
        let at = place.at(&format!("d{n}/f"));
        assert!(!at.exists() || std::fs::read(at).unwrap() == noise(n, 10_000));
    }
}

#[test]
fn a_full_disk_ends_the_run_and_names_the_file() {
    // A file system of 1 MiB needs the right to mount; its own namespace keeps it from everyone else.
    let place = Place::new();
    let mut snapshot = Snapshot::default();
    snapshot.file_cut("/a-small", &noise(1, 10_000), 1000);
    snapshot.file_cut("/big", &noise(2, 4_000_000), 100_000);
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "none"])
        .arg(place.dir.path())
        .status();
    if !mounted.is_ok_and(|s| s.success()) {
        return;
    }
    let (result, _) = snapshot.restore(&place.options());
    let left = std::fs::read_dir(place.dir.path()).map(Iterator::count);
    let small = std::fs::read(place.at("a-small"));
    let _ = std::process::Command::new("umount")
        .arg(place.dir.path())
        .status();
    let error = result.unwrap_err();
    assert_eq!(error.kind(), Kind::NoSpace);
    assert!(error.to_string().contains("restoring /big"), "{error}");
    assert!(left.unwrap() <= 1);
    assert!(small.is_err() || small.unwrap() == noise(1, 10_000));
}

#[test]
fn verification_notices_a_changed_file() {
    /// Spoils the file as soon as it is complete.
    struct Spoil(PathBuf, Log);
    impl Observer for Spoil {
        fn event(&self, event: Event<'_>) {
            if matches!(event, Event::Progress(_)) && self.0.exists() {
                std::fs::write(&self.0, b"spoiled").unwrap();
            }
            self.1.event(event);
        }
    }
    let mut snapshot = Snapshot::default();
    snapshot.file("/f", b"right...");
    snapshot.file("/g", b"right too");
    let place = Place::new();
    let source = Source {
        tree: &snapshot,
        chunks: &snapshot.chunks,
        chunk_id: &MemoryChunks::id_of,
    };
    let spoil = Spoil(place.at("f"), Log::default());
    let report = restore(&source, &place.options(), &spoil, &Stop::default()).unwrap();
    assert_eq!((report.errors, report.verified), (1, 1));
    assert!(spoil.1.error("/f").contains("read back"));
}

/// Delivers every other chunk and forgets the rest.
struct Forgetful<'a>(&'a MemoryChunks);

impl Chunks for Forgetful<'_> {
    fn get(&self, id: &Id) -> Result<Vec<u8>> {
        self.0.get(id)
    }

    fn get_many(
        &self,
        ids: &[Id],
        each: &(dyn Fn(&Id, &[u8]) -> Result<()> + Sync),
    ) -> Vec<(Id, Error)> {
        let some: Vec<Id> = ids.iter().copied().step_by(2).collect();
        self.0.get_many(&some, each)
    }
}

#[test]
fn a_file_whose_content_never_came_is_reported() {
    let mut snapshot = Snapshot::default();
    for n in 0..10 {
        snapshot.file(format!("/f{n}"), &noise(n, 1000));
    }
    let place = Place::new();
    let chunks = Forgetful(&snapshot.chunks);
    let source = Source {
        chunks: &chunks,
        ..snapshot.source()
    };
    let log = Log::default();
    let report = restore(&source, &place.options(), &log, &Stop::default()).unwrap();
    assert_eq!((report.files, report.errors), (5, 5));
    place.assert_clean();
}

#[test]
fn a_damaged_part_of_the_tree_costs_only_itself() {
    /// One error among the entries.
    struct Holed(Snapshot);
    impl TreeSource for Holed {
        fn entries(&self, paths: &[TreePath]) -> Result<EntryIter<'_>> {
            let lost = std::iter::once(Err(Error::damaged("a node is not there")));
            Ok(Box::new(lost.chain(self.0.entries(paths)?)))
        }
    }
    let mut snapshot = Snapshot::default();
    snapshot.file("/d/f", b"kept");
    let holed = Holed(snapshot);
    let place = Place::new();
    let source = Source {
        tree: &holed,
        ..holed.0.source()
    };
    let log = Log::default();
    let report = restore(&source, &place.options(), &log, &Stop::default()).unwrap();
    assert_eq!((report.files, report.errors), (1, 1));
    assert!(log.error("/").contains("tree cannot be read"), "{log:?}");
}

/// Two hundred thousand files in one directory, in bundles; the peak of memory is for a person to look at.
#[test]
#[ignore = "takes half a minute"]
fn a_directory_of_200_000_files() {
    const FILES: u64 = 200_000;
    /// Entries made as they are asked for, so that they do not count.
    struct Wide(Vec<Id>);
    impl TreeSource for Wide {
        fn entries(&self, _: &[TreePath]) -> Result<EntryIter<'_>> {
            let dir = std::iter::once((path("/d"), Entry::new(FileKind::Dir)));
            let files = (0..FILES).map(|n| {
                let mut entry = Entry::new(FileKind::File);
                (entry.mode, entry.size) = (0o600, 100);
                entry.content.pieces = vec![Piece {
                    chunk: self.0[(n / 1000) as usize],
                    offset: n % 1000 * 100,
                    len: 100,
                }];
                (path(format!("/d/{n:08}")), entry)
            });
            Ok(Box::new(dir.chain(files).map(Ok)))
        }
    }
    let chunks = MemoryChunks::default();
    let tree = Wide(
        (0..FILES / 1000)
            .map(|n| chunks.put(&noise(n, 100_000)))
            .collect(),
    );
    let place = Place::new();
    for round in 0..2 {
        let source = Source {
            tree: &tree,
            chunks: &chunks,
            chunk_id: &MemoryChunks::id_of,
        };
        let start = std::time::Instant::now();
        let report = restore(&source, &place.options(), &Log::default(), &Stop::default()).unwrap();
        assert_eq!((report.files, report.unchanged), (FILES, round * FILES));
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find(|l| l.starts_with("VmHWM")).unwrap();
        println!("round {round}: {:?}, {peak}", start.elapsed());
    }
    assert_eq!(
        place.read("d/00123456"),
        noise(123, 100_000)[45_600..45_700]
    );
}
