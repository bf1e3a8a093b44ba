//! Keys of a container: Amazon ECS task roles, EKS pod identities, and helpers that speak the same protocol.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>

use super::http::{Ask, Http, Reach, said, split_url, unreachable};
use super::{Credentials, Env, Secret, Source, env_path, env_text, parse_time, web_identity};
use crate::error::{Error, Kind, Result};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

/// Where `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` starts.
const ECS: &str = "http://169.254.170.2";
/// For one set of keys, all attempts together.
const WITHIN: Duration = Duration::from_secs(10);

/// One endpoint.
pub(super) struct Container {
    http: Http,
    url: String,
    host: String,
    token: Token,
}

/// What is sent as `authorization`.
enum Token {
    None,
    Plain(Secret),
    /// Read each time.
    File(PathBuf),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    #[serde(default)]
    access_key_id: String,
    #[serde(default)]
    secret_access_key: Secret,
    token: Option<Secret>,
    expiration: Option<String>,
}

#[derive(Deserialize, Default)]
struct Refused {
    #[serde(default, alias = "Code")]
    code: String,
    #[serde(default, alias = "Message")]
    message: String,
}

impl Container {
    /// What the environment names; `None` if it names nothing.
    ///
    /// # Errors
    /// A URL that is none, or plain HTTP to a host that may not be asked so.
    pub fn from_env(env: Env<'_>, reach: &Reach) -> Result<Option<Container>> {
        if let Some(path) = env_text(env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            return Container::relative(ECS, &path, env).map(Some);
        }
        match env_text(env, "AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            Some(url) => Container::full(&url, env, reach).map(Some),
            None => Ok(None),
        }
    }

    fn relative(base: &str, path: &str, env: Env<'_>) -> Result<Container> {
        if !path.starts_with('/') {
            let text = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with a slash";
            return Err(Error::usage(text));
        }
        let http = Http::local(Duration::from_secs(1), is_allowed);
        Container::new(http, format!("{base}{path}"), env)
    }

    fn full(url: &str, env: Env<'_>, reach: &Reach) -> Result<Container> {
        let (tls, host) = split_url(url).ok_or_else(not_a_url)?;
        let http = match tls {
            true => Http::internet(host, true, reach)?,
            false => Http::local(Duration::from_secs(1), is_allowed),
        };
        Container::new(http, url.to_string(), env)
    }

    fn new(http: Http, url: String, env: Env<'_>) -> Result<Container> {
        let (_, host) = split_url(&url).ok_or_else(not_a_url)?;
        let host = host.to_string();
        let token = match env_path(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            Some(file) => Token::File(file),
            None => env_text(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN")
                .map_or(Token::None, |t| Token::Plain(Secret::new(t))),
        };
        Ok(Container {
            http,
            url,
            host,
            token,
        })
    }

    fn authorization(&self) -> Result<Option<Secret>> {
        let token = match &self.token {
            Token::None => return Ok(None),
            Token::Plain(token) => token.clone(),
            Token::File(path) => web_identity::read_token(path).map_err(|e| {
                let shown = path.display();
                let text = format!("the container authorization token file {shown} cannot be read");
                Error::new(Kind::CredentialsMissing, text).with_source(e)
            })?,
        };
        if token.expose().contains(['\r', '\n']) {
            // It would end the header, and begin another.
            let text = "the container authorization token has a line break in it";
            return Err(Error::new(Kind::CredentialsMissing, text)
                .hint("write it without one, at its end too"));
        }
        Ok(Some(token))
    }
}

impl Source for Container {
    fn fetch(&self) -> Result<Credentials> {
        // The path of the URL is as good as a key: only the host is named.
        let doing = format!("asking the container credentials service at {}", self.host);
        let token = self.authorization()?;
        let mut headers = vec![("accept", "application/json")];
        headers.extend(token.as_ref().map(|t| ("authorization", t.expose())));
        let send = |http: &Http, within: Duration| {
            http.send(&Ask {
                method: "GET",
                url: &self.url,
                headers: &headers,
                body: None,
                within: within.min(Duration::from_secs(5)),
            })
        };
        let reply = self.http.send_patiently(WITHIN, send, |_| false);
        let reply = reply
            .map_err(|broken| unreachable(&doing, &broken).with_kind(Kind::CredentialsMissing))?;
        let wrong = |why: String| Error::new(Kind::CredentialsMissing, format!("{doing}: {why}"));
        if !(200..300).contains(&reply.status) {
            let answer: Refused = serde_json::from_slice(&reply.body).unwrap_or_default();
            let secret = token.as_ref().map_or("", |t| t.expose());
            let said = said(&[&answer.code, &answer.message], &[secret]);
            let text = format!("it answered with status {}{said}", reply.status);
            return Err(wrong(text)
                .hint("check its authorization token, and that the task or pod has a role"));
        }
        let given: Given = serde_json::from_slice(&reply.body)
            .map_err(|_| wrong("its answer is not the JSON of keys".into()))?;
        if given.access_key_id.is_empty() || given.secret_access_key.is_empty() {
            return Err(wrong(
                "its answer has no AccessKeyId or no SecretAccessKey".into(),
            ));
        }
        let expires = match given.expiration.as_deref().filter(|e| !e.is_empty()) {
            None => None,
            Some(text) => {
                Some(parse_time(text).ok_or_else(|| wrong("its Expiration is no time".into()))?)
            }
        };
        Ok(Credentials::new(
            &given.access_key_id,
            given.secret_access_key.expose(),
            given.token.as_ref().map(Secret::expose),
            &format!("container credentials service at {}", self.host),
        )
        .until(expires))
    }
}

fn not_a_url() -> Error {
    Error::usage("AWS_CONTAINER_CREDENTIALS_FULL_URI is not a URL with http or https and a host")
}

/// Plain HTTP goes to this host, and to the addresses of Amazon ECS and EKS.
fn is_allowed(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let known = [
        IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
        IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    ];
    address.is_loopback() || known.contains(&address)
}

#[cfg(test)]
mod tests;
