//! The environment, read once. Everything else asks this snapshot, so that tests can make one up.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Environment variables. No `Debug`: some are secrets.
#[derive(Clone, Default)]
pub struct Env {
    vars: BTreeMap<OsString, OsString>,
}

impl Env {
    /// This process's environment.
    pub fn of_process() -> Env {
        Env {
            vars: std::env::vars_os().collect(),
        }
    }

    /// An environment of these variables alone.
    pub fn of(pairs: &[(&str, &str)]) -> Env {
        Env {
            vars: pairs
                .iter()
                .map(|(k, v)| (OsString::from(k), OsString::from(v)))
                .collect(),
        }
    }

    /// The value of `name`; an empty one counts as unset.
    pub fn os(&self, name: &str) -> Option<&OsStr> {
        self.vars
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|v| !v.is_empty())
    }

    /// The value of `name`; an empty one counts as unset, but for proxies, where it means that there is none.
    pub fn lookup(&self, name: &str) -> Option<OsString> {
        let value = self.vars.get(OsStr::new(name))?;
        let proxy = name.to_ascii_lowercase().ends_with("_proxy");
        (proxy || !value.is_empty()).then(|| value.clone())
    }

    /// The value of `name` if it is UTF-8 and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.os(name).and_then(OsStr::to_str)
    }

    /// The first of `names` that is set, with its name.
    pub fn first<'a>(&self, names: &[&'a str]) -> Option<(&'a str, &OsStr)> {
        names
            .iter()
            .find_map(|name| self.os(name).map(|value| (*name, value)))
    }

    /// The user's home folder.
    pub fn home(&self) -> Option<PathBuf> {
        let name = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        self.os(name).or_else(|| self.os("HOME")).map(PathBuf::from)
    }

    /// Where the configuration file is when no flag says so.
    pub fn config_file(&self) -> Option<PathBuf> {
        let dir = self
            .os("CORSO_CONFIG_DIR")
            .map(PathBuf::from)
            .or_else(|| self.home())?;
        Some(dir.join(".corso.toml"))
    }

    /// May output not move the cursor about? (`TERM=dumb`. `NO_COLOR` needs no question: there is no colour.)
    pub fn dumb_terminal(&self) -> bool {
        self.os("TERM").is_some_and(|t| t == "dumb")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_counts_as_unset() {
        let env = Env::of(&[
            ("A", ""),
            ("B", "b"),
            ("HOME", "/h"),
            ("CORSO_CONFIG_DIR", ""),
        ]);
        assert!(env.os("A").is_none() && env.lookup("A").is_none());
        assert_eq!(
            Env::of(&[("https_proxy", "")]).lookup("https_proxy"),
            Some("".into())
        );
        assert_eq!(env.first(&["A", "B"]).map(|f| f.0), Some("B"));
        assert_eq!(
            env.config_file().unwrap(),
            PathBuf::from("/h").join(".corso.toml")
        );
        assert!(Env::default().config_file().is_none());
    }
}
