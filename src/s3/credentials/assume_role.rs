//! A role taken on with other keys: STS AssumeRole.

use super::provider::CredentialProvider;
use super::sts::{self, Refusal, Sts};
use super::{Credentials, MfaPrompt, Secret, Source};
use crate::error::{Error, Kind, Result};
use std::time::Duration;

/// The SDK for Go's default, and the least that STS gives.
const SHORTEST: Duration = Duration::from_secs(15 * 60);

/// What STS is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// `arn:aws:iam::123456789012:role/NAME`
    pub arn: String,
    /// What the owner of the role wants to hear.
    pub external_id: Option<String>,
    /// Shown in the owner's logs; made up where not given.
    pub session_name: Option<String>,
    /// How long the keys last; 15 minutes where not given or less.
    pub duration: Option<Duration>,
    /// The device whose code must be given.
    pub mfa_serial: Option<String>,
}

/// A role on top of other keys.
pub(super) struct AssumeRole {
    pub sts: Sts,
    pub with: CredentialProvider,
    pub role: Role,
    pub mfa: Option<MfaPrompt>,
}

impl AssumeRole {
    /// Asks for the device's code, if the role wants one.
    fn code(&self) -> Result<Option<Secret>> {
        let Some(serial) = &self.role.mfa_serial else {
            return Ok(None);
        };
        match &self.mfa {
            Some(prompt) => prompt(serial).map(Some),
            None => {
                let text = format!(
                    "role {} wants a code of MFA device {serial}, and there is no terminal to ask for it",
                    self.role.arn
                );
                Err(Error::new(Kind::CredentialsMissing, text)
                    .hint("run this on a terminal, or use keys that need no MFA"))
            }
        }
    }

    fn ask(&self, keys: &Credentials) -> std::result::Result<Credentials, Refusal> {
        let role = &self.role;
        let name = role.session_name.clone().unwrap_or_else(sts::session_name);
        let duration = role.duration.unwrap_or(SHORTEST).max(SHORTEST);
        let seconds = duration.as_secs().to_string();
        let code = self.code().map_err(Refusal::Failed)?;
        let mut parameters = vec![
            ("Action", "AssumeRole"),
            ("RoleArn", role.arn.as_str()),
            ("RoleSessionName", &name),
            ("DurationSeconds", &seconds),
        ];
        if let Some(id) = &role.external_id {
            parameters.push(("ExternalId", id));
        }
        if let (Some(serial), Some(code)) = (&role.mfa_serial, &code) {
            parameters.push(("SerialNumber", serial));
            parameters.push(("TokenCode", code.expose()));
        }
        let source = format!("role {} assumed with {}", role.arn, keys.source());
        self.sts.call(&parameters, Some(keys), &[], &source)
    }
}

impl Source for AssumeRole {
    fn fetch(&self) -> Result<Credentials> {
        let keys = self.with.get(self.sts.now())?;
        let expired =
            |r: &Refusal| matches!(r, Refusal::Said(e) if crate::s3::retry::is_expired(e));
        let mut answer = self.ask(&keys);
        if answer.as_ref().is_err_and(expired) && self.with.renew(&keys)? {
            answer = self.ask(&self.with.current());
        }
        let doing = format!("assuming role {} with {}", self.role.arn, keys.source());
        answer.map_err(|refusal| sts::explain(refusal, &doing, "sts:AssumeRole"))
    }
}
