//! `corso repo init`

use super::given;
use crate::cli::args::repo::InitS3;
use crate::cli::config::ConfigFile;
use crate::cli::place::{self, Resolved, StorageChoice};
use crate::cli::session::{Outcome, Session};
use crate::crypto::Cipher;
use crate::error::{Context, Error, Result};
use crate::format::lock::{LockMode, MAX_LOCK, MIN_LOCK, ObjectLock};
use crate::repo::{InitOptions, Repository};
use crate::report::{Event, Observer};
use crate::units;
use serde_json::json;

/// Creates a repository in a bucket.
pub fn s3(session: &Session, flags: &InitS3) -> Result<Outcome> {
    let file = ConfigFile::load_or_ignore(session.config_location());
    let resolved = place::init_s3(&session.invocation.s3, &session.env, &file)?;
    let options = InitOptions {
        lock: lock(flags)?,
        ..options(session)?
    };
    run(session, &file, resolved, &options)
}

/// Creates a repository in a folder.
pub fn filesystem(session: &Session) -> Result<Outcome> {
    let file = ConfigFile::load_or_ignore(session.config_location());
    let flags = &session.invocation.filesystem;
    let resolved = place::init_filesystem(flags, &session.env, &file)?;
    run(session, &file, resolved, &options(session)?)
}

/// Creates a repository and records it in the configuration file.
fn run(
    session: &Session,
    file: &ConfigFile,
    mut resolved: Resolved,
    options: &InitOptions,
) -> Result<Outcome> {
    session.warn_of_old_keys(file, &resolved);
    let passphrase = session.first_passphrase(file, &resolved)?;
    let storage = resolved.choice.storage(&session.env, true)?;
    session
        .reporter
        .event(Event::Phase("creating the repository"));
    let cache = session.cache_root();
    let repo = Repository::init(
        storage,
        &passphrase,
        options,
        cache.as_deref(),
        &*session.reporter,
    )?;
    let id = repo.id().hex();
    let mut lines = match record(file, &resolved, &id) {
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
        json: json!({
            "repository": id,
            "place": super::place_json(&resolved.choice),
            "object_lock": super::lock_json(repo.config()),
        }),
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

/// How objects are locked: mode and duration, both or neither.
fn lock(flags: &InitS3) -> Result<Option<ObjectLock>> {
    let mode = given(&flags.retention_mode).and_then(LockMode::parse);
    let duration = given(&flags.retention_duration)
        .map(units::parse_duration)
        .transpose()
        .context(|| "--retention-duration")?
        .filter(|d| !d.is_zero());
    let lacks = |what: &str, other: &str| {
        Err(
            Error::usage(format!("{what} is missing beside {other}")).hint(
                "give both --retention-mode governance or compliance and --retention-duration, or neither",
            ),
        )
    };
    match (mode, duration) {
        (None, None) if flags.extend_retention => lacks("--retention-mode", "--extend-retention"),
        (None, None) => Ok(None),
        (Some(_), None) => lacks("--retention-duration", "--retention-mode"),
        (None, Some(_)) => lacks("--retention-mode", "--retention-duration"),
        (Some(_), Some(duration)) if duration < MIN_LOCK => Err(Error::usage(
            "--retention-duration is too short: objects are locked for a day (1d) at least",
        )),
        (Some(_), Some(duration)) if duration > MAX_LOCK => Err(Error::usage(
            "--retention-duration is too long: objects are locked for a hundred years (36500d) at most",
        )),
        (Some(mode), Some(duration)) => Ok(Some(ObjectLock {
            mode,
            duration,
            extend: flags.extend_retention,
        })),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use argh::FromArgs;

    fn read(words: &[&str]) -> Result<Option<ObjectLock>> {
        let flags = InitS3::from_args(&["corso"], words);
        lock(&flags.unwrap_or_else(|_| panic!("{words:?}")))
    }

    #[test]
    fn mode_and_duration_go_together() {
        assert_eq!(read(&[]).unwrap(), None);
        let none = ["--retention-mode", "none", "--retention-duration", "0"];
        assert_eq!(read(&none).unwrap(), None);
        let both = read(&[
            "--retention-mode",
            "compliance",
            "--retention-duration",
            "720h",
            "--extend-retention",
        ]);
        assert_eq!(
            both.unwrap().unwrap().to_string(),
            "compliance, 30d, extended by maintenance"
        );
        for (bad, why) in [
            (
                &["--retention-mode", "governance"][..],
                "--retention-duration is missing",
            ),
            (
                &["--retention-duration", "30d"],
                "--retention-mode is missing",
            ),
            (
                &["--retention-mode", "none", "--retention-duration", "30d"],
                "is missing",
            ),
            (&["--extend-retention"], "--retention-mode is missing"),
            (
                &[
                    "--retention-mode",
                    "governance",
                    "--retention-duration",
                    "23h",
                ],
                "too short",
            ),
            (
                &[
                    "--retention-mode",
                    "governance",
                    "--retention-duration",
                    "99999d",
                ],
                "too long",
            ),
            (
                &[
                    "--retention-mode",
                    "governance",
                    "--retention-duration",
                    "-24h",
                ],
                "--retention-duration: ",
            ),
        ] {
            let error = read(bad).unwrap_err();
            assert_eq!(error.kind(), crate::error::Kind::Usage);
            assert!(error.to_string().contains(why), "{bad:?}: {error}");
        }
    }
}
