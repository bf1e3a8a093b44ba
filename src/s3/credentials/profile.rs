//! From what a profile says to a source of keys: `source_profile` chains, roles, and everything that gives keys.
//!
//! Order and rules are those of the AWS SDK for Go v2, `resolveCredsFromProfile` in `config/resolve_credentials.go` and
//! `setFromIniSections` in `config/shared_config.go`.

use super::assume_role::{AssumeRole, Role};
use super::container::Container;
use super::files::{Profiles, Section};
use super::http::Reach;
use super::imds::Imds;
use super::process::Process;
use super::sso::{self, Sso};
use super::sts::Sts;
use super::web_identity::WebIdentity;
use super::{CredentialProvider, Env, MfaPrompt, Source, env_text, env_true, environment, home};
use crate::error::{Error, Kind, Result};
use crate::s3::region::DEFAULT_REGION;
use std::time::Duration;

/// No chain of profiles that somebody meant is longer.
const MAX_CHAIN: usize = 16;

/// Everything that sources need to know beside their own settings.
pub(super) struct Planner<'a> {
    pub env: Env<'a>,
    pub files: &'a Profiles,
    /// The profile in use, for endpoints and for the metadata service.
    pub top: Option<&'a Section<'a>>,
    /// For STS, if known.
    pub region: Option<String>,
    pub reach: Reach,
    pub mfa: Option<MfaPrompt>,
}

fn wrong(name: &str, why: impl std::fmt::Display) -> Error {
    Error::new(Kind::CredentialsMissing, format!("profile {name:?} {why}"))
}

impl<'a> Planner<'a> {
    /// The source that profile `name` leads to; `None` if the profile says nothing about keys.
    pub fn profile(&self, name: &str) -> Result<Option<Box<dyn Source>>> {
        self.visit(name, &mut Vec::new())
    }

    fn visit(&self, name: &str, chain: &mut Vec<String>) -> Result<Option<Box<dyn Source>>> {
        let section = self.files.profile(name).ok_or_else(|| {
            let from = chain.last().map(String::as_str).unwrap_or_default();
            wrong(
                from,
                format!("has source_profile {name:?}, and there is no such profile"),
            )
        })?;
        // A profile may name itself, or one that leads back to it, for its own keys: its role is taken on only once.
        let again = chain.iter().any(|n| n == name);
        let nested = !chain.is_empty();
        chain.push(name.to_string());
        if chain.len() > MAX_CHAIN {
            return Err(wrong(
                &chain[0],
                format!("is one of a chain of more than {MAX_CHAIN}"),
            ));
        }
        let role = section.get("role_arn").filter(|_| !again);
        let source_profile = section.get("source_profile").filter(|_| !again);
        if !again {
            check_role(&section, role)?;
        }
        let keys = section.keys()?;
        let base: Option<Box<dyn Source>> = match (nested, keys, source_profile) {
            (true, Some(keys), _) => Some(Box::new(keys)),
            (_, keys, source_profile) => {
                check_collisions(&section, source_profile)?;
                match (source_profile, keys) {
                    (Some(next), _) => Some(self.next(&section, next, chain)?),
                    (None, Some(keys)) => Some(Box::new(keys)),
                    (None, None) => {
                        if let Some(file) = section.get("web_identity_token_file") {
                            let session = section.get("role_session_name");
                            return self.web_identity(file, role, session, name).map(Some);
                        }
                        self.settings(&section, role)?
                    }
                }
            }
        };
        match (base, role) {
            (None, None) => Ok(None),
            // What the machine offers is for the profile in use, not for those that it is built on.
            (None, Some(_)) if nested => Ok(None),
            (Some(base), None) => Ok(Some(base)),
            (Some(base), Some(arn)) => {
                let with = CredentialProvider::fetch(base)?;
                self.assume(with, role_of(&section, arn)).map(Some)
            }
            (None, Some(arn)) => {
                let mut lacked = Vec::new();
                let with = self.ambient(&mut lacked)?.ok_or_else(|| {
                    let why = "has role_arn, and there are no keys to assume it with; tried";
                    wrong(name, format!("{why} {}", lacked.join(", ")))
                        .hint("give it source_profile or credential_source")
                })?;
                self.assume(with, role_of(&section, arn)).map(Some)
            }
        }
    }

    /// The profile that `source_profile` names. It must have keys.
    fn next(
        &self,
        from: &Section<'_>,
        name: &str,
        chain: &mut Vec<String>,
    ) -> Result<Box<dyn Source>> {
        let looped = chain.iter().any(|n| n == name);
        self.visit(name, chain)?.ok_or_else(|| match looped {
            true => wrong(
                &from.name,
                format!(
                    "is part of a loop of source_profile: {}",
                    chain.join(" -> ")
                ),
            ),
            false => wrong(
                &from.name,
                format!("has source_profile {name:?}, which has no keys"),
            ),
        })
    }

    /// What a profile without keys of its own says about where to get some.
    fn settings(
        &self,
        section: &Section<'_>,
        role: Option<&str>,
    ) -> Result<Option<Box<dyn Source>>> {
        if let Some(source) = section.get("credential_source").filter(|_| role.is_some()) {
            return self.credential_source(source, &section.name).map(Some);
        }
        let session = section
            .get("sso_session")
            .and_then(|s| self.files.other("sso-session", s));
        if let Some(settings) = sso::Settings::of(section, session.as_ref())? {
            let home = home(self.env)
                .ok_or_else(|| wrong(&section.name, "uses SSO, and there is no home folder"))?;
            let portal = self.url("SSO", "sso", "portal.sso", &settings.region);
            let oidc = self.url("SSO_OIDC", "sso_oidc", "oidc", &settings.region);
            let sso = Sso::new(settings, &home, &portal, &oidc, &self.reach)?;
            return Ok(Some(Box::new(sso)));
        }
        if section.get("login_session").is_some() {
            return Err(
                wrong(&section.name, "has login_session, which is not supported").hint(
                    "use 'aws configure export-credentials --format process' as credential_process",
                ),
            );
        }
        Ok(section.get("credential_process").map(|command| {
            let process = Process::new(&section.name, command);
            Box::new(process) as Box<dyn Source>
        }))
    }

    fn credential_source(&self, source: &str, name: &str) -> Result<Box<dyn Source>> {
        let absent =
            |what: &str| wrong(name, format!("has credential_source {source}, and {what}"));
        match source {
            "Environment" => match environment::keys(self.env)? {
                Some(keys) => Ok(Box::new(keys)),
                None => Err(absent("AWS_ACCESS_KEY_ID is not set")),
            },
            "EcsContainer" => match Container::from_env(self.env, &self.reach)? {
                Some(container) => Ok(Box::new(container)),
                None => Err(absent(
                    "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set",
                )),
            },
            "Ec2InstanceMetadata" => match Imds::new(self.env, self.top)? {
                Some(imds) => Ok(Box::new(imds)),
                None => Err(absent("AWS_EC2_METADATA_DISABLED is set")),
            },
            _ => Err(wrong(
                name,
                format!("has credential_source {source:?}, which is unknown"),
            )
            .hint("it must be Environment, EcsContainer or Ec2InstanceMetadata")),
        }
    }

    /// What the machine offers where no settings name a source: container, then instance. Else `lacked` gets what was
    /// missing.
    pub fn ambient(&self, lacked: &mut Vec<String>) -> Result<Option<CredentialProvider>> {
        if let Some(container) = Container::from_env(self.env, &self.reach)? {
            return CredentialProvider::fetch(Box::new(container)).map(Some);
        }
        lacked.push("container (no AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI)".into());
        let Some(imds) = Imds::new(self.env, self.top)? else {
            lacked.push("instance metadata (AWS_EC2_METADATA_DISABLED is set)".into());
            return Ok(None);
        };
        match CredentialProvider::fetch(Box::new(imds)) {
            Ok(keys) => Ok(Some(keys)),
            Err(error) => {
                lacked.push(error.message());
                Ok(None)
            }
        }
    }

    /// The role of a token file; `of` is the profile, or `the environment`.
    pub fn web_identity(
        &self,
        file: &str,
        role: Option<&str>,
        session: Option<&str>,
        of: &str,
    ) -> Result<Box<dyn Source>> {
        let role = role.ok_or_else(|| wrong(of, "has web_identity_token_file without role_arn"))?;
        Ok(Box::new(WebIdentity {
            sts: self.sts()?,
            token_file: file.into(),
            role_arn: role.to_string(),
            session_name: session.map(str::to_string),
        }))
    }

    /// `role` with other keys.
    pub fn assume(&self, with: CredentialProvider, role: Role) -> Result<Box<dyn Source>> {
        Ok(Box::new(AssumeRole {
            sts: self.sts()?,
            with,
            role,
            mfa: self.mfa.clone(),
        }))
    }

    fn sts(&self) -> Result<Sts> {
        let region = self.region.as_deref().unwrap_or(DEFAULT_REGION);
        if crate::s3::response::plain_region(region).is_none() {
            return Err(Error::usage(format!("{region:?} is not a region")));
        }
        Sts::new(&self.url("STS", "sts", "sts", region), region, &self.reach)
    }

    /// The URL of a service: `AWS_ENDPOINT_URL_X`, `AWS_ENDPOINT_URL`, the profile's `services`, the profile, AWS.
    fn url(&self, variable: &str, key: &str, host: &str, region: &str) -> String {
        let ignored = env_true(self.env, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
            || self
                .top
                .is_some_and(|t| t.is_true("ignore_configured_endpoint_urls"));
        let own = || env_text(self.env, &format!("AWS_ENDPOINT_URL_{variable}"));
        let common = || env_text(self.env, "AWS_ENDPOINT_URL");
        let profile = || service_url(self.files, self.top?, key);
        let found = match ignored {
            true => None,
            false => own().or_else(common).or_else(profile),
        };
        found.unwrap_or_else(|| format!("https://{host}.{region}.{}", suffix(region)))
    }
}

/// The endpoint of a service by a profile: of its `services` section, else the profile's own.
pub(super) fn service_url(
    files: &Profiles,
    profile: &Section<'_>,
    service: &str,
) -> Option<String> {
    let services = profile
        .get("services")
        .and_then(|s| files.other("services", s));
    let own = services.and_then(|s| {
        s.get(&format!("{service}.endpoint_url"))
            .map(str::to_string)
    });
    own.or_else(|| profile.get("endpoint_url").map(str::to_string))
}

/// The domain of a region's services.
fn suffix(region: &str) -> &'static str {
    const SUFFIXES: [(&str, &str); 6] = [
        ("cn-", "amazonaws.com.cn"),
        ("us-isob-", "sc2s.sgov.gov"),
        ("us-isof-", "csp.hci.ic.gov"),
        ("us-iso-", "c2s.ic.gov"),
        ("eu-isoe-", "cloud.adc-e.uk"),
        ("eusc-", "amazonaws.eu"),
    ];
    let found = SUFFIXES.iter().find(|(start, _)| region.starts_with(start));
    found.map_or("amazonaws.com", |(_, suffix)| suffix)
}

/// What a profile says about its role.
fn role_of(section: &Section<'_>, arn: &str) -> Role {
    let get = |key: &str| section.get(key).map(str::to_string);
    // As in the SDK for Go, what is no number counts as nothing.
    let seconds = section.get("duration_seconds").and_then(|d| d.parse().ok());
    Role {
        arn: arn.to_string(),
        external_id: get("external_id"),
        session_name: get("role_session_name"),
        duration: seconds.map(Duration::from_secs),
        mfa_serial: get("mfa_serial"),
    }
}

/// Settings that make sense only with a role.
fn check_role(section: &Section<'_>, role: Option<&str>) -> Result<()> {
    let keys = [
        "source_profile",
        "credential_source",
        "web_identity_token_file",
    ];
    match keys.iter().find(|key| section.get(key).is_some()) {
        Some(key) if role.is_none() => {
            Err(wrong(&section.name, format!("has {key} without role_arn")))
        }
        _ => Ok(()),
    }
}

fn check_collisions(section: &Section<'_>, source_profile: Option<&str>) -> Result<()> {
    let others = [
        "credential_source",
        "credential_process",
        "web_identity_token_file",
    ];
    let others = others.into_iter().filter(|key| section.get(key).is_some());
    let all: Vec<&str> = source_profile
        .map(|_| "source_profile")
        .into_iter()
        .chain(others)
        .collect();
    match all.len() {
        0 | 1 => Ok(()),
        _ => Err(wrong(
            &section.name,
            format!("has {}, which exclude each other", all.join(" and ")),
        )
        .hint("leave all but one of them out")),
    }
}

#[cfg(test)]
mod tests;
