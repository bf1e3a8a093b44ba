//! `corso repo init`

use crate::cli::config::ConfigFile;
use crate::cli::place::{self, Provider, StorageChoice};
use crate::cli::session::{Outcome, Session};
use crate::error::{Error, Result};
use crate::units;
use std::time::Duration;

/// Creates a repository and records it in the configuration file.
pub fn run(session: &Session, provider: Provider) -> Result<Outcome> {
    let asked = &session.invocation;
    let file = ConfigFile::load_or_ignore(session.config_location());
    let resolved = match provider {
        Provider::S3 => place::init_s3(&asked.s3, &session.env, &file)?,
        Provider::Filesystem => place::init_filesystem(&asked.filesystem, &session.env, &file)?,
    };
    let _settings = Settings::from_flags(session)?;
    session.warn_of_old_keys(&file, &resolved);
    let _passphrase = session.first_passphrase(&file, &resolved)?;
    Err(Error::failed("not ready yet"))
}

/// What is fixed for the life of the repository.
struct Settings {
    grace: Option<Duration>,
    cipher: Option<String>,
    pack_size: Option<u64>,
}

impl Settings {
    fn from_flags(session: &Session) -> Result<Settings> {
        let init = &session.invocation.init;
        let grace = init
            .grace
            .as_deref()
            .map(units::parse_duration)
            .transpose()?;
        if grace.is_some_and(|g| !g.is_zero() && g < Duration::from_secs(3600)) {
            return Err(Error::usage(
                "--grace must be at least 1h, or 0 if nothing else ever uses the repository",
            ));
        }
        let pack_size = init
            .pack_size
            .as_deref()
            .map(units::parse_bytes)
            .transpose()?;
        if pack_size.is_some_and(|p| !(units::MIB..=512 * units::MIB).contains(&p)) {
            return Err(Error::usage("--pack-size must be between 1M and 512M"));
        }
        Ok(Settings {
            grace,
            cipher: init.cipher.clone(),
            pack_size,
        })
    }
}

/// `S3 repository within bucket B.` and the like, as the old program said it.
pub fn success_line(choice: &StorageChoice) -> String {
    match choice {
        StorageChoice::S3(s3) => {
            format!("Initialized a S3 repository within bucket {}.", s3.bucket)
        }
        StorageChoice::Filesystem(_) => {
            format!("Initialized a repository at {}", choice.describe())
        }
    }
}
