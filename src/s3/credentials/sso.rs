//! AWS IAM Identity Center (SSO): the token that `aws sso login` left buys keys for a role.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-sso-credentials.html>;
//! <https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html>;
//! <https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html>

use super::files::Section;
use super::http::{Ask, Http, Reach, Reply, said, split_url, unreachable};
use super::sso_cache::{self, CachedToken};
use super::{Credentials, Secret, Source};
use crate::error::{Error, Kind, Result};
use crate::s3::canonical::uri_encode;
use crate::s3::response::plain_region;
use crate::units::Time;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use zeroize::Zeroizing;

/// For one call with all its attempts.
const WITHIN: Duration = Duration::from_secs(20);
/// A token this close to its end is renewed.
const NEARLY_OVER: Duration = Duration::from_secs(60);

/// What a profile says about SSO.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// Name of the session; `None` in the old form.
    pub session: Option<String>,
    pub region: String,
    pub start_url: String,
    pub account: String,
    pub role: String,
}

impl Settings {
    /// From a profile, and its `sso-session` if it names one. `None` if it says nothing about SSO.
    ///
    /// # Errors
    /// A setting is missing, or profile and session disagree.
    pub fn of(profile: &Section<'_>, session: Option<&Section<'_>>) -> Result<Option<Settings>> {
        let named = profile.get("sso_session").map(str::to_string);
        let own = [
            "sso_region",
            "sso_start_url",
            "sso_account_id",
            "sso_role_name",
        ];
        if named.is_none() && own.iter().all(|key| profile.get(key).is_none()) {
            return Ok(None);
        }
        let wrong = |why: String| {
            let text = format!("profile {:?} uses SSO, but {why}", profile.name);
            Error::new(Kind::CredentialsMissing, text)
        };
        if let (Some(name), None) = (&named, session) {
            return Err(wrong(format!("there is no [sso-session {name}]")));
        }
        let (place, shown) = match (session, &named) {
            (Some(session), Some(name)) => (session, format!("[sso-session {name}]")),
            _ => (profile, "it".to_string()),
        };
        let get = |from: &Section<'_>, key: &str, shown: &str| {
            let value = from.get(key).map(str::to_string);
            value.ok_or_else(|| wrong(format!("{shown} has no {key}")))
        };
        let region = get(place, "sso_region", &shown)?;
        let start_url = get(place, "sso_start_url", &shown)?;
        for (key, value) in [("sso_region", &region), ("sso_start_url", &start_url)] {
            if profile.get(key).is_some_and(|own| own != value) {
                return Err(wrong(format!("its {key} is not that of {shown}")));
            }
        }
        if plain_region(&region).is_none() {
            return Err(wrong(format!("{region:?} is not a region")));
        }
        Ok(Some(Settings {
            session: named,
            region,
            start_url,
            account: get(profile, "sso_account_id", "it")?,
            role: get(profile, "sso_role_name", "it")?,
        }))
    }
}

/// One role of one account.
pub(super) struct Sso {
    settings: Settings,
    file: PathBuf,
    portal: Service,
    oidc: Service,
    /// The last token that was renewed here, for a file that cannot be written.
    renewed: Mutex<Option<CachedToken>>,
}

struct Service {
    http: Http,
    url: String,
    host: String,
}

impl Service {
    fn new(url: &str, reach: &Reach) -> Result<Service> {
        let (tls, host) = split_url(url)
            .ok_or_else(|| Error::usage(format!("{url:?} is not an endpoint URL for SSO")))?;
        Ok(Service {
            http: Http::internet(host, tls, reach)?,
            url: url.trim_end_matches('/').to_string(),
            host: host.to_string(),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoleAnswer {
    role_credentials: RoleKeys,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoleKeys {
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Secret,
    /// Milliseconds since 1970.
    expiration: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenRequest<'a> {
    client_id: &'a str,
    client_secret: &'a str,
    grant_type: &'a str,
    refresh_token: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewToken {
    access_token: Secret,
    /// Seconds.
    expires_in: u32,
    refresh_token: Option<Secret>,
}

#[derive(Deserialize, Default)]
struct Refused {
    #[serde(default)]
    message: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Sso {
    /// `portal` and `oidc` are the URLs of the two services.
    pub fn new(
        settings: Settings,
        home: &Path,
        portal: &str,
        oidc: &str,
        reach: &Reach,
    ) -> Result<Sso> {
        let key = settings.session.as_ref().unwrap_or(&settings.start_url);
        Ok(Sso {
            file: sso_cache::path(home, key),
            portal: Service::new(portal, reach)?,
            oidc: Service::new(oidc, reach)?,
            settings,
            renewed: Mutex::new(None),
        })
    }

    fn shown(&self) -> String {
        match &self.settings.session {
            Some(name) => format!("SSO session {name:?}"),
            None => format!("SSO of {}", self.settings.start_url),
        }
    }

    fn log_in(&self) -> &'static str {
        "run 'aws sso login' with this profile"
    }

    /// A token that is good now: the file's, or a new one in exchange for its refresh token.
    fn token(&self) -> Result<Secret> {
        let mut kept = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Time::local_now();
        let good = |t: &CachedToken| t.expires > now.plus(NEARLY_OVER);
        if let Some(token) = kept.as_ref().filter(|t| good(t)) {
            return Ok(token.access.clone());
        }
        let mut token = match (CachedToken::load(self.file.clone()), kept.take()) {
            // Somebody has logged in anew.
            (Ok(token), old) if good(&token) || old.is_none() => token,
            (_, Some(old)) => old,
            (Ok(token), None) => token,
            (Err(error), None) => return Err(error.hint(self.log_in())),
        };
        if good(&token) {
            return Ok(token.access.clone());
        }
        let renewed = self.renew(&mut token, now);
        match renewed {
            Ok(()) => {
                let access = token.access.clone();
                *kept = Some(token);
                Ok(access)
            }
            // It still has some seconds.
            Err(_) if token.expires > now => Ok(token.access.clone()),
            Err(error) => Err(error),
        }
    }

    fn renew(&self, token: &mut CachedToken, now: Time) -> Result<()> {
        let file = token.path.display();
        let renewal = token
            .renewal
            .as_ref()
            .filter(|_| self.settings.session.is_some());
        let Some(renewal) = renewal else {
            let text = format!(
                "the token of {} in {file} expired at {}",
                self.shown(),
                token.expires.rfc3339()
            );
            return Err(Error::new(Kind::CredentialsMissing, text).hint(self.log_in()));
        };
        let doing = format!(
            "renewing the token of {} at {}",
            self.shown(),
            self.oidc.host
        );
        let body = serde_json::to_string(&TokenRequest {
            client_id: &renewal.client_id,
            client_secret: renewal.client_secret.expose(),
            grant_type: "refresh_token",
            refresh_token: renewal.refresh_token.expose(),
        });
        let body = Zeroizing::new(body.map_err(|_| nonsense(&doing))?);
        let url = format!("{}/token", self.oidc.url);
        let send = |http: &Http, within: Duration| {
            http.send(&Ask {
                method: "POST",
                url: &url,
                headers: &[
                    ("content-type", "application/json"),
                    ("accept", "application/json"),
                ],
                body: Some(body.as_bytes()),
                within,
            })
        };
        let reply = self.oidc.http.send_patiently(WITHIN, send, |_| false);
        let reply = reply.map_err(|broken| unreachable(&doing, &broken))?;
        if reply.status != 200 {
            let secrets = [
                renewal.refresh_token.expose(),
                renewal.client_secret.expose(),
            ];
            return Err(refused(&doing, &reply, &secrets).hint(self.log_in()));
        }
        let new: NewToken = serde_json::from_slice(&reply.body).map_err(|_| nonsense(&doing))?;
        let expires = now.plus(Duration::from_secs(new.expires_in.into()));
        if new.access_token.is_empty() {
            return Err(nonsense(&doing));
        }
        // The file may be mounted read-only: then the token lives as long as this run.
        let _ = token.renew(new.access_token, new.refresh_token, expires);
        Ok(())
    }
}

impl Source for Sso {
    fn fetch(&self) -> Result<Credentials> {
        let token = self.token()?;
        let Settings { account, role, .. } = &self.settings;
        let doing = format!(
            "asking {} at {} for keys of role {role} in account {account}",
            self.shown(),
            self.portal.host
        );
        let url = format!(
            "{}/federation/credentials?role_name={}&account_id={}",
            self.portal.url,
            uri_encode(role, false),
            uri_encode(account, false)
        );
        let send = |http: &Http, within: Duration| {
            http.send(&Ask {
                method: "GET",
                url: &url,
                headers: &[
                    ("x-amz-sso_bearer_token", token.expose()),
                    ("accept", "application/json"),
                ],
                body: None,
                within,
            })
        };
        let reply = self.portal.http.send_patiently(WITHIN, send, |_| false);
        let reply = reply.map_err(|broken| unreachable(&doing, &broken))?;
        match reply.status {
            200 => {}
            status => {
                let hint = match status {
                    401 => self.log_in(),
                    _ => "may this user take on that role?",
                };
                return Err(refused(&doing, &reply, &[token.expose()]).hint(hint));
            }
        }
        let answer: RoleAnswer =
            serde_json::from_slice(&reply.body).map_err(|_| nonsense(&doing))?;
        let keys = answer.role_credentials;
        if keys.access_key_id.is_empty() || keys.secret_access_key.is_empty() {
            return Err(nonsense(&doing));
        }
        let source = format!("{}, role {role} in account {account}", self.shown());
        Ok(Credentials::new(
            &keys.access_key_id,
            keys.secret_access_key.expose(),
            Some(keys.session_token.expose()),
            &source,
        )
        .until(Some(Time(keys.expiration))))
    }
}

fn refused(doing: &str, reply: &Reply, secrets: &[&str]) -> Error {
    let answer: Refused = serde_json::from_slice(&reply.body).unwrap_or_default();
    let parts = [&*answer.error, &answer.error_description, &answer.message];
    let said = said(&parts, secrets);
    let text = format!("{doing}: status {}{said}", reply.status);
    let kind = match reply.status {
        429 | 500..=599 => Kind::Network,
        _ => Kind::CredentialsRefused,
    };
    Error::new(kind, text)
}

fn nonsense(doing: &str) -> Error {
    Error::new(Kind::Network, format!("{doing}: the answer makes no sense"))
}

#[cfg(test)]
mod tests;
