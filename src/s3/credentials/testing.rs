//! What the tests of sources share: a host of its own, and a small server.

use super::{Chain, Found, resolve};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::ffi::OsString;

#[path = "../../../tests/support/http_server.rs"]
#[allow(dead_code)]
mod http_server;

pub(super) use http_server::{HttpReply, HttpRequest, HttpServer, ok, status};

/// A home of its own, and an environment that knows nothing else. There is no instance metadata unless a test says so.
pub(super) struct Host {
    pub home: tempfile::TempDir,
    pub vars: HashMap<String, OsString>,
}

impl Host {
    pub fn new(vars: &[(&str, &str)]) -> Host {
        let home = tempfile::tempdir().unwrap();
        let mut host = Host {
            vars: HashMap::new(),
            home,
        };
        host.vars.insert("HOME".into(), host.home.path().into());
        host.vars
            .insert("AWS_EC2_METADATA_DISABLED".into(), "true".into());
        for (name, value) in vars {
            host.vars.insert(name.to_string(), value.into());
        }
        host
    }

    /// Sets a variable.
    pub fn var(mut self, name: &str, value: &str) -> Host {
        self.vars.insert(name.into(), value.into());
        self
    }

    /// Writes a file below the home folder.
    pub fn file(self, name: &str, text: &str) -> Host {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// The instance metadata service is at this URL.
    pub fn imds(mut self, url: &str) -> Host {
        self.vars.remove("AWS_EC2_METADATA_DISABLED");
        self.var("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
    }

    pub fn path(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }

    pub fn resolve(&self, chain: &Chain) -> Result<Found> {
        resolve(chain, &|name| self.vars.get(name).cloned())
    }

    /// Access key and source.
    #[track_caller]
    pub fn finds(&self) -> (String, String) {
        let found = self
            .resolve(&Chain::default())
            .unwrap_or_else(|e| panic!("{e}"));
        let keys = found.credentials.current();
        (keys.access_key().to_string(), keys.source().to_string())
    }

    #[track_caller]
    pub fn fails(&self) -> Error {
        self.resolve(&Chain::default()).err().expect("no keys")
    }
}

/// The JSON in which container and instance metadata give keys, which last this many seconds.
pub(super) fn keys_json(access: &str, seconds: i64) -> String {
    let end = crate::units::Time(crate::units::Time::local_now().0 + seconds * 1000);
    format!(
        r#"{{"Code":"Success","AccessKeyId":"{access}","SecretAccessKey":"SK","Token":"TOK","Expiration":"{}"}}"#,
        end.rfc3339()
    )
}
