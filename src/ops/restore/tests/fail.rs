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
