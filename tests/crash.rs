//! The crash matrix: runs that are killed at random moments, on a folder and on a real S3 server.
//!
//! After each crash the repository is clean, the next run succeeds, and what had reported success is there. Each cell is
//! hit `CORSO_CRASHES` times (15). Moments are drawn from `CORSO_CRASH_SEED`, which is printed.
#![cfg(unix)]

mod support;

#[path = "crash/bench.rs"]
mod bench;
#[path = "crash/place.rs"]
mod place;

use bench::{Bench, Moment};
use place::Place;

/// Runs the cell `name` on both storages, one after the other: cells run beside each other.
fn on_both(name: &str, cell: fn(&mut Bench)) {
    for place in [Some(Place::folder()), Place::s3()].into_iter().flatten() {
        let mut bench = Bench::new(name, place);
        cell(&mut bench);
        bench.everything_restores();
        bench.tell();
    }
}

/// A place where `init` was killed holds a repository or none.
#[test]
fn init() {
    on_both("init", |bench| {
        for round in 0..=bench.crashes() {
            bench.next_place();
            let words = bench.init_words(&["--grace", "1h"]);
            if round == 0 {
                bench.measure(&words);
            } else {
                bench.crash(&words);
                let again = bench.run(&words);
                assert!(matches!(again.code, 0 | 11), "{again:#?}");
            }
            bench.clean();
            bench.backup();
        }
        bench.everything_restores();
    });
}

#[test]
fn backup() {
    on_both("backup", |bench| {
        bench.init(&["--grace", "1h"]);
        bench.backup();
        bench.change();
        let words = bench.backup_words();
        bench.measure(&words);
        for _ in 0..bench.crashes() {
            bench.change();
            let ended = bench.crash(&words);
            bench.count_backup(&ended);
            bench.clean();
            bench.backup();
            bench.newest_restores();
        }
    });
}

/// Everything at once: nothing else runs.
#[test]
fn maintenance() {
    on_both("maintenance", |bench| {
        bench.init(&["--grace", "0"]);
        for round in 0..=bench.crashes() {
            bench.litter();
            let words = ["repo", "maintenance"].map(String::from);
            match round {
                0 => bench.measure(&words),
                _ => drop(bench.crash(&words)),
            }
            bench.clean();
            bench.ok(&words);
            bench.newest_restores();
        }
        bench.clean();
    });
}

/// With a grace period, on a storage whose time the test moves: marks, and sweeps of what was marked before.
#[test]
fn maintenance_with_a_grace_period() {
    let mut bench = Bench::new("maintenance with grace", Place::folder());
    bench.init(&["--grace", "1h"]);
    for round in 0..=bench.crashes() {
        bench.litter();
        bench.age(7200);
        let words = ["repo", "maintenance"].map(String::from);
        match round {
            0 => bench.measure(&words),
            _ => drop(bench.crash(&words)),
        }
        bench.clean();
        bench.ok(&words);
        if round % 3 == 0 {
            bench.age(7200);
            bench.ok(&words);
        }
        bench.newest_restores();
    }
    bench.clean();
    bench.everything_restores();
    bench.tell();
}

#[test]
fn forget() {
    on_both("forget", |bench| {
        bench.init(&["--grace", "1h"]);
        let words = ["backup", "forget", "--keep-last", "2"].map(String::from);
        for round in 0..=bench.crashes() {
            for _ in 0..2 + 2 * u64::from(round == 0) {
                bench.small_change();
                bench.backup();
            }
            match round {
                0 => bench.measure(&words),
                _ => drop(bench.crash(&words)),
            }
            bench.clean();
            bench.ok(&words);
            bench.forgot_all_but(2);
        }
        bench.clean();
    });
}

/// The old passphrase opens the repository, or the new one, or both.
#[test]
fn update_passphrase() {
    on_both("update-passphrase", |bench| {
        bench.init(&["--grace", "1h"]);
        bench.backup();
        let words = ["repo", "update-passphrase"].map(String::from);
        for round in 0..=bench.crashes() {
            let (old, new) = (bench.passphrase().to_owned(), format!("passphrase {round}"));
            bench.corso.set("CORSO_NEW_PASSPHRASE", &new);
            match round {
                0 => bench.measure(&words),
                _ => drop(bench.crash(&words)),
            }
            bench.use_passphrase(&new);
            if bench.run(&["repo", "status"].map(String::from)).code != 0 {
                bench.use_passphrase(&old);
                bench.ok(&words);
                bench.use_passphrase(&new);
            }
            bench.clean();
        }
    });
}

/// Chance picks these, too.
#[test]
fn moments_are_spread() {
    let mut dice = support::Dice::new(1);
    let of = |requests: u64, dice: &mut support::Dice| {
        (0..300)
            .map(|_| Moment::pick(dice, (100, 1000), requests))
            .collect::<Vec<_>>()
    };
    let all = of(20, &mut dice);
    assert!(
        all.iter()
            .any(|m| matches!(m, Moment::Request { answered: true, .. }))
    );
    assert!(all.iter().any(|m| matches!(
        m,
        Moment::Request {
            answered: false,
            ..
        }
    )));
    assert!(
        all.iter()
            .any(|m| matches!(m, Moment::After(t) if t.as_millis() > 900))
    );
}
