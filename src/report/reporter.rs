//! The observer of the command line: shows events as the flags ask, logs them, and remembers problems.

use super::log::{Level, Log};
use super::progress::{Meter, Style};
use super::{Event, Observer, json, printable};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Notes about files that are printed; the rest are counted (and logged).
const NOTES_SHOWN: u64 = 20;
/// How often `--json-events` prints progress.
const EVENT_PACE: Duration = Duration::from_secs(1);

/// What the flags ask for.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// Only warnings and errors.
    pub quiet: bool,
    /// Events as JSON on standard output, too.
    pub json_events: bool,
    /// How progress is shown.
    pub progress: Style,
}

/// Shows, logs and remembers. Shared by all threads of a run.
pub struct Reporter {
    shown: Shown,
    meter: Meter,
    log: Option<Log>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    warnings: Vec<String>,
    notes: u64,
    last_event: Option<Instant>,
}

impl Reporter {
    /// A reporter; `log` is where the log goes, if anywhere.
    pub fn new(shown: Shown, log: Option<Log>) -> Reporter {
        let progress = if shown.quiet {
            Style::Off
        } else {
            shown.progress
        };
        Reporter {
            shown,
            meter: Meter::new(progress),
            log,
            state: Mutex::default(),
        }
    }

    /// A line for people; not with `--quiet`.
    pub fn info(&self, text: &str) {
        self.log(Level::Info, text);
        if !self.shown.quiet {
            self.meter.line(text);
        }
    }

    /// Something the user should know.
    pub fn warn(&self, text: &str) {
        self.event(Event::Warning(text));
    }

    /// For the log alone.
    pub fn log(&self, level: Level, text: &str) {
        if let Some(e) = self.log.as_ref().and_then(|log| log.write(level, text)) {
            self.warn(&format!("the log cannot be written: {e}"));
        }
    }

    /// The warnings so far.
    pub fn warnings(&self) -> Vec<String> {
        self.state
            .lock()
            .map(|s| s.warnings.clone())
            .unwrap_or_default()
    }

    /// Ends the display of progress, and says how many notes were not shown.
    pub fn end(&self) {
        self.meter.end();
        let hidden = self
            .state
            .lock()
            .map(|s| s.notes.saturating_sub(NOTES_SHOWN))
            .unwrap_or(0);
        if hidden > 0 {
            let what = super::text::plural(hidden, "more note", "more notes");
            self.info(&format!("{what} about files; --log-file keeps all of them"));
        }
    }

    fn emit(&self, event: &Event<'_>) {
        if !self.shown.json_events || matches!(event, Event::Debug(_)) {
            return;
        }
        if let (Event::Progress(_), Ok(mut state)) = (event, self.state.lock()) {
            if state.last_event.is_some_and(|t| t.elapsed() < EVENT_PACE) {
                return;
            }
            state.last_event = Some(Instant::now());
        }
        // A reader that went away does not stop a backup.
        let _ = json::write_line(&json::event(event).to_string());
    }

    fn note(&self, path: &[u8], note: &str) {
        let text = format!("{}: {note}", printable(path));
        self.log(Level::Info, &text);
        let number = self.state.lock().map_or(0, |mut s| {
            s.notes += 1;
            s.notes
        });
        if number <= NOTES_SHOWN && !self.shown.quiet {
            self.meter.line(&text);
        }
    }
}

impl Observer for Reporter {
    fn event(&self, event: Event<'_>) {
        self.emit(&event);
        match event {
            Event::Phase(name) => {
                self.log(Level::Info, name);
                self.meter.phase(name);
            }
            Event::Progress(progress) => self.meter.update(&progress),
            Event::FileError { path, error } => {
                let text = format!("{}: {error}", printable(path));
                self.log(Level::Error, &text);
                self.meter.line(&format!("Warning: {text}"));
            }
            Event::FileNote { path, note } => self.note(path, note),
            Event::Warning(text) => {
                self.log(Level::Warn, text);
                if let Ok(mut state) = self.state.lock() {
                    state.warnings.push(text.to_owned());
                }
                self.meter.line(&format!("Warning: {text}"));
            }
            Event::Debug(text) => self.log(Level::Debug, text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn warnings_are_kept_and_everything_is_logged() {
        let buffer = Buffer::default();
        let log = Log::to(Box::new(buffer.clone()), Level::Debug);
        let shown = Shown {
            quiet: true,
            json_events: false,
            progress: Style::Off,
        };
        let reporter = Reporter::new(shown, Some(log));
        reporter.event(Event::Phase("opening"));
        reporter.event(Event::Debug("detail"));
        reporter.event(Event::FileError {
            path: b"/a\x1b",
            error: &Error::failed("gone"),
        });
        reporter.event(Event::FileNote {
            path: b"/s",
            note: "a socket is skipped",
        });
        reporter.warn("careful");
        reporter.end();
        assert_eq!(reporter.warnings(), ["careful"]);
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        for line in [
            "INFO opening",
            "DEBUG detail",
            "ERROR /a\\u{1b}: gone",
            "INFO /s: a socket",
            "WARN careful",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}
