//! Small requests to the services that give keys: short limits in time and size, no redirects, no retries of its own.

use super::Env;
use crate::error::{Error, Kind, Result};
use crate::s3::clock::parse_http_date;
use crate::s3::proxy::ProxyRules;
use crate::s3::retry::jitter;
use crate::s3::tls::{self, TlsOptions};
use crate::s3::transport::{Broken, BrokenKind, broken, broken_io, plain_config, unbuildable};
use crate::units::Time;
use std::io::Read;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use ureq::http;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use zeroize::Zeroizing;

/// No answer of these services is longer.
const MAX_BODY: u64 = 256 << 10;
/// Attempts of one request, as in the SDKs' standard retry mode.
const ATTEMPTS: u32 = 3;

/// What services on the internet need: trust and proxies.
#[derive(Clone, Default)]
pub(super) struct Reach {
    /// PEM files whose certificates are trusted beside the built-in ones.
    pub roots: Vec<PathBuf>,
    /// Proxies by the environment.
    pub proxies: ProxyRules,
}

impl Reach {
    pub fn new(roots: &[PathBuf], env: Env<'_>) -> Reach {
        Reach {
            roots: roots.to_vec(),
            proxies: ProxyRules::from_env(env),
        }
    }
}

/// One request.
pub(super) struct Ask<'a> {
    pub method: &'a str,
    pub url: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    /// `None` sends no body and no length.
    pub body: Option<&'a [u8]>,
    /// For all of it, name lookup and the answer's body included.
    pub within: Duration,
}

/// Its answer.
pub(super) struct Reply {
    pub status: u16,
    /// The server's clock.
    pub date: Option<Time>,
    pub body: Zeroizing<Vec<u8>>,
}

/// A way to one kind of service.
pub(super) struct Http {
    agent: ureq::Agent,
}

impl Http {
    /// A service on the internet at `host`, by proxy where the environment says so.
    pub fn internet(host: &str, tls: bool, reach: &Reach) -> Result<Http> {
        let proxy = reach.proxies.proxy_for(host, tls)?;
        let options = TlsOptions {
            enabled: tls,
            disable_verification: false,
            extra_roots: reach.roots.clone(),
        };
        let config = plain_config(Duration::from_secs(5)).proxy(proxy).build();
        Ok(Http {
            agent: tls::agent(config, &options)?,
        })
    }

    /// A service of this host, or of the machine it runs on: no proxy. All addresses of its name must be `allowed`.
    pub fn local(connect: Duration, allowed: fn(IpAddr) -> bool) -> Http {
        let resolver = Allowed {
            system: DefaultResolver::default(),
            allowed,
        };
        let config = plain_config(connect).proxy(None).build();
        Http {
            agent: ureq::Agent::with_parts(config, DefaultConnector::default(), resolver),
        }
    }

    /// One exchange.
    pub fn send(&self, ask: &Ask<'_>) -> std::result::Result<Reply, Broken> {
        let mut builder = http::Request::builder().method(ask.method).uri(ask.url);
        builder = builder.header("user-agent", concat!("corso/", env!("CARGO_PKG_VERSION")));
        for (name, value) in ask.headers {
            builder = builder.header(*name, *value);
        }
        let within = Some(ask.within);
        let answer = match ask.body {
            Some(body) => {
                let request = builder.body(body).map_err(unbuildable)?;
                let configured = self.agent.configure_request(request);
                self.agent.run(configured.timeout_global(within).build())
            }
            None => {
                let request = builder.body(()).map_err(unbuildable)?;
                let configured = self.agent.configure_request(request);
                self.agent.run(configured.timeout_global(within).build())
            }
        };
        let (parts, body) = answer.map_err(broken)?.into_parts();
        let date = parts.headers.get("date").and_then(|d| d.to_str().ok());
        let mut bytes = Zeroizing::new(Vec::with_capacity(8 << 10));
        body.into_reader()
            .take(MAX_BODY + 1)
            .read_to_end(&mut bytes)
            .map_err(broken_io)?;
        if bytes.len() as u64 > MAX_BODY {
            return Err(Broken {
                kind: BrokenKind::NotHttp,
                message: "the answer is longer than 256 KiB".into(),
            });
        }
        Ok(Reply {
            status: parts.status.as_u16(),
            date: date.and_then(parse_http_date),
            body: bytes,
        })
    }

    /// Sends what `ask` makes, up to three times while the network or the service has passing trouble. `again` says which
    /// answers are that, beside 429 and 5xx.
    pub fn send_patiently(
        &self,
        within: Duration,
        mut ask: impl FnMut(&Http, Duration) -> std::result::Result<Reply, Broken>,
        again: impl Fn(&Reply) -> bool,
    ) -> std::result::Result<Reply, Broken> {
        let end = Instant::now() + within;
        let mut attempt = 1;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let result = ask(self, left.max(Duration::from_millis(1)));
            let passing = match &result {
                Ok(reply) => matches!(reply.status, 429 | 500..=599) || again(reply),
                Err(e) => !matches!(e.kind, BrokenKind::Tls | BrokenKind::NotHttp),
            };
            let pause =
                Duration::from_secs_f64(0.1 * f64::from(1 << attempt) * (0.5 + jitter() / 2.0));
            if !passing || attempt >= ATTEMPTS || Instant::now() + pause >= end {
                return result;
            }
            std::thread::sleep(pause);
            attempt += 1;
        }
    }
}

/// The error of a service that did not answer.
pub(super) fn unreachable(what: &str, broken: &Broken) -> Error {
    let kind = match broken.kind {
        BrokenKind::NameLookup => Kind::NameLookup,
        BrokenKind::Refused => Kind::ConnectionRefused,
        BrokenKind::Tls => Kind::Tls,
        _ => Kind::Network,
    };
    Error::new(kind, format!("{what}: {}", broken.message))
}

/// What a service said, for the end of a message: parts that are empty, or repeat the beginning of a secret, stay out.
pub(super) fn said(parts: &[&str], secrets: &[&str]) -> String {
    let begin = |s: &str| s.chars().take(16).collect::<String>();
    let secrets: Vec<String> = secrets
        .iter()
        .map(|s| begin(s))
        .filter(|s| s.len() >= 6)
        .collect();
    parts
        .iter()
        .filter(|part| !part.is_empty() && !secrets.iter().any(|s| part.contains(s.as_str())))
        .map(|part| format!(", {:?}", part.chars().take(200).collect::<String>()))
        .collect()
}

/// The system's resolver, which refuses a name any of whose addresses is not allowed. What is checked is what is used.
#[derive(Debug)]
struct Allowed {
    system: DefaultResolver,
    allowed: fn(IpAddr) -> bool,
}

impl Resolver for Allowed {
    fn resolve(
        &self,
        uri: &http::Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> std::result::Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.system.resolve(uri, config, timeout)?;
        match found.iter().find(|a| !(self.allowed)(a.ip())) {
            None => Ok(found),
            Some(_) => Err(ureq::Error::Other(Box::new(NotAllowed))),
        }
    }
}

#[derive(Debug)]
pub(super) struct NotAllowed;

impl std::fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the host is not one that may give keys over plain HTTP")
    }
}

impl std::error::Error for NotAllowed {}

/// `HOST[:PORT]` of a URL, and whether it has TLS; for messages, where the path may be as good as a key.
pub(super) fn split_url(url: &str) -> Option<(bool, &str)> {
    let (tls, rest) = match url.split_once("://")? {
        (s, rest) if s.eq_ignore_ascii_case("https") => (true, rest),
        (s, rest) if s.eq_ignore_ascii_case("http") => (false, rest),
        _ => return None,
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    (!host.is_empty() && !host.contains('@')).then_some((tls, host))
}
