//! The file in which `aws sso login` leaves its token: `~/.aws/sso/cache/SHA1.json`, where SHA1 is that of the session's
//! name, or of the start URL in the old form. It is the only file that is ever written here, and only when a token was
//! renewed, as the SDKs do.

use super::{Secret, parse_time};
use crate::error::{Error, Kind, Result};
use crate::units::Time;
use serde_json::{Map, Value};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use zeroize::{Zeroize, Zeroizing};

const MAX_FILE: u64 = 1 << 20;

/// A token, and what it takes to renew it.
pub(super) struct CachedToken {
    pub path: PathBuf,
    pub access: Secret,
    pub expires: Time,
    pub renewal: Option<Renewal>,
    /// All of the file, for writing it again.
    fields: Fields,
}

/// What the OIDC service wants to see.
pub(super) struct Renewal {
    pub client_id: String,
    pub client_secret: Secret,
    pub refresh_token: Secret,
}

/// A JSON object that is wiped when dropped.
struct Fields(Map<String, Value>);

impl Drop for Fields {
    fn drop(&mut self) {
        for value in self.0.values_mut() {
            if let Value::String(text) = value {
                text.zeroize();
            }
        }
    }
}

impl Fields {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|t| !t.is_empty())
    }
}

/// The file for this session name or start URL.
pub(super) fn path(home: &Path, key: &str) -> PathBuf {
    let hash = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    let name = format!("{}.json", hex::encode(hash));
    home.join(".aws").join("sso").join("cache").join(name)
}

impl CachedToken {
    /// Reads the file.
    ///
    /// # Errors
    /// It is not there, or not what `aws sso login` writes.
    pub fn load(path: PathBuf) -> Result<CachedToken> {
        let shown = path.display().to_string();
        let wrong = |why: &str| {
            Error::new(
                Kind::CredentialsMissing,
                format!("the SSO token file {shown} {why}"),
            )
        };
        let bytes = read(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => wrong("does not exist"),
            _ => wrong("cannot be read").with_source(e),
        })?;
        let fields = match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Fields(fields),
            _ => return Err(wrong("is not a JSON object")),
        };
        let secret = |name: &str| fields.text(name).map(|t| Secret::new(t.to_string()));
        let access = secret("accessToken").ok_or_else(|| wrong("has no accessToken"))?;
        let expires = fields
            .text("expiresAt")
            .ok_or_else(|| wrong("has no expiresAt"))?;
        let expires =
            parse_time(expires).ok_or_else(|| wrong("has an expiresAt that is no time"))?;
        let id = fields.text("clientId").map(str::to_string);
        let renewal = match (id, secret("clientSecret"), secret("refreshToken")) {
            (Some(client_id), Some(client_secret), Some(refresh_token)) => Some(Renewal {
                client_id,
                client_secret,
                refresh_token,
            }),
            _ => None,
        };
        Ok(CachedToken {
            path,
            access,
            expires,
            renewal,
            fields,
        })
    }

    /// Takes new values and writes the file anew, all at once: whoever reads it meanwhile sees the old or the new one.
    /// Fields that are not known here stay.
    pub fn renew(&mut self, access: Secret, refresh: Option<Secret>, expires: Time) -> Result<()> {
        let mut set = |name: &str, text: &str| {
            let old = self.fields.0.insert(name.to_string(), Value::from(text));
            if let Some(Value::String(mut old)) = old {
                old.zeroize();
            }
        };
        set("accessToken", access.expose());
        set("expiresAt", &Time(expires.0 / 1000 * 1000).rfc3339());
        if let Some(refresh) = &refresh {
            set("refreshToken", refresh.expose());
        }
        (self.access, self.expires) = (access, expires);
        let text = serde_json::to_vec(&self.fields.0)
            .map(Zeroizing::new)
            .map_err(|e| Error::failed("writing the SSO token").with_source(e))?;
        replace(&self.path, &text).map_err(|e| {
            let text = format!("writing the SSO token file {}", self.path.display());
            Error::io(text, e)
        })
    }
}

/// A temporary file beside it that only its owner may read, flushed to disk, then renamed.
fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let path = &std::fs::canonicalize(path)?;
    let unique = getrandom::u64().map_err(std::io::Error::other)?;
    let temporary = path.with_extension(format!("json.tmp-{unique:016x}"));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let done = (|| {
        let mut file = options.open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    })();
    if done.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    done
}

fn read(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    std::fs::File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        let why = "it is longer than 1 MiB";
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, why));
    }
    Ok(bytes)
}
