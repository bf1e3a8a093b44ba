//! HTTP as the client sees it: one signed request out, one answer in. The real one is ureq; tests bring their own.

use super::proxy::ProxyRules;
use super::rate::Rate;
use super::tls::{self, TlsOptions};
use crate::error::Result;
use std::io::Read;
use std::time::Duration;
use ureq::http;
use ureq::typestate::AgentScope;

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
    /// On a new connection, to an address that is looked up anew.
    pub fresh: bool,
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
    /// The proxy on the way refused, or is none.
    Proxy,
    /// The proxy could not be reached: the message begins with its address.
    NoProxy,
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

impl Timeouts {
    /// No silence longer than `limit`.
    pub fn within(limit: Duration) -> Timeouts {
        let usual = Timeouts::default();
        let limit = limit.max(Duration::from_secs(1));
        Timeouts {
            connect: usual.connect.min(limit),
            stall: usual.stall.min(limit),
        }
    }
}

/// Bytes a second, each way.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    /// Of bodies that are sent.
    pub up: Option<Rate>,
    /// Of bodies that arrive.
    pub down: Option<Rate>,
}

/// The real network.
pub struct Network {
    agent: ureq::Agent,
    proxies: ProxyRules,
    rates: Rates,
}

impl Network {
    /// A pool of connections for all of the program's threads.
    ///
    /// # Errors
    /// `Usage` for a proxy or a CA bundle that cannot be used.
    pub fn new(
        host: &str,
        tls: &TlsOptions,
        proxies: &ProxyRules,
        timeouts: Timeouts,
        rates: Rates,
    ) -> Result<Network> {
        // Each request asks for itself; this one shows early whether there is anything to complain about.
        proxies.proxy_for(host, tls.enabled)?;
        let config = plain_config(timeouts.connect)
            .user_agent("")
            .proxy(None)
            .max_idle_connections(64)
            .max_idle_connections_per_host(64)
            .timeout_per_read(Some(timeouts.stall))
            .timeout_per_write(Some(timeouts.stall))
            // Headers could drip, too.
            .timeout_recv_response(Some(timeouts.stall * 4))
            .tls_config(
                ureq::tls::TlsConfig::builder()
                    .disable_verification(tls.disable_verification)
                    .build(),
            )
            .build();
        Ok(Network {
            agent: tls::agent(config, tls)?,
            proxies: proxies.clone(),
            rates,
        })
    }

    /// Sends `body` to the host that the URL names, by the proxy that is right for it.
    fn run<B: ureq::AsSendBody>(
        &self,
        request: http::Request<B>,
        fresh: bool,
    ) -> std::result::Result<http::Response<ureq::Body>, Broken> {
        let uri = request.uri();
        let proxy = self
            .proxies
            .proxy_for(
                uri.host().unwrap_or_default(),
                uri.scheme_str() == Some("https"),
            )
            .map_err(|e| Broken {
                kind: BrokenKind::Proxy,
                message: e.to_string(),
            })?;
        let mut config = self.agent.configure_request(request).proxy(proxy.clone());
        if fresh {
            config = config.max_idle_age(Duration::ZERO);
        }
        self.agent.run(config.build()).map_err(|error| {
            let broken = broken(error);
            match &proxy {
                Some(proxy) => blame(proxy, broken),
                None => broken,
            }
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
        let answer = match (request.body, &self.rates.up) {
            (Some(body), Some(rate)) => {
                let mut slow = rate.slow(body);
                // A reader has no length of its own, and would be sent in chunks.
                let built = builder
                    .header("content-length", body.len())
                    .body(ureq::SendBody::from_reader(&mut slow))
                    .map_err(unbuildable)?;
                self.run(built, request.fresh)
            }
            (Some(body), None) => self.run(builder.body(body).map_err(unbuildable)?, request.fresh),
            (None, _) => self.run(builder.body(()).map_err(unbuildable)?, request.fresh),
        };
        let (parts, body) = answer?.into_parts();
        let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            Some((name.as_str().to_string(), value.to_str().ok()?.to_string()))
        };
        let headers = parts.headers.iter().filter_map(text).collect();
        let body = body.into_reader();
        Ok(HttpResponse {
            status: parts.status.as_u16(),
            headers,
            body: match &self.rates.down {
                Some(rate) => Box::new(rate.slow(body)),
                None => Box::new(body),
            },
        })
    }
}

/// With a proxy, names are looked up and connections are made for it; TLS may be its own or the storage's.
fn blame(proxy: &ureq::Proxy, broken: Broken) -> Broken {
    let own_tls = proxy.protocol() == ureq::ProxyProtocol::Https;
    match broken.kind {
        BrokenKind::NameLookup | BrokenKind::Refused => {}
        BrokenKind::Tls if own_tls => {}
        _ => return broken,
    }
    // Without user and password.
    let scheme = if own_tls { "https" } else { "http" };
    Broken {
        kind: BrokenKind::NoProxy,
        message: format!(
            "{scheme}://{}:{}: {}",
            proxy.host(),
            proxy.port(),
            broken.message
        ),
    }
}

/// Answers as they are, whatever their status; no header that was not asked for.
pub(super) fn plain_config(connect: Duration) -> ureq::config::ConfigBuilder<AgentScope> {
    ureq::config::Config::builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .accept("")
        .accept_encoding("")
        .max_response_header_size(64 * 1024)
        .timeout_connect(Some(connect))
}

pub(super) fn unbuildable(error: http::Error) -> Broken {
    Broken {
        kind: BrokenKind::Other,
        message: format!("the request cannot be built: {error}"),
    }
}

/// What a read error inside a body means.
pub fn broken_io(error: std::io::Error) -> Broken {
    broken(ureq::Error::from(error))
}

pub(super) fn broken(error: ureq::Error) -> Broken {
    use std::io::ErrorKind;
    let kind = match &error {
        ureq::Error::HostNotFound => BrokenKind::NameLookup,
        ureq::Error::Other(inner) if inner.is::<tls::NoSuchName>() => BrokenKind::NameLookup,
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_) => BrokenKind::Tls,
        ureq::Error::Timeout(_) => BrokenKind::Timeout,
        ureq::Error::Protocol(_) => BrokenKind::NotHttp,
        ureq::Error::ConnectProxyFailed(_) => BrokenKind::Proxy,
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
        // `... responded 407/407`
        ureq::Error::ConnectProxyFailed(why) => why.split('/').next().unwrap_or(why).to_string(),
        other => other.to_string(),
    };
    Broken { kind, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    #[test]
    fn a_dead_proxy_is_named_without_its_password() {
        // Bound and not listened at any more: refused.
        let bound = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = bound.local_addr().unwrap().port();
        drop(bound);
        let address = format!("http://user:hunter2@127.0.0.1:{port}");
        let rules =
            ProxyRules::from_env(&|name| (name == "all_proxy").then(|| OsString::from(&address)));
        let tls = TlsOptions {
            enabled: false,
            disable_verification: false,
            extra_roots: Vec::new(),
        };
        let (host, timeouts) = ("s3.example.com", Timeouts::default());
        let network = Network::new(host, &tls, &rules, timeouts, Rates::default()).unwrap();
        let request = HttpRequest {
            method: "GET",
            url: "http://s3.example.com/b",
            headers: &[],
            body: None,
            fresh: false,
        };
        let broken = network.exchange(&request).err().unwrap();
        assert_eq!(broken.kind, BrokenKind::NoProxy, "{broken:?}");
        let named = broken
            .message
            .starts_with(&format!("http://127.0.0.1:{port}: "));
        assert!(named && !broken.message.contains("hunter2"), "{broken:?}");
    }
}
