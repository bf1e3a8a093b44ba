//! `corso repo init`

use crate::cli::config::ConfigFile;
use crate::cli::place::{self, Provider, Resolved, StorageChoice};
use crate::cli::session::{Outcome, Session};
use crate::crypto::Cipher;
use crate::error::Result;
use crate::repo::{InitOptions, Repository};
use crate::report::{Event, Observer};
use crate::units;
use serde_json::json;

/// Creates a repository and records it in the configuration file.
pub fn run(session: &Session, provider: Provider) -> Result<Outcome> {
    let asked = &session.invocation;
    let file = ConfigFile::load_or_ignore(session.config_location());
    let mut resolved = match provider {
        Provider::S3 => place::init_s3(&asked.s3, &session.env, &file)?,
        Provider::Filesystem => place::init_filesystem(&asked.filesystem, &session.env, &file)?,
    };
    let options = options(session)?;
    session.warn_of_old_keys(&file, &resolved);
    let passphrase = session.first_passphrase(&file, &resolved)?;
    let storage = resolved.choice.storage(&session.env, true)?;
    session
        .reporter
        .event(Event::Phase("creating the repository"));
    let cache = session.cache_root();
    let repo = Repository::init(
        storage,
        &passphrase,
        &options,
        cache.as_deref(),
        &*session.reporter,
    )?;
    let id = repo.id().hex();
    let mut lines = match record(&file, &resolved, &id) {
        Ok(lines) => lines,
        Err(e) => {
            // The repository is there and usable: no reason to fail.
            session
                .reporter
                .warn(&format!("the repository is not recorded: {e}"));
            Vec::new()
        }
    };
    lines.push(success_line(&resolved.choice));
    Ok(Outcome {
        json: json!({ "repository": id, "place": super::place_json(&resolved.choice) }),
        lines,
        ..Outcome::default()
    })
}

/// Writes the configuration file, and says what it replaced.
pub fn record(file: &ConfigFile, resolved: &Resolved, repo_id: &str) -> Result<Vec<String>> {
    let aside = file.save(&resolved.choice, repo_id, resolved.same_as_file)?;
    let mut lines = Vec::new();
    if let Some(old) = &resolved.replaces {
        lines.push(format!("{} named {old} before.", file.shown()));
    }
    if let Some(aside) = aside {
        lines.push(format!(
            "It held secrets and is kept as {}.",
            aside.display()
        ));
    }
    Ok(lines)
}

/// What is fixed for the life of the repository.
fn options(session: &Session) -> Result<InitOptions> {
    let init = &session.invocation.init;
    let mut options = InitOptions {
        label: crate::fs::host_name(),
        ..InitOptions::default()
    };
    if let Some(grace) = &init.grace {
        options.grace = units::parse_duration(grace)?;
    }
    if let Some(size) = &init.pack_size {
        options.pack_size = units::parse_bytes(size)?;
    }
    if init.cipher.as_deref() == Some("chacha20-poly1305") {
        options.cipher = Cipher::ChaCha20Poly1305;
    }
    Ok(options)
}

/// As the old program said it.
fn success_line(choice: &StorageChoice) -> String {
    match choice {
        StorageChoice::S3(s3) => {
            format!("Initialized a S3 repository within bucket {}.", s3.bucket)
        }
        StorageChoice::Filesystem(_) => {
            format!("Initialized a repository at {}", choice.describe())
        }
    }
}
