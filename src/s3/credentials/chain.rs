//! The order in which sources are asked. Keys are taken whole from one source: never an access key from here, a token from
//! there.
//!
//! Order (AWS SDK for Go v2, `config/resolve_credentials.go`): flags; a profile named by a flag; environment; the profile
//! that `AWS_PROFILE` names, or `default`.

use super::{Credentials, Env, Profiles, env_text};
use crate::error::{Error, Kind, Result};

/// What the caller knows before any source is asked.
#[derive(Default)]
pub struct Chain {
    /// Keys from flags: access key, secret key, session token.
    pub access_key: Option<String>,
    /// See `access_key`.
    pub secret_key: Option<zeroize::Zeroizing<String>>,
    /// See `access_key`.
    pub session_token: Option<zeroize::Zeroizing<String>>,
    /// A profile from a flag; then the environment's keys are not asked.
    pub profile: Option<String>,
}

/// Keys, and what came with them.
pub struct Found {
    /// Whole keys; they name their source.
    pub credentials: Credentials,
    /// The profile's region, whether or not the keys came from it.
    pub region: Option<String>,
    /// The profile's endpoint URL, likewise.
    pub endpoint_url: Option<String>,
}

/// Asks the sources in turn.
///
/// # Errors
/// `CredentialsMissing` with what each source lacked; half a pair of keys anywhere on the way is an error too, since going
/// on would use keys that the user did not mean.
pub fn resolve(chain: &Chain, env: Env<'_>) -> Result<Found> {
    let mut lacked: Vec<String> = Vec::new();
    let direct = match from_flags(chain)? {
        Some(keys) => Some(keys),
        None => {
            lacked.push("flags (no --aws-access-key)".into());
            match &chain.profile {
                Some(_) => None,
                None => from_env(env, &mut lacked)?,
            }
        }
    };
    let named = chain
        .profile
        .clone()
        .or_else(|| env_text(env, "AWS_PROFILE"))
        .or_else(|| env_text(env, "AWS_DEFAULT_PROFILE"));
    let profile = match from_profile(named.as_deref(), env, &mut lacked) {
        Ok(profile) => profile,
        // A broken file only matters where its keys would be used.
        Err(_) if direct.is_some() => None,
        Err(error) => return Err(error),
    };
    let (keys, region, endpoint_url) = match profile {
        Some(p) => (p.credentials, p.region, p.endpoint_url),
        None => (None, None, None),
    };
    match direct.or(keys) {
        Some(credentials) => Ok(Found {
            credentials,
            region,
            endpoint_url,
        }),
        None => Err(Error::new(
            Kind::CredentialsMissing,
            format!("no storage credentials; tried {}", lacked.join(", ")),
        )
        .hint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")),
    }
}

fn from_flags(chain: &Chain) -> Result<Option<Credentials>> {
    let token = chain.session_token.as_ref().map(|t| t.as_str());
    match (&chain.access_key, &chain.secret_key) {
        (Some(access), Some(secret)) => Ok(Some(Credentials::new(access, secret, token, "flags"))),
        (None, None) if token.is_none() => Ok(None),
        (Some(_), None) => Err(Error::usage(
            "--aws-access-key is given without --aws-secret-access-key",
        )),
        (None, Some(_)) => Err(Error::usage(
            "--aws-secret-access-key is given without --aws-access-key",
        )),
        (None, None) => Err(Error::usage(
            "--aws-session-token is given without the keys that it belongs to",
        )),
    }
}

fn from_env(env: Env<'_>, lacked: &mut Vec<String>) -> Result<Option<Credentials>> {
    let first = |names: [&'static str; 2]| names.iter().find_map(|name| env_text(env, name));
    let half = |is: &str, missing: &str| {
        Error::new(
            Kind::CredentialsMissing,
            format!("{is} is set in the environment, and {missing} is not"),
        )
        .hint("set both, or neither")
    };
    let access = first(["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"]);
    let secret = first(["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"]).map(zeroize::Zeroizing::new);
    let token = env_text(env, "AWS_SESSION_TOKEN").map(zeroize::Zeroizing::new);
    match (access, secret) {
        (Some(access), Some(secret)) => Ok(Some(Credentials::new(
            &access,
            &secret,
            token.as_ref().map(|t| t.as_str()),
            "environment",
        ))),
        (None, None) => {
            lacked.push("environment (no AWS_ACCESS_KEY_ID)".into());
            Ok(None)
        }
        (Some(_), None) => Err(half("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
        (None, Some(_)) => Err(half("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")),
    }
}

fn from_profile(
    named: Option<&str>,
    env: Env<'_>,
    lacked: &mut Vec<String>,
) -> Result<Option<super::Profile>> {
    let name = named.unwrap_or("default");
    let files = Profiles::load(env)?;
    let paths: Vec<String> = files
        .paths()
        .iter()
        .map(|p| p.display().to_string())
        .collect();
    let looked = if paths.is_empty() {
        "no credentials file found".to_string()
    } else {
        paths.join(" and ")
    };
    let profile = files.profile(name)?;
    match &profile {
        None => lacked.push(format!("profile {name:?} ({looked}: not there)")),
        Some(p) if p.credentials.is_none() && p.unsupported.is_empty() => {
            lacked.push(format!("profile {name:?} ({looked}: without keys)"));
        }
        Some(p) if p.credentials.is_none() => {
            lacked.push(format!(
                "profile {name:?} ({looked}: only {}, which is not supported yet)",
                p.unsupported.join(", ")
            ));
        }
        Some(_) => {}
    }
    Ok(profile)
}
#[cfg(test)]
#[path = "tests.rs"]
mod tests;
