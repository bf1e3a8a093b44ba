//! The damage matrix: every way to damage an object x every kind of object x every operation.
//!
//! The outcome of each cell is compared with `tests/damage/TABLE.md` (written anew with `CORSO_WRITE_TABLE=1`). In every
//! cell: no wrong byte is restored, nothing panics, what was restorable before an operation is restorable after it, and
//! once the damage is undone a full check is clean.

#[path = "damage/cells.rs"]
mod cells;
#[path = "damage/world.rs"]
mod world;

use cells::{DAMAGES, KINDS, OPERATIONS};
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;
use world::History;

const HEAD: &str = "# The damage matrix

Made and checked by `tests/damage.rs`. A repository with three backups, three more that were deleted, tombstones that are due
and two keys; one object of a kind is damaged; then one operation runs. The object is the newest of its
kind (the key slot: the one in use). The source of the newest backup is still there; the folders around it have changed.

- *swap*: the object and the oldest other one of its kind have exchanged their bytes.
- *replay*: an object of this kind that existed once and was removed is there again, under its own name (of the config:
  other bytes that are a config).

Outcomes: **ok** as without damage; **warned** done, with a warning; **partial** some files are not restored, and each is
told; **found** by check (exit code 1); **healed** nothing is damaged after it, or a stray
pack was taken into the index; **backup heals** nothing is damaged after it
and the next backup; **left** it says what it cannot mend; **refused** with this exit code, nothing is changed.

In every cell: no wrong byte is restored, what was restorable before is restorable after, and once the damage is undone a
check that reads all data is clean.
";

#[test]
fn every_cell_is_as_the_table_says() {
    let started = Instant::now();
    let history = History::make();
    let rows: Mutex<Vec<(usize, Vec<String>)>> = Mutex::default();
    let broken: Mutex<Vec<String>> = Mutex::default();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        let bench = history.bench();
        loop {
            let kind = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let Some(name) = KINDS.get(kind) else {
                let mine = bench.broken.lock().unwrap();
                return broken.lock().unwrap().extend(mine.iter().cloned());
            };
            for (at, damage) in DAMAGES.iter().enumerate() {
                let outcomes = bench.row(name, damage);
                let row = [vec![name.to_string(), damage.to_string()], outcomes].concat();
                rows.lock().unwrap().push((kind * DAMAGES.len() + at, row));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(work);
        }
    });
    let mut rows = rows.into_inner().unwrap();
    rows.sort();
    assert_eq!(
        rows.len(),
        KINDS.len() * DAMAGES.len(),
        "a cell has panicked"
    );
    let broken = broken.into_inner().unwrap();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut head = vec!["object".to_string(), "damage".to_string()];
    head.extend(OPERATIONS.iter().map(|o| o.to_string()));
    let rule = vec!["---".to_string(); head.len()];
    let body: String = rows.iter().map(|(_, row)| line(row)).collect();
    let table = format!("{HEAD}\n{}{}{body}", line(&head), line(&rule));
    println!(
        "damage matrix: {} cells of {} kinds of objects x {} damages x {} operations in {:.0} s",
        rows.len() * OPERATIONS.len(),
        KINDS.len(),
        DAMAGES.len(),
        OPERATIONS.len(),
        started.elapsed().as_secs_f64()
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/damage/TABLE.md");
    if std::env::var_os("CORSO_WRITE_TABLE").is_some() {
        return std::fs::write(path, table).unwrap();
    }
    let want = std::fs::read_to_string(&path).unwrap_or_default();
    for (got, want) in table.lines().zip(want.lines()) {
        assert_eq!(got, want, "{} says otherwise", path.display());
    }
    assert_eq!(table, want);
}
