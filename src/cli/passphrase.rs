//! Where the passphrase comes from: flags, then environment, then an old configuration file, then a prompt.

use super::args::{NewPassphraseArgs, PassphraseArgs};
use super::env::Env;
use super::value::OsArg;
use crate::error::{Error, Kind, Result};
use crate::report::printable;
use std::ffi::OsStr;
use std::io::IsTerminal;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use zeroize::Zeroizing;

/// A passphrase's bytes, wiped when dropped.
pub type Secret = Zeroizing<Vec<u8>>;

/// Longest passphrase file, and longest output of a passphrase command, in bytes.
const LIMIT: u64 = 64 << 10;

/// How long a passphrase command may run; it may have to ask a person.
const COMMAND_TIME: Duration = Duration::from_secs(180);

/// Everything that can name a passphrase.
pub struct Sources<'a> {
    /// `passphrase` or `new passphrase`, for messages.
    what: &'static str,
    file: &'a Option<OsArg>,
    command: &'a Option<OsArg>,
    plain: &'a Option<OsArg>,
    /// Environment variables: file, command, plain.
    variables: [&'static str; 3],
    env: &'a Env,
    /// The value of an old configuration file, and that file's name.
    config: Option<(&'a Secret, String)>,
    /// Ask twice: a typing error here would lock the repository for good.
    twice: bool,
}

impl<'a> Sources<'a> {
    /// For opening a repository. `config` is an old file's passphrase and the file's name.
    pub fn to_open(
        flags: &'a PassphraseArgs,
        env: &'a Env,
        config: Option<(&'a Secret, String)>,
    ) -> Self {
        Sources {
            what: "passphrase",
            file: &flags.passphrase_file,
            command: &flags.passphrase_command,
            plain: &flags.passphrase,
            variables: [
                "CORSO_PASSPHRASE_FILE",
                "CORSO_PASSPHRASE_COMMAND",
                "CORSO_PASSPHRASE",
            ],
            env,
            config,
            twice: false,
        }
    }

    /// For creating a repository: the same sources, and a prompt asks twice.
    pub fn to_init(
        flags: &'a PassphraseArgs,
        env: &'a Env,
        config: Option<(&'a Secret, String)>,
    ) -> Self {
        Sources {
            twice: true,
            ..Sources::to_open(flags, env, config)
        }
    }

    /// For a second key or a changed passphrase.
    pub fn for_new(flags: &'a NewPassphraseArgs, env: &'a Env) -> Self {
        Sources {
            what: "new passphrase",
            file: &flags.new_passphrase_file,
            command: &flags.new_passphrase_command,
            plain: &flags.new_passphrase,
            variables: [
                "CORSO_NEW_PASSPHRASE_FILE",
                "CORSO_NEW_PASSPHRASE_COMMAND",
                "CORSO_NEW_PASSPHRASE",
            ],
            env,
            config: None,
            twice: true,
        }
    }

    /// The passphrase, from the strongest source; `warn` is told what the user should know about that source.
    pub fn get(&self, warn: &mut dyn FnMut(&str)) -> Result<Secret> {
        let name = self.what.replace(' ', "-");
        let flags = [
            (
                format!("--{name}-file"),
                self.file.as_ref().map(|v| v.0.as_os_str()),
            ),
            (
                format!("--{name}-command"),
                self.command.as_ref().map(|v| v.0.as_os_str()),
            ),
            (
                format!("--{name}"),
                self.plain.as_ref().map(|v| v.0.as_os_str()),
            ),
        ];
        let variables = self.variables.map(|v| (v.to_owned(), self.env.os(v)));
        for rank in [flags, variables] {
            if let Some((at, source, value)) = only_one(&rank)? {
                return self.take_from(at, source, value);
            }
        }
        if let Some((secret, file)) = &self.config {
            warn(&format!(
                "the passphrase is taken from {file}; keep it in a file of its own (--passphrase-file)"
            ));
            return self.checked(secret.to_vec().into(), "the configuration file");
        }
        self.prompt()
    }

    fn take_from(&self, at: usize, source: &str, value: &OsStr) -> Result<Secret> {
        let secret = match at {
            0 => from_file(Path::new(value)).map_err(|e| {
                let shown = printable(value.as_encoded_bytes());
                Error::io(
                    format!("reading the {} from {shown}, as {source} says", self.what),
                    e,
                )
                .with_kind(Kind::PassphraseMissing)
            })?,
            1 => from_command(value, source, COMMAND_TIME)?,
            _ => Zeroizing::new(value.as_encoded_bytes().to_vec()),
        };
        self.checked(secret, source)
    }

    fn checked(&self, secret: Secret, source: &str) -> Result<Secret> {
        if secret.is_empty() {
            let message = format!("the {} from {source} is empty", self.what);
            return Err(Error::new(Kind::PassphraseMissing, message));
        }
        if secret.starts_with(b"\xff\xfe") || secret.starts_with(b"\xfe\xff") {
            let message = format!("the {} from {source} is UTF-16 text", self.what);
            return Err(Error::new(Kind::PassphraseMissing, message).hint("save it as UTF-8"));
        }
        Ok(secret)
    }

    fn prompt(&self) -> Result<Secret> {
        let name = self.what.replace(' ', "-");
        let missing = || {
            let message = format!(
                "no {} was given, and there is no terminal to ask for it",
                self.what
            );
            let variable = self.variables[2];
            Error::new(Kind::PassphraseMissing, message).hint(format!(
                "set {variable}, or give --{name}-file FILE or --{name}-command COMMAND"
            ))
        };
        let refused = |e: std::io::Error| match e.kind() {
            std::io::ErrorKind::Interrupted => Error::new(Kind::Interrupted, "interrupted"),
            _ => missing(),
        };
        if !std::io::stderr().is_terminal() {
            return Err(missing());
        }
        let mut capital = self.what.to_owned();
        capital[..1].make_ascii_uppercase();
        let first = ask(&format!("{capital}: ")).map_err(refused)?;
        if self.twice && ask(&format!("{capital} again: ")).map_err(refused)? != first {
            return Err(Error::new(
                Kind::PassphraseMissing,
                "the two passphrases typed differ",
            ));
        }
        self.checked(first, "the terminal")
    }
}

fn ask(prompt: &str) -> std::io::Result<Secret> {
    rpassword::prompt_password(prompt).map(|text| Zeroizing::new(text.into_bytes()))
}

/// The one source of a rank that is given: its place, name and value.
fn only_one<'v>(
    rank: &'v [(String, Option<&'v OsStr>); 3],
) -> Result<Option<(usize, &'v str, &'v OsStr)>> {
    let mut given = rank
        .iter()
        .enumerate()
        .filter_map(|(at, (name, v))| v.map(|v| (at, name.as_str(), v)));
    match (given.next(), given.next()) {
        (Some((_, one, _)), Some((_, two, _))) => Err(Error::usage(format!(
            "{one} and {two} both give a passphrase"
        ))
        .hint("leave one of them out")),
        (first, _) => Ok(first),
    }
}

fn from_file(path: &Path) -> std::io::Result<Secret> {
    let bytes = Zeroizing::new(super::input::read_bounded(path, LIMIT)?);
    Ok(first_line(&bytes))
}

/// Up to the first line feed, without a carriage return before it and without a UTF-8 byte order mark.
fn first_line(bytes: &[u8]) -> Secret {
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Zeroizing::new(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).to_vec())
}

fn from_command(command: &OsStr, source: &str, limit: Duration) -> Result<Secret> {
    let output = crate::command::output(command, Stdio::null(), LIMIT, limit);
    let output = output.map_err(|why| {
        let message = format!("the command of {source} {why}");
        Error::new(Kind::PassphraseMissing, message)
    })?;
    Ok(first_line(&output))
}

#[cfg(test)]
mod tests;
