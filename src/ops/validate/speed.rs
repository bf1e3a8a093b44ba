//! Latency, and throughput by the number of requests at a time.

use super::report::{Report, Speed};
use crate::error::Result;
use crate::report::Stop;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Requests at a time.
const CONNECTIONS: [usize; 3] = [1, 4, 16];
/// Objects that are put and read again at each.
const ROUNDS: usize = 32;
/// Nothing new begins after this.
const LONGEST: Duration = Duration::from_secs(3);
/// Small requests whose median is the latency.
const PINGS: usize = 9;

/// What is measured: each gives the bytes it moved, or nothing if it failed.
pub struct Probe<'a> {
    pub ping: &'a dyn Fn() -> bool,
    pub put: &'a (dyn Fn(usize) -> Option<u64> + Sync),
    pub get: &'a (dyn Fn(usize) -> Option<u64> + Sync),
}

/// Measures.
///
/// # Errors
/// Only that a stop was asked for.
pub fn measure(probe: &Probe<'_>, report: &mut Report, stop: &Stop) -> Result<()> {
    let mut times: Vec<Duration> = (0..PINGS)
        .filter_map(|_| {
            let begin = Instant::now();
            (probe.ping)().then(|| begin.elapsed())
        })
        .collect();
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    report.latency_us = median.as_micros().min(u128::from(u64::MAX)) as u64;
    for connections in CONNECTIONS {
        stop.check()?;
        let (put, up) = at_once(connections, ROUNDS, probe.put);
        let (_, down) = at_once(connections, put, probe.get);
        report.speeds.push(Speed {
            connections,
            up,
            down,
        });
    }
    Ok(())
}

/// Runs `work` for 0, 1, ... up to `most`, `connections` at a time, until the time is up. Gives how many were begun, and
/// bytes a second.
fn at_once(
    connections: usize,
    most: usize,
    work: &(dyn Fn(usize) -> Option<u64> + Sync),
) -> (usize, u64) {
    let (next, bytes, begin) = (AtomicUsize::new(0), AtomicU64::new(0), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                while begin.elapsed() < LONGEST {
                    let number = next.fetch_add(1, Relaxed);
                    match (number < most).then(|| work(number)).flatten() {
                        Some(moved) => bytes.fetch_add(moved, Relaxed),
                        None => return,
                    };
                }
            });
        }
    });
    let seconds = begin.elapsed().as_secs_f64().max(1e-6);
    (
        next.into_inner().min(most),
        (bytes.into_inner() as f64 / seconds) as u64,
    )
}
