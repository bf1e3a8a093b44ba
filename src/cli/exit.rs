//! How a run ends: the last line on standard error, the document on standard output, the exit code.

use crate::error::{Error, one_line};
use crate::report::json;
use std::io::Write;

/// Prints `error` and gives the exit code. With `as_json` it is also one JSON document on standard output.
pub fn fail(error: &Error, as_json: bool) -> u8 {
    line(&format!("Error: {error}"));
    if as_json {
        // Standard output may be closed; the exit code still tells.
        let _ = json::document(&json::error(error));
    }
    error.kind().exit_code()
}

/// One line on standard error, which may be closed.
pub fn line(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "{}", one_line(text)).and_then(|()| out.flush());
}

/// A defect must not end in a stack of backtraces on a user's terminal: one line that asks for a report.
pub fn set_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        let place = info
            .location()
            .map(|l| format!("{}:{}", l.file(), l.line()))
            .unwrap_or_default();
        let payload = info.payload();
        let text = payload
            .downcast_ref::<&str>()
            .copied()
            .or(payload.downcast_ref::<String>().map(String::as_str));
        line(&format!(
            "Error: this is a defect in corso, please report it: {} ({place})",
            text.unwrap_or("panic")
        ));
    }));
}
