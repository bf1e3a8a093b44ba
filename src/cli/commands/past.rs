//! What can be done in a repository as it was: everything that only reads.

use crate::cli::args::Command;
use crate::cli::args::backup::BackupCommand;
use crate::cli::args::repo::{KeyCommand, RepairCommand, RepoCommand};
use crate::error::{Error, Result};
use crate::storage::Storage;

/// Refuses commands that write where nothing can be written, before they begin.
pub fn allows(command: &Command, storage: &dyn Storage) -> Result<()> {
    match storage.moment() {
        Some(moment) if writes(command) => Err(Error::usage(format!(
            "this is the repository as it was at {moment}: nothing can be changed in it"
        ))
        .hint("go back to the present with `corso repo connect s3` without --point-in-time")),
        _ => Ok(()),
    }
}

fn writes(command: &Command) -> bool {
    match command {
        Command::Restore(_) | Command::Completion(_) => false,
        Command::Backup(backup) => match &backup.command {
            BackupCommand::List(_) | BackupCommand::Details(_) => false,
            BackupCommand::Forget(flags) => !flags.dry_run,
            BackupCommand::Create(_)
            | BackupCommand::Delete(_)
            | BackupCommand::Pin(_)
            | BackupCommand::Unpin(_)
            | BackupCommand::Undelete(_) => true,
        },
        Command::Repo(repo) => match &repo.command {
            RepoCommand::Connect(_)
            | RepoCommand::Status(_)
            | RepoCommand::Disconnect(_)
            | RepoCommand::Check(_)
            | RepoCommand::Validate(_) => false,
            RepoCommand::Init(_) | RepoCommand::UpdatePassphrase(_) => true,
            RepoCommand::Key(key) => !matches!(key.command, KeyCommand::List(_)),
            RepoCommand::Maintenance(flags) => !flags.dry_run,
            RepoCommand::Repair(repair) => match &repair.command {
                RepairCommand::Index(flags) => !flags.dry_run,
                RepairCommand::Packs(flags) => !flags.dry_run,
                RepairCommand::Snapshots(flags) => flags.holes && !flags.dry_run,
            },
        },
    }
}
