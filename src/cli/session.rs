//! What every command works with, and what it hands back.

use super::args::GlobalArgs;
use super::config::ConfigFile;
use super::env::Env;
use super::parse::Invocation;
use super::passphrase::Sources;
use super::place::{self, Resolved};
use crate::crypto::Passphrase;
use crate::error::Result;
use crate::report::log::{Level, Log};
use crate::report::progress::Style;
use crate::report::{Reporter, Shown, Stop};
use std::ffi::OsStr;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Once};

/// One run of the program.
pub struct Session {
    /// What was asked for.
    pub invocation: Invocation,
    /// The environment.
    pub env: Env,
    /// Shows, logs, remembers.
    pub reporter: Arc<Reporter>,
    stop: Stop,
    listening: Once,
    /// Part of the JSON document is on standard output: an error belongs into it.
    pub document_begun: AtomicBool,
    redraws: bool,
}

/// What a command has to say.
#[derive(Debug, Default)]
pub struct Outcome {
    /// For standard output; empty if there is nothing to print.
    pub text: String,
    /// The same and more for `--json`.
    pub json: serde_json::Value,
    /// Lines for standard error, such as `Connected to S3 bucket B.`
    pub lines: Vec<String>,
    /// Exit code: 0, 1 for a check that found errors, or 3 for a backup with unreadable files.
    pub code: u8,
}

impl Session {
    /// Sets up output, log and signals.
    pub fn new(invocation: Invocation, env: Env) -> Result<Session> {
        let global = &invocation.global;
        let shown = Shown {
            quiet: global.quiet,
            json_events: global.json_events,
            progress: Style::choose(
                global.hide_progress,
                std::io::stderr().is_terminal(),
                env.dumb_terminal(),
            ),
        };
        let reporter = Arc::new(Reporter::new(shown, open_log(global, &env)?));
        reporter.log(
            Level::Info,
            &format!(
                "corso {} {}",
                env!("CARGO_PKG_VERSION"),
                invocation.path.join(" ")
            ),
        );
        Ok(Session {
            invocation,
            env,
            reporter,
            stop: Stop::default(),
            listening: Once::new(),
            document_begun: AtomicBool::new(false),
            redraws: shown.progress == Style::Bar && !shown.quiet,
        })
    }

    /// What Ctrl-C sets from now on: the first one asks the run to stop, so that what was uploaded stays usable; a
    /// second one ends the process at once. Commands that never ask end at the first.
    pub fn stop(&self) -> Result<&Stop> {
        let mut installed = Ok(());
        self.listening
            .call_once(|| installed = crate::fs::install_stop_signals(&self.stop));
        installed.map(|()| &self.stop)
    }

    /// Is a progress bar on the screen, so that an estimate is worth a look ahead?
    pub fn redraws(&self) -> bool {
        self.redraws
    }

    /// Where repositories have their caches.
    pub fn cache_root(&self) -> Option<PathBuf> {
        crate::repo::cache::root(&|name| self.env.os(name).map(ToOwned::to_owned))
    }

    /// The flags of every command.
    pub fn flags(&self) -> &GlobalArgs {
        &self.invocation.global
    }

    /// Where the configuration file is, or would be.
    pub fn config_location(&self) -> Option<PathBuf> {
        match self.flags().config_file.as_ref().filter(|f| !f.is_empty()) {
            Some(file) => Some(file.path().to_owned()),
            None => self.env.config_file(),
        }
    }

    /// Loads the configuration file and finds the repository's place, for every command but init and connect.
    pub fn place(&self) -> Result<(ConfigFile, Resolved)> {
        let file = ConfigFile::load(self.config_location())?;
        let resolved = place::other(
            &self.invocation.s3,
            &self.invocation.filesystem,
            &self.env,
            &file,
        )?;
        self.warn_of_old_keys(&file, &resolved);
        Ok((file, resolved))
    }

    /// The passphrase for opening the repository.
    pub fn passphrase(&self, file: &ConfigFile, resolved: &Resolved) -> Result<Passphrase> {
        let config = file
            .secrets
            .passphrase
            .as_ref()
            .filter(|_| resolved.same_as_file)
            .map(|p| (p, file.shown()));
        let sources = Sources::to_open(&self.invocation.passphrase, &self.env, config);
        self.ask(&sources)
    }

    /// The passphrase for creating a repository.
    pub fn first_passphrase(&self, file: &ConfigFile, resolved: &Resolved) -> Result<Passphrase> {
        let config = file
            .secrets
            .passphrase
            .as_ref()
            .filter(|_| resolved.same_as_file)
            .map(|p| (p, file.shown()));
        let sources = Sources::to_init(&self.invocation.passphrase, &self.env, config);
        self.ask(&sources)
    }

    /// The passphrase of a new or changed key.
    pub fn new_passphrase(&self) -> Result<Passphrase> {
        let sources = Sources::for_new(&self.invocation.new_passphrase, &self.env);
        self.ask(&sources)
    }

    fn ask(&self, sources: &Sources<'_>) -> Result<Passphrase> {
        let mut secret = sources.get(&mut |text| self.reporter.warn(text))?;
        Ok(Passphrase::new(std::mem::take(&mut *secret)))
    }

    /// AWS keys in the file are used as the old program used them, but a file of their own is a better place.
    pub fn warn_of_old_keys(&self, file: &ConfigFile, resolved: &Resolved) {
        let place::StorageChoice::S3(s3) = &resolved.choice else {
            return;
        };
        let stronger =
            s3.flag_keys.is_some() || s3.profile.is_some() || place::names_keys(&self.env);
        if s3.file_keys.is_some() && !stronger {
            let file = file.shown();
            self.reporter.warn(&format!(
                "the AWS keys are taken from {file}; keep them in ~/.aws/credentials instead"
            ));
        }
    }
}

fn open_log(global: &GlobalArgs, env: &Env) -> Result<Option<Log>> {
    let level = global.log_level.as_deref().and_then(Level::parse);
    let named = global
        .log_file
        .as_ref()
        .filter(|f| !f.is_empty())
        .map(|f| f.0.as_os_str());
    let target = named.or_else(|| env.os("CORSO_LOG_FILE"));
    match (target, level) {
        (Some(target), level) => Log::open(target, level.unwrap_or(Level::Info)).map(Some),
        // Asked for details without saying where: where people look.
        (None, Some(Level::Debug)) => Log::open(OsStr::new("stderr"), Level::Debug).map(Some),
        (None, _) => Ok(None),
    }
}
