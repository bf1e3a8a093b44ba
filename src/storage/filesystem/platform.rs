//! What differs between platforms: modes, syncing a directory, and placing a file only where none is.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

fn dir_builder() -> DirBuilder {
    #[allow(unused_mut)]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// One directory, 0700.
pub(super) fn create_dir(path: &Path) -> io::Result<()> {
    dir_builder().create(path)
}

/// A directory and its parents where missing, 0700.
pub(super) fn create_dirs(path: &Path) -> io::Result<()> {
    dir_builder().recursive(true).create(path)
}

/// A new file for writing, 0600.
pub(super) fn create_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes what was created, renamed or removed in a directory survive a power cut. Where directories cannot be synced
/// (Windows, some network mounts) the file system's own journal has to do.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    match File::open(path)?.sync_all() {
        Err(e) if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

/// Moves `from` to `to` unless `to` exists (`AlreadyExists`), in one step where the file system can: by a hard link,
/// else by `renameat2`. One that can do neither (FAT, some FUSE mounts) gets a look and a rename, between which
/// another writer fits; `init` detects that race by itself.
pub(super) fn place_new(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => {
            // The object is in place; a second name left in the temporary folder only costs a directory entry.
            let _ = fs::remove_file(from);
            Ok(())
        }
        // An NFS server whose answer was lost sees our link again and refuses it: two names mean it is ours.
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            if linked_twice(from) {
                Ok(())
            } else {
                Err(e)
            }
        }
        Err(e)
            if matches!(
                e.kind(),
                ErrorKind::NotFound | ErrorKind::StorageFull | ErrorKind::QuotaExceeded
            ) =>
        {
            Err(e)
        }
        Err(_) => rename_new(from, to),
    }
}

/// Moves `from` to `to`, in place of what is there. Windows refuses that for the moment in which another writer does the
/// same, or a scanner has the file open.
pub(super) fn replace(from: &Path, to: &Path) -> io::Result<()> {
    let mut tries = if cfg!(windows) { 50 } else { 1 };
    let mut result = fs::rename(from, to);
    while tries > 1 {
        tries -= 1;
        match &result {
            Err(e) if e.kind() == ErrorKind::PermissionDenied => {}
            _ => break,
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
        result = fs::rename(from, to);
    }
    result
}

/// Links that lead to each other.
pub(super) fn is_loop(error: &io::Error) -> bool {
    #[cfg(unix)]
    return rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::LOOP);
    #[cfg(not(unix))]
    return {
        let _ = error;
        false
    };
}

fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(io::Error::from) {
            Err(e) if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {}
            result => return result,
        }
    }
    match fs::symlink_metadata(to) {
        Ok(_) => Err(ErrorKind::AlreadyExists.into()),
        Err(e) if e.kind() == ErrorKind::NotFound => fs::rename(from, to),
        Err(e) => Err(e),
    }
}

#[cfg(unix)]
fn linked_twice(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| std::os::unix::fs::MetadataExt::nlink(&m) >= 2)
}

#[cfg(not(unix))]
fn linked_twice(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fallback_refuses_too() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        fs::write(&a, "a").unwrap();
        rename_new(&a, &b).unwrap();
        fs::write(&a, "c").unwrap();
        assert_eq!(
            rename_new(&a, &b).unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
        assert_eq!(fs::read(&b).unwrap(), b"a");
    }
}
