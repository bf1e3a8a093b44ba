//! The command line: flags, environment, configuration, output.

pub mod args;
pub mod commands;
pub mod completion;
pub mod config;
pub mod env;
pub mod exit;
pub mod flags;
pub mod help;
mod input;
pub mod parse;
pub mod passphrase;
pub mod place;
pub mod prepass;
pub mod session;
pub mod value;

use crate::error::{Error, Kind, Result};
use crate::report::{json, text};
use env::Env;
use parse::{Invocation, Parsed};
use session::{Outcome, Session};
use std::ffi::OsString;
use std::sync::atomic::Ordering;

/// Runs the program: `args` without the program's name. Gives the exit code.
pub fn run(args: &[OsString], env: Env) -> u8 {
    let ended = match parse::parse(args) {
        Ok(Parsed::Help(path)) => text::print(&help::text(&path)).map(|()| 0),
        Ok(Parsed::Version) => {
            text::print(&format!("Corso version: {}\n", env!("CARGO_PKG_VERSION"))).map(|()| 0)
        }
        Ok(Parsed::Run(invocation)) => return run_command(*invocation, env),
        Err(e) => return exit::fail(&e, parse::wants_json(args)),
    };
    ended.unwrap_or_else(|e| {
        if text::reader_gone() {
            0
        } else {
            exit::fail(&e, false)
        }
    })
}

fn run_command(invocation: Invocation, env: Env) -> u8 {
    let as_json = invocation.global.json;
    let session = match Session::new(invocation, env) {
        Ok(session) => session,
        Err(e) => return exit::fail(&e, as_json),
    };
    let outcome = commands::run(&session).and_then(|outcome| print(&session, outcome));
    session.reporter.end();
    match outcome {
        Ok(code) => code,
        Err(_) if text::reader_gone() => 0,
        Err(e) => {
            session
                .reporter
                .log(crate::report::log::Level::Error, &e.to_string());
            if session.flags().json_events {
                // Standard output may be closed; the exit code still tells.
                let _ = json::event_line(&json::error_event(&e));
            }
            exit::fail(
                &e,
                as_json && !session.document_begun.load(Ordering::SeqCst),
            )
        }
    }
}

/// Prints what a command has to say: the result on standard output, the remark on standard error.
fn print(session: &Session, outcome: Outcome) -> Result<u8> {
    let flags = session.flags();
    session.reporter.end();
    if flags.json_events {
        json::event_line(&json::result_event(outcome.json))?;
    } else if !flags.json {
        text::print(&outcome.text)?;
    } else if !session.document_begun.load(Ordering::SeqCst) {
        json::document(&outcome.json)?;
    }
    for line in &outcome.lines {
        session.reporter.info(line);
    }
    Ok(outcome.code)
}

/// `--json` and `--json-events` both claim standard output.
fn check_output_flags(global: &args::GlobalArgs) -> Result<()> {
    if global.json && global.json_events {
        return Err(Error::new(
            Kind::Usage,
            "--json and --json-events exclude each other",
        ));
    }
    Ok(())
}
