//! `corso repo connect`

use crate::cli::config::ConfigFile;
use crate::cli::place::{self, Provider, StorageChoice};
use crate::cli::session::{Outcome, Session};
use crate::error::{Error, Result};

/// Opens the repository once and records it in the configuration file.
pub fn run(session: &Session, provider: Provider) -> Result<Outcome> {
    let asked = &session.invocation;
    let file = ConfigFile::load(session.config_location())?;
    let resolved = match provider {
        Provider::S3 => place::connect_s3(&asked.s3, &session.env, &file)?,
        Provider::Filesystem => place::connect_filesystem(&asked.filesystem, &session.env, &file)?,
    };
    session.warn_of_old_keys(&file, &resolved);
    let _passphrase = session.passphrase(&file, &resolved)?;
    Err(Error::failed("not ready yet"))
}

/// As the old program said it.
pub fn success_line(choice: &StorageChoice) -> String {
    match choice {
        StorageChoice::S3(s3) => format!("Connected to S3 bucket {}.", s3.bucket),
        StorageChoice::Filesystem(_) => format!("Connected to repository at {}", choice.describe()),
    }
}
