//! Where segments are kept: files in a private folder, or memory where no folder can be had.

use crate::error::{Context, Error, Result};
use crate::id::Id16;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Suffix of segment files.
pub(crate) const SEGMENT_SUFFIX: &str = ".seg";

/// Where new segments go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Files in this folder.
    Folder(PathBuf),
    /// Memory.
    Memory,
}

impl Place {
    /// A new, empty, temporary medium.
    pub(crate) fn create(&self) -> Result<Medium> {
        match self {
            Place::Memory => Ok(Medium::Memory(Vec::new())),
            Place::Folder(dir) => {
                let name = Id16::random()?;
                let path = dir.join(format!("{name}{SEGMENT_SUFFIX}"));
                let file = private_file(
                    OpenOptions::new().read(true).write(true).create_new(true),
                    &path,
                )
                .context(|| format!("creating {}", path.display()))?;
                Ok(Medium::File(CacheFile {
                    file,
                    path,
                    name,
                    temporary: AtomicBool::new(true),
                }))
            }
        }
    }
}

/// Opens a file that only its owner may read.
pub(crate) fn private_file(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

/// Creates a folder, parents included, that only its owner may enter.
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// The bytes of one segment.
pub(crate) enum Medium {
    /// A file, read by offset.
    File(CacheFile),
    /// Memory, in the same layout.
    Memory(Vec<u8>),
}

/// An open segment file. It goes on serving after another process has deleted it.
pub(crate) struct CacheFile {
    file: File,
    path: PathBuf,
    name: Id16,
    /// Deleted with the last user, unless kept.
    temporary: AtomicBool,
}

impl Medium {
    /// Opens the segment file `name` in `dir`.
    pub(crate) fn open(dir: &Path, name: &Id16) -> io::Result<Medium> {
        let path = dir.join(format!("{name}{SEGMENT_SUFFIX}"));
        let file = File::open(&path)?;
        Ok(Medium::File(CacheFile {
            file,
            path,
            name: *name,
            temporary: AtomicBool::new(false),
        }))
    }

    /// The file's name in its folder, unless in memory.
    pub(crate) fn name(&self) -> Option<Id16> {
        match self {
            Medium::File(f) => Some(f.name),
            Medium::Memory(_) => None,
        }
    }

    /// For messages.
    pub(crate) fn describe(&self) -> String {
        match self {
            Medium::File(f) => f.path.display().to_string(),
            Medium::Memory(_) => "memory".into(),
        }
    }

    /// The file outlives this process.
    pub(crate) fn keep(&self) {
        if let Medium::File(f) = self {
            f.temporary.store(false, Ordering::Relaxed);
        }
    }

    /// Deletes the file under its name; open ones go on serving.
    pub(crate) fn discard(&self) {
        if let Medium::File(f) = self {
            let _ = std::fs::remove_file(&f.path);
        }
    }

    /// Appends, in order, while the segment is written.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Medium::File(f) => f
                .file
                .write_all(bytes)
                .context(|| format!("writing {}", f.path.display())),
            Medium::Memory(v) => {
                v.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> Result<u64> {
        match self {
            Medium::File(f) => Ok(f
                .file
                .metadata()
                .context(|| format!("reading {}", f.path.display()))?
                .len()),
            Medium::Memory(v) => Ok(v.len() as u64),
        }
    }

    /// Bytes held in memory.
    pub(crate) fn heap(&self) -> usize {
        match self {
            Medium::File(_) => 0,
            Medium::Memory(v) => v.capacity(),
        }
    }

    /// Fills `buffer` from `offset`. A file that is too short is [`crate::error::Kind::Damaged`].
    pub(crate) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let short = || Error::damaged(format!("{} is shorter than it should be", self.describe()));
        match self {
            Medium::File(f) => read_exact_at(&f.file, offset, buffer).map_err(|e| match e.kind() {
                io::ErrorKind::UnexpectedEof => short(),
                _ => Error::io(format!("reading {}", f.path.display()), e),
            }),
            Medium::Memory(v) => {
                let start = usize::try_from(offset).map_err(|_| short())?;
                let end = start.checked_add(buffer.len()).ok_or_else(short)?;
                buffer.copy_from_slice(v.get(start..end).ok_or_else(short)?);
                Ok(())
            }
        }
    }
}

impl Drop for CacheFile {
    fn drop(&mut self) {
        if *self.temporary.get_mut() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !buffer.is_empty() {
        match file.seek_read(buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                buffer = &mut buffer[n..];
                offset += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
