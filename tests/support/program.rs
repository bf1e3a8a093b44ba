//! Runs the program itself, in an environment that holds only what the test gives it.

use super::{Keys, temp_dir};
use std::borrow::Borrow;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_corso");

/// A run that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(600);

/// A home directory of its own with an environment, in which the program runs any number of times.
pub struct Corso {
    home: tempfile::TempDir,
    environment: Vec<(OsString, OsString)>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; -1 if a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Corso {
    /// HOME is a fresh directory; of the test's own environment only PATH is kept.
    pub fn new() -> Corso {
        Corso {
            home: temp_dir(),
            environment: Vec::new(),
        }
    }

    /// Sets a variable for all later runs.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Corso {
        self.set(name, value);
        self
    }

    /// Sets the storage keys for all later runs.
    pub fn keys(self, keys: impl Borrow<Keys>) -> Corso {
        let keys = keys.borrow();
        let corso = self
            .env("AWS_ACCESS_KEY_ID", &keys.access)
            .env("AWS_SECRET_ACCESS_KEY", &keys.secret);
        match &keys.token {
            Some(token) => corso.env("AWS_SESSION_TOKEN", token),
            None => corso,
        }
    }

    /// Sets a variable for all later runs.
    pub fn set(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        self.unset(name.as_ref());
        self.environment
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
    }

    /// Removes a variable again.
    pub fn unset(&mut self, name: impl AsRef<OsStr>) {
        self.environment.retain(|(n, _)| n != name.as_ref());
    }

    /// HOME, where the configuration file and the cache land.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The program with the environment set and standard input empty; for tests that need more than [`Corso::run`].
    pub fn command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        self.command_of(PROGRAM, arguments)
    }

    /// As [`Corso::command`] for another program, such as a shell.
    pub fn command_of<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        arguments: &[A],
    ) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .env("TZ", "UTC")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.environment.iter().map(|(n, v)| (n, v)))
            .current_dir(self.home())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command of [`Corso::command`] or [`Corso::command_of`] to the end.
    pub fn finish(command: Command) -> Finished {
        finish(command, &[])
    }

    /// Runs to the end.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Finished {
        finish(self.command(arguments), &[])
    }

    /// Runs to the end with `input` on standard input.
    pub fn run_with_input<A: AsRef<OsStr>>(&self, arguments: &[A], input: &[u8]) -> Finished {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        finish(command, input)
    }

    /// Runs and expects exit code 0.
    #[track_caller]
    pub fn ok<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Finished {
        self.fails(arguments, 0)
    }

    /// Adds a writer key to the repository that is connected.
    #[track_caller]
    pub fn add_writer(&self, passphrase: &str) {
        let add = ["repo", "key", "add", "--role", "writer", "--new-passphrase"];
        self.ok(&[&add[..], &[passphrase]].concat());
    }

    /// Runs and expects this exit code.
    #[track_caller]
    pub fn fails<A: AsRef<OsStr>>(&self, arguments: &[A], code: i32) -> Finished {
        let finished = self.run(arguments);
        let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
        assert_eq!(finished.code, code, "{arguments:?}: {finished:#?}");
        finished
    }
}

/// Sends the signal `name` (as `-TERM`), and waits until the program has ended.
pub fn stop(child: &mut Child, name: &str) {
    let sent = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < Duration::from_secs(30), "it goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `repo init s3` for the bucket `corso-test` at a server without TLS, and `more` flags.
pub fn init_s3<'a>(endpoint: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let words = [
        "repo",
        "init",
        "s3",
        "--bucket",
        "corso-test",
        "--disable-tls",
        "--endpoint",
        endpoint,
    ];
    [&words[..], more].concat()
}

/// Runs `command` to the end, and shows `watch` its process id every few milliseconds meanwhile.
pub fn finish_watched(command: Command, watch: &mut dyn FnMut(u32)) -> Finished {
    finish_with(command, &[], watch)
}

fn finish(command: Command, input: &[u8]) -> Finished {
    finish_with(command, input, &mut |_| {})
}

/// Storage secrets that `command` is given. Very short ones stand in other words, too.
fn secrets(command: &Command) -> Vec<String> {
    const NAMES: [&str; 3] = [
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SECRET_KEY",
        "AWS_SESSION_TOKEN",
    ];
    const FLAGS: [&str; 2] = ["--aws-secret-access-key", "--aws-session-token"];
    let set = command
        .get_envs()
        .filter(|(n, _)| NAMES.iter().any(|name| name == n));
    let arguments: Vec<&OsStr> = command.get_args().collect();
    let after_flags = arguments
        .windows(2)
        .filter(|pair| FLAGS.iter().any(|flag| *flag == pair[0]))
        .map(|pair| pair[1]);
    set.filter_map(|(_, value)| value)
        .chain(after_flags)
        .map(|secret| secret.to_string_lossy().into_owned())
        .filter(|secret| secret.len() >= 8)
        .collect()
}

/// Runs to the end; whatever happens, no storage secret may be in what the program says.
fn finish_with(mut command: Command, input: &[u8], watch: &mut dyn FnMut(u32)) -> Finished {
    let secrets = secrets(&command);
    let finished = wait(command.spawn().unwrap(), input, watch);
    for secret in secrets {
        let said = [&finished.stdout, &finished.stderr];
        assert!(
            !said.iter().any(|text| text.contains(&secret)),
            "a secret in {finished:#?}"
        );
    }
    finished
}

/// Waits for the end, with all pipes served at once.
fn wait(mut child: Child, input: &[u8], watch: &mut dyn FnMut(u32)) -> Finished {
    let (stdin, mut stdout, mut stderr) = (
        child.stdin.take(),
        child.stdout.take().unwrap(),
        child.stderr.take().unwrap(),
    );
    std::thread::scope(|scope| {
        // A program that ends without reading its input is no failure.
        scope.spawn(|| stdin.map(|mut pipe| pipe.write_all(input)));
        let text = |pipe: &mut dyn Read| {
            let mut bytes = Vec::new();
            pipe.read_to_end(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let stdout = scope.spawn(move || text(&mut stdout));
        let stderr = scope.spawn(move || text(&mut stderr));
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            watch(child.id());
            if begin.elapsed() > LIMIT {
                child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Finished {
            code: status.code().unwrap_or(-1),
            stdout: stdout.join().unwrap(),
            stderr: stderr.join().unwrap(),
        }
    })
}
