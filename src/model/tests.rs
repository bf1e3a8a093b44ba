//! Pairs of actors, in all interleavings or with a bound; three, with a bound; and mistakes that must be found.

use super::actor::{
    Actor, BACKUP, FORGET, FORGET_AND_BACKUP, MAINTENANCE, MAINTENANCE_TWICE, MERGE, READER,
    UNDELETE, WRITER,
};
use super::bugs::Bug;
use super::explore::{Report, Setup, explore};
use super::world::{Start, Stone};
use std::time::Duration;

const NOTHING: Start = Start {
    writer: false,
    stone: None,
    scattered: false,
};

/// Not due yet; after a tick it is.
const NEARLY_DUE: Start = Start {
    stone: Some((Stone::Rubbish, 3)),
    ..NOTHING
};

/// Due, and what it names is needed.
const NEEDED: Start = Start {
    stone: Some((Stone::Needed, 5)),
    ..NOTHING
};

/// Due, and an index object that it does not name still names its packs.
const NAMED: Start = Start {
    stone: Some((Stone::RubbishPacks, 5)),
    ..NOTHING
};

/// One tick, and each kept waiting once at most.
fn setup(actors: &[Actor], start: Start) -> Setup {
    Setup {
        start: Start {
            writer: actors.iter().any(|a| a.writer),
            scattered: actors.iter().any(|a| a.name == MERGE.name),
            ..start
        },
        actors: actors.to_vec(),
        tick: &[1, 3, 5],
        ticks: 1,
        preemptions: Some(1),
        window: true,
        random: None,
        bug: None,
        limit: Duration::from_secs(10),
    }
}

fn show(setup: &Setup, report: &Report) {
    let Report {
        executions,
        requests,
        states,
        stored,
        ends,
        complete,
        seconds,
        outcomes,
        ..
    } = report;
    let names: Vec<_> = setup.actors.iter().map(|a| a.name).collect();
    let ticks = setup.ticks;
    let bound = match (setup.preemptions, setup.random) {
        (_, Some(seed)) => format!("by chance, seed {seed}"),
        (Some(bound), _) => format!("bound {bound}"),
        (None, _) => "no bound".to_owned(),
    };
    let how = if *complete { "all" } else { "not all" };
    println!(
        "{} [{ticks} ticks, {bound}]: {how}; {executions} executions, {requests} requests, {states} states, {stored} \
         sets of objects, {ends} ends, {seconds:.1} s, {outcomes:?}",
        names.join(" + "),
    );
}

fn clean(setup: &Setup) {
    let report = explore(setup);
    show(setup, &report);
    if let Some(violation) = report.violation {
        panic!("{violation}");
    }
}

const SIX: [Actor; 6] = [BACKUP, WRITER, MAINTENANCE, MERGE, FORGET, UNDELETE];

#[test]
fn alone() {
    for actor in SIX.iter().chain(&[READER, MAINTENANCE_TWICE]) {
        clean(&setup(&[*actor], NEARLY_DUE));
    }
}

/// Each pair once; those with few interleavings in all of them.
fn pairs(first: usize) {
    for second in &SIX[first..] {
        let pair = [SIX[first], *second];
        let few = pair.iter().any(|a| a.name == FORGET.name);
        let all = Setup {
            preemptions: Some(1).filter(|_| !few),
            ..setup(&pair, NEARLY_DUE)
        };
        clean(&all);
    }
}

#[test]
fn backup_and_each() {
    pairs(0);
}

#[test]
fn writer_and_each() {
    pairs(1);
}

#[test]
fn maintenance_and_each() {
    pairs(2);
}

#[test]
fn others() {
    (3..6).for_each(pairs);
}

#[test]
fn readers() {
    for other in [BACKUP, MAINTENANCE_TWICE, MERGE] {
        clean(&setup(&[READER, other], NEARLY_DUE));
    }
}

/// A sweep that finds what it should delete to be needed, and one that finds it named.
#[test]
fn rescues() {
    for start in [NEEDED, NAMED] {
        for other in [BACKUP, MAINTENANCE, UNDELETE] {
            clean(&setup(&[MAINTENANCE, other], start));
        }
    }
}

const TRIPLES: [[Actor; 3]; 7] = [
    [BACKUP, MAINTENANCE, MAINTENANCE_TWICE],
    [BACKUP, BACKUP, MAINTENANCE_TWICE],
    [BACKUP, WRITER, MAINTENANCE_TWICE],
    [BACKUP, MERGE, MAINTENANCE_TWICE],
    [FORGET_AND_BACKUP, UNDELETE, MAINTENANCE_TWICE],
    [UNDELETE, MERGE, MAINTENANCE_TWICE],
    [BACKUP, FORGET, MAINTENANCE_TWICE],
];

#[test]
fn triples() {
    for actors in TRIPLES {
        let one = Setup {
            limit: Duration::from_secs(5),
            ..setup(&actors, NOTHING)
        };
        clean(&one);
    }
}

#[test]
fn by_chance() {
    for (actors, seed) in TRIPLES.iter().zip(1..) {
        let walks = Setup {
            ticks: 4,
            preemptions: None,
            random: Some(seed),
            limit: Duration::from_secs(3),
            ..setup(actors, NEARLY_DUE)
        };
        clean(&walks);
    }
}

/// A storage that takes what was signed long ago.
#[test]
fn without_the_window() {
    let late = Setup {
        window: false,
        ..setup(&[BACKUP, MAINTENANCE_TWICE], NOTHING)
    };
    clean(&late);
}

/// A number for a long run by hand.
fn asked(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok().and_then(|v| v.parse().ok());
    given.unwrap_or(default)
}

/// The start that `CORSO_MODEL_START` says, by number.
fn asked_start() -> Start {
    match asked("CORSO_MODEL_START", 0) {
        0 => NEARLY_DUE,
        1 => NOTHING,
        2 => NEEDED,
        _ => NAMED,
    }
}

/// Every pair without a bound. `CORSO_MODEL_SECONDS` each; `CORSO_MODEL_TICKS`; `CORSO_MODEL_FIRST`, the number of the
/// first of the pair, to share the work between processes.
#[test]
#[ignore = "takes long"]
fn exhaustive_pairs() {
    let only = asked("CORSO_MODEL_FIRST", 99) as usize;
    for (n, first) in SIX.iter().enumerate() {
        for second in SIX[n..].iter().filter(|_| only == 99 || only == n) {
            let all = Setup {
                preemptions: None,
                ticks: asked("CORSO_MODEL_TICKS", 1) as usize,
                limit: Duration::from_secs(asked("CORSO_MODEL_SECONDS", 600)),
                ..setup(&[*first, *second], asked_start())
            };
            clean(&all);
        }
    }
}

/// Triples with three interruptions (`CORSO_MODEL_PREEMPTIONS`), then by chance (`CORSO_MODEL_SEED`).
#[test]
#[ignore = "takes long"]
fn bounded_triples() {
    for actors in TRIPLES {
        let bounded = Setup {
            preemptions: Some(asked("CORSO_MODEL_PREEMPTIONS", 3) as usize),
            ticks: asked("CORSO_MODEL_TICKS", 1) as usize,
            limit: Duration::from_secs(asked("CORSO_MODEL_SECONDS", 600)),
            ..setup(&actors, NOTHING)
        };
        clean(&bounded);
        let chance = Setup {
            preemptions: None,
            ticks: 5,
            random: Some(asked("CORSO_MODEL_SEED", 1)),
            ..bounded
        };
        clean(&chance);
    }
}

/// Plants `bug`, and looks for it under each of `bounds`.
fn found(bug: Bug, bounds: &[Option<usize>], setup: Setup) {
    let (mut executions, mut seconds) = (0, 0.0);
    for &preemptions in bounds {
        let planted = Setup {
            bug: Some(bug),
            preemptions,
            limit: Duration::from_secs(120),
            ..setup.clone()
        };
        let report = explore(&planted);
        show(&planted, &report);
        executions += report.executions;
        seconds += report.seconds;
        if let Some(violation) = report.violation {
            let short = violation.lines().next().unwrap_or_default();
            println!("{bug:?}: found after {executions} executions, {seconds:.1} s: {short}");
            return;
        }
    }
    panic!("{bug:?} was not found in {executions} executions");
}

/// One backup beside maintenance that marks, and later sweeps.
fn backup_and_sweep() -> Setup {
    setup(&[BACKUP, MAINTENANCE_TWICE], NOTHING)
}

#[test]
fn planted_index_first() {
    found(Bug::IndexFirst, &[None], backup_and_sweep());
}

#[test]
#[ignore = "takes long"]
fn planted_no_renewal() {
    found(Bug::NoRenewal, &[None], backup_and_sweep());
}

#[test]
fn planted_endless_renewal() {
    let two = Setup {
        ticks: 2,
        tick: &[5],
        ..backup_and_sweep()
    };
    found(Bug::EndlessRenewal, &[Some(1)], two);
}

#[test]
#[ignore = "takes long"]
fn planted_late_put() {
    let whole = Setup {
        tick: &[4],
        ..backup_and_sweep()
    };
    found(Bug::LatePut, &[None], whole);
}

#[test]
fn planted_no_look() {
    found(Bug::NoLook, &[None], backup_and_sweep());
}

#[test]
#[ignore = "takes long"]
fn planted_stone_gone() {
    found(
        Bug::StoneGone,
        &[Some(1), Some(2)],
        setup(&[BACKUP, MAINTENANCE], NAMED),
    );
}

#[test]
#[ignore = "takes long"]
fn planted_withdraw() {
    let none = Setup {
        ticks: 0,
        ..setup(&[MAINTENANCE, MAINTENANCE, FORGET_AND_BACKUP], NEEDED)
    };
    found(Bug::Withdraw, &[Some(2), Some(3), Some(4)], none);
}
