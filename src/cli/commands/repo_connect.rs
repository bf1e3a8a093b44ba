//! `corso repo connect`

use super::given;
use super::repo_init::record;
use crate::cli::args::repo::ConnectS3;
use crate::cli::config::ConfigFile;
use crate::cli::place::{self, Resolved, StorageChoice};
use crate::cli::session::{Outcome, Session};
use crate::error::{Context, Error, Result};
use crate::units::parse_time;
use serde_json::json;
use std::time::Duration;

/// Who gives the time of now means it, though the storage's clock be a little behind.
const CLOCKS_AGREE: Duration = Duration::from_secs(60);

/// Connects to a repository in a bucket, as it is or as it was.
pub fn s3(session: &Session, flags: &ConnectS3) -> Result<Outcome> {
    let file = ConfigFile::load(session.config_location())?;
    let mut resolved = place::connect_s3(&session.invocation.s3, &session.env, &file)?;
    let moment = given(&flags.point_in_time);
    if let StorageChoice::S3(s3) = &mut resolved.choice {
        s3.point_in_time = moment
            .map(parse_time)
            .transpose()
            .context(|| "--point-in-time")?;
    }
    run(session, &file, resolved)
}

/// Connects to a repository in a folder.
pub fn filesystem(session: &Session) -> Result<Outcome> {
    let file = ConfigFile::load(session.config_location())?;
    let flags = &session.invocation.filesystem;
    let resolved = place::connect_filesystem(flags, &session.env, &file)?;
    run(session, &file, resolved)
}

/// Opens the repository once and records it in the configuration file.
fn run(session: &Session, file: &ConfigFile, mut resolved: Resolved) -> Result<Outcome> {
    session.warn_of_old_keys(file, &resolved);
    let passphrase = session.passphrase(file, &resolved)?;
    let storage = resolved.choice.storage(&session.env, false)?;
    if let Some(moment) = storage.moment() {
        // Before anything is looked for: in a bucket without versions nothing would tell that this is not the past.
        storage.check_place()?;
        let now = storage.now();
        if moment.since(now) > CLOCKS_AGREE {
            return Err(Error::usage(format!(
                "--point-in-time {moment} is in the future: by the storage's clock it is {now}"
            )));
        }
    }
    let repo = super::open_at(session, storage, &passphrase)?;
    let id = repo.id().hex();
    let mut lines = record(file, &resolved, &id)
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
        StorageChoice::S3(s3) => match s3.point_in_time {
            None => format!("Connected to S3 bucket {}.", s3.bucket),
            Some(moment) => format!(
                "Connected to S3 bucket {} as it was at {moment}, only for reading.",
                s3.bucket
            ),
        },
        StorageChoice::Filesystem(_) => {
            format!("Connected to repository at {}", choice.describe())
        }
    }
}
