//! `corso repo key`

use crate::cli::args::repo::{KeyAdd, KeyRemove};
use crate::cli::session::{Outcome, Session};
use crate::error::{Error, Result};

/// Lists the keys.
pub fn list(session: &Session) -> Result<Outcome> {
    let (file, resolved) = session.place()?;
    let _passphrase = session.passphrase(&file, &resolved)?;
    Err(Error::failed("not ready yet"))
}

/// Adds a key.
pub fn add(session: &Session, _flags: &KeyAdd) -> Result<Outcome> {
    let (file, resolved) = session.place()?;
    let _passphrase = session.passphrase(&file, &resolved)?;
    let _new = session.new_passphrase()?;
    Err(Error::failed("not ready yet"))
}

/// Removes a key.
pub fn remove(session: &Session, _flags: &KeyRemove) -> Result<Outcome> {
    let (file, resolved) = session.place()?;
    let _passphrase = session.passphrase(&file, &resolved)?;
    Err(Error::failed("not ready yet"))
}
