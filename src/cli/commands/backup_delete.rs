//! `corso backup delete`

use crate::cli::args::backup::Delete;
use crate::cli::session::{Outcome, Session};
use crate::error::{Error, Result};

/// Deletes backups.
pub fn run(session: &Session, flags: &Delete) -> Result<Outcome> {
    if flags.backups.is_empty() {
        return Err(super::missing(session, "BACKUP"));
    }
    let (file, resolved) = session.place()?;
    let _passphrase = session.passphrase(&file, &resolved)?;
    Err(Error::failed("not ready yet"))
}
