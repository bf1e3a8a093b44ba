//! From raw arguments to typed ones: the pre-pass, then argh for each group.

use super::args::{
    Command, FilesystemArgs, GlobalArgs, InitArgs, NewPassphraseArgs, PassphraseArgs, Root, S3Args,
    SelectArgs,
};
use super::flags::Group;
use super::prepass::{self, Ask, Sorted};
use crate::error::{Error, Result};
use argh::FromArgs;
use std::ffi::OsString;

/// What the arguments ask for.
pub enum Parsed {
    /// Help on the command reached by these words.
    Help(Vec<&'static str>),
    /// The version.
    Version,
    /// To run a command.
    Run(Box<Invocation>),
}

/// A command with all its flags. Groups that the command does not take are empty.
pub struct Invocation {
    /// The command's words.
    pub path: Vec<&'static str>,
    /// The command and its own flags.
    pub command: Command,
    /// Every command's flags.
    pub global: GlobalArgs,
    /// S3.
    pub s3: S3Args,
    /// Folder.
    pub filesystem: FilesystemArgs,
    /// Passphrase.
    pub passphrase: PassphraseArgs,
    /// New passphrase.
    pub new_passphrase: NewPassphraseArgs,
    /// Which backups.
    pub select: SelectArgs,
    /// What `init` fixes.
    pub init: InitArgs,
}

/// Parses `args` (without the program's name).
pub fn parse(args: &[OsString]) -> Result<Parsed> {
    let sorted = match prepass::sort(args)? {
        Ask::Help(path) => return Ok(Parsed::Help(path)),
        Ask::Version => return Ok(Parsed::Version),
        Ask::Run(sorted) => sorted,
    };
    let command: Vec<&str> = sorted.command.iter().map(String::as_str).collect();
    let root: Root = typed(&command, &sorted.path)?;
    let invocation = Invocation {
        command: root.command,
        global: group(&sorted, Group::Global)?,
        s3: group(&sorted, Group::S3)?,
        filesystem: group(&sorted, Group::Filesystem)?,
        passphrase: group(&sorted, Group::Passphrase)?,
        new_passphrase: group(&sorted, Group::NewPassphrase)?,
        select: group(&sorted, Group::Select)?,
        init: group(&sorted, Group::Init)?,
        path: sorted.path,
    };
    super::check_output_flags(&invocation.global)?;
    Ok(Parsed::Run(Box::new(invocation)))
}

fn group<T: FromArgs>(sorted: &Sorted, group: Group) -> Result<T> {
    typed(&sorted.group(group), &sorted.path)
}

/// The pre-pass has checked everything that a user can get wrong, so argh's own message, which repeats values, is
/// never shown.
fn typed<T: FromArgs>(args: &[&str], path: &[&str]) -> Result<T> {
    T::from_args(&["corso"], args).map_err(|_| {
        Error::usage("the arguments cannot be understood").hint(prepass::pointer(path))
    })
}

/// Was `--json` among arguments that could not be parsed?
pub fn wants_json(args: &[OsString]) -> bool {
    args.iter()
        .take_while(|a| *a != "--")
        .any(|a| a == "--json" || a == "--json=true")
}
