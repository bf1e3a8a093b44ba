//! The log: one line an event, for reading after the fact. Off unless asked for. It never holds secrets, since
//! nothing secret is ever put into an event or an error.

use crate::error::{Context, Result, one_line};
use crate::units::Time;
use std::ffi::OsStr;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// How much is logged; a level includes those after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everything.
    Debug,
    /// What is done.
    Info,
    /// What the user should know.
    Warn,
    /// What failed.
    Error,
    /// Nothing.
    Disabled,
}

impl Level {
    /// From the value of `--log-level`.
    pub fn parse(text: &str) -> Option<Level> {
        Some(match text {
            "debug" => Level::Debug,
            "info" => Level::Info,
            "warn" => Level::Warn,
            "error" => Level::Error,
            "disabled" => Level::Disabled,
            _ => return None,
        })
    }
}

/// An open log.
pub struct Log {
    level: Level,
    sink: Mutex<Box<dyn Write + Send>>,
    failed: AtomicBool,
}

impl Log {
    /// Opens `target`: `-` or `stdout`, `stderr`, or a file, which is appended to and created readable by its owner
    /// alone (file names are private too).
    pub fn open(target: &OsStr, level: Level) -> Result<Log> {
        let sink: Box<dyn Write + Send> = match target.to_str() {
            Some("-" | "stdout") => Box::new(std::io::stdout()),
            Some("stderr") => Box::new(std::io::stderr()),
            _ => {
                let shown = super::printable(target.as_encoded_bytes());
                Box::new(
                    crate::fs::private_file()
                        .append(true)
                        .create(true)
                        .open(target)
                        .context(|| format!("opening the log file {shown}"))?,
                )
            }
        };
        Ok(Log::to(sink, level))
    }

    /// A log that goes to `sink`.
    pub fn to(sink: Box<dyn Write + Send>, level: Level) -> Log {
        Log {
            level,
            sink: Mutex::new(sink),
            failed: AtomicBool::new(false),
        }
    }

    /// Writes a line. A log that cannot be written is no reason to stop a backup: the first time that it fails, and only
    /// then, gives why.
    pub fn write(&self, level: Level, text: &str) -> Option<std::io::Error> {
        if level < self.level || level == Level::Disabled {
            return None;
        }
        let name = match level {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            _ => "ERROR",
        };
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let (time, text) = (Time::local_now().rfc3339(), one_line(text));
        let written = writeln!(sink, "{time} {name} {text}").and_then(|()| sink.flush());
        written.err().filter(|_| !self.failed.swap(true, Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_filter_and_lines_stay_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let log = Log::open(path.as_os_str(), Level::Warn).unwrap();
        log.write(Level::Info, "not this");
        log.write(Level::Error, "a\nb");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.ends_with(" ERROR a\\nb\n") && text.lines().count() == 1,
            "{text}"
        );
        Log::open(path.as_os_str(), Level::Disabled)
            .unwrap()
            .write(Level::Error, "x");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_log_is_told_once() {
        let log = Log::open(OsStr::new("/dev/full"), Level::Warn).unwrap();
        assert!(log.write(Level::Info, "not this").is_none());
        assert!(log.write(Level::Error, "this").is_some());
        assert!(log.write(Level::Error, "nor that").is_none());
    }
}
