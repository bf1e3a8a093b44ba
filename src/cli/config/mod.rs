//! The configuration file: which repository this host is connected to.
//!
//! TOML, with the keys of the old Corso. Secrets are never added. A file of the old program may hold some
//! (`aws_access_key_id`, `aws_secret_access_key`, `aws_session_token`, `passphrase`): they are used, with a warning,
//! for the repository that the file names, and for no other.

use crate::cli::place::{KeyPair, Manner, Provider, READ_KEYS, RECORDED_KEYS, StorageChoice, role};
use crate::error::{Context, Error, Result};
use crate::report::printable;
use crate::s3::credentials::Role;
use crate::units::{Time, parse_time};
use std::path::{Path, PathBuf};
use toml_edit::{DocumentMut, Item};
use zeroize::Zeroizing;

/// Longest file that is read, in bytes.
const LIMIT: u64 = 1 << 20;

/// Keys that this program writes.
const OWN_KEYS: &[&str] = &[
    "provider",
    "bucket",
    "prefix",
    "endpoint",
    "region",
    "disable_tls",
    "disable_tls_verification",
    "root_ca_pem",
    "profile",
    "assume_role_arn",
    "assume_role_external_id",
    "assume_role_session_name",
    "assume_role_duration",
    "path",
    "repo_id",
    "point_in_time",
    "s3_provider",
    "addressing",
    "storage_class",
    "sse",
    "sse_kms_key_id",
];

/// Of these, keys that stay as they are where the flags say nothing.
const OPTIONAL_KEYS: &[&str] = &["endpoint", "region", "root_ca_pem", "profile"];

/// Keys that hold secrets.
const SECRET_KEYS: &[&str] = &[
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "passphrase",
];

/// What a file says about the repository; everything is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `S3` or `Filesystem`.
    pub provider: Option<Provider>,
    /// Bucket name.
    pub bucket: Option<String>,
    /// Prefix.
    pub prefix: Option<String>,
    /// `host[:port]`.
    pub endpoint: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Plain HTTP.
    pub disable_tls: Option<bool>,
    /// No certificate check.
    pub disable_tls_verification: Option<bool>,
    /// Extra certificate authorities.
    pub root_ca_pem: Option<PathBuf>,
    /// AWS profile.
    pub profile: Option<String>,
    /// Role to assume.
    pub role: Option<Role>,
    /// Folder.
    pub path: Option<PathBuf>,
    /// Repository id, hexadecimal.
    pub repo_id: Option<String>,
    /// Show the bucket as it was then.
    pub point_in_time: Option<Time>,
    /// How S3 is spoken to.
    pub manner: Manner,
}

impl Settings {
    /// Names the repository for people; `None` if no repository is named.
    pub fn describe(&self) -> Option<String> {
        match self.provider? {
            Provider::S3 => {
                let bucket = self.bucket.as_deref()?;
                let prefix = self.prefix.as_deref().unwrap_or_default();
                let endpoint = self
                    .endpoint
                    .as_deref()
                    .unwrap_or(crate::cli::place::DEFAULT_ENDPOINT);
                let below = if prefix.is_empty() {
                    String::new()
                } else {
                    format!(", prefix {prefix}")
                };
                Some(format!("S3 bucket {bucket}{below} at {endpoint}"))
            }
            Provider::Filesystem => Some(format!("path {}", self.path.as_deref()?.display())),
        }
    }
}

/// Secrets that the old program's users kept in the file.
#[derive(Default)]
pub struct Secrets {
    /// AWS keys.
    pub keys: Option<KeyPair>,
    /// Passphrase.
    pub passphrase: Option<Zeroizing<Vec<u8>>>,
}

/// The file, whether or not it exists.
pub struct ConfigFile {
    location: Option<PathBuf>,
    document: Option<DocumentMut>,
    /// Why the file there could not be used; it is then never overwritten.
    broken: Option<Error>,
    /// What it says.
    pub settings: Settings,
    /// Old secrets in it.
    pub secrets: Secrets,
}

impl ConfigFile {
    /// Reads the file at `location`; one that does not exist is empty.
    pub fn load(location: Option<PathBuf>) -> Result<ConfigFile> {
        let mut file = ConfigFile {
            location,
            document: None,
            broken: None,
            settings: Settings::default(),
            secrets: Secrets::default(),
        };
        let Some(text) = file.location.as_deref().map(read).transpose()?.flatten() else {
            return Ok(file);
        };
        let shown = file.shown();
        let document = text
            .parse::<DocumentMut>()
            .map_err(|e| not_toml(&shown, &text, &e))?;
        file.settings = settings(&document, &shown)?;
        file.secrets = secrets(&document, &shown)?;
        file.document = Some(document);
        Ok(file)
    }

    /// As [`ConfigFile::load`], but a file that cannot be used counts as empty. For `init`, which does not depend
    /// on it.
    pub fn load_or_ignore(location: Option<PathBuf>) -> ConfigFile {
        ConfigFile::load(location.clone()).unwrap_or_else(|e| ConfigFile {
            location,
            document: None,
            broken: Some(e),
            settings: Settings::default(),
            secrets: Secrets::default(),
        })
    }

    /// Does the file exist (and could it be read)?
    pub fn exists(&self) -> bool {
        self.document.is_some()
    }

    /// The file's path for messages.
    pub fn shown(&self) -> String {
        match &self.location {
            Some(path) => printable(path.as_os_str().as_encoded_bytes()),
            None => "the configuration file".to_owned(),
        }
    }

    /// Records `choice`. Lines that are not about the repository, comments included, stay as they are if the file
    /// named the same repository's bucket or path before (`same`) or none; else the file starts anew.
    ///
    /// Gives the name under which the file replaced was kept, if it held secrets.
    pub fn save(
        &self,
        choice: &StorageChoice,
        repo_id: &str,
        same: bool,
    ) -> Result<Option<PathBuf>> {
        if let Some(broken) = &self.broken {
            return Err(Error::failed(broken.to_string()));
        }
        let path = self.location.as_deref().ok_or_else(|| {
            Error::failed("there is no place for the configuration file: neither HOME nor CORSO_CONFIG_DIR is set")
                .hint("set one of them, or give --config-file")
        })?;
        let keep = same || self.settings.describe().is_none();
        let mut document = if keep {
            self.document.clone().unwrap_or_default()
        } else {
            DocumentMut::new()
        };
        update(&mut document, choice, repo_id)?;
        let kept = if keep || !self.has_secrets() {
            None
        } else {
            Some(set_aside(path)?)
        };
        write(path, &document.to_string())?;
        Ok(kept)
    }

    /// Removes the repository's settings. The file itself goes when nothing else is in it.
    pub fn forget(&self) -> Result<()> {
        let (Some(path), Some(document)) = (self.location.as_deref(), &self.document) else {
            return Ok(());
        };
        let mut document = document.clone();
        for key in OWN_KEYS {
            document.remove(key);
        }
        if document.to_string().trim().is_empty() {
            return std::fs::remove_file(path)
                .map_err(|e| Error::io(format!("removing {}", self.shown()), e));
        }
        write(path, &document.to_string())
    }

    /// Does the file hold old secrets?
    pub fn has_secrets(&self) -> bool {
        self.document
            .as_ref()
            .is_some_and(|d| SECRET_KEYS.iter().any(|k| d.contains_key(k)))
    }
}

fn read(path: &Path) -> Result<Option<String>> {
    let shown = printable(path.as_os_str().as_encoded_bytes());
    let bytes = match crate::cli::input::read_bounded(path, LIMIT) {
        Ok(bytes) => bytes,
        Err(e)
            if matches!(
                e.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(e) => {
            return Err(
                Error::io(format!("reading the configuration file {shown}"), e)
                    .hint("mend its permissions, or name another file with --config-file"),
            );
        }
    };
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| Error::usage(format!("{shown} is not UTF-8 text")))
}

/// toml_edit's own message quotes the offending line, which may hold a secret: name the line by number only.
fn not_toml(shown: &str, text: &str, error: &toml_edit::TomlError) -> Error {
    let start = error.span().map(|s| s.start).unwrap_or_default();
    let line = text.bytes().take(start).filter(|b| *b == b'\n').count() + 1;
    Error::usage(format!(
        "{shown} is not valid TOML, line {line}: {}",
        error.message()
    ))
    .hint("mend or remove it, or name another file with --config-file")
}

fn settings(document: &DocumentMut, shown: &str) -> Result<Settings> {
    let text = |key: &str| text(document, key, shown);
    let provider = text("provider")?
        .map(|p| Provider::parse(&p, shown))
        .transpose()?;
    let bucket = text("bucket")?;
    let path = text("path")?.map(PathBuf::from);
    let guessed = match (&bucket, &path) {
        (Some(_), None) => Some(Provider::S3),
        (None, Some(_)) => Some(Provider::Filesystem),
        _ => None,
    };
    Ok(Settings {
        provider: provider.or(guessed),
        bucket,
        prefix: text("prefix")?,
        endpoint: text("endpoint")?,
        region: text("region")?,
        disable_tls: boolean(document, "disable_tls", shown)?,
        disable_tls_verification: boolean(document, "disable_tls_verification", shown)?,
        root_ca_pem: text("root_ca_pem")?.map(PathBuf::from),
        profile: text("profile")?,
        role: role::read(text, shown)?,
        path,
        repo_id: text("repo_id")?,
        point_in_time: text("point_in_time")?
            .map(|t| parse_time(&t).context(|| format!("point_in_time in {shown}")))
            .transpose()?,
        manner: manner(document, shown)?,
    })
}

fn manner(document: &DocumentMut, shown: &str) -> Result<Manner> {
    let mut manner = Manner::default();
    for (key, value) in RECORDED_KEYS.iter().zip(&mut manner.recorded) {
        *value = text(document, key, shown)?;
    }
    for (key, value) in READ_KEYS.iter().zip(&mut manner.read) {
        // A number needs no quotes.
        *value = match document.get(key).and_then(Item::as_integer) {
            Some(number) => Some(number.to_string()),
            None => text(document, key, shown)?,
        };
    }
    Ok(manner)
}

fn secrets(document: &DocumentMut, shown: &str) -> Result<Secrets> {
    let text = |key: &str| text(document, key, shown).map(|t| t.map(Zeroizing::new));
    let (id, secret) = (text("aws_access_key_id")?, text("aws_secret_access_key")?);
    let token = text("aws_session_token")?;
    let keys = match (id, secret) {
        (Some(id), Some(secret)) => Some(KeyPair {
            id: id.to_string(),
            secret,
            token,
        }),
        _ => None,
    };
    let passphrase = text("passphrase")?.map(|p| Zeroizing::new(p.as_bytes().to_vec()));
    Ok(Secrets { keys, passphrase })
}

/// A text value; an empty one counts as absent, as in the old program.
fn text(document: &DocumentMut, key: &str, shown: &str) -> Result<Option<String>> {
    match document.get(key) {
        None | Some(Item::None) => Ok(None),
        Some(item) => match item.as_str() {
            Some(text) => Ok(Some(text.to_owned()).filter(|t| !t.is_empty())),
            None => Err(Error::usage(format!(
                "{key} in {shown} must be text in quotes"
            ))),
        },
    }
}

fn boolean(document: &DocumentMut, key: &str, shown: &str) -> Result<Option<bool>> {
    match document.get(key) {
        None | Some(Item::None) => Ok(None),
        Some(item) => match (item.as_bool(), item.as_str()) {
            (Some(value), _) => Ok(Some(value)),
            (_, Some("true")) => Ok(Some(true)),
            (_, Some("false" | "")) => Ok(Some(false)),
            _ => Err(Error::usage(format!(
                "{key} in {shown} must be true or false"
            ))),
        },
    }
}

fn update(document: &mut DocumentMut, choice: &StorageChoice, repo_id: &str) -> Result<()> {
    let mut values: Vec<(&str, Option<toml_edit::Value>)> =
        OWN_KEYS.iter().map(|k| (*k, None)).collect();
    let mut set = |key: &str, value: Option<toml_edit::Value>| {
        values
            .iter_mut()
            .filter(|(k, _)| *k == key)
            .for_each(|(_, v)| *v = value.clone());
    };
    set("repo_id", Some(repo_id.into()));
    match choice {
        StorageChoice::S3(s3) => {
            set("provider", Some("S3".into()));
            set("bucket", Some(s3.bucket.as_str().into()));
            set("prefix", Some(s3.prefix.as_str().into()));
            set("endpoint", s3.endpoint.as_deref().map(Into::into));
            set("region", s3.region.as_deref().map(Into::into));
            set("disable_tls", Some(s3.disable_tls.into()));
            set(
                "disable_tls_verification",
                Some(s3.disable_tls_verification.into()),
            );
            set(
                "root_ca_pem",
                s3.root_ca_pem
                    .as_deref()
                    .map(path_text)
                    .transpose()?
                    .map(Into::into),
            );
            set("profile", s3.profile.as_deref().map(Into::into));
            let moment = s3.point_in_time.map(|t| t.rfc3339());
            set("point_in_time", moment.map(Into::into));
            for (key, value) in RECORDED_KEYS.iter().zip(&s3.manner.recorded) {
                set(key, value.as_deref().map(Into::into));
            }
            for (key, value) in role::KEYS.into_iter().zip(role::values(s3.role.as_ref())) {
                set(key, value.map(Into::into));
            }
        }
        StorageChoice::Filesystem(path) => {
            set("provider", Some("Filesystem".into()));
            set("path", Some(path_text(path)?.into()));
        }
    }
    for (key, value) in values {
        match (value, document.get_mut(key).and_then(Item::as_value_mut)) {
            (None, _) if OPTIONAL_KEYS.contains(&key) => {}
            (None, _) => drop(document.remove(key)),
            (Some(new), Some(old)) => {
                // The old value's decor holds the comment behind it.
                let decor = old.decor().clone();
                *old = new;
                *old.decor_mut() = decor;
            }
            (Some(new), None) => drop(document.insert(key, toml_edit::value(new))),
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    crate::fs::write_private(path, text.as_bytes()).map_err(|e| {
        e.context("the configuration file").hint(
            "mend the folder's permissions, set CORSO_CONFIG_DIR, or name another file with --config-file",
        )
    })
}

/// Moves the file at `path` to the first free name of `path.old`, `path.old.1`, ...
fn set_aside(path: &Path) -> Result<PathBuf> {
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let shown = printable(path.as_os_str().as_encoded_bytes());
    for n in 0..1000 {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(if n == 0 {
            ".old".to_owned()
        } else {
            format!(".old.{n}")
        });
        let aside = path.with_file_name(name);
        // Claiming the name first means that two runs at once never overwrite each other's copy.
        if crate::fs::private_file()
            .create_new(true)
            .open(&aside)
            .is_ok()
        {
            return std::fs::rename(&path, &aside)
                .map(|()| aside)
                .context(|| format!("setting aside the configuration file {shown}"));
        }
    }
    Err(Error::failed(format!(
        "cannot set aside the configuration file {shown}"
    )))
}

fn path_text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| {
        let shown = printable(path.as_os_str().as_encoded_bytes());
        Error::failed(format!(
            "{shown} is not UTF-8 and cannot be kept in the configuration file"
        ))
        .hint("give the flag on every command instead")
    })
}

#[cfg(test)]
mod tests;
