//! One file per command: from flags to the engine and back to words.

mod backup_create;
mod backup_delete;
mod backup_details;
mod backup_forget;
mod backup_list;
mod backup_pin;
mod backup_undelete;
mod completion;
mod past;
mod repo_check;
mod repo_connect;
mod repo_disconnect;
mod repo_init;
mod repo_key;
mod repo_maintenance;
mod repo_passphrase;
mod repo_repair;
mod repo_status;
mod repo_validate;
mod restore;

use super::args::Command;
use super::args::backup::BackupCommand;
use super::args::repo::{
    ConnectPlace, InitPlace, KeyCommand, RepairCommand, RepoCommand, ValidatePlace,
};
use super::place::StorageChoice;
use super::session::{Outcome, Session};
use crate::crypto::Passphrase;
use crate::error::{Error, Result};
use crate::format::config::Config;
use crate::fs::path::Source;
use crate::id::{Id, Id16, Prefix};
use crate::repo::Repository;
use crate::repo::snapshots::{Snapshot, SnapshotFilter};
use crate::report::json::put_path;
use crate::report::{Event, Observer};
use crate::storage::Storage;
use crate::units::Time;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Runs the command that was asked for.
pub fn run(session: &Session) -> Result<Outcome> {
    match &session.invocation.command {
        Command::Repo(repo) => match &repo.command {
            RepoCommand::Init(init) => match init.place {
                InitPlace::S3(ref flags) => repo_init::s3(session, flags),
                InitPlace::Filesystem(_) => repo_init::filesystem(session),
            },
            RepoCommand::Connect(connect) => match connect.place {
                ConnectPlace::S3(ref flags) => repo_connect::s3(session, flags),
                ConnectPlace::Filesystem(_) => repo_connect::filesystem(session),
            },
            RepoCommand::Status(_) => repo_status::run(session),
            RepoCommand::Disconnect(_) => repo_disconnect::run(session),
            RepoCommand::UpdatePassphrase(_) => repo_passphrase::run(session),
            RepoCommand::Key(key) => match &key.command {
                KeyCommand::List(_) => repo_key::list(session),
                KeyCommand::Add(add) => repo_key::add(session, add),
                KeyCommand::Remove(remove) => repo_key::remove(session, remove),
            },
            RepoCommand::Maintenance(flags) => repo_maintenance::run(session, flags),
            RepoCommand::Check(check) => repo_check::run(session, check),
            RepoCommand::Repair(repair) => match &repair.command {
                RepairCommand::Index(flags) => repo_repair::index(session, flags),
                RepairCommand::Packs(flags) => repo_repair::packs(session, flags),
                RepairCommand::Snapshots(flags) => repo_repair::snapshots(session, flags),
            },
            RepoCommand::Validate(validate) => match validate.place {
                ValidatePlace::S3(ref flags) => repo_validate::s3(session, flags),
                ValidatePlace::Filesystem(_) => repo_validate::filesystem(session),
            },
        },
        Command::Backup(backup) => match &backup.command {
            BackupCommand::Create(create) => backup_create::run(session, create),
            BackupCommand::List(list) => backup_list::run(session, list),
            BackupCommand::Details(details) => backup_details::run(session, details),
            BackupCommand::Delete(delete) => backup_delete::run(session, delete),
            BackupCommand::Forget(forget) => backup_forget::run(session, forget),
            BackupCommand::Pin(pin) => backup_pin::pin(session, pin),
            BackupCommand::Unpin(unpin) => backup_pin::unpin(session, unpin),
            BackupCommand::Undelete(undelete) => backup_undelete::run(session, undelete),
        },
        Command::Restore(restore) => restore::run(session, restore),
        Command::Completion(flags) => completion::run(flags),
    }
}

/// Opens the repository that flags, environment and configuration file name.
fn open(session: &Session) -> Result<Arc<Repository>> {
    let (file, mut resolved) = session.place()?;
    let passphrase = session.passphrase(&file, &resolved)?;
    let storage = resolved.choice.storage(&session.env, false)?;
    open_at(session, storage, &passphrase).map(Arc::new)
}

fn open_at(
    session: &Session,
    storage: Arc<dyn Storage>,
    passphrase: &Passphrase,
) -> Result<Repository> {
    past::allows(&session.invocation.command, &*storage)?;
    let cache = session.cache_root();
    session
        .reporter
        .event(Event::Phase("opening the repository"));
    Repository::open(storage, passphrase, cache.as_deref(), &*session.reporter)
}

/// The flags that say which backups are meant. A source is compared as the platform here writes it.
fn filter(session: &Session) -> Result<SnapshotFilter> {
    let select = &session.invocation.select;
    let path = select.source.as_ref().filter(|p| !p.is_empty());
    Ok(SnapshotFilter {
        host: given(&select.host).map(str::to_owned),
        path: path
            .map(|p| Source::new(&p.0).map(|s| s.path))
            .transpose()?,
        tags: select.tag.clone(),
        writer: select.writer.as_deref().map(writer).transpose()?,
    })
}

/// The value of a flag. An empty one counts as not given: that is what an unset variable in a script leaves.
fn given(flag: &Option<String>) -> Option<&str> {
    flag.as_deref().filter(|text| !text.is_empty())
}

/// How the id of the writer that `--writer` names begins.
fn writer(text: &str) -> Result<Prefix> {
    let text = text.to_ascii_lowercase();
    let prefix = match text.as_str() {
        "full" => Prefix::parse(&Id16::ZERO.hex()),
        _ => Prefix::parse(&text).filter(|_| text.len() <= 32),
    };
    prefix.ok_or_else(|| {
        Error::usage(format!(
            "--writer {text:?} is no writer: give 4 to 32 digits of its id, or full"
        ))
        .hint("`corso repo key list` shows the writers")
    })
}

/// The backup that `text` names.
fn find(session: &Session, repo: &Repository, text: &str) -> Result<Snapshot> {
    let filter = filter(session)?;
    if text != "latest" && (filter != SnapshotFilter::default()) {
        return Err(Error::usage(
            "--host, --source, --tag and --writer say which backup is the latest; an id needs none of them",
        )
        .hint("give latest instead of the id, or leave the flags out"));
    }
    repo.find_snapshot(text, &filter, &*session.reporter)
}

/// The ids of the backups that `names` stand for, each once. By name alone, so that a backup that cannot be read can be
/// meant too.
fn ids(session: &Session, repo: &Repository, names: &[String]) -> Result<Vec<Id>> {
    if names.is_empty() {
        return Err(missing(session, "BACKUP"));
    }
    let mut ids: Vec<Id> = Vec::new();
    for name in names {
        let id = match name.as_str() {
            "latest" => find(session, repo, name)?.id,
            name => repo.resolve(name, &*session.reporter)?,
        };
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// The names of `ids`, whole, for `--json`.
fn hex(ids: &[Id]) -> Vec<String> {
    ids.iter().map(Id::hex).collect()
}

/// Where the repository is, for `--json`.
fn place_json(choice: &StorageChoice) -> Value {
    match choice {
        StorageChoice::S3(s3) => json!({
            "provider": "S3",
            "bucket": s3.bucket,
            "prefix": s3.prefix,
            "endpoint": s3.endpoint,
            "point_in_time": s3.point_in_time.map(Time::rfc3339),
        }),
        StorageChoice::Filesystem(path) => {
            let mut map = Map::from_iter([("provider".to_owned(), "Filesystem".into())]);
            put_path(&mut map, "path", &crate::fs::os_bytes(path.as_os_str()));
            Value::Object(map)
        }
    }
}

/// How objects are locked, for `--json`; null if they are not.
fn lock_json(config: &Config) -> Value {
    config.lock.map_or(Value::Null, |lock| {
        json!({
            "mode": lock.mode.name(),
            "duration_seconds": lock.duration.as_secs(),
            "extend": lock.extend,
        })
    })
}

/// The usage error of an argument that is missing.
fn missing(session: &Session, what: &str) -> Error {
    Error::usage(format!("{what} is missing"))
        .hint(super::prepass::pointer(&session.invocation.path))
}
