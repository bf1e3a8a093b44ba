//! `corso repo connect`

use super::repo_init::record;
use crate::cli::config::ConfigFile;
use crate::cli::place::{self, Provider, StorageChoice};
use crate::cli::session::{Outcome, Session};
use crate::error::{Context, Result};
use serde_json::json;

/// Opens the repository once and records it in the configuration file.
pub fn run(session: &Session, provider: Provider) -> Result<Outcome> {
    let asked = &session.invocation;
    let file = ConfigFile::load(session.config_location())?;
    let mut resolved = match provider {
        Provider::S3 => place::connect_s3(&asked.s3, &session.env, &file)?,
        Provider::Filesystem => place::connect_filesystem(&asked.filesystem, &session.env, &file)?,
    };
    session.warn_of_old_keys(&file, &resolved);
    let passphrase = session.passphrase(&file, &resolved)?;
    let storage = resolved.choice.storage(&session.env, false)?;
    let repo = super::open_at(session, storage, &passphrase)?;
    let id = repo.id().hex();
    let mut lines = record(&file, &resolved, &id)
        .context(|| "the repository was opened, but cannot be remembered")?;
    lines.push(success_line(&resolved.choice));
    Ok(Outcome {
        json: json!({
            "repository": id,
            "role": repo.role().name(),
            "place": super::place_json(&resolved.choice),
            "config_file": file.shown(),
        }),
        lines,
        ..Outcome::default()
    })
}

/// As the old program said it.
fn success_line(choice: &StorageChoice) -> String {
    match choice {
        StorageChoice::S3(s3) => format!("Connected to S3 bucket {}.", s3.bucket),
        StorageChoice::Filesystem(_) => {
            format!("Connected to repository at {}", choice.describe())
        }
    }
}
