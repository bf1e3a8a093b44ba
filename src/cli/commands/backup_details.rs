//! `corso backup details`

use crate::cli::args::backup::Details;
use crate::cli::session::{Outcome, Session};
use crate::error::{Error, Result};

/// Shows what a backup holds.
pub fn run(session: &Session, _flags: &Details) -> Result<Outcome> {
    let (file, resolved) = session.place()?;
    let _passphrase = session.passphrase(&file, &resolved)?;
    Err(Error::failed("not ready yet"))
}
