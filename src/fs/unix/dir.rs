//! Directory handles. A handle knows how to open its descriptor again, so thousands may exist with few descriptors.
//!
//! Every name is opened relative to its directory's descriptor, so a path may be longer than PATH_MAX and a
//! directory renamed or replaced by a symlink during a run leads nowhere else.

use super::meta;
use crate::format::{Entry, Extent, FileKind};
use crate::fs::meta::{FileState, Owners, Xattrs};
use crate::fs::names::Names;
use crate::fs::read::Extents;
use crate::fs::walk::Look;
use rustix::fs::{AtFlags, Mode, OFlags, SeekFrom};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Descriptors that one walk keeps open for directories.
const OPEN_DIRECTORIES: usize = 128;

/// A handle needs no permission to read the directory, only to reach it; listing opens it a second time.
#[cfg(any(target_os = "linux", target_os = "android"))]
const HANDLE: OFlags = OFlags::PATH;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const HANDLE: OFlags = OFlags::RDONLY;

/// A directory of the source.
pub struct Dir {
    parent: Option<Arc<Dir>>,
    /// Its name in `parent`; `/` for the root.
    name: Vec<u8>,
    /// Was it reached through a symlink on purpose?
    follow: bool,
    /// Device and inode when first opened: what a later opening must find again.
    identity: (u64, u64),
    /// The descriptor, while the pool lets it be open.
    fd: Mutex<Option<Arc<OwnedFd>>>,
    pool: Arc<Pool>,
}

/// The directories with an open descriptor, oldest first.
struct Pool {
    open: Mutex<VecDeque<Weak<Dir>>>,
}

impl Pool {
    /// Notes that `dir` has a descriptor now, and closes the oldest one beyond the limit.
    fn opened(&self, dir: &Arc<Dir>) {
        let oldest = {
            let mut open = lock(&self.open);
            open.push_back(Arc::downgrade(dir));
            if open.len() > OPEN_DIRECTORIES {
                open.pop_front()
            } else {
                None
            }
        };
        // Users of the descriptor hold a reference of their own: it closes when the last one is done.
        if let Some(dir) = oldest.and_then(|weak| weak.upgrade()) {
            lock(&dir.fd).take();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Dir {
    /// The root directory of this host.
    pub fn root() -> io::Result<Arc<Dir>> {
        let fd = open_handle(rustix::fs::CWD, b"/", true)?;
        let pool = Arc::new(Pool {
            open: Mutex::default(),
        });
        Self::with(None, b"/", true, fd, pool)
    }

    fn with(
        parent: Option<Arc<Dir>>,
        name: &[u8],
        follow: bool,
        fd: OwnedFd,
        pool: Arc<Pool>,
    ) -> io::Result<Arc<Dir>> {
        let identity = meta::identity(&rustix::fs::fstat(&fd)?);
        let fd = Mutex::new(Some(Arc::new(fd)));
        let dir = Arc::new(Dir {
            parent,
            name: name.to_vec(),
            follow,
            identity,
            fd,
            pool,
        });
        dir.pool.opened(&dir);
        Ok(dir)
    }

    /// Opens the subdirectory `name`; a symlink is an error (`ENOTDIR` or `ELOOP`) unless `follow`.
    pub fn open_dir(self: &Arc<Self>, name: &[u8], follow: bool) -> io::Result<Arc<Dir>> {
        let fd = open_handle(&*self.fd()?, name, follow)?;
        Self::with(Some(self.clone()), name, follow, fd, self.pool.clone())
    }

    /// The device that holds the directory.
    pub fn device(&self) -> u64 {
        self.identity.0
    }

    /// The sorted names in the directory, without `.` and `..`.
    pub fn list(self: &Arc<Self>) -> io::Result<Names> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = open_without_atime(&*self.fd()?, b".", flags)?;
        let mut names = Names::default();
        for entry in rustix::fs::Dir::new(fd)? {
            match entry?.file_name().to_bytes() {
                b"." | b".." | b"" => {}
                name => names.push(name)?,
            }
        }
        names.sort();
        Ok(names)
    }

    /// What `name` is; a symlink itself unless `follow`.
    pub fn look(self: &Arc<Self>, name: &[u8], follow: bool, owners: &Owners) -> io::Result<Look> {
        let fd = self.fd()?;
        let flags = if follow {
            AtFlags::empty()
        } else {
            AtFlags::SYMLINK_NOFOLLOW
        };
        let stat = rustix::fs::statat(&*fd, name, flags)?;
        let Some(kind) = meta::kind(&stat) else {
            return Ok(Look::Other("a socket"));
        };
        let mut entry = meta::entry(kind, &stat, owners);
        if kind == FileKind::Symlink {
            entry.link = rustix::fs::readlinkat(&*fd, name, Vec::new())?.into_bytes();
        }
        Ok(Look::Entry(Box::new(entry)))
    }

    /// Opens the regular file `name` for reading; never follows a symlink, blocks on a pipe or changes the access time
    /// (where the owner's rights allow that).
    pub fn open_file(self: &Arc<Self>, name: &[u8]) -> io::Result<File> {
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(File::from(open_without_atime(&*self.fd()?, name, flags)?))
    }

    /// The extended attributes of `name`; none where the file system has none.
    pub fn xattrs(
        self: &Arc<Self>,
        name: &[u8],
        follow: bool,
        entry: &Entry,
    ) -> io::Result<Xattrs> {
        super::xattr::read(&*self.fd()?, name, follow, entry.kind)
    }

    /// There are no alternate streams here.
    pub fn streams(self: &Arc<Self>, _: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }

    /// There are no alternate streams here.
    pub fn open_stream(self: &Arc<Self>, _: &[u8], _: &[u8]) -> io::Result<File> {
        Err(io::ErrorKind::NotFound.into())
    }

    /// The descriptor, opened again if it was closed meanwhile.
    fn fd(self: &Arc<Self>) -> io::Result<Arc<OwnedFd>> {
        // Climb to the nearest ancestor that is open; by a loop, as a path may have many thousands of components.
        let mut closed: Vec<&Arc<Dir>> = Vec::new();
        let mut dir = self;
        let mut fd = loop {
            if let Some(fd) = lock(&dir.fd).clone() {
                break Some(fd);
            }
            closed.push(dir);
            match &dir.parent {
                Some(parent) => dir = parent,
                None => break None,
            }
        };
        while let Some(dir) = closed.pop() {
            let opened = match &fd {
                Some(parent) => open_handle(&**parent, &dir.name, dir.follow)?,
                None => open_handle(rustix::fs::CWD, b"/", true)?,
            };
            if meta::identity(&rustix::fs::fstat(&opened)?) != dir.identity {
                return Err(io::Error::other(
                    "the directory was replaced while it was read",
                ));
            }
            let opened = Arc::new(opened);
            *lock(&dir.fd) = Some(opened.clone());
            dir.pool.opened(dir);
            fd = Some(opened);
        }
        fd.ok_or_else(|| io::Error::other("no directory to open"))
    }
}

impl Drop for Dir {
    /// Lets a long chain of parents go one by one instead of by recursion.
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(mut dir) = next.and_then(Arc::into_inner) {
            next = dir.parent.take();
        }
    }
}

/// A descriptor that serves to reach what is in a directory.
fn open_handle(at: impl AsFd, name: &[u8], follow: bool) -> io::Result<OwnedFd> {
    let link = if follow {
        OFlags::empty()
    } else {
        OFlags::NOFOLLOW
    };
    let flags = HANDLE | OFlags::DIRECTORY | OFlags::CLOEXEC | link;
    Ok(rustix::io::retry_on_intr(|| {
        rustix::fs::openat(&at, name, flags, Mode::empty())
    })?)
}

/// Opens without touching the access time where that is allowed: to the owner and to root.
fn open_without_atime(at: impl AsFd, name: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
    let open =
        |flags| rustix::io::retry_on_intr(|| rustix::fs::openat(&at, name, flags, Mode::empty()));
    #[cfg(any(target_os = "linux", target_os = "android"))]
    match open(flags | OFlags::NOATIME) {
        Err(Errno::PERM) => {}
        done => return Ok(done?),
    }
    Ok(open(flags)?)
}

/// The state of an open file.
pub fn file_state(file: &File) -> io::Result<FileState> {
    Ok(meta::state(&rustix::fs::fstat(file)?))
}

/// The parts of an open file that are not holes, by `SEEK_DATA` and `SEEK_HOLE`; `None` if there are no holes or the
/// file system cannot tell. The offset is at the start afterwards.
pub fn extents(file: &File, size: u64, limit: usize) -> io::Result<Option<Vec<Extent>>> {
    let found = find_extents(file, size, limit);
    rustix::fs::seek(file, SeekFrom::Start(0))?;
    found
}

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_vendor = "apple"
))]
fn find_extents(file: &File, size: u64, limit: usize) -> io::Result<Option<Vec<Extent>>> {
    let mut extents = Extents::new(limit);
    let mut at = 0;
    while at < size {
        let start = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(start) => start.min(size),
            // No data from here to the end.
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL | Errno::NOTSUP) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let end = match rustix::fs::seek(file, SeekFrom::Hole(start)) {
            Ok(end) => end.min(size),
            // The file was cut short meanwhile.
            Err(Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        extents.push(start, end);
        at = end.max(at + 1);
    }
    Ok(extents.finish(size))
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_vendor = "apple"
)))]
fn find_extents(_: &File, _: u64, _: usize) -> io::Result<Option<Vec<Extent>>> {
    Ok(None)
}
