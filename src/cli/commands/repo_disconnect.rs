//! `corso repo disconnect`

use crate::cli::config::ConfigFile;
use crate::cli::place;
use crate::cli::session::{Outcome, Session};
use crate::error::Result;
use serde_json::json;

/// Takes the repository out of the configuration file. Storage flags, if given, must fit the file: they say which
/// repository the user believes this to be.
pub fn run(session: &Session) -> Result<Outcome> {
    let file = ConfigFile::load(session.config_location())?;
    let Some(old) = file.settings.describe() else {
        let line = format!("{} names no repository.", file.shown());
        return Ok(Outcome {
            json: json!({ "disconnected": null }),
            lines: vec![line],
            ..Outcome::default()
        });
    };
    place::other(
        &session.invocation.s3,
        &session.invocation.filesystem,
        &session.env,
        &file,
    )?;
    file.forget()?;
    if file.has_secrets() {
        session.reporter.warn(&format!(
            "{} still holds a passphrase or AWS keys",
            file.shown()
        ));
    }
    let line = format!("Disconnected from {old}.");
    Ok(Outcome {
        json: json!({ "disconnected": old }),
        lines: vec![line],
        ..Outcome::default()
    })
}
