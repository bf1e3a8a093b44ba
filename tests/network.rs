//! A network that fails in every way, before a real server: backup, maintenance and restore end correct, with a bounded
//! number of requests and bounded memory; and what cannot succeed ends soon, in words.
//!
//! `CORSO_NETWORK_SEED` repeats the choices, though not their timing.
#![cfg(unix)]

mod support;

use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::{
    Corso, Dice, Fault, Finished, Keys, Plan, Proxy, S3Options, S3Server, Seen, Versitygw,
};
use support::{assert_same_tree, make_tree, random_bytes};

/// Bytes of the source.
const SOURCE: usize = 12 << 20;
/// Requests for each that would do. One in five meets a fault, and some faults cost two attempts.
const REQUESTS: u64 = 3;
/// Most memory of a run: what the packs under way need, whatever the network does.
const MEMORY: u64 = 400 << 20;

fn home(keys: &Keys) -> Corso {
    Corso::new()
        .env("CORSO_PASSPHRASE", "correct horse battery staple")
        .keys(keys)
}

fn init(corso: &Corso, endpoint: &str) {
    let more = ["--grace", "0", "--pack-size", "2M"];
    corso.ok(&support::init_s3(endpoint, &more));
}

/// Runs to the end with silences of at most two seconds, and expects success and bounded memory.
fn run(corso: &Corso, words: &[&str]) -> Finished {
    let peak = Arc::new(AtomicU64::new(0));
    let mut command = corso.command(words);
    command.env("CORSO_CACHE_DIR", corso.home().join("cache"));
    let finished = support::finish_watched(command, &mut |pid| {
        peak.fetch_max(resident_peak(pid), SeqCst);
    });
    assert_eq!(finished.code, 0, "{words:?}: {finished:#?}");
    let peak = peak.load(SeqCst);
    assert!(peak < MEMORY, "{words:?} took {peak} bytes of memory");
    finished
}

/// `VmHWM` of a process, in bytes; 0 where it is not told.
fn resident_peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find(|l| l.starts_with("VmHWM:"))
        .unwrap_or_default();
    let kib = line
        .split_whitespace()
        .nth(1)
        .and_then(|n| n.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// One request in five meets one of the faults; a retry is another request.
fn one_in_five(seed: u64) -> Arc<Plan> {
    let dice = Mutex::new(Dice::new(seed));
    Arc::new(move |_, seen: &Seen| {
        let mut dice = dice.lock().unwrap();
        dice.chance(20).then(|| pick(&mut dice, seen))
    })
}

fn pick(dice: &mut Dice, seen: &Seen) -> Fault {
    let reads = seen.method == "GET";
    match dice.below(11) {
        0 => Fault::Reset,
        1 => Fault::Status(500),
        2 => Fault::Status(503),
        3 => Fault::Status(429),
        4 => Fault::Delay(Duration::from_millis(300)),
        5 => Fault::CutRequest(1 + dice.below(100_000)),
        6 => Fault::CutAnswer(dice.below(50_000)),
        7 => Fault::CutAnswer(0),
        8 if reads => Fault::Length(1 + dice.below(5000) as i64),
        9 if reads => Fault::Drip {
            bytes: 8192,
            pause: Duration::from_millis(5),
        },
        _ if seen.method == "HEAD" => Fault::Reset,
        _ => Fault::Duplicate,
    }
}

/// All that Corso does, on the server at `upstream`, without faults and then with; the requests are compared.
fn job(keys: &Keys, upstream: &str, seed: u64) {
    let proxy = Proxy::start(upstream);
    let corso = home(keys);
    init(&corso, &proxy.endpoint());
    let source = corso.home().join("source");
    make_tree(&source, seed, 120, SOURCE);
    std::fs::write(source.join("gone"), random_bytes(3 << 20, seed)).unwrap();
    let from = source.to_str().unwrap();

    proxy.set_plan(Some(one_in_five(seed)));
    let count = |text: &Finished| -> (u64, u64) {
        let document: Value = serde_json::from_str(&text.stdout).unwrap();
        let number = |name: &str| {
            document
                .pointer(&format!("/usage/{name}"))
                .and_then(Value::as_u64)
        };
        let all = ["put", "get", "list", "delete"]
            .iter()
            .filter_map(|n| number(n))
            .sum();
        (all, number("retries").unwrap_or(0))
    };
    let first = run(&corso, &["backup", "create", "--json", from]);
    std::fs::remove_file(source.join("gone")).unwrap();
    std::fs::write(source.join("new"), vec![7; 300_000]).unwrap();
    run(&corso, &["backup", "create", from]);
    let id: Value = serde_json::from_str(&first.stdout).unwrap();
    run(
        &corso,
        &["backup", "delete", id["snapshot"].as_str().unwrap()],
    );
    run(&corso, &["repo", "maintenance"]);
    run(&corso, &["repo", "maintenance"]);
    run(
        &corso,
        &["restore", "latest", "--destination", "out", "--verify"],
    );
    assert_same_tree(
        &source,
        &corso.home().join("out").join(from.trim_start_matches('/')),
    );
    run(&corso, &["repo", "check", "--read-data"]);
    let (requests, faults) = (proxy.requests(), proxy.faults());
    assert!(
        faults > 10,
        "{faults} faults in {requests} requests are no test"
    );
    let (all, retries) = count(&first);
    assert!(
        all <= REQUESTS * (all - retries).max(1),
        "{retries} retries in {all} requests"
    );
    println!("{requests} requests, {faults} faults, seed {seed}");
}

#[test]
fn every_fault_at_random() {
    let seed = Dice::from_env("CORSO_NETWORK_SEED", "network").next();
    let server = S3Server::start(S3Options::default());
    job(server.keys(), &server.endpoint(), seed);
}

#[test]
fn every_fault_at_random_versitygw() {
    let Some(server) = Versitygw::start(&["corso-test"]) else {
        return;
    };
    let seed = Dice::from_env("CORSO_NETWORK_SEED", "network").next();
    job(server.keys(), &server.endpoint(), seed);
}

/// Half a minute of nothing but 503: it waits, sends less at a time, and goes on.
#[test]
fn a_storm_passes() {
    let server = S3Server::start(S3Options::default());
    let proxy = Proxy::start(&server.endpoint());
    let corso = home(server.keys());
    init(&corso, &proxy.endpoint());
    let source = corso.home().join("source");
    make_tree(&source, 5, 30, 4 << 20);
    let begin = Instant::now();
    let storm = Duration::from_secs(8);
    proxy.set_plan(Some(Arc::new(move |_, _| {
        (begin.elapsed() < storm).then_some(Fault::Status(503))
    })));
    run(&corso, &["backup", "create", source.to_str().unwrap()]);
    let storm = proxy.faults();
    assert!((3..200).contains(&storm), "{storm} requests into a storm");
    proxy.set_plan(None);
    run(&corso, &["restore", "latest", "--destination", "out"]);
    assert_same_tree(
        &source,
        &corso
            .home()
            .join("out")
            .join(source.strip_prefix("/").unwrap()),
    );
}

/// A storm that does not pass ends the run after its time, with the number of attempts.
#[test]
fn a_storm_that_stays_ends_the_run() {
    let server = S3Server::start(S3Options::default());
    let proxy = Proxy::start(&server.endpoint());
    let corso = home(server.keys());
    init(&corso, &proxy.endpoint());
    proxy.set_plan(Some(Arc::new(|_, _| Some(Fault::Status(503)))));
    let begin = Instant::now();
    let finished = corso.fails(&["backup", "list", "--timeout", "3s"], 14);
    assert!(
        begin.elapsed() < Duration::from_secs(30),
        "{:?}",
        begin.elapsed()
    );
    assert!(finished.stderr.contains("attempts"), "{finished:#?}");
    assert!(proxy.requests() < 20, "{} requests", proxy.requests());
}

/// A server that says nothing, and one that drips, are left for a new connection.
#[test]
fn silence_and_dripping() {
    let server = S3Server::start(S3Options::default());
    let proxy = Proxy::start(&server.endpoint());
    let corso = home(server.keys());
    init(&corso, &proxy.endpoint());
    let source = corso.home().join("source");
    make_tree(&source, 6, 20, 3 << 20);
    run(&corso, &["backup", "create", source.to_str().unwrap()]);
    let drip = Fault::Drip {
        bytes: 1,
        pause: Duration::from_millis(200),
    };
    let silence = Fault::Hold { answered: true };
    for fault in [drip, silence] {
        proxy.set_plan(Some(Arc::new(move |number, seen: &Seen| {
            (seen.target.contains("/packs/") && number % 3 == 0).then_some(fault)
        })));
        let begin = Instant::now();
        run(
            &corso,
            &[
                "restore",
                "latest",
                "--destination",
                "out",
                "--collisions",
                "replace",
                "--timeout",
                "2s",
            ],
        );
        assert!(
            begin.elapsed() < Duration::from_secs(120),
            "{fault:?}: {:?}",
            begin.elapsed()
        );
        assert_same_tree(
            &source,
            &corso
                .home()
                .join("out")
                .join(source.strip_prefix("/").unwrap()),
        );
        std::fs::remove_dir_all(corso.home().join("out")).unwrap();
    }
}

/// A refusal that comes before a large body is read is not lost in the reset that follows.
#[test]
fn an_early_refusal_is_heard() {
    let server = S3Server::start(S3Options::default());
    let proxy = Proxy::start(&server.endpoint());
    let corso = home(server.keys());
    init(&corso, &proxy.endpoint());
    let source = corso.home().join("source");
    make_tree(&source, 7, 5, 6 << 20);
    proxy.set_plan(Some(Arc::new(|_, seen: &Seen| {
        (seen.method == "PUT").then_some(Fault::Early(403))
    })));
    let finished = corso.fails(&["backup", "create", source.to_str().unwrap()], 13);
    assert!(
        finished.stderr.contains("permission s3:PutObject denied"),
        "{finished:#?}"
    );
    assert!(proxy.faults() < 10, "{} puts were refused", proxy.faults());
}
