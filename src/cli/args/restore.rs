//! `corso restore`

use crate::cli::value::OsArg;
use argh::{ArgsInfo, FromArgs};

/// Restore files and folders from a backup.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "restore", help_triggers("--help"))]
pub struct Restore {
    /// id of the backup, a unique beginning of it, or latest
    #[argh(positional, arg_name = "BACKUP")]
    pub backup: String,

    /// restore only these paths and what is below them
    #[argh(positional, arg_name = "PATH")]
    pub paths: Vec<OsArg>,

    /// folder to restore into; / puts everything back where it was
    #[argh(option, arg_name = "DIR")]
    pub destination: Option<OsArg>,

    /// what to do where a file is in the way
    #[argh(option, arg_name = "HOW")]
    pub collisions: Option<String>,

    /// read every restored file back and compare it
    #[argh(switch)]
    pub verify: bool,

    /// say what would be done, and do nothing
    #[argh(switch)]
    pub dry_run: bool,

    /// never restore devices and set-id bits, not even as root
    #[argh(switch)]
    pub no_special: bool,
}
