//! The shared credentials file and the configuration file, and the profiles in them.

use super::ini::{self, Sections};
use super::{Credentials, Env, Secret, env_path, home};
use crate::error::{Error, Kind, Result};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Nobody's configuration is longer.
const MAX_FILE: u64 = 4 << 20;

/// Both files, read.
#[derive(Default)]
pub struct Profiles {
    credentials: Option<File>,
    config: Option<File>,
}

struct File {
    path: PathBuf,
    sections: Sections,
}

/// What the two files say about one profile: the credentials file goes before the configuration file, key by key, but
/// access keys are taken whole from one.
pub(super) struct Section<'a> {
    pub name: String,
    places: Vec<(&'a Path, &'a BTreeMap<String, Secret>)>,
}

impl Profiles {
    /// Reads the files that exist: `AWS_SHARED_CREDENTIALS_FILE` or `~/.aws/credentials`, `AWS_CONFIG_FILE` or `~/.aws/config`.
    ///
    /// # Errors
    /// A file that is there and cannot be read or understood, or that a variable names and that is not there. (The SDK for Go
    /// passes over such files.)
    pub fn load(env: Env<'_>) -> Result<Profiles> {
        Ok(Profiles {
            credentials: load(env, "AWS_SHARED_CREDENTIALS_FILE", "credentials")?,
            config: load(env, "AWS_CONFIG_FILE", "config")?,
        })
    }

    /// What the files say about one setting of a profile; `s3.endpoint_url` for one below another.
    pub fn setting(&self, profile: &str, key: &str) -> Option<String> {
        self.profile(profile)?.get(key).map(str::to_string)
    }

    /// The files that were read, for messages.
    pub fn looked(&self) -> String {
        let both = [&self.credentials, &self.config];
        let paths: Vec<String> = both
            .into_iter()
            .flatten()
            .map(|f| f.path.display().to_string())
            .collect();
        match paths.is_empty() {
            true => "no credentials file found".to_string(),
            false => paths.join(" and "),
        }
    }

    /// One profile; `None` if neither file has it. In the configuration file a profile is `[profile NAME]`, but `default`
    /// may be both; the long form wins.
    pub(super) fn profile(&self, name: &str) -> Option<Section<'_>> {
        let long = format!("profile {name}");
        let short = (name == "default").then_some("default");
        let config = self.config.as_ref().and_then(|file| {
            let names = [Some(long.as_str()), short];
            let keys = names
                .into_iter()
                .flatten()
                .find_map(|n| file.sections.get(n));
            Some((file.path.as_path(), keys?))
        });
        // There, `[profile x]` is no profile at all.
        let plain = !name.starts_with("profile ");
        let credentials = self.credentials.as_ref().filter(|_| plain);
        let credentials =
            credentials.and_then(|file| Some((file.path.as_path(), file.sections.get(name)?)));
        let places: Vec<_> = credentials.into_iter().chain(config).collect();
        (!places.is_empty()).then(|| Section {
            name: name.to_string(),
            places,
        })
    }

    /// A section that is no profile, such as `sso-session NAME` or `services NAME`.
    pub(super) fn other(&self, kind: &str, name: &str) -> Option<Section<'_>> {
        let name = format!("{kind} {}", name.trim());
        let both = [&self.config, &self.credentials];
        let places: Vec<_> = both
            .into_iter()
            .flatten()
            .filter_map(|f| Some((f.path.as_path(), f.sections.get(&name)?)))
            .collect();
        (!places.is_empty()).then_some(Section { name, places })
    }
}

impl Section<'_> {
    /// A value that is not empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.places
            .iter()
            .find_map(|(_, keys)| keys.get(key).map(Secret::expose).filter(|v| !v.is_empty()))
    }

    /// Is a value `true`, in any case?
    pub fn is_true(&self, key: &str) -> bool {
        self.get(key)
            .is_some_and(|v| v.eq_ignore_ascii_case("true"))
    }

    /// Whole access keys, from the first file that has some.
    ///
    /// # Errors
    /// Half a pair of keys: an access key without its secret, or the other way round.
    pub fn keys(&self) -> Result<Option<Credentials>> {
        for (path, keys) in &self.places {
            let get = |key: &str| keys.get(key).map(Secret::expose).filter(|v| !v.is_empty());
            let half = |missing: &str| {
                let text = format!(
                    "profile {:?} in {} has no {missing}",
                    self.name,
                    path.display()
                );
                Error::new(Kind::CredentialsMissing, text)
                    .hint("a profile needs both aws_access_key_id and aws_secret_access_key")
            };
            match (get("aws_access_key_id"), get("aws_secret_access_key")) {
                (None, None) => {}
                (Some(_), None) => return Err(half("aws_secret_access_key")),
                (None, Some(_)) => return Err(half("aws_access_key_id")),
                (Some(access), Some(secret)) => {
                    let source = format!("profile {:?} in {}", self.name, path.display());
                    let token = get("aws_session_token");
                    return Ok(Some(Credentials::new(access, secret, token, &source)));
                }
            }
        }
        Ok(None)
    }
}

fn load(env: Env<'_>, variable: &str, default: &str) -> Result<Option<File>> {
    let named = env_path(env, variable);
    let Some(path) = named
        .clone()
        .or_else(|| Some(home(env)?.join(".aws").join(default)))
    else {
        return Ok(None);
    };
    let by = match &named {
        Some(_) => format!(", which {variable} names,"),
        None => String::new(),
    };
    let text = match read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && named.is_none() => return Ok(None),
        Err(e) => {
            let text = format!("the credentials file {}{by} cannot be read", path.display());
            return Err(Error::new(Kind::CredentialsMissing, text)
                .with_source(e)
                .hint("check its permissions, or name another"));
        }
    };
    let sections = ini::parse(&text).map_err(|why| {
        let text = format!("the credentials file {}{by} {why}", path.display());
        Error::new(Kind::CredentialsMissing, text).hint("mend the line")
    })?;
    Ok(Some(File { path, sections }))
}

fn read(path: &Path) -> std::io::Result<Zeroizing<String>> {
    let wrong = |why| Err(std::io::Error::new(std::io::ErrorKind::InvalidData, why));
    let mut bytes = Zeroizing::new(Vec::new());
    std::fs::File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return wrong("it is longer than 4 MiB");
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return wrong("it is UTF-16 text, and should be UTF-8");
    }
    // Odd bytes in comments do no harm; odd bytes in keys make them wrong, which the storage will say.
    Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()))
}
