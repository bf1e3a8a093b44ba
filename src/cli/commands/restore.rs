//! `corso restore`

use crate::cli::args::restore::Restore;
use crate::cli::session::{Outcome, Session};
use crate::error::{Error, Result};

/// Restores files from a backup.
pub fn run(session: &Session, flags: &Restore) -> Result<Outcome> {
    if !flags.destination.as_ref().is_some_and(|d| !d.is_empty()) {
        return Err(Error::usage("the folder to restore into is missing").hint(
            "give it with --destination DIR; --destination / puts everything back where it was",
        ));
    }
    let (file, resolved) = session.place()?;
    let _passphrase = session.passphrase(&file, &resolved)?;
    Err(Error::failed("not ready yet"))
}
