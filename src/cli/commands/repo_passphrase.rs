//! `corso repo update-passphrase`

use crate::cli::session::{Outcome, Session};
use crate::error::{Error, Result};

/// Changes the passphrase of the key in use.
pub fn run(session: &Session) -> Result<Outcome> {
    let (file, resolved) = session.place()?;
    let _passphrase = session.passphrase(&file, &resolved)?;
    Err(Error::failed("not ready yet"))
}
