//! Owner, mode, extended attributes and times, in the order that keeps each of them:
//! chown clears set-id bits and capabilities, chmod changes an ACL's mask, and all of them but the last touch times.

use super::Dir;
use super::dir::os;
use crate::error::{Context, Error, Result};
use crate::format::{FileKind, FileTime};
use crate::fs::restore::{Applied, Meta, Policy};
use rustix::fs::{self, AtFlags, Gid, Mode, Timespec, Timestamps, Uid};
use std::fs::File;
use std::io;
use xattr::FileExt;

/// Set-user-id and set-group-id.
const SET_ID: u32 = 0o6000;

impl Dir {
    /// Applies `meta` to an open file. `prune` removes attributes that the snapshot does not have: wanted for files that
    /// were there before, and where new files inherit ACLs.
    pub fn apply_file(
        &self,
        file: &File,
        meta: &Meta,
        policy: Policy,
        prune: bool,
    ) -> Result<Applied> {
        apply_open(file, meta, policy, prune)
    }

    /// Applies `meta` to this directory itself.
    pub fn apply_self(&self, meta: &Meta, policy: Policy) -> Result<Applied> {
        apply_open(&self.0, meta, policy, true)
    }

    /// Applies `meta` to the link, fifo or device `name`, without following it.
    pub fn apply_name(
        &self,
        name: &[u8],
        kind: FileKind,
        meta: &Meta,
        policy: Policy,
    ) -> Result<Applied> {
        let node = Node::open(self, name, kind)?;
        let mut applied = Applied::default();
        if policy.owner {
            applied.owner = node.chown(meta).err();
        }
        if kind != FileKind::Symlink {
            let mode = allowed_mode(meta, policy, &mut applied);
            node.chmod(mode).context(|| "setting permissions")?;
        }
        for (attr, value) in &meta.xattrs {
            if let Err(e) = node.set_xattr(attr, value) {
                applied.xattrs.push((attr.clone(), e));
            }
        }
        let times = timestamps(meta.mtime);
        fs::utimensat(&self.0, name, &times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(io::Error::from)
            .context(|| "setting the modification time")?;
        Ok(applied)
    }
}

fn apply_open(file: &File, meta: &Meta, policy: Policy, prune: bool) -> Result<Applied> {
    let mut applied = Applied::default();
    if prune {
        prune_xattrs(file, meta);
    }
    if policy.owner {
        let (uid, gid) = owner(meta);
        applied.owner = fs::fchown(file, uid, gid).err().map(io::Error::from);
    }
    let mode = allowed_mode(meta, policy, &mut applied);
    fs::fchmod(file, mode)
        .map_err(io::Error::from)
        .context(|| "setting permissions")?;
    for (attr, value) in &meta.xattrs {
        if let Err(e) = file.set_xattr(os(attr), value) {
            applied.xattrs.push((attr.clone(), e));
        }
    }
    fs::futimens(file, &timestamps(meta.mtime))
        .map_err(io::Error::from)
        .context(|| "setting the modification time")?;
    Ok(applied)
}

/// The mode without set-id bits, unless they are allowed and the file has the owner they were meant for.
fn allowed_mode(meta: &Meta, policy: Policy, applied: &mut Applied) -> Mode {
    let mut bits = meta.mode & 0o7777;
    let keep = policy.set_id && policy.owner && applied.owner.is_none();
    if bits & SET_ID != 0 && !keep {
        bits &= !SET_ID;
        applied.set_id_dropped = true;
    }
    Mode::from_raw_mode(bits as _)
}

/// (uid_t)-1 would mean "leave it"; such ids do not exist.
fn owner(meta: &Meta) -> (Option<Uid>, Option<Gid>) {
    let known = |id: u32| (id != u32::MAX).then_some(id);
    (
        known(meta.uid).map(Uid::from_raw),
        known(meta.gid).map(Gid::from_raw),
    )
}

fn timestamps(mtime: FileTime) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: fs::UTIME_OMIT as _,
        },
        last_modification: Timespec {
            tv_sec: mtime.secs,
            tv_nsec: mtime.nanos.min(999_999_999) as _,
        },
    }
}

/// Removes attributes that are a user's to set and that the snapshot does not have. What cannot be listed or removed
/// stays: labels of the system are not ours.
fn prune_xattrs(file: &File, meta: &Meta) {
    use std::os::unix::ffi::OsStrExt;
    let Ok(names) = file.list_xattr() else { return };
    for name in names {
        let bytes = name.as_bytes();
        let ours = bytes.starts_with(b"user.")
            || bytes.starts_with(b"system.posix_acl_")
            || bytes == b"security.capability";
        if ours && !meta.xattrs.iter().any(|(n, _)| n == bytes) {
            let _ = file.remove_xattr(&name);
        }
    }
}

/// A link, fifo or device that was looked at once and is then addressed by descriptor, so that nobody can put another
/// file in its place between two steps.
#[cfg(target_os = "linux")]
struct Node {
    file: File,
    through: std::path::PathBuf,
}

#[cfg(target_os = "linux")]
impl Node {
    fn open(dir: &Dir, name: &[u8], kind: FileKind) -> Result<Node> {
        use std::os::fd::AsRawFd;
        let flags = fs::OFlags::PATH | fs::OFlags::NOFOLLOW | fs::OFlags::CLOEXEC;
        let file = fs::openat(&dir.0, name, flags, Mode::empty())
            .map(File::from)
            .map_err(io::Error::from)
            .context(|| "opening it again")?;
        let now = fs::fstat(&file)
            .map_err(io::Error::from)
            .context(|| "looking at it again")?;
        check_kind(super::dir::found(&now).kind, kind)?;
        let through = format!("/proc/self/fd/{}", file.as_raw_fd()).into();
        Ok(Node { file, through })
    }

    fn chown(&self, meta: &Meta) -> io::Result<()> {
        let (uid, gid) = owner(meta);
        Ok(fs::chownat(&self.file, "", uid, gid, AtFlags::EMPTY_PATH)?)
    }

    fn chmod(&self, mode: Mode) -> io::Result<()> {
        Ok(fs::chmodat(fs::CWD, &self.through, mode, AtFlags::empty())?)
    }

    fn set_xattr(&self, name: &[u8], value: &[u8]) -> io::Result<()> {
        // The magic link leads to this very file; a link's own target is not followed from there.
        xattr::set_deref(&self.through, os(name), value)
    }
}

#[cfg(not(target_os = "linux"))]
struct Node<'a> {
    dir: &'a Dir,
    name: &'a [u8],
}

#[cfg(not(target_os = "linux"))]
impl<'a> Node<'a> {
    fn open(dir: &'a Dir, name: &'a [u8], kind: FileKind) -> Result<Node<'a>> {
        let now = dir.look(name).context(|| "looking at it again")?;
        check_kind(now.and_then(|f| f.kind), kind)?;
        Ok(Node { dir, name })
    }

    fn chown(&self, meta: &Meta) -> io::Result<()> {
        let (uid, gid) = owner(meta);
        Ok(fs::chownat(
            &self.dir.0,
            self.name,
            uid,
            gid,
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    }

    fn chmod(&self, mode: Mode) -> io::Result<()> {
        Ok(fs::chmodat(
            &self.dir.0,
            self.name,
            mode,
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    }

    fn set_xattr(&self, _: &[u8], _: &[u8]) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}

fn check_kind(now: Option<FileKind>, wanted: FileKind) -> Result<()> {
    if now == Some(wanted) {
        return Ok(());
    }
    Err(Error::failed("something else took its place meanwhile"))
}
