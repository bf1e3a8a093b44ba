//! HTTP as the client sees it: one signed request out, one answer in. The real one is ureq; tests bring their own.

use super::proxy::ProxyRules;
use super::tls::{self, TlsOptions};
use crate::error::{Error, Result};
use std::io::Read;
use std::time::Duration;
use ureq::http;

/// A signed request.
pub struct HttpRequest<'a> {
    /// `GET`, ...
    pub method: &'a str,
    /// Scheme, host, encoded path and query: sent byte for byte.
    pub url: &'a str,
    /// All headers; `host` is taken from the URL.
    pub headers: &'a [(String, String)],
    /// `None` sends no body and no length.
    pub body: Option<&'a [u8]>,
}

/// An answer whose body has not been read.
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Lower-case names; values that are not text are left out.
    pub headers: Vec<(String, String)>,
    /// The body; a read error is a broken connection.
    pub body: Box<dyn Read + Send>,
}

impl HttpResponse {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokenKind {
    /// The host name has no address.
    NameLookup,
    /// Nothing listens there.
    Refused,
    /// Handshake or certificate.
    Tls,
    /// What answers does not speak HTTP.
    NotHttp,
    /// Nothing heard for too long.
    Timeout,
    /// Reset, ended early, unreachable, ...
    Other,
}

/// No answer, or one that broke off.
#[derive(Clone, Debug)]
pub struct Broken {
    /// What sort.
    pub kind: BrokenKind,
    /// For people.
    pub message: String,
}

/// Sends one request; never retries, never follows redirects.
pub trait Transport: Send + Sync {
    /// One exchange, up to the answer's headers.
    fn exchange(&self, request: &HttpRequest<'_>) -> std::result::Result<HttpResponse, Broken>;
}

/// Time limits of the network.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Name lookup excluded, TLS included.
    pub connect: Duration,
    /// Longest silence while sending or receiving.
    pub stall: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            connect: Duration::from_secs(15),
            stall: Duration::from_secs(60),
        }
    }
}

/// The real network.
pub struct Network {
    agent: ureq::Agent,
}

impl Network {
    /// An agent for one host, with a pool of connections for all of the program's threads.
    pub fn new(
        host: &str,
        tls: &TlsOptions,
        proxies: &ProxyRules,
        timeouts: Timeouts,
    ) -> Result<Network> {
        let proxy = proxies.proxy_for(host, tls.enabled)?;
        let config = ureq::config::Config::builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent("")
            .accept("")
            .accept_encoding("")
            .proxy(proxy)
            .max_idle_connections(64)
            .max_idle_connections_per_host(64)
            .max_response_header_size(64 * 1024)
            .timeout_connect(Some(timeouts.connect))
            .timeout_per_read(Some(timeouts.stall))
            .timeout_per_write(Some(timeouts.stall))
            .tls_config(
                ureq::tls::TlsConfig::builder()
                    .disable_verification(tls.disable_verification)
                    .build(),
            )
            .build();
        Ok(Network {
            agent: tls::agent(config, tls)?,
        })
    }
}

impl Transport for Network {
    fn exchange(&self, request: &HttpRequest<'_>) -> std::result::Result<HttpResponse, Broken> {
        let mut builder = http::Request::builder()
            .method(request.method)
            .uri(request.url);
        for (name, value) in request.headers.iter().filter(|(name, _)| name != "host") {
            builder = builder.header(name, value);
        }
        let answer = match request.body {
            Some(body) => self.agent.run(builder.body(body).map_err(unbuildable)?),
            None => self.agent.run(builder.body(()).map_err(unbuildable)?),
        };
        let (parts, body) = answer.map_err(broken)?.into_parts();
        let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            Some((name.as_str().to_string(), value.to_str().ok()?.to_string()))
        };
        let headers = parts.headers.iter().filter_map(text).collect();
        Ok(HttpResponse {
            status: parts.status.as_u16(),
            headers,
            body: Box::new(body.into_reader()),
        })
    }
}

fn unbuildable(error: http::Error) -> Broken {
    Broken {
        kind: BrokenKind::Other,
        message: format!("the request cannot be built: {error}"),
    }
}

/// What a read error inside a body means.
pub fn broken_io(error: std::io::Error) -> Broken {
    broken(ureq::Error::from(error))
}

fn broken(error: ureq::Error) -> Broken {
    use std::io::ErrorKind;
    let kind = match &error {
        ureq::Error::HostNotFound => BrokenKind::NameLookup,
        ureq::Error::Other(inner) if inner.is::<tls::NoSuchName>() => BrokenKind::NameLookup,
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_) => BrokenKind::Tls,
        ureq::Error::Timeout(_) => BrokenKind::Timeout,
        ureq::Error::Protocol(_) => BrokenKind::NotHttp,
        ureq::Error::Io(io) if io.kind() == ErrorKind::ConnectionRefused => BrokenKind::Refused,
        ureq::Error::Io(io) if io.kind() == ErrorKind::TimedOut => BrokenKind::Timeout,
        ureq::Error::Io(io) if io.get_ref().is_some_and(|e| e.is::<rustls::Error>()) => {
            BrokenKind::Tls
        }
        _ => BrokenKind::Other,
    };
    let message = match &error {
        ureq::Error::Timeout(_) => "no answer in time".to_string(),
        ureq::Error::Io(io) => io.to_string(),
        ureq::Error::Other(inner) => inner.to_string(),
        other => other.to_string(),
    };
    Broken { kind, message }
}

/// For constructors: a transport that cannot be set up.
pub(super) fn setup(error: ureq::Error) -> Error {
    Error::usage(format!("setting up the network: {error}"))
}
