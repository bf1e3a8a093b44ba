//! The target on Unix: directory descriptors, `openat` with `O_NOFOLLOW`, component by component.

mod dir;
mod meta;
mod target;
#[cfg(test)]
mod tests;

pub use dir::Dir;
pub use target::Target;

use super::Found;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Writes all of `bytes` at `pos`.
pub fn write_all_at(file: &File, bytes: &[u8], pos: u64) -> io::Result<()> {
    file.write_all_at(bytes, pos)
}

/// Fills `bytes` from `pos`; a file that ends earlier is an error.
pub fn read_exact_at(file: &File, bytes: &mut [u8], pos: u64) -> io::Result<()> {
    file.read_exact_at(bytes, pos)
}

/// Does the file belong to the user of this process?
pub fn is_own(found: &Found) -> bool {
    found.uid == rustix::process::geteuid().as_raw()
}

/// Is this an attribute that the file system cannot hold at all, or that this user may not set?
pub fn is_unsupported(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(Errno::NOTSUP | Errno::NOSYS | Errno::PERM | Errno::ACCESS)
    )
}
