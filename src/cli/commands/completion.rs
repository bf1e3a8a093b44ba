//! `corso completion`

use crate::cli::args::completion::Completion;
use crate::cli::completion::{SHELLS, Shell, script};
use crate::cli::session::Outcome;
use crate::error::{Error, Result};
use serde_json::json;

/// Prints the completion script of a shell. Needs no repository.
pub fn run(flags: &Completion) -> Result<Outcome> {
    let shell = Shell::parse(&flags.shell.to_ascii_lowercase()).ok_or_else(|| {
        Error::usage(format!(
            "there is no completion for the shell {:?}",
            flags.shell
        ))
        .hint(format!("the shells are {}", SHELLS.join(", ")))
    })?;
    let text = script(shell);
    Ok(Outcome {
        json: json!({ "shell": flags.shell, "script": text }),
        text,
        ..Outcome::default()
    })
}
