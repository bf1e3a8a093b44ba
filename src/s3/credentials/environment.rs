//! Keys in environment variables.

use super::{Credentials, Env, Secret, env_text};
use crate::error::{Error, Kind, Result};

/// `AWS_ACCESS_KEY_ID` or `AWS_ACCESS_KEY`, with `AWS_SECRET_ACCESS_KEY` or `AWS_SECRET_KEY`, and `AWS_SESSION_TOKEN`.
/// `None` if neither key is set. An empty variable counts as unset.
///
/// # Errors
/// One key without the other. (The SDK for Go passes over the half pair, and may then use keys that nobody meant.)
pub(super) fn keys(env: Env<'_>) -> Result<Option<Credentials>> {
    let first = |names: [&'static str; 2]| names.iter().find_map(|name| env_text(env, name));
    let half = |is: &str, missing: &str| {
        Error::new(
            Kind::CredentialsMissing,
            format!("{is} is set in the environment, and {missing} is not"),
        )
        .hint("set both, or neither")
    };
    let access = first(["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"]);
    let secret = first(["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"]).map(Secret::new);
    let token = env_text(env, "AWS_SESSION_TOKEN").map(Secret::new);
    match (access, secret) {
        (Some(access), Some(secret)) => Ok(Some(Credentials::new(
            &access,
            secret.expose(),
            token.as_ref().map(Secret::expose),
            "environment",
        ))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(half("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
        (None, Some(_)) => Err(half("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")),
    }
}
