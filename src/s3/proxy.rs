//! Proxies from the environment, by curl's rules (<https://curl.se/docs/manpage.html#ENVIRONMENT>).
//!
//! `https_proxy` or `HTTPS_PROXY` for TLS, `http_proxy` (lower case only: the other can be set by a web server's client)
//! without it, then `all_proxy` or `ALL_PROXY`; one that is set and empty means none. A proxy without a port is at 1080.
//! `no_proxy` or `NO_PROXY`: hosts separated by commas, each matching itself and the names below it; addresses match
//! whole, or by `10.0.0.0/8`; a lone `*` matches all.

use super::credentials::{Env, env_text};
use crate::error::{Error, Result};
use std::net::IpAddr;

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
        // Set and empty is an answer: no proxy.
        let first = |names: &[&str]| {
            let value = names.iter().find_map(|name| env(name));
            let text = value.map(|v| v.to_string_lossy().trim().to_owned());
            text.filter(|text| !text.is_empty())
        };
        let none = env_text(env, "no_proxy").or_else(|| env_text(env, "NO_PROXY"));
        ProxyRules {
            https: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            http: first(&["http_proxy", "all_proxy", "ALL_PROXY"]),
            none: none
                .unwrap_or_default()
                .split([',', ' '])
                .map(|h| h.trim().to_ascii_lowercase())
                .filter(|h| !h.is_empty())
                .collect(),
        }
    }

    /// The proxy's URL for a host (which may carry a port), if any.
    pub fn url_for(&self, host: &str, tls: bool) -> Option<&str> {
        let host = bare(host);
        let everything = matches!(self.none.as_slice(), [only] if only == "*");
        if everything || self.none.iter().any(|pattern| matches(pattern, &host)) {
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
        // The URL may hold a password, so it is not shown.
        let proxy = ureq::Proxy::new(&with_port(url)).map_err(|_| {
            Error::usage("the environment names a proxy that is not a URL")
                .hint("write it as http://HOST:PORT, or add the storage's host to no_proxy")
        })?;
        match proxy.protocol() {
            ureq::ProxyProtocol::Http | ureq::ProxyProtocol::Https => Ok(Some(proxy)),
            other => Err(Error::usage(format!(
                "the environment names a {other} proxy, and only HTTP proxies are supported"
            ))
            .hint("unset the variable, or add the host to no_proxy")),
        }
    }
}

/// Without port, brackets and the dot of an absolute name.
fn bare(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    match host.strip_prefix('[').and_then(|h| h.split_once(']')) {
        Some((literal, _)) => literal.to_string(),
        None => {
            let name = host.split(':').next().unwrap_or_default();
            name.strip_suffix('.').unwrap_or(name).to_string()
        }
    }
}

/// curl's port where a proxy without TLS has none.
fn with_port(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let has_port = match host.rfind(']') {
        Some(bracket) => host[bracket..].contains(':'),
        None => host.contains(':'),
    };
    if has_port || !scheme.eq_ignore_ascii_case("http") {
        format!("{scheme}://{authority}")
    } else {
        format!("{scheme}://{authority}:1080")
    }
}

fn matches(pattern: &str, host: &str) -> bool {
    let pattern = pattern.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = host.parse::<IpAddr>() {
        return in_network(pattern, address);
    }
    let pattern = pattern.trim_start_matches("*.").trim_start_matches('.');
    let pattern = pattern.strip_suffix('.').unwrap_or(pattern);
    host == pattern
        || host
            .strip_suffix(pattern)
            .is_some_and(|rest| rest.ends_with('.'))
}

/// Is `address` the one that `pattern` names, or in its `ADDRESS/BITS`?
fn in_network(pattern: &str, address: IpAddr) -> bool {
    let (network, bits) = match pattern.split_once('/') {
        Some((network, bits)) => (network, bits.parse::<u32>().ok()),
        None => (pattern, Some(128)),
    };
    let (Ok(network), Some(bits)) = (network.parse::<IpAddr>(), bits) else {
        return false;
    };
    // Whole numbers of the same kind, shifted so that only the network is left.
    let left = |all: u32| all.saturating_sub(bits);
    match (network, address) {
        (IpAddr::V4(n), IpAddr::V4(a)) => {
            let cut = |x: u32| x.checked_shr(left(32)).unwrap_or(0);
            cut(n.to_bits()) == cut(a.to_bits())
        }
        (IpAddr::V6(n), IpAddr::V6(a)) => {
            let cut = |x: u128| x.checked_shr(left(128)).unwrap_or(0);
            cut(n.to_bits()) == cut(a.to_bits())
        }
        _ => false,
    }
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
    fn set_and_empty_means_none() {
        let r = rules(&[("https_proxy", ""), ("ALL_PROXY", "http://p:2")]);
        assert_eq!(r.url_for("h", true), None);
        assert_eq!(r.url_for("h", false), Some("http://p:2"));
    }

    #[test]
    fn addresses_and_networks() {
        let r = rules(&[
            ("all_proxy", "http://p:1"),
            ("no_proxy", "10.1.0.0/16,192.168.7.1,fd00::/8,0.1"),
        ]);
        for direct in ["10.1.2.3:9000", "192.168.7.1", "[fd12::1]:9"] {
            assert_eq!(r.url_for(direct, true), None, "{direct}");
        }
        for proxied in ["10.2.0.0", "192.168.7.10", "[fe80::1]", "10.0.0.1"] {
            assert!(r.url_for(proxied, true).is_some(), "{proxied}");
        }
    }

    #[test]
    fn a_star_counts_alone() {
        let r = rules(&[("all_proxy", "http://p:1"), ("no_proxy", "*,example.com")]);
        assert!(r.url_for("h", true).is_some());
    }

    #[test]
    fn a_proxy_without_a_port_is_at_1080() {
        for (url, whole) in [
            ("proxy", "http://proxy:1080"),
            ("http://u:p@proxy/", "http://u:p@proxy:1080"),
            ("http://[::1]", "http://[::1]:1080"),
            ("http://proxy:3128/", "http://proxy:3128"),
            ("https://proxy", "https://proxy"),
        ] {
            assert_eq!(with_port(url), whole);
        }
    }

    #[test]
    fn a_proxy_that_is_none_is_not_repeated() {
        let error = rules(&[("all_proxy", "http://user:hunter2@:x y")])
            .proxy_for("h", true)
            .unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn socks_is_refused_in_words() {
        let error = rules(&[("all_proxy", "socks5://p:1")])
            .proxy_for("h", true)
            .unwrap_err();
        assert!(error.to_string().contains("SOCKS5"), "{error}");
    }
}
