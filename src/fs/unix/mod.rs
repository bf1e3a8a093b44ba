//! The Unix side of the source: directory handles, metadata, users, signals.

mod dir;
mod meta;
mod xattr;

pub use dir::{Dir, extents, file_state};

use super::meta::Owners;
use crate::error::{Context, Result};
use crate::report::Stop;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// More of `/etc/passwd` or `/etc/group` is not read.
const MAX_OWNERS_FILE: u64 = 64 << 20;

/// The users and groups of this host as its files name them; empty where they cannot be read.
pub fn owners() -> Owners {
    let read = |path: &str| {
        let mut text = Vec::new();
        if let Ok(file) = File::open(path) {
            // A part is better than nothing: the names are a help to people, the numbers are what counts.
            let _ = file.take(MAX_OWNERS_FILE).read_to_end(&mut text);
        }
        text
    };
    Owners::parse(&read("/etc/passwd"), &read("/etc/group"))
}

/// Does the process run as root?
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The host's name.
pub fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// The name of the user that the process runs as, else the number.
pub fn user_name() -> String {
    let uid = rustix::process::geteuid().as_raw();
    match owners().user(uid) {
        [] => std::env::var("USER")
            .ok()
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| uid.to_string()),
        name => String::from_utf8_lossy(name).into_owned(),
    }
}

/// The bytes of a path or name as it goes into a snapshot.
pub fn os_bytes(text: &std::ffi::OsStr) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// The path that has these bytes.
pub fn path_from_bytes(bytes: &[u8]) -> std::path::PathBuf {
    std::ffi::OsStr::from_bytes(bytes).into()
}

/// Options to open a file that only its owner may read.
pub fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

/// Makes a directory that only its owner may enter, and its missing parents likewise.
pub fn create_private_dir(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a rename in the directory durable.
pub fn sync_dir(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

/// Raises the limit on open files to what the system allows this process. Best effort: the walk needs few.
pub fn raise_open_files_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: limit.maximum,
                maximum: limit.maximum,
            },
        );
    }
}

/// Lets SIGINT and SIGTERM request a stop; the second one ends the process at once with 130 or 143.
pub fn install_stop_signals(stop: &Stop) -> Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])
        .context(|| "installing the signal handlers")?;
    let stop = stop.clone();
    let wait = move || {
        for signal in signals.forever() {
            if stop.requested() {
                signal_hook::low_level::exit(128 + signal);
            }
            stop.request(signal as u8);
        }
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(wait)
        .context(|| "starting the signal thread")?;
    Ok(())
}
