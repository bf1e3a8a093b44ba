//! `corso repo update-passphrase`

use crate::cli::session::{Outcome, Session};
use crate::error::Result;
use serde_json::json;

/// Changes the passphrase of the key in use.
pub fn run(session: &Session) -> Result<Outcome> {
    let (file, mut resolved) = session.place()?;
    let passphrase = session.passphrase(&file, &resolved)?;
    let storage = resolved.choice.storage(&session.env, false)?;
    let mut repo = super::open_at(session, storage, &passphrase)?;
    repo.require_full("changing the passphrase")?;
    let new = session.new_passphrase()?;
    repo.change_passphrase(&new)?;
    if file.secrets.passphrase.is_some() && resolved.same_as_file {
        let shown = file.shown();
        session.reporter.warn(&format!(
            "{shown} still holds the old passphrase; remove it there"
        ));
    }
    Ok(Outcome {
        json: json!({ "key": repo.slot().hex() }),
        lines: vec!["Updated repo password.".to_owned()],
        ..Outcome::default()
    })
}
