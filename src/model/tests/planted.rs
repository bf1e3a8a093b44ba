//! Mistakes that must be found.

use super::super::actor::{BACKUP, FORGET_AND_BACKUP, MAINTENANCE, MAINTENANCE_TWICE};
use super::super::bugs::Bug;
use super::super::explore::{Report, Setup, explore};
use super::super::world::Start;
use super::{NAMED, NEEDED, NOTHING, setup, show};

fn plant(bug: Bug, setup: Setup) -> (Setup, Report) {
    let planted = Setup {
        bug: Some(bug),
        ..setup
    };
    let report = explore(&planted);
    (planted, report)
}

/// Plants `bug`, and looks for it.
fn found(bug: Bug, setup: Setup) {
    let (planted, report) = plant(bug, setup);
    show(&planted, &report);
    let (executions, seconds) = (report.executions(), report.seconds);
    let Some(violation) = report.violation else {
        panic!("{bug:?} was not found in {executions} executions");
    };
    assert!(violation.contains("is not whole"), "{violation}");
    let short = violation.lines().next().unwrap_or_default();
    println!("{bug:?}: found after {executions} executions, {seconds:.1} s: {short}");
    if std::env::var_os("CORSO_MODEL_TRACE").is_some() {
        println!("{violation}");
    }
}

/// One backup beside maintenance that marks, and later sweeps.
fn backup_and_sweep() -> Setup {
    setup(&[BACKUP, MAINTENANCE_TWICE], NOTHING)
}

#[test]
fn index_first() {
    found(Bug::IndexFirst, backup_and_sweep());
}

#[test]
fn no_renewal() {
    found(Bug::NoRenewal, backup_and_sweep());
}

#[test]
fn endless_renewal() {
    let two = Setup {
        ticks: 2,
        tick: &[5],
        preemptions: Some(1),
        ..backup_and_sweep()
    };
    found(Bug::EndlessRenewal, two);
}

#[test]
fn late_put() {
    let whole = Setup {
        tick: &[4],
        ..backup_and_sweep()
    };
    found(Bug::LatePut, whole);
}

#[test]
fn no_look() {
    found(Bug::NoLook, backup_and_sweep());
}

#[test]
fn stone_gone() {
    found(Bug::StoneGone, setup(&[BACKUP, MAINTENANCE], NAMED));
}

/// One maintenance wants to rescue what another, which looked after a deletion, is about to delete; and a backup comes
/// to rely on it in between.
#[test]
fn withdraw() {
    let none = Setup {
        ticks: 0,
        preemptions: Some(2),
        ..setup(&[MAINTENANCE, MAINTENANCE, FORGET_AND_BACKUP], NEEDED)
    };
    found(Bug::Withdraw, none);
}

/// Where all files share a bundle, mistakes hide: a bundle of other files is another chunk, and a tree of other files
/// has another leaf, so no backup ever relies on what maintenance takes for rubbish.
#[test]
fn small_files_hide_mistakes() {
    for bug in [Bug::IndexFirst, Bug::NoRenewal, Bug::LatePut, Bug::NoLook] {
        let start = Start {
            small: true,
            ..NOTHING
        };
        let small = Setup {
            preemptions: Some(1),
            ..setup(&[BACKUP, MAINTENANCE_TWICE], start)
        };
        let (planted, report) = plant(bug, small);
        show(&planted, &report);
        assert!(report.complete, "{bug:?}: {:?}", report.violation);
    }
}
