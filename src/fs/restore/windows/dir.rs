//! One directory, by its verbatim path, and what can be done with a name in it.

use crate::format::{Entry, FileKind};
use crate::fs::restore::{Found, Placed};
use crate::fs::sys::{handle, kind, meta_handle};
use crate::fs::{path_from_bytes, wire};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt, symlink_dir, symlink_file};
use std::path::{Path, PathBuf};
use windows_sys::Win32::Foundation::GENERIC_WRITE;
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_READONLY, FILE_FLAG_BACKUP_SEMANTICS,
    FILE_FLAG_OPEN_REPARSE_POINT, FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_WRITE_ATTRIBUTES,
};

/// A directory.
pub struct Dir(pub(super) PathBuf);

impl Dir {
    /// The directory `name` in this one, as a path only.
    pub(super) fn below(&self, name: &[u8]) -> Dir {
        Dir(self.at(name))
    }

    pub(super) fn at(&self, name: &[u8]) -> PathBuf {
        self.0.join(path_from_bytes(name))
    }

    /// What is there under `name`; `None` if nothing is.
    pub fn look(&self, name: &[u8]) -> io::Result<Option<Found>> {
        let info = match meta_handle(&self.at(name), false) {
            Ok(file) => handle::info(&file)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        Ok(Some(Found {
            kind: kind(&info),
            size: info.size,
            mtime: info.written,
            identity: info.identity,
            links: info.links.into(),
            mode: 0,
            uid: 0,
            gid: 0,
        }))
    }

    /// Creates the directory `name`.
    pub fn make_dir(&self, name: &[u8]) -> io::Result<()> {
        fs::create_dir(self.at(name))
    }

    /// Directories have no mode here.
    pub fn let_owner_in(&self, _: &[u8], _: u32) -> io::Result<()> {
        Ok(())
    }

    /// Creates an empty file for reading and writing; an existing name is an error.
    pub fn create_file(&self, name: &[u8]) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        options.open(self.at(name))
    }

    /// Opens a file that [`Self::create_file`] made, for writing.
    pub fn open_write(&self, name: &[u8]) -> io::Result<File> {
        self.open(name, FILE_GENERIC_READ | FILE_GENERIC_WRITE)
    }

    /// Opens a regular file for reading, and for setting its metadata where that is allowed; anything else is an error.
    pub fn open_read(&self, name: &[u8]) -> io::Result<File> {
        match self.open(name, FILE_GENERIC_READ | FILE_WRITE_ATTRIBUTES) {
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                self.open(name, FILE_GENERIC_READ)
            }
            opened => opened,
        }
    }

    fn open(&self, name: &[u8], access: u32) -> io::Result<File> {
        let file = OpenOptions::new()
            .access_mode(access)
            .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
            .open(self.at(name))?;
        match kind(&handle::info(&file)?) {
            Some(FileKind::File) => Ok(file),
            _ => Err(io::Error::other("it is not a regular file any more")),
        }
    }

    /// Makes the symbolic link or junction that `entry` describes. Windows wants to know whether a link is to a
    /// directory: a backup made on Windows tells, and for others what is there now decides.
    pub fn make_symlink(&self, name: &[u8], entry: &Entry) -> io::Result<()> {
        let at = self.at(name);
        match (entry.kind, entry.win_attributes) {
            (FileKind::Junction, _) => make_junction(&at, &path_from_bytes(&entry.link)),
            (_, Some(attributes)) => {
                let target = path_from_bytes(&entry.link);
                match attributes & FILE_ATTRIBUTE_DIRECTORY {
                    0 => symlink_file(target, at),
                    _ => symlink_dir(target, at),
                }
            }
            (_, None) => {
                let target: Vec<u8> = entry.link.iter().map(|b| turned(*b)).collect();
                match self.leads_to_dir(&target) {
                    true => symlink_dir(path_from_bytes(&target), at),
                    false => symlink_file(path_from_bytes(&target), at),
                }
            }
        }
    }

    /// Is there a directory at `target`, seen from here? In a verbatim path ".." is a name, so it is resolved first.
    fn leads_to_dir(&self, target: &[u8]) -> bool {
        let mut at = self.0.clone();
        for part in target.split(|b| *b == b'\\') {
            match part {
                b"" | b"." => {}
                b".." => drop(at.pop()),
                part => at.push(path_from_bytes(part)),
            }
        }
        fs::metadata(at).is_ok_and(|found| found.is_dir())
    }

    /// There are no fifos and device nodes here.
    pub fn make_special(&self, _: &[u8], _: FileKind, _: (u32, u32)) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes `name` another name of the file `from` in `from_dir`.
    pub fn make_link(&self, from_dir: &Dir, from: &[u8], name: &[u8]) -> io::Result<()> {
        fs::hard_link(from_dir.at(from), self.at(name))
    }

    /// Creates the alternate stream `stream` of the file `name`, or with an empty name of this directory, replacing one
    /// that is there.
    pub fn create_stream(&self, name: &[u8], stream: &[u8]) -> io::Result<File> {
        if stream.is_empty() || stream.iter().any(|b| b"\0/\\:".contains(b)) {
            return Err(io::Error::other("a stream cannot have this name"));
        }
        let mut path: OsString = match name {
            [] => self.0.clone().into(),
            name => self.at(name).into(),
        };
        path.push(":");
        path.push(path_from_bytes(stream));
        File::create(path)
    }

    /// Removes a name that is no directory; a link to one is removed itself.
    pub fn remove(&self, name: &[u8]) -> io::Result<()> {
        let at = self.at(name);
        if fs::symlink_metadata(&at)?.file_attributes() & FILE_ATTRIBUTE_DIRECTORY != 0 {
            return match self.look(name)?.and_then(|found| found.kind) {
                Some(FileKind::Dir) => Err(io::ErrorKind::IsADirectory.into()),
                _ => fs::remove_dir(at),
            };
        }
        make_writable(&at)?;
        fs::remove_file(at)
    }

    /// Removes an empty directory.
    pub fn remove_dir(&self, name: &[u8]) -> io::Result<()> {
        let at = self.at(name);
        make_writable(&at)?;
        fs::remove_dir(at)
    }

    /// Gives the finished `temp` its final name. Without `replace`, a name that is taken stays as it is; between the
    /// look and the renaming another program might take it.
    pub fn place(&self, temp: &[u8], name: &[u8], replace: bool) -> io::Result<Placed> {
        if let Some(found) = self.look(name)? {
            match found.kind {
                _ if !replace => return Ok(Placed::Taken),
                Some(FileKind::Dir) => return Err(io::ErrorKind::IsADirectory.into()),
                Some(FileKind::File) => make_writable(&self.at(name))?,
                // A link to a directory cannot be replaced by renaming.
                _ => self.remove(name)?,
            }
        }
        fs::rename(self.at(temp), self.at(name))?;
        Ok(Placed::Done)
    }

    /// There are no ACLs of this kind here.
    pub fn hands_down_acl(&self) -> bool {
        false
    }

    /// Opens a file, directory or link for setting its metadata; `None` is this directory itself.
    pub(super) fn open_meta(&self, name: Option<&[u8]>) -> io::Result<File> {
        OpenOptions::new()
            .access_mode(FILE_WRITE_ATTRIBUTES)
            .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
            .open(name.map_or_else(|| self.0.clone(), |name| self.at(name)))
    }
}

/// A read-only file can be neither removed nor replaced.
#[allow(clippy::permissions_set_readonly_false)] // Not on Unix, where this would let everybody write.
fn make_writable(at: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(at)?;
    if found.file_attributes() & FILE_ATTRIBUTE_READONLY == 0 {
        return Ok(());
    }
    let mut permissions = found.permissions();
    permissions.set_readonly(false);
    fs::set_permissions(at, permissions)
}

fn make_junction(at: &Path, target: &Path) -> io::Result<()> {
    let target: Vec<u16> = target.as_os_str().encode_wide().collect();
    let data = wire::junction(&target)
        .ok_or_else(|| io::Error::other("a junction cannot have this target"))?;
    fs::create_dir(at)?;
    let made = OpenOptions::new()
        .access_mode(GENERIC_WRITE)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
        .open(at)
        .and_then(|dir| handle::set_reparse_point(&dir, &data));
    if made.is_err() {
        let _ = fs::remove_dir(at);
    }
    made
}

fn turned(byte: u8) -> u8 {
    match byte {
        b'/' => b'\\',
        byte => byte,
    }
}
