//! `corso backup ...`

use crate::cli::value::OsArg;
use argh::{ArgsInfo, FromArgs};

/// Make, list, look into, keep and delete backups.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "backup", help_triggers("--help"))]
pub struct Backup {
    /// what to do
    #[argh(subcommand)]
    pub command: BackupCommand,
}

/// The commands under `corso backup`.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub enum BackupCommand {
    /// `corso backup create`
    Create(Create),
    /// `corso backup list`
    List(List),
    /// `corso backup details`
    Details(Details),
    /// `corso backup delete`
    Delete(Delete),
    /// `corso backup forget`
    Forget(Forget),
    /// `corso backup pin`
    Pin(Pin),
    /// `corso backup unpin`
    Unpin(Unpin),
    /// `corso backup undelete`
    Undelete(Undelete),
}

/// Back up files and folders.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "create", help_triggers("--help"))]
pub struct Create {
    /// files and folders to back up
    #[argh(positional, arg_name = "PATH")]
    pub paths: Vec<OsArg>,

    /// back up standard input as a file of this name
    #[argh(option, arg_name = "NAME")]
    pub stdin: Option<OsArg>,

    /// leave out what matches this pattern; may be repeated
    #[argh(option, arg_name = "PATTERN")]
    pub exclude: Vec<OsArg>,

    /// read patterns to leave out from this file, one a line; may be repeated
    #[argh(option, arg_name = "FILE")]
    pub exclude_file: Vec<OsArg>,

    /// leave out the content of folders that hold a CACHEDIR.TAG file
    #[argh(switch)]
    pub exclude_caches: bool,

    /// do not go into other file systems
    #[argh(switch)]
    pub one_file_system: bool,

    /// a word to find the backup by; may be repeated
    #[argh(option, arg_name = "TAG")]
    pub tag: Vec<String>,

    /// host name to record instead of this machine's
    #[argh(option, arg_name = "HOST")]
    pub host: Option<String>,

    /// read and compare, but store nothing
    #[argh(switch)]
    pub dry_run: bool,

    /// backup to compare with: an id, or none; found by host and paths where not given
    #[argh(option, arg_name = "BACKUP")]
    pub parent: Option<String>,

    /// read all files, also those that look unchanged
    #[argh(switch)]
    pub force: bool,
}

/// List the backups.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "list", help_triggers("--help"))]
pub struct List {
    /// list the deleted backups that can still be brought back
    #[argh(switch)]
    pub deleted: bool,

    /// warn no more of backups that were seen from this machine and are gone
    #[argh(switch)]
    pub accept_missing: bool,
}

/// Show what a backup holds.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "details", help_triggers("--help"))]
pub struct Details {
    /// id of the backup, a unique beginning of it, or latest
    #[argh(positional, arg_name = "BACKUP")]
    pub backup: String,

    /// list only this path and what is below it
    #[argh(positional, arg_name = "PATH")]
    pub path: Option<OsArg>,
}

/// Delete backups. Their data stays until maintenance finds that nothing else needs it.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "delete", help_triggers("--help"))]
pub struct Delete {
    /// ids of the backups, unique beginnings of them, or latest
    #[argh(positional, arg_name = "BACKUP")]
    pub backups: Vec<String>,

    /// say what would be deleted, but delete nothing
    #[argh(switch)]
    pub dry_run: bool,
}

/// Delete the backups that no rule keeps. Without rules, those of the repository are in force.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "forget", help_triggers("--help"))]
pub struct Forget {
    /// keep the newest so many
    #[argh(option, arg_name = "NUMBER")]
    pub keep_last: Option<String>,

    /// keep the newest of each hour, for so many hours that have one
    #[argh(option, arg_name = "NUMBER")]
    pub keep_hourly: Option<String>,

    /// the same for days
    #[argh(option, arg_name = "NUMBER")]
    pub keep_daily: Option<String>,

    /// the same for weeks
    #[argh(option, arg_name = "NUMBER")]
    pub keep_weekly: Option<String>,

    /// the same for months
    #[argh(option, arg_name = "NUMBER")]
    pub keep_monthly: Option<String>,

    /// the same for years
    #[argh(option, arg_name = "NUMBER")]
    pub keep_yearly: Option<String>,

    /// keep all that are less than this older than the newest, such as 14d or 1y6m
    #[argh(option, arg_name = "DURATION")]
    pub keep_within: Option<String>,

    /// keep all with this tag, or with all of several that have commas between; may be repeated
    #[argh(option, arg_name = "TAG")]
    pub keep_tag: Vec<String>,

    /// apply the rules to each group of backups that have these in common
    #[argh(option, arg_name = "LIST")]
    pub group_by: Option<String>,

    /// go by the dates that backups of writer keys name, after the repository was copied to another place
    #[argh(switch)]
    pub trust_dates: bool,

    /// say what would be kept and why, but delete nothing
    #[argh(switch)]
    pub dry_run: bool,
}

/// Pin backups: they are neither forgotten nor deleted until they are unpinned.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "pin", help_triggers("--help"))]
pub struct Pin {
    /// ids of the backups, unique beginnings of them, or latest
    #[argh(positional, arg_name = "BACKUP")]
    pub backups: Vec<String>,
}

/// Take the pins off backups.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "unpin", help_triggers("--help"))]
pub struct Unpin {
    /// ids of the backups, unique beginnings of them, or latest
    #[argh(positional, arg_name = "BACKUP")]
    pub backups: Vec<String>,
}

/// Bring deleted backups back, while their data is there.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "undelete", help_triggers("--help"))]
pub struct Undelete {
    /// ids of the deleted backups, or unique beginnings of them
    #[argh(positional, arg_name = "BACKUP")]
    pub backups: Vec<String>,
}
