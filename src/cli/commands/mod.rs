//! One file per command: from flags to the engine and back to words.

mod backup_create;
mod backup_delete;
mod backup_details;
mod backup_list;
mod repo_connect;
mod repo_disconnect;
mod repo_init;
mod repo_key;
mod repo_passphrase;
mod repo_status;
mod restore;

use super::args::Command;
use super::args::backup::BackupCommand;
use super::args::repo::{ConnectPlace, InitPlace, KeyCommand, RepoCommand};
use super::place::Provider;
use super::session::{Outcome, Session};
use crate::error::{Error, Result};

/// Runs the command that was asked for.
pub fn run(session: &Session) -> Result<Outcome> {
    match &session.invocation.command {
        Command::Repo(repo) => match &repo.command {
            RepoCommand::Init(init) => match init.place {
                InitPlace::S3(_) => repo_init::run(session, Provider::S3),
                InitPlace::Filesystem(_) => repo_init::run(session, Provider::Filesystem),
            },
            RepoCommand::Connect(connect) => match connect.place {
                ConnectPlace::S3(_) => repo_connect::run(session, Provider::S3),
                ConnectPlace::Filesystem(_) => repo_connect::run(session, Provider::Filesystem),
            },
            RepoCommand::Status(_) => repo_status::run(session),
            RepoCommand::Disconnect(_) => repo_disconnect::run(session),
            RepoCommand::UpdatePassphrase(_) => repo_passphrase::run(session),
            RepoCommand::Key(key) => match &key.command {
                KeyCommand::List(_) => repo_key::list(session),
                KeyCommand::Add(add) => repo_key::add(session, add),
                KeyCommand::Remove(remove) => repo_key::remove(session, remove),
            },
        },
        Command::Backup(backup) => match &backup.command {
            BackupCommand::Create(create) => backup_create::run(session, create),
            BackupCommand::List(_) => backup_list::run(session),
            BackupCommand::Details(details) => backup_details::run(session, details),
            BackupCommand::Delete(delete) => backup_delete::run(session, delete),
        },
        Command::Restore(restore) => restore::run(session, restore),
    }
}

/// The usage error of an argument that is missing.
fn missing(session: &Session, what: &str) -> Error {
    Error::usage(format!("{what} is missing"))
        .hint(super::prepass::pointer(&session.invocation.path))
}
