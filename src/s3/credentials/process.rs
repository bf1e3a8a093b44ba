//! `credential_process`: a command that prints keys.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>

use super::{Credentials, Secret, Source, parse_time};
use crate::command;
use crate::error::{Error, Kind, Result};
use serde::Deserialize;
use std::ffi::OsStr;
use std::io::IsTerminal;
use std::process::Stdio;
use std::time::Duration;

/// The SDKs' limit.
const TIME: Duration = Duration::from_secs(60);
/// No set of keys is longer.
const LIMIT: u64 = 64 << 10;

/// The command of one profile. It may ask a person: standard error is this program's own, and so is standard input if it
/// is a terminal. (Anything else may be data to back up, of which the command must not take a bite.)
pub(super) struct Process {
    pub profile: String,
    pub command: String,
    pub time: Duration,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    #[serde(default)]
    version: i64,
    #[serde(default)]
    access_key_id: String,
    #[serde(default)]
    secret_access_key: Secret,
    session_token: Option<Secret>,
    expiration: Option<String>,
}

impl Process {
    pub fn new(profile: &str, command: &str) -> Process {
        Process {
            profile: profile.to_string(),
            command: command.to_string(),
            time: TIME,
        }
    }
}

impl Source for Process {
    fn fetch(&self) -> Result<Credentials> {
        let name = format!("credential_process of profile {:?}", self.profile);
        let wrong = |why: &str| Error::new(Kind::CredentialsMissing, format!("the {name} {why}"));
        let stdin = match std::io::stdin().is_terminal() {
            true => Stdio::inherit(),
            false => Stdio::null(),
        };
        let output = command::output(OsStr::new(&self.command), stdin, LIMIT, self.time)
            .map_err(|why| wrong(&why).hint("run the command by hand to see what it says"))?;
        let mut output = output;
        if cfg!(windows) {
            // cmd's echo leaves the backslashes in {\"Version\": 1}; the SDK for Go takes them out, too.
            let plain = String::from_utf8_lossy(&output).replace("\\\"", "\"");
            output = plain.into_bytes().into();
        }
        // The parser's own message may repeat what it read.
        let printed: Printed = serde_json::from_slice(&output)
            .map_err(|e| wrong(&format!("printed no keys in JSON (column {})", e.column())))?;
        if printed.version != 1 {
            return Err(wrong(&format!(
                "printed version {} of the keys' format, and only 1 is known",
                printed.version
            )));
        }
        if printed.access_key_id.is_empty() {
            return Err(wrong("printed no AccessKeyId"));
        }
        if printed.secret_access_key.is_empty() {
            return Err(wrong("printed no SecretAccessKey"));
        }
        let expires = match printed.expiration.as_deref().filter(|e| !e.is_empty()) {
            None => None,
            Some(text) => Some(
                parse_time(text).ok_or_else(|| wrong("printed an Expiration that is no time"))?,
            ),
        };
        let token = printed.session_token.as_ref().map(Secret::expose);
        Ok(Credentials::new(
            &printed.access_key_id,
            printed.secret_access_key.expose(),
            token,
            &name,
        )
        .until(expires))
    }
}
