//! Restore: from a snapshot's entries and chunks to files.
//!
//! Entries are read in tree order and planned into batches of bounded size ([`plan`]); a batch first looks at what the
//! target holds already ([`reuse`]), fetches the rest in whatever order is cheapest, and writes every piece at its place
//! ([`batch`]). A file gets its final name when all of it is there, and not otherwise. Directories get their metadata
//! last ([`dirs`]). Memory does not depend on the number or size of files, except for one small record per hard-linked
//! file up to a limit.

mod batch;
mod content;
mod dirs;
mod folded;
mod job;
mod links;
mod nodes;
mod place;
mod plan;
mod reuse;
mod run;
mod select;
mod source;
mod streams;
#[cfg(test)]
mod tests;
mod verify;

use crate::error::{Error, Result};
use crate::format::{Entry, TreePath};
use crate::fs::path::Platform;
use crate::fs::restore::Target;
use crate::id::Id;
use crate::repo::chunks::Chunks;
use crate::report::{Event, Observer, Stop};
use run::Run;
pub use source::selected_entries;
use std::path::PathBuf;

/// Entries in tree order.
pub type EntryIter<'a> = Box<dyn Iterator<Item = Result<(TreePath, Entry)>> + 'a>;

/// Gives a snapshot's entries, as often as asked.
pub trait TreeSource: Sync {
    /// At least the entries at and below each of `paths` (all, if there are none) and the directories above them, in
    /// tree order and each once. More is fine: restore selects again.
    fn entries(&self, paths: &[TreePath]) -> Result<EntryIter<'_>>;
}

/// Where a restore reads from.
pub struct Source<'a> {
    /// The snapshot's entries.
    pub tree: &'a dyn TreeSource,
    /// The chunks they name.
    pub chunks: &'a dyn Chunks,
    /// The id of a chunk with these raw bytes, under the keys of the snapshot's domain.
    pub chunk_id: &'a (dyn Fn(&[u8]) -> Id + Sync),
}

/// What to do about names that the target has already. Directories are merged in every case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Collisions {
    /// Leave what is there. Metadata of existing directories stays too.
    Skip,
    /// Leave what is there and restore beside it as `NAME (restored)`, `NAME (restored 2)` and so on.
    /// Metadata of existing directories stays too.
    Copy,
    /// Replace files, in one step each when the new content is complete; equal files keep their content.
    #[default]
    Replace,
}

/// Whether owners are restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// Numeric owner and group when running as root; else everything belongs to the user who restores.
    #[default]
    Auto,
    /// Never.
    Skip,
}

/// How to restore.
#[derive(Clone, Debug)]
pub struct RestoreOptions {
    /// The folder to restore below; created if it is missing.
    pub destination: PathBuf,
    /// What to restore: these paths with all below them. Empty: everything.
    pub paths: Vec<TreePath>,
    /// See [`Collisions`].
    pub collisions: Collisions,
    /// Read every restored file again and compare.
    pub verify: bool,
    /// Change nothing; report what would be done as notes.
    pub dry_run: bool,
    /// Leave out device nodes and set-id bits, whoever restores.
    pub no_special: bool,
    /// See [`Owner`].
    pub owner: Owner,
    /// Where the snapshot was made: drives of Windows lose their colon.
    pub platform: Platform,
    /// Entries and bytes to expect, for progress; 0 where unknown.
    pub expected: (u64, u64),
}

impl Default for RestoreOptions {
    fn default() -> Self {
        RestoreOptions {
            destination: PathBuf::new(),
            paths: Vec::new(),
            collisions: Collisions::default(),
            verify: false,
            dry_run: false,
            no_special: false,
            owner: Owner::default(),
            platform: Platform::HERE,
            expected: (0, 0),
        }
    }
}

/// What a restore did. With `dry_run`, what it would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct RestoreReport {
    /// Regular files that are now as in the snapshot, hard links not counted.
    pub files: u64,
    /// Of these, files whose content was there already.
    pub unchanged: u64,
    /// Directories.
    pub dirs: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Further names of files.
    pub hardlinks: u64,
    /// Fifos and device nodes.
    pub specials: u64,
    /// Content bytes of these files, holes not counted.
    pub bytes: u64,
    /// Of these, bytes that the target held already. Most of them were not fetched.
    pub bytes_reused: u64,
    /// Entries left out on purpose: a collision, a device node without the right to make one.
    pub skipped: u64,
    /// Remarks made.
    pub notes: u64,
    /// Entries that could not be restored; each was reported as it happened, or lies below one that was.
    pub errors: u64,
    /// Files that were read again and found to be right.
    pub verified: u64,
    /// Nothing was written.
    pub dry_run: bool,
}

/// Restores a snapshot.
///
/// Problems with single entries are reported to `observer` and counted in the report's `errors`; a file among them is
/// absent from the target, or as it was before. An error is returned where going on makes no sense: no destination, no
/// space left (`NoSpace`), an unreadable tree, a storage that cannot be reached, a stop. No temporary file remains.
pub fn restore(
    from: &Source<'_>,
    options: &RestoreOptions,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<RestoreReport> {
    restore_as(from, options, observer, stop, crate::fs::is_root())
}

/// [`restore`], with the rights of the superuser or without: tests run as root.
fn restore_as(
    from: &Source<'_>,
    options: &RestoreOptions,
    observer: &dyn Observer,
    stop: &Stop,
    root: bool,
) -> Result<RestoreReport> {
    if options.destination.as_os_str().is_empty() {
        return Err(Error::usage("no destination is given").hint("use --destination DIR"));
    }
    let target = match options.dry_run {
        true => Target::open_or_absent(&options.destination, options.platform)?,
        false => Target::create(&options.destination, options.platform)?,
    };
    let run = Run::new(from, target, options, observer, stop, root)?;
    observer.event(Event::Phase("restoring"));
    plan::entries(&run)?;
    run.show_progress();
    Ok(run.report())
}
