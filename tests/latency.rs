//! A backup and a restore over a line of 50 ms, against the same without: how much of the speed is left, and how much
//! memory it takes. A measurement, and no part of the usual run:
//!
//! `CORSO_LATENCY_MIB=1024 cargo test --release --test latency -- --ignored --nocapture`
//!
//! The server is s3s-fs, or with `CORSO_LATENCY_VERSITYGW=1` versitygw, which sends four times as fast.
//! `CORSO_LATENCY_CONNECTIONS` gives another number of connections than the one that Corso chooses; `CORSO_LATENCY_ROUNDS`
//! repeats it by turns, and medians count.
#![cfg(unix)]

mod support;

use std::time::{Duration, Instant};
use support::{Corso, S3Options, S3Server, Versitygw, long_line, random_bytes};

/// There and back.
const ROUND_TRIP: Duration = Duration::from_millis(50);
/// Part of the speed that has to be left.
const LEFT: f64 = 0.8;

#[test]
#[ignore = "a measurement: it needs a machine of its own"]
fn at_50_ms() {
    let given = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let mib: usize = given("CORSO_LATENCY_MIB").unwrap_or(256);
    let rounds = given("CORSO_LATENCY_ROUNDS").unwrap_or(1);
    let mut speeds: [Vec<f64>; 4] = Default::default();
    for _ in 0..rounds {
        let near = measure(mib, Duration::ZERO);
        let far = measure(mib, ROUND_TRIP);
        for (all, one) in speeds.iter_mut().zip([near.0, near.1, far.0, far.1]) {
            all.push(one);
        }
    }
    let [near_up, near_down, far_up, far_down] = speeds.map(median);
    for (what, near, far) in [("up", near_up, far_up), ("down", near_down, far_down)] {
        let left = far / near;
        println!(
            "{what}: {near:.0} MiB/s at 0 ms, {far:.0} MiB/s at 50 ms, {:.0} %",
            left * 100.0
        );
        assert!(left >= LEFT, "{what}: {left}");
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// MiB a second of a backup and of a restore.
fn measure(mib: usize, round_trip: Duration) -> (f64, f64) {
    let own = S3Server::start(S3Options::default());
    let wanted = std::env::var_os("CORSO_LATENCY_VERSITYGW").is_some();
    let other = wanted.then(|| Versitygw::start(&["corso-test"]).expect("versitygw is missing"));
    let (place, keys) = match &other {
        Some(server) => (server.endpoint(), server.keys()),
        None => (own.endpoint(), own.keys()),
    };
    let endpoint = long_line(&place, round_trip / 2);
    let corso = Corso::new()
        .env("CORSO_PASSPHRASE", "correct horse battery staple")
        .keys(keys);
    let place = [
        "--bucket",
        "corso-test",
        "--disable-tls",
        "--endpoint",
        &endpoint,
    ];
    corso.ok(&[&["repo", "init", "s3"], &place[..]].concat());
    if let Ok(connections) = std::env::var("CORSO_LATENCY_CONNECTIONS") {
        let file = corso.home().join(".corso.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, format!("{text}connections = {connections}\n")).unwrap();
    }
    let source = corso.home().join("source");
    std::fs::create_dir(&source).unwrap();
    for number in 0..mib.div_ceil(64) {
        std::fs::write(
            source.join(format!("{number}")),
            random_bytes(64 << 20, number as u64),
        )
        .unwrap();
    }
    let up = timed(mib, &corso, &["backup", "create", source.to_str().unwrap()]);
    let down = timed(mib, &corso, &["restore", "latest", "--destination", "out"]);
    (up, down)
}

fn timed(mib: usize, corso: &Corso, words: &[&str]) -> f64 {
    let begin = Instant::now();
    let mut peak = 0;
    let finished = support::finish_watched(corso.command(words), &mut |pid| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status
            .lines()
            .find(|l| l.starts_with("VmHWM:"))
            .unwrap_or_default();
        let kib: u64 = line
            .split_whitespace()
            .nth(1)
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        peak = peak.max(kib / 1024);
    });
    assert_eq!(finished.code, 0, "{finished:#?}");
    println!("{}: {:?}, {peak} MiB of memory", words[0], begin.elapsed());
    mib as f64 / begin.elapsed().as_secs_f64()
}
