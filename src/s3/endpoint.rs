//! Where requests go: the endpoint as people write it, and the address of a bucket at it.

use super::credentials::{Env, env_text};
use super::provider::{self, Addressing, Provider, RegionRule};
use super::region::DEFAULT_REGION;
use crate::error::{Error, Result};

/// The endpoint where none is given.
pub const DEFAULT_ENDPOINT: &str = "s3.amazonaws.com";

/// What flags and environment say about the dialect of an endpoint, instead of its host name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// `--provider`
    pub provider: Option<&'static Provider>,
    /// `--addressing`
    pub addressing: Option<Addressing>,
    /// `AWS_USE_DUALSTACK_ENDPOINT`: AWS's names that have IPv6 addresses too.
    pub dualstack: bool,
    /// `AWS_USE_FIPS_ENDPOINT`: AWS's servers with validated cryptography.
    pub fips: bool,
}

impl Dialect {
    /// With what the environment says about AWS's names; what is set already stays.
    ///
    /// # Errors
    /// `Usage` for a value that is neither true nor false.
    pub fn with_env(self, env: Env<'_>) -> Result<Dialect> {
        Ok(Dialect {
            dualstack: self.dualstack || truth(env, "AWS_USE_DUALSTACK_ENDPOINT")?,
            fips: self.fips || truth(env, "AWS_USE_FIPS_ENDPOINT")?,
            ..self
        })
    }
}

fn truth(env: Env<'_>, name: &str) -> Result<bool> {
    match env_text(env, name)
        .map(|v| v.to_ascii_lowercase())
        .as_deref()
    {
        Some("true") => Ok(true),
        None | Some("false") => Ok(false),
        Some(other) => Err(Error::usage(format!(
            "environment variable {name} is {other:?}, and must be true or false"
        ))),
    }
}

/// A parsed endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    tls: bool,
    /// Lower case; IPv6 literals in brackets.
    host: String,
    port: Option<u16>,
    /// That the host name says.
    region: Option<String>,
    provider: &'static Provider,
    /// The host name is one of the provider's.
    own_name: bool,
    dialect: Dialect,
}

/// Where one bucket is: what requests are built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The `host` header: without the scheme's default port.
    pub host: String,
    /// `/bucket` in path style, else empty.
    pub base: String,
}

impl Endpoint {
    /// Parses `host[:port]`. A scheme is accepted where it agrees with `disable_tls`: `https://` without it, `http://` with it.
    pub fn parse(text: &str, disable_tls: bool) -> Result<Endpoint> {
        let wrong = |why: &str| Error::usage(format!("{text:?} is not an endpoint: {why}"));
        let bad = |why: &str| {
            wrong(why).hint("write it as HOST or HOST:PORT, for example s3.example.com:9000")
        };
        let (scheme_tls, rest) = split_scheme(text.trim()).map_err(bad)?;
        match scheme_tls {
            Some(true) if disable_tls => {
                return Err(wrong("it says https, and TLS is switched off")
                    .hint("write HOST:PORT without a scheme, or leave out --disable-tls"));
            }
            Some(false) if !disable_tls => {
                return Err(wrong("it says http, and TLS is on")
                    .hint("write HOST:PORT without a scheme and add --disable-tls"));
            }
            _ => {}
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = split_port(rest).map_err(bad)?;
        let (provider, region) = provider::of_host(&host);
        let default = if disable_tls { 80 } else { 443 };
        Ok(Endpoint {
            tls: !disable_tls,
            own_name: !provider.endpoints.is_empty(),
            host,
            port: port.filter(|p| *p != default),
            region,
            provider,
            dialect: Dialect::default(),
        })
    }

    /// The same in another dialect.
    ///
    /// # Errors
    /// `Usage` for virtual addressing at an address without a name.
    pub fn with(mut self, dialect: Dialect) -> Result<Endpoint> {
        let number = self.host.starts_with('[') || self.host.parse::<std::net::Ipv4Addr>().is_ok();
        if dialect.addressing == Some(Addressing::Virtual) && number {
            return Err(Error::usage(format!(
                "--addressing virtual puts the bucket's name before the endpoint's, and {} is not a name",
                self.host
            ))
            .hint("use --addressing path, or the endpoint's name"));
        }
        if let Some(provider) = dialect.provider {
            self.own_name &= provider.id == self.provider.id;
            self.provider = provider;
        }
        self.dialect = dialect;
        Ok(self)
    }

    /// Who is behind it, as far as is known.
    pub fn provider(&self) -> &'static Provider {
        self.provider
    }

    /// A URL from `AWS_ENDPOINT_URL_S3` or a profile, whose scheme decides on TLS: gives endpoint text and `disable_tls`.
    pub fn from_url(url: &str) -> Result<(String, bool)> {
        let (tls, rest) = split_scheme(url.trim())
            .map_err(|why| Error::usage(format!("the endpoint URL {url:?}: {why}")))?;
        let disable_tls = tls == Some(false);
        Endpoint::parse(rest, disable_tls)?;
        Ok((rest.trim_end_matches('/').to_string(), disable_tls))
    }

    /// `AWS_ENDPOINT_URL_S3`, then `AWS_ENDPOINT_URL`, unless `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` is true.
    pub fn url_from_env(env: Env<'_>) -> Option<String> {
        if env_text(env, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
            .is_some_and(|v| v.eq_ignore_ascii_case("true"))
        {
            return None;
        }
        env_text(env, "AWS_ENDPOINT_URL_S3").or_else(|| env_text(env, "AWS_ENDPOINT_URL"))
    }

    /// The region that is right at this endpoint, whatever is given: the one in its name, or the provider's only one.
    pub fn region(&self) -> Option<&str> {
        match self.provider.region {
            RegionRule::Always(region) => Some(region),
            _ => self.region.as_deref(),
        }
    }

    /// The region to begin with where nobody says one.
    pub fn default_region(&self) -> &'static str {
        match self.provider.region {
            RegionRule::Default(region) | RegionRule::Always(region) => region,
            RegionRule::InEndpoint => DEFAULT_REGION,
        }
    }

    /// The endpoint's host name, without a bucket.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// `HOST[:PORT]` for messages and for the configuration file.
    pub fn text(&self) -> String {
        self.authority(&self.host)
    }

    /// Is TLS on?
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// The bucket's address in a region: the region is part of AWS's host names.
    pub fn address(&self, bucket: &str, region: &str) -> Address {
        let scheme = if self.tls { "https" } else { "http" };
        let host = self.host_in(region);
        let addressing = match self.dialect.addressing {
            Some(addressing) => addressing,
            // Behind another name may be anything: a gateway, a proxy.
            None if self.own_name => self.provider.addressing,
            None => Addressing::Path,
        };
        // A dot in the name fits no wildcard certificate: only for those who ask for it.
        let fits = is_dns_label(bucket)
            || (self.dialect.addressing.is_some() && bucket.split('.').all(is_label));
        if addressing == Addressing::Virtual && fits {
            Address {
                scheme,
                host: self.authority(&format!("{bucket}.{host}")),
                base: String::new(),
            }
        } else {
            Address {
                scheme,
                host: self.authority(&host),
                base: format!("/{bucket}"),
            }
        }
    }

    /// AWS's one name for all regions becomes the region's own; any other name stays as it is.
    fn host_in(&self, region: &str) -> String {
        let Dialect {
            dualstack, fips, ..
        } = self.dialect;
        let region = if region.is_empty() {
            DEFAULT_REGION
        } else {
            region
        };
        // us-east-1 stays at the global name, which is also what people write into firewalls.
        let plain = region == DEFAULT_REGION && !dualstack && !fips;
        if self.host != DEFAULT_ENDPOINT || plain {
            return self.host.clone();
        }
        let service = if fips { "s3-fips" } else { "s3" };
        let stack = if dualstack { ".dualstack" } else { "" };
        let suffix = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        format!("{service}{stack}.{region}.{suffix}")
    }

    fn authority(&self, host: &str) -> String {
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        }
    }
}

/// The scheme's word on TLS, and what follows it.
fn split_scheme(text: &str) -> std::result::Result<(Option<bool>, &str), &'static str> {
    let strip = |scheme: &str| {
        text.get(..scheme.len())
            .filter(|s| s.eq_ignore_ascii_case(scheme))
            .map(|s| &text[s.len()..])
    };
    if let Some(rest) = strip("https://") {
        Ok((Some(true), rest))
    } else if let Some(rest) = strip("http://") {
        Ok((Some(false), rest))
    } else if text.contains("://") {
        Err("its scheme is neither http nor https")
    } else {
        Ok((None, text))
    }
}

/// Host (IPv6 in brackets) and port.
fn split_port(text: &str) -> std::result::Result<(String, Option<u16>), &'static str> {
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok((format!("[{text}]"), None));
    }
    let (host, port) = match text.rfind(':') {
        Some(colon) if !text.ends_with(']') => (&text[..colon], Some(&text[colon + 1..])),
        _ => (text, None),
    };
    let port = match port.map(str::parse::<u16>) {
        None => None,
        Some(Ok(port)) if port != 0 => Some(port),
        _ => return Err("its port is not a number from 1 to 65535"),
    };
    let host = host.to_ascii_lowercase();
    match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(literal) if literal.parse::<std::net::Ipv6Addr>().is_ok() => return Ok((host, port)),
        Some(_) => return Err("what is in brackets is not an IPv6 address"),
        None => {}
    }
    if host.is_empty() || host.len() > 253 {
        return Err("it has no host name, or one that is too long");
    }
    if host.contains('/') {
        return Err("it has a path");
    }
    if !host
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    {
        return Err("its host name has a character that host names cannot have");
    }
    Ok((host, port))
}

/// Can the bucket's name be the first label of a host name, and covered by a wildcard certificate?
fn is_dns_label(bucket: &str) -> bool {
    bucket.len() >= 3 && is_label(bucket)
}

/// A label of a host name (RFC 1123, lower case).
fn is_label(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(plain)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests;
