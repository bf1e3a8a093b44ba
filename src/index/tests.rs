//! The whole module against a simple model, and against damage.

use super::testing::*;
use super::*;
use crate::error::{Error, Kind};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

const HOME: Id16 = Id16([0; 16]);
const OTHER: Id16 = Id16([7; 16]);

fn lookup(index: &Index, chunk: u64) -> Vec<Location> {
    sorted(index.lookup(&HOME, &id(b'c', chunk)).unwrap())
}

/// Every answer of an index over `synced` is that of the model.
fn check(repository: &Repository, synced: &Synced, chunks: u64, object: &dyn Fn(&Id) -> bool) {
    let index = Index::new(synced);
    index.set_view(object, &|_| true);
    for n in 0..chunks {
        for domain in [HOME, OTHER] {
            let chunk = id(b'c', n);
            let found = index.lookup(&domain, &chunk).unwrap();
            assert_eq!(
                found.len(),
                repository.expected(&domain, &chunk, object).len()
            );
            assert_eq!(sorted(found), repository.expected(&domain, &chunk, object));
        }
    }
    let mut last = None;
    let mut rows = 0;
    index
        .for_each_sorted(&mut |r| {
            assert!(last <= Some(r.row.id));
            last = Some(r.row.id);
            assert!(
                repository
                    .expected(&r.pack.domain, &r.row.id, object)
                    .iter()
                    .any(|l| l.offset == r.row.offset)
            );
            rows += 1;
            Ok(())
        })
        .unwrap();
    let all = (0..chunks)
        .flat_map(|n| [HOME, OTHER].map(|d| repository.expected(&d, &id(b'c', n), object).len()));
    assert_eq!(rows, all.sum::<usize>());
}

/// What happens to a repository between two syncs.
#[derive(Clone, Debug)]
enum Step {
    /// A run writes packs (number, first chunk, how many).
    Run(bool, Vec<(u64, u64, u64)>),
    /// Two index objects become one, and stay or go.
    Merge(usize, usize, bool),
    /// An index object goes.
    Drop(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let run = (
        any::<bool>(),
        prop::collection::vec((0..40u64, 0..150u64, 0..60u64), 0..6),
    );
    let step = prop_oneof![
        4 => run.prop_map(|(home, packs)| Step::Run(home, packs)),
        2 => (any::<usize>(), any::<usize>(), any::<bool>()).prop_map(|(a, b, keep)| Step::Merge(a, b, keep)),
        1 => any::<usize>().prop_map(Step::Drop),
    ];
    prop::collection::vec(step, 1..12)
}

fn take(repository: &mut Repository, step: &Step, name: u64) {
    let names = repository.names();
    let nth = |n: &usize| names.get(n % names.len().max(1)).copied();
    match step {
        Step::Run(home, packs) => {
            let domain = if *home { HOME } else { OTHER };
            let of_domain = if *home { 0 } else { 1000 };
            let packs = packs.iter().map(|(n, from, count)| {
                // A pack's content follows from its number, as it does in a repository.
                pack(
                    of_domain + n * 1_000_000 + from * 1000 + count,
                    *from..from + count,
                )
            });
            repository.put(name, domain, packs.collect());
        }
        Step::Merge(a, b, keep) => {
            let (Some(a), Some(b)) = (nth(a), nth(b)) else {
                return;
            };
            let (domain, mut packs) = repository.objects[&a].clone();
            if a == b || repository.objects[&b].0 != domain {
                return;
            }
            packs.extend(repository.objects[&b].1.clone());
            repository.put(name, domain, packs);
            if !keep {
                repository.objects.remove(&a);
                repository.objects.remove(&b);
            }
        }
        Step::Drop(n) => {
            nth(n).map(|n| repository.objects.remove(&n));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn answers_like_the_model(steps in steps(), hidden in any::<u8>(), on_disk in any::<bool>()) {
        let dir = tempfile::tempdir().unwrap();
        let dir = on_disk.then_some(dir.path());
        let mut repository = Repository::default();
        let mut previous: Option<Synced> = None;
        for (name, step) in steps.iter().enumerate() {
            take(&mut repository, step, name as u64);
            repository.fetched.borrow_mut().clear();
            let synced = repository.sync(dir, previous.as_ref().map(|p| &*p.base));
            prop_assert_eq!(&synced.warnings, &Vec::<String>::new());
            prop_assert!(repository.fetched.borrow().len() <= 1, "known objects are not fetched again");
            prop_assert!(synced.base.segments().len() <= 6);
            previous = Some(synced);
        }
        let synced = previous.unwrap();
        check(&repository, &synced, 210, &|_| true);
        check(&repository, &synced, 210, &|o| o.0[0] & 3 != hidden & 3);
    }

    #[test]
    fn a_damaged_cache_never_answers_wrongly(seed in any::<u64>(), hits in 1..4usize, cut in any::<bool>()) {
        let dir = tempfile::tempdir().unwrap();
        let mut repository = Repository::default();
        for n in 0..3 {
            repository.put(n, HOME, vec![pack(n, n * 1000..n * 1000 + 300 * (3 - n))]);
            repository.sync(Some(dir.path()), None);
        }
        let files = cache_files(dir.path());
        for hit in 0..hits {
            let random = id(b'r', seed.wrapping_add(hit as u64)).0;
            let number = |at: usize| u64::from_be_bytes(random[at..at + 8].try_into().unwrap());
            let file = &files[number(0) as usize % files.len()];
            let mut bytes = std::fs::read(file).unwrap();
            let at = number(8) as usize % bytes.len().max(1);
            if cut { bytes.truncate(at) } else if let Some(b) = bytes.get_mut(at) { *b ^= random[16] | 1 }
            std::fs::write(file, bytes).unwrap();
        }
        // The second sync comes after the damage, if any, was met by a lookup.
        let first = repository.sync(Some(dir.path()), None);
        let index = Index::new(&first);
        for n in 0..2400 {
            match index.lookup(&HOME, &id(b'c', n)) {
                Ok(found) => prop_assert_eq!(sorted(found), repository.expected(&HOME, &id(b'c', n), &|_| true)),
                Err(e) => prop_assert_eq!(e.kind(), Kind::Damaged),
            }
        }
        let scan = index.for_each_sorted(&mut |_| Ok(()));
        if let Err(e) = scan {
            prop_assert_eq!(e.kind(), Kind::Damaged);
        }
        // On Windows a file is gone when the last who has it open closes it.
        drop((index, first));
        check(&repository, &repository.sync(Some(dir.path()), None), 2400, &|_| true);
    }
}

pub(super) fn cache_files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.retain(|f| std::fs::metadata(f).unwrap().len() > 0);
    files.sort();
    files
}

#[test]
fn a_damaged_segment_met_while_merging_is_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let mut repository = Repository::default();
    repository.put(0, HOME, vec![pack(0, 0..400)]);
    repository.sync(Some(dir.path()), None);
    let segment = cache_files(dir.path())
        .into_iter()
        .find(|f| f.extension().is_some_and(|e| e == "seg"))
        .unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[5000] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    repository.put(1, HOME, vec![pack(1, 300..700)]);
    let synced = repository.sync(Some(dir.path()), None);
    assert_eq!(synced.warnings.len(), 1);
    assert_eq!(repository.fetched.borrow().len(), 4);
    check(&repository, &synced, 700, &|_| true);
    assert_eq!(repository.sync(Some(dir.path()), None).warnings.len(), 0);
    assert_eq!(repository.fetched.borrow().len(), 4);
}

#[test]
fn one_process_at_a_time_changes_the_cache() {
    let dir = tempfile::tempdir().unwrap();
    let mut repository = Repository::default();
    repository.put(0, HOME, vec![pack(0, 0..200)]);
    repository.sync(Some(dir.path()), None);
    repository.put(1, HOME, vec![pack(1, 100..300)]);
    let held = std::fs::File::open(dir.path().join("lock")).unwrap();
    held.lock().unwrap();
    let before = cache_files(dir.path());
    let guest = repository.sync(Some(dir.path()), None);
    assert_eq!(repository.fetched.borrow().len(), 2);
    check(&repository, &guest, 300, &|_| true);
    assert_eq!(
        repository
            .sync(Some(dir.path()), Some(&guest.base))
            .warnings
            .len(),
        0
    );
    assert_eq!(repository.fetched.borrow().len(), 2);
    drop(held);
    // The owner tidies up under the guest's feet.
    let owner = repository.sync(Some(dir.path()), None);
    check(&repository, &owner, 300, &|_| true);
    check(&repository, &guest, 300, &|_| true);
    drop(guest);
    assert_eq!(cache_files(dir.path()).len(), before.len());
}

#[test]
fn no_folder_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, b"x").unwrap();
    let mut repository = Repository::default();
    repository.put(0, HOME, vec![pack(0, 0..200)]);
    let synced = repository.sync(Some(&file.join("cache")), None);
    assert_eq!(synced.warnings.len(), 1);
    assert_eq!(synced.place, Place::Memory);
    check(&repository, &synced, 300, &|_| true);
}

#[test]
fn a_folder_that_cannot_be_written_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("manifest")).unwrap();
    let mut repository = Repository::default();
    repository.put(0, HOME, vec![pack(0, 0..200)]);
    let synced = repository.sync(Some(dir.path()), None);
    assert_eq!(synced.warnings.len(), 1);
    assert_eq!(synced.place, Place::Memory);
    check(&repository, &synced, 300, &|_| true);
    repository.put(1, HOME, vec![pack(1, 100..300)]);
    check(
        &repository,
        &repository.sync(Some(dir.path()), Some(&synced.base)),
        300,
        &|_| true,
    );
}

#[cfg(unix)]
#[test]
fn cache_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("a/b");
    let mut repository = Repository::default();
    repository.put(0, HOME, vec![pack(0, 0..200)]);
    repository.sync(Some(&cache), None);
    assert_eq!(
        std::fs::metadata(&cache).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for file in std::fs::read_dir(&cache).unwrap() {
        assert_eq!(
            file.unwrap().metadata().unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}

#[test]
fn what_was_fetched_before_a_failure_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut repository = Repository::default();
    (0..3).for_each(|n| {
        repository.put(n, HOME, vec![pack(n, n * 10..n * 10 + 10)]);
    });
    let mut fetch = |names: &[Id], sink: &mut Sink| {
        repository.fetch(&names[..2], sink)?;
        sink.pack(&names[2], &HOME, &pack(9, 0..5))?;
        Err(Error::new(Kind::Network, "gone"))
    };
    let failed = sync(Some(dir.path()), None, &repository.names(), &mut fetch);
    assert_eq!(failed.err().map(|e| e.kind()), Some(Kind::Network));
    let synced = repository.sync(Some(dir.path()), None);
    assert_eq!(repository.fetched.borrow().len(), 3);
    check(&repository, &synced, 40, &|_| true);
}

#[test]
fn packs_of_the_run_count_at_once_and_until_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let mut repository = Repository::default();
    repository.put(0, HOME, vec![pack(0, 0..50)]);
    let synced = repository.sync(Some(dir.path()), None);
    let index = Index::with_limit(synced.base.clone(), synced.place.clone(), 64);
    for n in 1..20 {
        index.add(&HOME, &pack(n, n * 40..n * 40 + 60)).unwrap();
    }
    assert_eq!(lookup(&index, 45).len(), 2);
    assert_eq!(lookup(&index, 90).len(), 2);
    assert!(!index.contains(&OTHER, &id(b'c', 90)).unwrap());
    let object = id(b'o', 1);
    let named: Vec<Id> = (1..3).map(|n| id(b'p', n)).collect();
    index.indexed(&object, &named);
    assert_eq!(index.forget_unindexed().len(), 17);
    assert_eq!(
        (lookup(&index, 90).len(), lookup(&index, 150).len()),
        (2, 0)
    );
    index.set_view(&|_| true, &|p| *p != id(b'p', 2));
    assert_eq!(
        (lookup(&index, 90).len(), lookup(&index, 110).len()),
        (1, 0)
    );
    index.set_view(&|o| *o != object, &|_| true);
    assert_eq!((lookup(&index, 90).len(), lookup(&index, 45).len()), (0, 1));
    // The next listing shows the run's own index object: no location counts twice.
    repository.put(
        1,
        HOME,
        (1..3).map(|n| pack(n, n * 40..n * 40 + 60)).collect(),
    );
    index.replace(
        repository.sync(Some(dir.path()), None).base,
        &|_| true,
        &|_| true,
    );
    assert_eq!((lookup(&index, 45).len(), lookup(&index, 90).len()), (2, 2));
    let mut rows = 0;
    index
        .for_each_sorted(&mut |_| {
            rows += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(rows, 50 + 120);
}

#[test]
fn one_of_many_claims_a_chunk() {
    let index = Index::over(Default::default(), Place::Memory);
    let chunk = id(b'c', 5);
    let claim = || index.claim(&HOME, &chunk).unwrap();
    let won: usize = std::thread::scope(|s| {
        let threads: Vec<_> = (0..4).map(|_| s.spawn(|| usize::from(claim()))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!(won, 1);
    assert!(index.claim(&OTHER, &chunk).unwrap());
    index.unclaim(&HOME, &chunk);
    assert!(claim());
    index.add(&HOME, &pack(1, 0..10)).unwrap();
    assert!(!claim());
}

#[test]
fn equal_beginnings_of_ids_are_told_apart() {
    let mut rows: Vec<Row> = Vec::new();
    for n in 0..2000u32 {
        let mut id = Id([3; 32]);
        id.0[28..].copy_from_slice(&(n / 300).to_be_bytes());
        rows.push(Row {
            id,
            pack: n,
            offset: 0,
            stored: 1,
            raw: 1,
        });
    }
    let segment = writer::write_sorted(
        &Place::Memory,
        2000,
        Vec::new(),
        rows.iter().map(|r| Ok(*r)),
    )
    .unwrap();
    for n in 0..8u32 {
        let mut id = Id([3; 32]);
        id.0[28..].copy_from_slice(&n.to_be_bytes());
        let mut found = Vec::new();
        segment.lookup(&id, &mut found).unwrap();
        assert_eq!(
            found,
            rows.iter()
                .filter(|r| r.id == id)
                .copied()
                .collect::<Vec<_>>()
        );
    }
}

/// Run by hand, optimised: `cargo test --release --lib index::tests::measure -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement of speed and memory: it asserts nothing that holds on a busy machine"]
fn measure() {
    use std::time::Instant;
    let dir = tempfile::tempdir().unwrap();
    let mut repository = Repository::default();
    let per_pack = 32;
    let packs: Vec<_> = (0..1_000_000 / per_pack)
        .map(|n| pack(n, n * per_pack..(n + 1) * per_pack))
        .collect();
    packs.chunks(2000).enumerate().for_each(|(n, p)| {
        repository.put(n as u64, HOME, p.to_vec());
    });
    let start = Instant::now();
    let fetch = &mut |n: &[Id], s: &mut Sink| repository.fetch(n, s);
    let synced = sync(Some(dir.path()), None, &repository.names(), fetch).unwrap();
    println!("sync: {:?}", start.elapsed());
    let start = Instant::now();
    let synced2 = repository.sync(Some(dir.path()), None);
    println!(
        "open: {:?}, {} segments",
        start.elapsed(),
        synced2.base.segments().len()
    );
    let index = Index::new(&synced);
    println!(
        "heap: {} bytes for {} rows",
        index.heap(),
        synced.base.rows()
    );
    for (what, from) in [("present", 0), ("absent", 1_000_000)] {
        let ids: Vec<Id> = (0..1_000_000u64)
            .map(|n| id(b'c', from + n * 7919 % 1_000_000))
            .collect();
        let start = Instant::now();
        let hits = ids
            .iter()
            .filter(|i| index.contains(&HOME, i).unwrap())
            .count();
        println!(
            "{what}: {hits} hits, {:.0} lookups/s",
            1e6 / start.elapsed().as_secs_f64()
        );
    }
    let start = Instant::now();
    let mut rows = 0;
    index
        .for_each_sorted(&mut |_| {
            rows += 1;
            Ok(())
        })
        .unwrap();
    println!("scan: {rows} rows in {:?}", start.elapsed());
}
