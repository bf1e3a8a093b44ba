//! What has no content: symbolic links, fifos, devices, and further names of files.

use super::job::meta_of;
use super::links::{Link, Place};
use super::place::Put;
use super::run::{Run, add};
use crate::error::{Context, Result};
use crate::format::{Entry, FileKind};
use crate::fs::restore::{Dir, Found, Meta};
use std::fs::File;
use std::io::ErrorKind;

impl Run<'_> {
    /// Restores a link, fifo or device. Gives its final name, or `None` if it was left out or failed, which is reported.
    pub fn node(&self, path: &[u8], entry: &Entry, dir: &Dir, name: &[u8]) -> Option<Vec<u8>> {
        if let Some(why) = self.left_out(entry.kind) {
            self.skip(path, why);
            return None;
        }
        let temp = self.temp_name();
        let made = match entry.kind {
            FileKind::Symlink | FileKind::Junction => dir.make_symlink(&temp, entry),
            kind => dir.make_special(&temp, kind, entry.rdev),
        };
        match made {
            Err(e) if is_device(entry.kind) && e.kind() == ErrorKind::PermissionDenied => {
                self.skip(path, "skipped: device nodes cannot be made here");
                None
            }
            other => match other.context(|| "creating it") {
                Ok(()) => self.finish_node(path, entry, dir, &temp, name),
                Err(e) => {
                    self.error(path, e);
                    None
                }
            },
        }
    }

    /// Why entries of this kind are not restored.
    pub fn left_out(&self, kind: FileKind) -> Option<&'static str> {
        match kind {
            FileKind::Junction if cfg!(not(windows)) => {
                Some("skipped: junctions exist on Windows only")
            }
            kind if is_device(kind) && self.options.no_special => Some("skipped: a device node"),
            kind if is_device(kind) && !self.root => {
                Some("skipped: only root can make device nodes")
            }
            _ => None,
        }
    }

    fn finish_node(
        &self,
        path: &[u8],
        entry: &Entry,
        dir: &Dir,
        temp: &[u8],
        name: &[u8],
    ) -> Option<Vec<u8>> {
        let put = self
            .dress_node(path, entry, dir, temp)
            .and_then(|()| self.put_in_place(dir, temp, name));
        match put {
            Ok(Put::As(name)) => {
                let counter = match entry.kind {
                    FileKind::Symlink | FileKind::Junction => &self.counts.symlinks,
                    _ => &self.counts.specials,
                };
                add(counter, 1);
                Some(name)
            }
            Ok(Put::Skipped) => {
                self.skip(path, "skipped: it exists already");
                None
            }
            Err(e) => {
                let _ = dir.remove(temp);
                self.error(path, e);
                None
            }
        }
    }

    fn dress_node(&self, path: &[u8], entry: &Entry, dir: &Dir, temp: &[u8]) -> Result<()> {
        let mut meta = meta_of(entry);
        meta.xattrs = self.xattrs(entry.xattrs.as_ref())?;
        let applied = dir.apply_name(temp, entry.kind, &meta, self.policy)?;
        self.remark(path, applied);
        Ok(())
    }

    /// Makes a further name of the file at `place`.
    pub fn make_link(&self, place: &Place, link: &Link, path: &[u8]) -> Result<()> {
        let from = self.target.dir(&place.0, false)?;
        let dir = self.target.dir(&link.parent, false)?;
        let first = from
            .look(&place.1)
            .context(|| "looking at its other name")?;
        let now = dir.look(&link.name).context(|| "looking at its name")?;
        if let (Some(first), Some(now)) = (first, now)
            && first.identity == now.identity
        {
            // A rename onto another name of the same file would do nothing and leave both (POSIX rename).
            add(&self.counts.hardlinks, 1);
            return Ok(());
        }
        let temp = self.temp_name();
        let made = match (dir.make_link(&from, &place.1, &temp), first) {
            (Err(e), Some(first)) if no_more_links(&e) && first.kind == Some(FileKind::File) => {
                self.note_once("copies", path, NO_LINKS);
                self.copy_file(&from, &place.1, &first, &dir, &temp)
            }
            (made, _) => made.context(|| "linking it to its other name"),
        };
        match made.and_then(|()| self.put_in_place(&dir, &temp, &link.name)) {
            Ok(Put::As(_)) => add(&self.counts.hardlinks, 1),
            Ok(Put::Skipped) => self.skip(path, "skipped: it exists already"),
            Err(e) => {
                let _ = dir.remove(&temp);
                return Err(e);
            }
        }
        Ok(())
    }

    /// Copies a restored file where it cannot have a further name.
    pub fn copy_file(
        &self,
        from: &Dir,
        name: &[u8],
        first: &Found,
        dir: &Dir,
        temp: &[u8],
    ) -> Result<()> {
        let copy = || -> std::io::Result<File> {
            let mut source = from.open_read(name)?;
            let mut file = dir.create_file(temp)?;
            std::io::copy(&mut source, &mut file)?;
            Ok(file)
        };
        let file = copy().context(|| "copying its other name")?;
        let meta = Meta {
            mode: first.mode,
            uid: first.uid,
            gid: first.gid,
            mtime: first.mtime,
            ..Meta::default()
        };
        dir.apply_file(&file, &meta, self.policy, false)?;
        Ok(())
    }
}

/// Said when the first copy is made.
const NO_LINKS: &str = "hard links cannot be made here: such files become copies, without extended attributes (said once)";

/// Does the target not allow a further name: no links at all (FAT), too many (EMLINK), another device?
fn no_more_links(error: &std::io::Error) -> bool {
    use ErrorKind::*;
    matches!(
        error.kind(),
        TooManyLinks | Unsupported | PermissionDenied | CrossesDevices
    )
}

fn is_device(kind: FileKind) -> bool {
    matches!(kind, FileKind::CharDevice | FileKind::BlockDevice)
}
