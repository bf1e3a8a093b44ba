//! Keys of an EC2 instance: the instance metadata service, version 2, and version 1 where there is no other.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html>. On a host that is no
//! EC2 instance nothing answers: all attempts together then end within two seconds.

use super::files::Section;
use super::http::{Ask, Http, Reply, said, split_url};
use super::{Credentials, Env, Secret, Source, env_text, env_true, parse_time};
use crate::error::{Error, Kind, Result};
use crate::s3::transport::{Broken, BrokenKind};
use crate::units::Time;
use serde::Deserialize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const IPV4: &str = "http://169.254.169.254";
const IPV6: &str = "http://[fd00:ec2::254]";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
/// Until something has answered.
const PROBE: Duration = Duration::from_millis(1500);
/// From then on, for one set of keys.
const WITHIN: Duration = Duration::from_secs(5);
/// The token's answer may get lost: in a container its packets are a hop too far.
const TOKEN_WITHIN: Duration = Duration::from_millis(700);
const CONNECT: Duration = Duration::from_millis(300);
/// Life of a session token, the SDK for Go's.
const TTL: Duration = Duration::from_secs(300);
/// Keys are taken for good no longer than this, as in the SDK for Go.
const LONGEST: Duration = Duration::from_secs(3600);

/// The service.
pub(super) struct Imds {
    http: Http,
    base: String,
    v1: bool,
    token: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// A session token and its end.
    token: Option<(Secret, Instant)>,
    /// Tokens are not to be had: version 1 it is.
    no_tokens: bool,
    /// It has answered before.
    answered: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    access_key_id: String,
    #[serde(default)]
    secret_access_key: Secret,
    token: Option<Secret>,
    expiration: Option<String>,
}

impl Imds {
    /// The service that environment and profile name; `None` if `AWS_EC2_METADATA_DISABLED` says so.
    ///
    /// # Errors
    /// An endpoint or mode that is none.
    pub fn new(env: Env<'_>, profile: Option<&Section<'_>>) -> Result<Option<Imds>> {
        if env_true(env, "AWS_EC2_METADATA_DISABLED") {
            return Ok(None);
        }
        let said = |variable: &str, key: &str| {
            let profile = || profile.and_then(|p| p.get(key)).map(str::to_string);
            env_text(env, variable).or_else(profile)
        };
        let endpoint = said(
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            "ec2_metadata_service_endpoint",
        );
        let mode = said(
            "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
            "ec2_metadata_service_endpoint_mode",
        );
        let mode = match mode.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("ipv4") => IPV4,
            Some("ipv6") => IPV6,
            Some(other) => {
                let text = format!("{other:?} is no mode of the instance metadata endpoint");
                return Err(Error::usage(text).hint("write IPv4 or IPv6"));
            }
        };
        let base = endpoint.unwrap_or_else(|| mode.to_string());
        if split_url(&base).is_none() {
            let text = format!("{base:?} is not a URL of an instance metadata service");
            return Err(Error::usage(text).hint("write it as http://HOST"));
        }
        let v1 = said("AWS_EC2_METADATA_V1_DISABLED", "ec2_metadata_v1_disabled");
        Ok(Some(Imds {
            http: Http::local(CONNECT, |_| true),
            base: base.trim_end_matches('/').to_string(),
            v1: !v1.is_some_and(|v| v.eq_ignore_ascii_case("true")),
            token: Mutex::default(),
        }))
    }

    fn error(&self, why: impl std::fmt::Display) -> Error {
        let text = format!("instance metadata at {}: {why}", self.base);
        Error::new(Kind::CredentialsMissing, text)
    }

    /// A request; 404 and the like are answers, too.
    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        within: Duration,
    ) -> std::result::Result<Reply, Broken> {
        self.http.send(&Ask {
            method,
            url: &format!("{}{path}", self.base),
            headers,
            body: (method == "PUT").then_some(&[]),
            within: within.max(Duration::from_millis(1)),
        })
    }

    /// Asks for a session token; at boot, when the network may still be on its way, twice.
    fn put(&self, state: &State, begin: Instant) -> std::result::Result<Reply, NoToken> {
        let ttl = TTL.as_secs().to_string();
        let headers = [("x-aws-ec2-metadata-token-ttl-seconds", ttl.as_str())];
        let mut last = false;
        loop {
            let asked = Instant::now();
            let within = state.left(begin).min(TOKEN_WITHIN);
            let broken = match self.send("PUT", "/latest/api/token", &headers, within) {
                Ok(reply) => return Ok(reply),
                Err(broken) => broken,
            };
            let connected = asked.elapsed() >= CONNECT + Duration::from_millis(150);
            if broken.kind == BrokenKind::Timeout && connected {
                return Err(NoToken::Silence);
            }
            if last || state.left(begin) < CONNECT {
                return Err(NoToken::Nobody(broken));
            }
            last = true;
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The session token; `None` where version 1 must do. A service that is not there is an error.
    fn token(&self, state: &mut State, begin: Instant) -> Result<Option<Secret>> {
        if let Some((token, until)) = &state.token
            && Instant::now() < *until
        {
            return Ok(Some(token.clone()));
        }
        if state.no_tokens {
            return Ok(None);
        }
        let asked = Instant::now();
        let why = match self.put(state, begin) {
            Ok(reply) if reply.status == 200 => {
                state.answered = true;
                let token = Secret::new(String::from_utf8_lossy(&reply.body).trim().to_string());
                if token.is_empty() || !token.expose().bytes().all(|b| b.is_ascii_graphic()) {
                    return Err(self.error("it gave a session token that is none"));
                }
                state.token = Some((token.clone(), asked + TTL));
                return Ok(Some(token));
            }
            Ok(reply) => {
                state.answered = true;
                if reply.status == 400 {
                    return Err(self.error("it refused to give a session token (status 400)"));
                }
                state.no_tokens = self.v1 && matches!(reply.status, 403..=405);
                format!("it gave no session token (status {})", reply.status)
            }
            Err(NoToken::Silence) => {
                state.no_tokens = self.v1;
                "it gave no session token in time".to_string()
            }
            Err(NoToken::Nobody(broken)) => return Err(self.error(broken.message)),
        };
        match self.v1 {
            true => Ok(None),
            false => Err(self.error(why).hint(
                "in a container the instance's hop limit must be 2; version 1 is switched off here",
            )),
        }
    }

    /// Some metadata. A session token that is refused is replaced once; passing trouble is tried again twice.
    fn get(&self, path: &str, begin: Instant) -> Result<Reply> {
        let mut state = self.lock();
        let mut renewed = false;
        let mut failures = 0;
        loop {
            let token = self.token(&mut state, begin)?;
            let header = token
                .as_ref()
                .map(|t| ("x-aws-ec2-metadata-token", t.expose()));
            let headers: Vec<_> = header.into_iter().collect();
            match self.send("GET", path, &headers, state.left(begin)) {
                Ok(reply) if reply.status == 401 && !renewed => {
                    state.answered = true;
                    (state.token, state.no_tokens, renewed) = (None, false, true);
                    continue;
                }
                Ok(reply) if reply.status < 500 || failures == 2 => {
                    state.answered = true;
                    return Ok(reply);
                }
                Ok(_) => state.answered = true,
                Err(broken) if failures == 2 || !state.answered => {
                    return Err(self.error(broken.message));
                }
                Err(_) => {}
            }
            let pause = Duration::from_millis(100 << failures);
            if state.left(begin) <= pause {
                return Err(self.error("it gave no answer in time"));
            }
            failures += 1;
            std::thread::sleep(pause);
        }
    }

    fn good(&self, path: &str, begin: Instant, what: &str) -> Result<Reply> {
        let reply = self.get(path, begin)?;
        match reply.status {
            200 => Ok(reply),
            404 => Err(self.error(format!("it knows no {what}: the instance has no role"))),
            status => Err(self.error(format!("it gave no {what} (status {status})"))),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why there is no session token.
enum NoToken {
    /// Connected, and nothing heard.
    Silence,
    /// Nobody there.
    Nobody(Broken),
}

impl State {
    /// How much of the time that began at `begin` is left.
    fn left(&self, begin: Instant) -> Duration {
        let all = if self.answered { WITHIN } else { PROBE };
        (begin + all).saturating_duration_since(Instant::now())
    }
}

impl Source for Imds {
    fn fetch(&self) -> Result<Credentials> {
        let begin = Instant::now();
        let roles = self.good(ROLES, begin, "role")?;
        let roles = String::from_utf8_lossy(&roles.body).into_owned();
        let role = roles.lines().map(str::trim).find(|l| !l.is_empty());
        let fits = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | '?' | '#' | '%');
        let role = role
            .filter(|r| r.chars().all(fits))
            .ok_or_else(|| self.error("it names no role"))?;
        let reply = self.good(&format!("{ROLES}{role}"), begin, "keys of its role")?;
        let given: Given = serde_json::from_slice(&reply.body)
            .map_err(|_| self.error("its answer is not the JSON of keys"))?;
        if !given.code.eq_ignore_ascii_case("success") {
            let said = said(&[&given.code, &given.message], &[]);
            return Err(self.error(format!("it gave no keys for role {role}{said}")));
        }
        if given.access_key_id.is_empty() || given.secret_access_key.is_empty() {
            return Err(self.error("its answer has no AccessKeyId or no SecretAccessKey"));
        }
        let expires = given.expiration.as_deref().and_then(parse_time);
        let expires = expires.ok_or_else(|| self.error("its Expiration is no time"))?;
        let expires = expires.min(Time::local_now().plus(LONGEST));
        Ok(Credentials::new(
            &given.access_key_id,
            given.secret_access_key.expose(),
            given.token.as_ref().map(Secret::expose),
            &format!("instance metadata, role {role}"),
        )
        .until(Some(expires)))
    }

    fn outlives_failures(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
