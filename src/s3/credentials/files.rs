//! The shared credentials file and the configuration file, and the profiles in them.

use super::ini::{self, Sections};
use super::{Credentials, Env, env_text};
use crate::error::{Error, Kind, Result};
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Nobody's configuration is longer.
const MAX_FILE: u64 = 4 << 20;

/// Both files, read.
pub struct Profiles {
    credentials: Option<File>,
    config: Option<File>,
}

struct File {
    path: PathBuf,
    sections: Sections,
}

/// What the files say about one profile.
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Whole keys, if it has some.
    pub credentials: Option<Credentials>,
    /// `region`.
    pub region: Option<String>,
    /// `endpoint_url` of the profile's `s3` services section, else of the profile.
    pub endpoint_url: Option<String>,
    /// Settings by which keys would be had that are not read yet (`role_arn`, `sso_session`, ...), for messages.
    pub unsupported: Vec<String>,
}

impl Profiles {
    /// Reads the files that exist: `AWS_SHARED_CREDENTIALS_FILE` or `~/.aws/credentials`, `AWS_CONFIG_FILE` or `~/.aws/config`.
    ///
    /// # Errors
    /// A file that is there and cannot be read, or that a variable names and that is not there.
    pub fn load(env: Env<'_>) -> Result<Profiles> {
        Ok(Profiles {
            credentials: load(env, "AWS_SHARED_CREDENTIALS_FILE", "credentials")?,
            config: load(env, "AWS_CONFIG_FILE", "config")?,
        })
    }

    /// The files that were read, for messages.
    pub fn paths(&self) -> Vec<&Path> {
        [&self.credentials, &self.config]
            .into_iter()
            .flatten()
            .map(|f| f.path.as_path())
            .collect()
    }

    /// One profile; `None` if neither file has it.
    ///
    /// # Errors
    /// Half a pair of keys: an access key without its secret, or the other way round.
    pub fn profile(&self, name: &str) -> Result<Option<Profile>> {
        let in_config = if name == "default" {
            "default".to_string()
        } else {
            format!("profile {name}")
        };
        let mut places: Vec<Place<'_>> = Vec::new();
        for (file, section) in [
            (&self.credentials, name.to_string()),
            (&self.config, in_config.clone()),
        ] {
            if let Some(file) = file {
                // `[profile default]` is the long form of `[default]` and wins over it.
                let long = format!("profile {name}");
                let keys = file
                    .sections
                    .get(&long)
                    .filter(|_| section == in_config && name == "default");
                if let Some(keys) = keys.or_else(|| file.sections.get(&section)) {
                    places.push(Place { file, keys });
                }
            }
        }
        if places.is_empty() {
            return Ok(None);
        }
        let mut credentials = None;
        for place in &places {
            if credentials.is_none() {
                credentials = place.credentials(name)?;
            }
        }
        let get = |key: &str| places.iter().find_map(|p| p.get(key)).map(str::to_string);
        Ok(Some(Profile {
            name: name.to_string(),
            credentials,
            region: get("region"),
            endpoint_url: self
                .service_url(get("services"))
                .or_else(|| get("endpoint_url")),
            unsupported: INDIRECT
                .iter()
                .filter(|key| get(key).is_some())
                .map(|k| k.to_string())
                .collect(),
        }))
    }

    /// `[services NAME]` with `s3 =` and an indented `endpoint_url`.
    fn service_url(&self, services: Option<String>) -> Option<String> {
        let section = self
            .config
            .as_ref()?
            .sections
            .get(&format!("services {}", services?))?;
        section.get("s3.endpoint_url").map(|v| v.to_string())
    }
}

/// Settings that lead to keys elsewhere.
const INDIRECT: [&str; 8] = [
    "role_arn",
    "source_profile",
    "credential_source",
    "web_identity_token_file",
    "sso_session",
    "sso_start_url",
    "credential_process",
    "login_session",
];

/// A profile's section in one file.
struct Place<'a> {
    file: &'a File,
    keys: &'a std::collections::BTreeMap<String, Zeroizing<String>>,
}

impl Place<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.keys
            .get(key)
            .map(|v| v.as_str())
            .filter(|v| !v.is_empty())
    }

    fn credentials(&self, name: &str) -> Result<Option<Credentials>> {
        let half = |missing: &str| {
            let path = self.file.path.display();
            Error::new(
                Kind::CredentialsMissing,
                format!("profile {name:?} in {path} has no {missing}"),
            )
            .hint("a profile needs both aws_access_key_id and aws_secret_access_key")
        };
        match (
            self.get("aws_access_key_id"),
            self.get("aws_secret_access_key"),
        ) {
            (None, None) => Ok(None),
            (Some(_), None) => Err(half("aws_secret_access_key")),
            (None, Some(_)) => Err(half("aws_access_key_id")),
            (Some(access), Some(secret)) => {
                let source = format!("profile {name:?} in {}", self.file.path.display());
                Ok(Some(Credentials::new(
                    access,
                    secret,
                    self.get("aws_session_token"),
                    &source,
                )))
            }
        }
    }
}

fn load(env: Env<'_>, variable: &str, default: &str) -> Result<Option<File>> {
    let named = env(variable).filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = || {
        env_text(env, "HOME")
            .or_else(|| env_text(env, "USERPROFILE"))
            .map(PathBuf::from)
    };
    let Some(path) = named
        .clone()
        .or_else(|| Some(home()?.join(".aws").join(default)))
    else {
        return Ok(None);
    };
    match read(&path) {
        Ok(text) => Ok(Some(File {
            sections: ini::parse(&text),
            path,
        })),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && named.is_none() => Ok(None),
        Err(e) => {
            let by = if named.is_some() {
                format!(", which {variable} names,")
            } else {
                String::new()
            };
            let text = format!("the credentials file {}{by} cannot be read", path.display());
            Err(Error::new(Kind::CredentialsMissing, text)
                .with_source(e)
                .hint("check its permissions, or name another"))
        }
    }
}

fn read(path: &Path) -> std::io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::new());
    std::fs::File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            "it is longer than 4 MiB",
        ));
    }
    // Odd bytes in comments do no harm; odd bytes in keys make them wrong, which the storage will say.
    Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()))
}
