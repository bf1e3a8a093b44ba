//! Every command and flag, as argh structures. Descriptions live here; environment variables, configuration keys,
//! defaults and choices in [`super::flags`].
//!
//! The pre-pass hands each structure only its own flags, so the groups that many commands share ([`shared`]) are
//! written down once.

pub mod backup;
pub mod completion;
pub mod repo;
pub mod restore;
pub mod shared;

use argh::{ArgsInfo, FromArgs};

pub use repo::InitArgs;
pub use shared::{
    FilesystemArgs, GlobalArgs, NewPassphraseArgs, PassphraseArgs, S3Args, SelectArgs,
};

/// Encrypted, deduplicated backups in a folder or on S3-compatible storage.
#[derive(FromArgs, ArgsInfo)]
#[argh(help_triggers("--help"))]
pub struct Root {
    /// what to do
    #[argh(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
pub enum Command {
    /// `corso repo`
    Repo(repo::Repo),
    /// `corso backup`
    Backup(backup::Backup),
    /// `corso restore`
    Restore(restore::Restore),
    /// `corso completion`
    Completion(completion::Completion),
}
