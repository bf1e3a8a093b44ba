//! Pairs of actors in all interleavings; three, with a bound; and by chance. All counts are printed.

mod planted;

use super::actor::{
    Actor, BACKUP, FORGET, FORGET_AND_BACKUP, MAINTENANCE, MAINTENANCE_TWICE, MERGE, READER,
    UNDELETE, WRITER,
};
use super::explore::{Report, Setup, explore};
use super::world::{Start, Stone};
use std::time::Duration;

const NOTHING: Start = Start {
    writer: false,
    stone: None,
    scattered: false,
    small: false,
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

const STARTS: [(&str, Start); 4] = [
    ("nothing buried", NOTHING),
    ("a tombstone nearly due", NEARLY_DUE),
    ("a tombstone of what is needed", NEEDED),
    ("a tombstone of what is named", NAMED),
];

/// Without a bound, and with one tick: a quarter of the grace period, three, or five.
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
        preemptions: None,
        crash: false,
        exact: false,
        window: true,
        random: None,
        bug: None,
        limit: Duration::from_secs(600),
    }
}

fn show(setup: &Setup, report: &Report) {
    let names: Vec<_> = setup.actors.iter().map(|a| a.name).collect();
    let bound = match (setup.preemptions, setup.random) {
        (_, Some(seed)) => format!("by chance, seed {seed}"),
        (Some(bound), _) if setup.crash => format!("{bound} preemptions and a crash"),
        (Some(bound), _) => format!("{bound} preemptions"),
        (None, _) => "no bound".to_owned(),
    };
    let (ticks, outcomes) = (setup.ticks, &report.outcomes);
    let interleavings = match report.complete && setup.preemptions.is_none() {
        true => format!("{:.2e} interleavings by ", report.interleavings),
        false => String::new(),
    };
    println!(
        "{} [{ticks} ticks, {bound}]: {}; {interleavings}{} executions, {} states, {} steps, {} pruned, {} sets of objects, \
          {} ends, the engine ran {} times ({} requests), {:.1} s; {outcomes:?}",
        names.join(" + "),
        if report.complete { "all" } else { "NOT ALL" },
        report.executions(),
        report.states,
        report.steps,
        report.pruned,
        report.sets.len(),
        report.ends,
        report.runs,
        report.requests,
        report.seconds,
    );
}

/// Nothing is found, however far it goes.
fn clean(setup: &Setup) -> Report {
    let report = explore(setup);
    show(setup, &report);
    if let Some(violation) = report.violation {
        panic!("{violation}");
    }
    report
}

/// Nothing is found, and nothing is left.
fn exhausted(setup: &Setup) -> Report {
    let report = clean(setup);
    assert!(report.complete, "there was too little time");
    report
}

const SIX: [Actor; 6] = [BACKUP, WRITER, MAINTENANCE, MERGE, FORGET, UNDELETE];

#[test]
fn alone() {
    for actor in SIX.iter().chain(&[READER, MAINTENANCE_TWICE]) {
        let two = Setup {
            ticks: 2,
            ..setup(&[*actor], NEARLY_DUE)
        };
        exhausted(&two);
    }
}

fn pairs(first: usize) {
    for second in &SIX[first..] {
        exhausted(&setup(&[SIX[first], *second], NEARLY_DUE));
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
    for other in SIX.iter().chain(&[MAINTENANCE_TWICE]) {
        exhausted(&setup(&[READER, *other], NEARLY_DUE));
    }
}

/// A sweep that finds what it should delete to be needed, and one that finds it named. (Without a bound: by hand.)
#[test]
fn rescues() {
    for start in [NEEDED, NAMED] {
        exhausted(&setup(&[MAINTENANCE, FORGET], start));
        for other in [BACKUP, MAINTENANCE, UNDELETE] {
            let one = Setup {
                preemptions: Some(1),
                ..setup(&[MAINTENANCE, other], start)
            };
            exhausted(&one);
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

/// Marked, and swept after a tick. (With three interruptions: by hand.)
#[test]
fn triples() {
    for actors in TRIPLES {
        let one = Setup {
            tick: &[5],
            preemptions: Some(1),
            ..setup(&actors, NOTHING)
        };
        exhausted(&one);
    }
}

#[test]
fn by_chance() {
    for (actors, seed) in TRIPLES.iter().zip(1..) {
        let walks = Setup {
            ticks: 4,
            random: Some(seed),
            limit: Duration::from_secs(2),
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
        preemptions: Some(1),
        ..setup(&[BACKUP, MAINTENANCE_TWICE], NOTHING)
    };
    exhausted(&late);
}

/// What is left out reaches no set of objects that the rest does not reach.
#[test]
fn reductions_lose_nothing() {
    for pair in [[BACKUP, FORGET], [MAINTENANCE, FORGET], [FORGET, UNDELETE]] {
        same_sets(&setup(&pair, NEARLY_DUE));
    }
}

fn same_sets(reduced: &Setup) {
    let exact = Setup {
        exact: true,
        ..reduced.clone()
    };
    let (some, all) = (exhausted(reduced), exhausted(&exact));
    assert_eq!(some.sets, all.sets);
}

/// A number for a long run by hand.
fn asked(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok().and_then(|v| v.parse().ok());
    given.unwrap_or(default)
}

/// The rest of what was asked for.
fn by_hand(setup: Setup) -> Setup {
    Setup {
        ticks: asked("CORSO_MODEL_TICKS", 1) as usize,
        limit: Duration::from_secs(asked("CORSO_MODEL_SECONDS", 600)),
        ..setup
    }
}

/// Every pair from every start. `CORSO_MODEL_TICKS`; `CORSO_MODEL_SECONDS` each; `CORSO_MODEL_START`, one start by
/// number.
#[test]
#[ignore = "takes many minutes: run by hand, with --nocapture for the counts"]
fn exhaustive_pairs() {
    let only = asked("CORSO_MODEL_START", 99) as usize;
    let starts = STARTS.iter().enumerate();
    for (_, (text, start)) in starts.filter(|(n, _)| only == 99 || only == *n) {
        println!("{text}:");
        for (n, first) in SIX.iter().enumerate() {
            for second in SIX[n..].iter().chain(&[MAINTENANCE_TWICE, READER]) {
                clean(&by_hand(setup(&[*first, *second], *start)));
            }
        }
    }
}

/// Each three of the six.
fn threes() -> Vec<[Actor; 3]> {
    let sets = (0..1u32 << SIX.len()).filter(|set| set.count_ones() == 3);
    let members = |set: u32| {
        let chosen = SIX.iter().enumerate().filter(|(n, _)| set >> n & 1 == 1);
        let chosen: Vec<Actor> = chosen.map(|(_, actor)| *actor).collect();
        chosen.try_into().ok()
    };
    sets.filter_map(members).collect()
}

/// Three different of the six, and then those that mark and sweep; with three interruptions
/// (`CORSO_MODEL_PREEMPTIONS`), or fewer and a crash (`CORSO_MODEL_CRASH`).
#[test]
#[ignore = "takes an hour: run by hand, with --nocapture for the counts"]
fn bounded_triples() {
    let swept = threes().into_iter().map(|actors| (actors, NEARLY_DUE));
    for (actors, start) in swept.chain(TRIPLES.map(|actors| (actors, NOTHING))) {
        let bounded = Setup {
            tick: &[5],
            preemptions: Some(asked("CORSO_MODEL_PREEMPTIONS", 3) as usize),
            crash: asked("CORSO_MODEL_CRASH", 0) > 0,
            ..by_hand(setup(&actors, start))
        };
        clean(&bounded);
    }
}

/// Triples, and four at once, by chance, from `CORSO_MODEL_SEED` on.
#[test]
#[ignore = "each takes as long as CORSO_MODEL_SECONDS says: run by hand, with --nocapture for the counts"]
fn random_walks() {
    let four = [FORGET_AND_BACKUP, UNDELETE, MERGE, MAINTENANCE_TWICE];
    let groups = TRIPLES
        .iter()
        .map(|t| t.as_slice())
        .chain([four.as_slice()]);
    for (actors, seed) in groups.zip(asked("CORSO_MODEL_SEED", 1)..) {
        let walks = Setup {
            random: Some(seed),
            ..by_hand(setup(actors, NEARLY_DUE))
        };
        clean(&Setup { ticks: 5, ..walks });
    }
}

/// Reductions once more, on what is larger.
#[test]
#[ignore = "takes half a minute: run by hand when a reduction changes"]
fn reductions_lose_nothing_in_larger_pairs() {
    for pair in [
        [BACKUP, BACKUP],
        [BACKUP, MAINTENANCE],
        [MAINTENANCE, UNDELETE],
    ] {
        same_sets(&by_hand(setup(&pair, NEARLY_DUE)));
    }
}
