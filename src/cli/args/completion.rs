//! `corso completion`

use argh::{ArgsInfo, FromArgs};

/// Print the script that completes command lines in a shell.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "completion", help_triggers("--help"))]
pub struct Completion {
    /// bash, fish, nushell, powershell or zsh
    #[argh(positional, arg_name = "SHELL")]
    pub shell: String,
}
