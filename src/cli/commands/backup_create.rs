//! `corso backup create`

use crate::cli::args::backup::Create;
use crate::cli::session::{Outcome, Session};
use crate::error::{Error, Result};

/// Makes a backup.
pub fn run(session: &Session, flags: &Create) -> Result<Outcome> {
    check(session, flags)?;
    let (file, resolved) = session.place()?;
    let _passphrase = session.passphrase(&file, &resolved)?;
    Err(Error::failed("not ready yet"))
}

fn check(session: &Session, flags: &Create) -> Result<()> {
    match (&flags.stdin, flags.paths.is_empty()) {
        (None, true) => return Err(super::missing(session, "PATH")),
        (Some(_), false) => return Err(Error::usage("--stdin and paths exclude each other")),
        _ => {}
    }
    if flags.paths.iter().any(|p| p.is_empty()) {
        return Err(Error::usage("a path to back up is empty"));
    }
    if let Some(name) = &flags.stdin {
        let bytes = name.bytes();
        if name.is_empty() || bytes == b"." || bytes == b".." || bytes.contains(&b'/') {
            return Err(Error::usage("--stdin takes a file name, without folders"));
        }
    }
    Ok(())
}
