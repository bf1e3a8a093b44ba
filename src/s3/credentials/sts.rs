//! AWS Security Token Service: two calls that give temporary keys.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/>. Requests go to the regional endpoint.

use super::http::{self, Ask, Http, Reach, Reply, said, split_url, unreachable};
use super::{Credentials, parse_time};
use crate::error::{Error, Kind, Result};
use crate::s3::canonical::uri_encode;
use crate::s3::clock::Clock;
use crate::s3::response::S3Error;
use crate::s3::response::xml::{self, Node};
use crate::s3::sigv4::{Path, Signer, ToSign};
use crate::units::Time;
use sha2::{Digest, Sha256};
use std::time::Duration;
use zeroize::{Zeroize, Zeroizing};

/// For one call with all its attempts.
const WITHIN: Duration = Duration::from_secs(20);

/// One STS endpoint.
pub(super) struct Sts {
    http: Http,
    url: String,
    host: String,
    path: String,
    region: String,
    clock: Clock,
}

/// Why there are no keys.
pub(super) enum Refusal {
    /// The service said no.
    Said(S3Error),
    /// Anything else.
    Failed(Error),
}

impl Sts {
    /// `base` is a URL without query; requests are signed for `region`.
    pub fn new(base: &str, region: &str, reach: &Reach) -> Result<Sts> {
        let (tls, host) = split_url(base).ok_or_else(|| {
            Error::usage(format!("{base:?} is not an endpoint URL for STS"))
                .hint("write it as https://HOST in AWS_ENDPOINT_URL_STS or the profile")
        })?;
        let path = base.split_once(host).map_or("", |(_, path)| path);
        let path = format!("{}/", path.trim_end_matches('/'));
        let scheme = if tls { "https" } else { "http" };
        Ok(Sts {
            http: Http::internet(host, tls, reach)?,
            url: format!("{scheme}://{host}{path}"),
            host: host.to_string(),
            path,
            region: region.to_string(),
            clock: Clock::default(),
        })
    }

    /// The service's time, as far as known.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// One call, signed with `keys` if there are any. `passing` names error codes that are worth another attempt.
    pub fn call(
        &self,
        parameters: &[(&str, &str)],
        keys: Option<&Credentials>,
        passing: &[&str],
        source: &str,
    ) -> std::result::Result<Credentials, Refusal> {
        let body = form(parameters);
        let again = |reply: &Reply| {
            let error = S3Error::parse(reply.status, &reply.body, None, None);
            passing.contains(&error.code.as_str())
        };
        let mut corrected = false;
        loop {
            let mut signed = Time(0);
            let send = |http: &Http, within| {
                let began = Time::local_now();
                signed = self.clock.at(began);
                let headers = self.headers(&body, keys, signed);
                let pairs: Vec<(&str, &str)> = headers
                    .iter()
                    .filter(|(name, _)| name != "host")
                    .map(|(n, v)| (n.as_str(), v.as_str()))
                    .collect();
                let reply = http.send(&Ask {
                    method: "POST",
                    url: &self.url,
                    headers: &pairs,
                    body: Some(body.as_bytes()),
                    within,
                })?;
                let ended = Time::local_now();
                match (reply.date, reply.status) {
                    (Some(date), 400 | 403) => self.clock.observe_refusal(date, began, ended),
                    (Some(date), _) => self.clock.observe(date, began, ended),
                    (None, _) => 0,
                };
                Ok(reply)
            };
            let reply = self.http.send_patiently(WITHIN, send, again);
            let reply = reply.map_err(|broken| {
                let what = format!("asking STS at {} for keys", self.host);
                Refusal::Failed(
                    unreachable(&what, &broken)
                        .hint("the region decides on the host; AWS_ENDPOINT_URL_STS names another"),
                )
            })?;
            if reply.status == 200 {
                return self.issued(&reply.body, source).map_err(Refusal::Failed);
            }
            if !corrected && matches!(reply.status, 400 | 403) && self.clock.was_off(signed) {
                corrected = true;
                continue;
            }
            let mut error = S3Error::parse(reply.status, &reply.body, None, None);
            if error.code.is_empty() {
                // Not what STS says: a page of something in between.
                error.message.clear();
            }
            // Validation messages may repeat what was sent.
            let secret = |name: &str| matches!(name, "WebIdentityToken" | "TokenCode");
            let secrets = parameters.iter().filter(|(n, _)| secret(n));
            let secrets: Vec<&str> = secrets.map(|(_, value)| *value).collect();
            if said(&[&error.message], &secrets).is_empty() {
                error.message.clear();
            }
            return Err(Refusal::Said(error));
        }
    }

    fn headers(&self, body: &str, keys: Option<&Credentials>, time: Time) -> Vec<(String, String)> {
        let mut headers = vec![
            ("host".to_string(), host_header(&self.host, &self.url)),
            (
                "content-type".to_string(),
                "application/x-www-form-urlencoded; charset=utf-8".to_string(),
            ),
        ];
        if let Some(credentials) = keys {
            let signer = Signer {
                credentials,
                region: &self.region,
                service: "sts",
                time,
                path: Path::Normalized,
                sign_token: true,
            };
            let payload = hex::encode(Sha256::digest(body.as_bytes()));
            let added = signer.sign(&ToSign {
                method: "POST",
                path: &self.path,
                query: &[],
                headers: &headers,
                payload: &payload,
            });
            headers.extend(added.added);
        }
        headers
    }

    /// Keys from `<XResponse><XResult><Credentials>`.
    fn issued(&self, body: &[u8], source: &str) -> Result<Credentials> {
        let wrong = |why: &str| {
            let text = format!("the answer of STS at {} makes no sense: {why}", self.host);
            Error::new(Kind::Network, text)
        };
        let mut root = xml::parse(body).map_err(|why| wrong(&why))?;
        let keys = root
            .children
            .iter()
            .find_map(|result| result.child("Credentials"))
            .ok_or_else(|| wrong("there are no credentials in it"));
        let keys = keys.and_then(|keys| {
            let text = |name: &str| {
                let text = keys.text_of(name).map(str::trim).filter(|t| !t.is_empty());
                text.ok_or_else(|| wrong(&format!("there is no {name} in it")))
            };
            let (access, secret) = (text("AccessKeyId")?, text("SecretAccessKey")?);
            let token = text("SessionToken")?;
            let expires = parse_time(text("Expiration")?)
                .ok_or_else(|| wrong("its Expiration is no time"))?;
            Ok(Credentials::new(access, secret, Some(token), source).until(Some(expires)))
        });
        wipe(&mut root);
        keys
    }
}

/// What a refusal means for `doing`.
pub(super) fn explain(refusal: Refusal, doing: &str, permission: &str) -> Error {
    let error = match refusal {
        Refusal::Failed(error) => return error.context(doing.to_string()),
        Refusal::Said(error) => error,
    };
    let mut said = format!("status {}", error.status);
    said.push_str(&http::said(&[&error.code, &error.message], &[]));
    let text = format!("{doing}: STS refused ({said})");
    match error.code.as_str() {
        "AccessDenied" => Error::new(Kind::PermissionDenied, text).hint(format!(
            "allow {permission}, and let the role's trust policy name who asks"
        )),
        "RequestExpired" => Error::new(Kind::ClockSkew, text).hint("set this host's clock"),
        "RegionDisabledException" => Error::new(Kind::CredentialsRefused, text)
            .hint("switch STS on in that region, or choose another with --region"),
        _ if error.status >= 500 || error.status == 429 => Error::new(Kind::Network, text),
        _ => Error::new(Kind::CredentialsRefused, text).hint("check the role and the keys"),
    }
}

/// The `host` header: the port stays out where it is the scheme's own.
fn host_header(host: &str, url: &str) -> String {
    let port = if url.starts_with("https") {
        ":443"
    } else {
        ":80"
    };
    host.strip_suffix(port).unwrap_or(host).to_string()
}

fn form(parameters: &[(&str, &str)]) -> Zeroizing<String> {
    let mut body = Zeroizing::new(String::from("Version=2011-06-15"));
    for (name, value) in parameters {
        let value = Zeroizing::new(uri_encode(value, false));
        body.push_str(&format!("&{name}="));
        body.push_str(&value);
    }
    body
}

fn wipe(node: &mut Node) {
    node.text.zeroize();
    node.children.iter_mut().for_each(wipe);
}

/// A name for a session that the user did not name.
pub(super) fn session_name() -> String {
    format!("corso-{}", Time::local_now().0)
}
