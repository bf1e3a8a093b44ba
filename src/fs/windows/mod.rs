//! The Windows side of the source: directories by their paths, metadata by handle, names, the console's signals.

mod dir;
pub mod handle;
pub mod times;

pub use dir::{Dir, extents, file_state, kind, meta_handle};

use super::meta::Owners;
use crate::error::{Context, Result};
use crate::report::Stop;
use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::windows::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Owners are security identifiers here, which are kept another way.
pub fn owners() -> Owners {
    Owners::default()
}

/// Windows has no root; an administrator's rights show when they are used.
pub fn is_root() -> bool {
    false
}

/// The host's name.
pub fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "unknown".into())
}

/// The user's name.
pub fn user_name() -> String {
    std::env::var("USERNAME").unwrap_or_else(|_| "unknown".into())
}

/// The bytes of a path or name as it goes into a snapshot: WTF-8.
pub fn os_bytes(text: &OsStr) -> Vec<u8> {
    text.as_encoded_bytes().to_vec()
}

/// The path that has these bytes of WTF-8; invalid ones become the replacement character.
pub fn path_from_bytes(bytes: &[u8]) -> PathBuf {
    let mut wide: Vec<u16> = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        let valid = match std::str::from_utf8(rest) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&rest[..error.valid_up_to()]).unwrap_or_default(),
        };
        wide.extend(valid.encode_utf16());
        rest = &rest[valid.len()..];
        rest = match rest {
            [] => rest,
            // A lone surrogate in WTF-8: 1110_1101 101x_xxxx 10xx_xxxx.
            [0xed, b @ 0xa0..=0xbf, c @ 0x80..=0xbf, more @ ..] => {
                wide.push(0xd000 | u16::from(b & 0x3f) << 6 | u16::from(c & 0x3f));
                more
            }
            [_, more @ ..] => {
                wide.push(0xfffd);
                more
            }
        };
    }
    OsString::from_wide(&wide).into()
}

/// Options to open a file that only its owner may read: a profile's folders are private by inheritance.
pub fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    options
}

/// Makes a directory and its missing parents; private where its parent is.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(path)
}

/// A rename is durable without more.
pub fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}

/// There is no such limit.
pub fn raise_open_files_limit() {}

/// Lets Ctrl-C, Ctrl-Break and the end of the session request a stop; the second time the process ends at once with 130.
/// When its window is closed or the system shuts down, Windows itself ends it a few seconds later.
pub fn install_stop_signals(stop: &Stop) -> Result<()> {
    const INTERRUPT: u8 = 2;
    let stop = stop.clone();
    ctrlc::set_handler(move || {
        if stop.requested() {
            std::process::exit(128 + i32::from(INTERRUPT));
        }
        stop.request(INTERRUPT);
    })
    .map_err(io::Error::other)
    .context(|| "installing the console handler")
}
