//! The order in which sources are asked. Keys are taken whole from one source: never an access key from here, a token from
//! there.
//!
//! Order (AWS SDK for Go v2, `config/resolve_credentials.go`): flags; a profile named by a flag; environment; web identity
//! of the environment; the profile that `AWS_PROFILE` names, or `default`; container; instance metadata. A role from flags
//! is assumed with whatever was found.

use super::http::Reach;
use super::profile::{Planner, service_url};
use super::{
    CredentialProvider, Credentials, Env, MfaPrompt, Profiles, Role, Secret, env_text, environment,
};
use crate::error::{Error, Kind, Result};
use crate::s3::region;
use std::path::PathBuf;

/// What the caller knows before any source is asked.
#[derive(Default)]
pub struct Chain {
    /// Keys from flags: access key, secret key, session token.
    pub access_key: Option<String>,
    /// See `access_key`.
    pub secret_key: Option<Secret>,
    /// See `access_key`.
    pub session_token: Option<Secret>,
    /// Where these come from, if not from flags.
    pub keys_from: Option<String>,
    /// A profile from a flag; then the environment's keys are not asked.
    pub profile: Option<String>,
    /// A role to assume with what was found.
    pub role: Option<Role>,
    /// The region from a flag or the configuration file: STS of that region is asked.
    pub region: Option<String>,
    /// PEM files whose certificates are trusted beside the built-in ones.
    pub roots: Vec<PathBuf>,
    /// How to ask for the code of an MFA device; `None` where there is nobody to ask.
    pub mfa: Option<MfaPrompt>,
}

/// Keys, and what came with them.
pub struct Found {
    /// Whole keys, which name their source, and stay fresh.
    pub credentials: CredentialProvider,
    /// The profile's region, whether or not the keys came from it.
    pub region: Option<String>,
    /// The profile's endpoint URL, likewise.
    pub endpoint_url: Option<String>,
}

/// Asks the sources in turn.
///
/// # Errors
/// `CredentialsMissing` with what each source lacked; half a pair of keys anywhere on the way is an error too, since going
/// on would use keys that the user did not mean. A source that was chosen and fails is not passed over.
pub fn resolve(chain: &Chain, env: Env<'_>) -> Result<Found> {
    let mut lacked: Vec<String> = Vec::new();
    let direct = direct(chain, env, &mut lacked)?;
    let named = chain
        .profile
        .clone()
        .or_else(|| env_text(env, "AWS_PROFILE"))
        .or_else(|| env_text(env, "AWS_DEFAULT_PROFILE"));
    let name = named.as_deref().unwrap_or("default");
    let files = match Profiles::load(env) {
        Ok(files) => files,
        // A broken file only matters where its keys would be used.
        Err(_) if direct.is_some() => Profiles::default(),
        Err(error) => return Err(error),
    };
    let top = files.profile(name);
    let said = |key: &str| top.as_ref().and_then(|t| t.get(key)).map(str::to_string);
    let planner = Planner {
        env,
        files: &files,
        top: top.as_ref(),
        region: chain
            .region
            .clone()
            .or_else(|| region::from_env(env))
            .or_else(|| said("region")),
        reach: Reach::new(&chain.roots, env),
        mfa: chain.mfa.clone(),
    };
    let credentials = match direct {
        Some(Direct::Keys(keys)) => keys.into(),
        Some(Direct::WebIdentity { file, role }) => {
            let session = env_text(env, "AWS_ROLE_SESSION_NAME");
            let source = planner.web_identity(&file, Some(&role), session.as_deref(), "")?;
            CredentialProvider::fetch(source)?
        }
        None => from_profile(&planner, name, named.is_some(), lacked)?,
    };
    let credentials = match &chain.role {
        None => credentials,
        Some(role) => CredentialProvider::fetch(planner.assume(credentials, role.clone())?)?,
    };
    Ok(Found {
        credentials,
        region: said("region"),
        endpoint_url: planner.top.and_then(|top| service_url(&files, top, "s3")),
    })
}

/// Sources that are asked before any file.
enum Direct {
    Keys(Credentials),
    WebIdentity { file: String, role: String },
}

fn direct(chain: &Chain, env: Env<'_>, lacked: &mut Vec<String>) -> Result<Option<Direct>> {
    if let Some(keys) = from_flags(chain)? {
        return Ok(Some(Direct::Keys(keys)));
    }
    lacked.push("flags (no --aws-access-key)".into());
    if chain.profile.is_some() {
        return Ok(None);
    }
    if let Some(keys) = environment::keys(env)? {
        return Ok(Some(Direct::Keys(keys)));
    }
    lacked.push("environment (no AWS_ACCESS_KEY_ID)".into());
    let Some(file) = env_text(env, "AWS_WEB_IDENTITY_TOKEN_FILE") else {
        lacked.push("web identity (no AWS_WEB_IDENTITY_TOKEN_FILE)".into());
        return Ok(None);
    };
    match env_text(env, "AWS_ROLE_ARN") {
        Some(role) => Ok(Some(Direct::WebIdentity { file, role })),
        None => Err(Error::new(
            Kind::CredentialsMissing,
            "AWS_WEB_IDENTITY_TOKEN_FILE is set, and AWS_ROLE_ARN is not",
        )
        .hint("set both, or neither")),
    }
}

fn from_flags(chain: &Chain) -> Result<Option<Credentials>> {
    let token = chain.session_token.as_ref().map(Secret::expose);
    let source = chain.keys_from.as_deref().unwrap_or("flags");
    match (&chain.access_key, &chain.secret_key) {
        (Some(access), Some(secret)) => {
            let keys = Credentials::new(access, secret.expose(), token, source);
            Ok(Some(keys))
        }
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

/// The profile, and where it says nothing about keys, the machine. A profile that was named must be there, as in botocore.
/// (The SDK for Go passes over a missing one that `AWS_PROFILE` names, and asks the machine.)
fn from_profile(
    planner: &Planner<'_>,
    name: &str,
    named: bool,
    mut lacked: Vec<String>,
) -> Result<CredentialProvider> {
    let looked = planner.files.looked();
    if planner.top.is_some() {
        if let Some(source) = planner.profile(name)? {
            return CredentialProvider::fetch(source);
        }
        lacked.push(format!("profile {name:?} ({looked}: without keys)"));
    } else {
        lacked.push(format!("profile {name:?} ({looked}: not there)"));
        if named {
            return Err(nothing(&lacked));
        }
    }
    planner
        .ambient(&mut lacked)?
        .ok_or_else(|| nothing(&lacked))
}

fn nothing(lacked: &[String]) -> Error {
    Error::new(
        Kind::CredentialsMissing,
        format!("no storage credentials; tried {}", lacked.join(", ")),
    )
    .hint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
}
