//! Progress on standard error: a bar on a terminal, a line now and then elsewhere, or nothing.

use super::events::Progress;
use super::text::{count, plural};
use crate::error::one_line;
use crate::units::{human_bytes, human_duration};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often the bar changes.
const REDRAW: Duration = Duration::from_millis(200);
/// How often a plain line is printed.
const EVERY: Duration = Duration::from_secs(30);

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A bar that is redrawn.
    Bar,
    /// A line about every 30 seconds.
    Lines,
    /// Nothing.
    Off,
}

impl Style {
    /// The style that fits: nothing if `hidden`, a bar on a terminal that can redraw, else lines.
    pub fn choose(hidden: bool, terminal: bool, dumb: bool) -> Style {
        match (hidden, terminal && !dumb) {
            (true, _) => Style::Off,
            (false, true) => Style::Bar,
            (false, false) => Style::Lines,
        }
    }
}

/// Shows progress. Safe to call from any thread.
pub struct Meter {
    bar: Option<ProgressBar>,
    state: Mutex<State>,
    pace: Option<Duration>,
}

struct State {
    phase: String,
    began: Instant,
    shown: Instant,
}

impl Meter {
    /// A meter of the given style.
    pub fn new(style: Style) -> Meter {
        let now = Instant::now();
        let bar = (style == Style::Bar).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // The template is fixed and valid; the default style is a fair fallback.
            bar.set_style(
                ProgressStyle::with_template("{wide_msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar
        });
        let pace = match style {
            Style::Bar => Some(REDRAW),
            Style::Lines => Some(EVERY),
            Style::Off => None,
        };
        Meter {
            bar,
            state: Mutex::new(State {
                phase: String::new(),
                began: now,
                shown: now,
            }),
            pace,
        }
    }

    /// A phase begins.
    pub fn phase(&self, name: &str) {
        if let Ok(mut state) = self.state.lock() {
            state.phase = one_line(name);
            state.began = Instant::now();
            if let Some(bar) = &self.bar {
                bar.set_message(state.phase.clone());
            }
        }
    }

    /// Totals moved: shown if it is time to.
    pub fn update(&self, progress: &Progress) {
        // Whoever finds the lock taken skips: another thread is showing something as new.
        let (Some(pace), Ok(mut state)) = (self.pace, self.state.try_lock()) else {
            return;
        };
        if state.shown.elapsed() < pace {
            return;
        }
        state.shown = Instant::now();
        let text = describe(&state.phase, progress, state.began.elapsed());
        match &self.bar {
            Some(bar) => {
                bar.set_message(text);
            }
            None => write_line(&text),
        }
    }

    /// Prints a line without tearing the bar.
    pub fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| write_line(text)),
            None => write_line(text),
        }
    }

    /// Takes the bar off the screen.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Standard error may be closed; that is no reason to stop.
fn write_line(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "{}", one_line(text));
}

/// `reading files: 1,234 of 5,678 files, 1.2 GiB of 3.4 GiB, 120.0 MiB/s, 18s left, 2 errors`
fn describe(phase: &str, p: &Progress, elapsed: Duration) -> String {
    let mut parts = Vec::new();
    parts.push(match p.files_total {
        0 => plural(p.files, "file", "files"),
        total => format!("{} of {}", count(p.files), plural(total, "file", "files")),
    });
    parts.push(match p.bytes_total {
        0 => human_bytes(p.bytes),
        total => format!("{} of {}", human_bytes(p.bytes), human_bytes(total)),
    });
    let seconds = elapsed.as_secs_f64();
    if seconds >= 1.0 && p.bytes > 0 {
        let rate = p.bytes as f64 / seconds;
        parts.push(format!("{}/s", human_bytes(rate as u64)));
        if p.bytes_total > p.bytes {
            let left = Duration::from_secs_f64(((p.bytes_total - p.bytes) as f64 / rate).min(1e9));
            parts.push(format!("{} left", human_duration(left)));
        }
    }
    if p.errors > 0 {
        parts.push(plural(p.errors, "error", "errors"));
    }
    let phase = if phase.is_empty() { "working" } else { phase };
    format!("{phase}: {}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_how_far_and_how_long() {
        let p = Progress {
            files: 1234,
            bytes: 1 << 30,
            files_total: 5678,
            bytes_total: 2 << 30,
            errors: 1,
            ..Progress::default()
        };
        assert_eq!(
            describe("reading", &p, Duration::from_secs(10)),
            "reading: 1,234 of 5,678 files, 1.0 GiB of 2.0 GiB, 102.4 MiB/s, 10s left, 1 error"
        );
        assert_eq!(
            describe("", &Progress::default(), Duration::ZERO),
            "working: 0 files, 0 B"
        );
    }

    #[test]
    fn styles() {
        assert_eq!(Style::choose(false, true, false), Style::Bar);
        assert_eq!(Style::choose(false, true, true), Style::Lines);
        assert_eq!(Style::choose(false, false, false), Style::Lines);
        assert_eq!(Style::choose(true, true, false), Style::Off);
    }
}
