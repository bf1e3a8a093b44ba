//! Where requests go: the endpoint as people write it, and the address of a bucket at it.

use super::credentials::{Env, env_text};
use crate::error::{Error, Result};

/// The endpoint where none is given.
pub const DEFAULT_ENDPOINT: &str = "s3.amazonaws.com";

/// A parsed endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    tls: bool,
    /// Lower case; IPv6 literals in brackets.
    host: String,
    port: Option<u16>,
    aws: Aws,
}

/// Is it AWS, where host names carry region and bucket?
#[derive(Clone, Debug, PartialEq, Eq)]
enum Aws {
    No,
    /// `s3.amazonaws.com`: any region.
    Global,
    /// `s3.REGION.amazonaws.com`, or dual-stack, FIPS and China forms: one region, which the host names.
    Regional(String),
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
        let aws = aws_kind(&host);
        let default = if disable_tls { 80 } else { 443 };
        Ok(Endpoint {
            tls: !disable_tls,
            host,
            port: port.filter(|p| *p != default),
            aws,
        })
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

    /// The region that the host name itself says.
    pub fn region(&self) -> Option<&str> {
        match &self.aws {
            Aws::Regional(region) => Some(region),
            _ => None,
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

    /// The bucket's address: path style, but virtual-hosted at AWS for buckets that are one DNS label.
    pub fn address(&self, bucket: &str, region: &str) -> Address {
        let scheme = if self.tls { "https" } else { "http" };
        let host = match &self.aws {
            // us-east-1 stays at the global name, which is also what people write into firewalls.
            Aws::Global if region != super::region::DEFAULT_REGION && !region.is_empty() => {
                let suffix = if region.starts_with("cn-") {
                    "amazonaws.com.cn"
                } else {
                    "amazonaws.com"
                };
                format!("s3.{region}.{suffix}")
            }
            _ => self.host.clone(),
        };
        if self.aws != Aws::No && is_dns_label(bucket) {
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

fn aws_kind(host: &str) -> Aws {
    if host == DEFAULT_ENDPOINT {
        return Aws::Global;
    }
    let inner = host
        .strip_suffix(".amazonaws.com")
        .or_else(|| host.strip_suffix(".amazonaws.com.cn"));
    let Some(inner) = inner else { return Aws::No };
    let inner = [
        "s3.dualstack.",
        "s3-fips.dualstack.",
        "s3-fips.",
        "s3.",
        "s3-",
    ]
    .iter()
    .find_map(|p| inner.strip_prefix(p));
    match inner {
        Some(region) if region.contains('-') && !region.contains('.') => {
            Aws::Regional(region.to_string())
        }
        // Access points, gateways and the like: as they are, in path style.
        _ => Aws::No,
    }
}

/// Can the bucket's name be the first label of a host name, and covered by a wildcard certificate?
fn is_dns_label(bucket: &str) -> bool {
    let plain = bucket
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    plain && (3..=63).contains(&bucket.len()) && !bucket.starts_with('-') && !bucket.ends_with('-')
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
