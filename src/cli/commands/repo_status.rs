//! `corso repo status`

use crate::cli::session::{Outcome, Session};
use crate::error::{Error, Result};

/// Shows which repository this is and what it holds.
pub fn run(session: &Session) -> Result<Outcome> {
    let (file, resolved) = session.place()?;
    let _passphrase = session.passphrase(&file, &resolved)?;
    Err(Error::failed("not ready yet"))
}
