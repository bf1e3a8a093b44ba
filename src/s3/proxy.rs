//! Proxies from the environment, by curl's rules kept simple.
//!
//! `https_proxy` or `HTTPS_PROXY` for TLS, `http_proxy` (lower case only: the other can be set by a web server's client)
//! without it, then `all_proxy` or `ALL_PROXY`. `no_proxy` or `NO_PROXY`: hosts separated by commas, each matching itself
//! and its subdomains; `*` matches all.

use super::credentials::{Env, env_text};
use crate::error::{Error, Result};

/// What the environment says about proxies.
#[derive(Clone, Debug, Default)]
pub struct ProxyRules {
    https: Option<String>,
    http: Option<String>,
    none: Vec<String>,
}

impl ProxyRules {
    /// Reads the variables.
    pub fn from_env(env: Env<'_>) -> ProxyRules {
        let first = |names: &[&str]| names.iter().find_map(|name| env_text(env, name));
        let none = first(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
        ProxyRules {
            https: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            http: first(&["http_proxy", "all_proxy", "ALL_PROXY"]),
            none: none
                .split([',', ' '])
                .map(|h| h.trim().to_ascii_lowercase())
                .filter(|h| !h.is_empty())
                .collect(),
        }
    }

    /// The proxy's URL for a host, if any.
    pub fn url_for(&self, host: &str, tls: bool) -> Option<&str> {
        let host = host.to_ascii_lowercase();
        let host = host
            .strip_prefix('[')
            .and_then(|h| h.split_once(']'))
            .map_or_else(
                || host.split(':').next().unwrap_or_default().to_string(),
                |(literal, _)| literal.to_string(),
            );
        if self.none.iter().any(|pattern| matches(pattern, &host)) {
            return None;
        }
        if tls {
            self.https.as_deref()
        } else {
            self.http.as_deref()
        }
    }

    /// The same as ureq wants it. SOCKS proxies are not supported and say so.
    pub(super) fn proxy_for(&self, host: &str, tls: bool) -> Result<Option<ureq::Proxy>> {
        let Some(url) = self.url_for(host, tls) else {
            return Ok(None);
        };
        let proxy = ureq::Proxy::new(url).map_err(super::transport::setup)?;
        match proxy.protocol() {
            ureq::ProxyProtocol::Http | ureq::ProxyProtocol::Https => Ok(Some(proxy)),
            other => Err(Error::usage(format!(
                "the environment names a {other} proxy, and only HTTP proxies are supported"
            ))
            .hint("unset the variable, or add the host to no_proxy")),
        }
    }
}

fn matches(pattern: &str, host: &str) -> bool {
    let pattern = pattern
        .trim_start_matches("*.")
        .trim_start_matches('.')
        .trim_start_matches('[')
        .trim_end_matches(']');
    pattern == "*"
        || host == pattern
        || host
            .strip_suffix(pattern)
            .is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn rules(list: &'static [(&str, &str)]) -> ProxyRules {
        ProxyRules::from_env(&|name| {
            list.iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| OsString::from(v))
        })
    }

    #[test]
    fn by_scheme() {
        let r = rules(&[
            ("https_proxy", "http://p:1"),
            ("HTTP_PROXY", "http://evil:1"),
        ]);
        assert_eq!(r.url_for("h", true), Some("http://p:1"));
        assert_eq!(r.url_for("h", false), None, "HTTP_PROXY is ignored");
        assert_eq!(
            rules(&[("ALL_PROXY", "http://p:2")]).url_for("h:9", false),
            Some("http://p:2")
        );
    }

    #[test]
    fn exceptions() {
        let r = rules(&[
            ("all_proxy", "http://p:1"),
            ("no_proxy", "localhost, .example.com,::1,10.0.0.1"),
        ]);
        for direct in [
            "localhost:9000",
            "LOCALHOST",
            "example.com",
            "a.b.example.com",
            "[::1]:9",
            "10.0.0.1:80",
        ] {
            assert_eq!(r.url_for(direct, true), None, "{direct}");
        }
        for proxied in ["notexample.com", "example.org", "110.0.0.1"] {
            assert!(r.url_for(proxied, true).is_some(), "{proxied}");
        }
        assert_eq!(
            rules(&[("all_proxy", "http://p"), ("NO_PROXY", "*")]).url_for("h", true),
            None
        );
    }

    #[test]
    fn socks_is_refused_in_words() {
        let error = rules(&[("all_proxy", "socks5://p:1")])
            .proxy_for("h", true)
            .unwrap_err();
        assert!(error.to_string().contains("SOCKS5"), "{error}");
    }
}
