//! The target on Windows: by paths, with links looked for before every step, not excluded by the system as on Unix.
//! A restore into a folder that somebody hostile can write to meanwhile is not safe here.

mod dir;
mod meta;
mod target;

pub use dir::Dir;
pub use target::Target;

use super::Found;
use std::fs::File;
use std::io;
use std::os::windows::fs::FileExt;

/// Every file that can be opened for writing counts as ours.
pub fn is_own(_: &Found) -> bool {
    true
}

/// Extended attributes do not exist here.
pub fn is_unsupported(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

/// Writes all of `bytes` at `pos`.
pub fn write_all_at(file: &File, mut bytes: &[u8], mut pos: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = file.seek_write(bytes, pos)?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(n..).unwrap_or_default();
        pos += n as u64;
    }
    Ok(())
}

/// Fills `bytes` from `pos`; a file that ends earlier is an error.
pub fn read_exact_at(file: &File, bytes: &mut [u8], mut pos: u64) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let n = file.seek_read(rest, pos)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        rest = rest.get_mut(n..).unwrap_or_default();
        pos += n as u64;
    }
    Ok(())
}
