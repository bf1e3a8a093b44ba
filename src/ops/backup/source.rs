//! The source side: walk, compare with the parent, read what changed, cut it into chunks.

use super::feed::{Body, Feeder, PendingPiece, Slot};
use super::nodes::Nodes;
use super::parent::{Cursor, unchanged};
use super::tally::Tally;
use crate::chunker::bundle::SMALL_FILE;
use crate::chunker::{Bundle, Bundler, Cdc, Chunker};
use crate::error::{Error, Result};
use crate::format::entry::{Entry, Extent, FileKind, LinkId, TreePath};
use crate::fs::read::SourceFile;
use crate::fs::walk::{Item, Walked};
use crate::id::Id;
use crate::repo::run::Run;
use crate::report::Event;
use crossbeam_channel::Sender;
use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

/// A bundle is ended after this many further entries, whatever its size: the tree waits for it.
pub const WINDOW: usize = 4096;
/// Hardlinked files remembered at a time; beyond that a file with several names may be read once more.
const MAX_LINKS: usize = 1 << 18;

/// An entry on its way into the tree.
pub struct Pending {
    /// Where.
    pub path: TreePath,
    /// All but content, extents and extended attributes, unless these were taken over from the parent.
    pub entry: Entry,
    /// Its content.
    pub body: Body,
    /// Its extents, if it is sparse and was read.
    pub extents: Option<Vec<Extent>>,
    /// Its extended attributes, if they were read.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Its alternate streams, if they were read: name and content.
    pub streams: Vec<(Vec<u8>, Body)>,
}

struct Link {
    body: Body,
    extents: Option<Vec<Extent>>,
    streams: Vec<(Vec<u8>, Body)>,
    entry: Entry,
}

/// The source stage of one pass.
pub struct Source<'a> {
    /// The run that chunks go to.
    pub run: &'a Arc<Run>,
    /// Where they are handed in.
    pub feeder: &'a Feeder,
    /// Metadata chunks, to see whether the parent's are there.
    pub nodes: &'a Nodes,
    /// Counts and reports.
    pub tally: &'a Tally,
    /// The parent's entries.
    pub cursor: Cursor<'a>,
    /// Its bundles that are to be made anew.
    pub dying: HashSet<Id>,
    /// Read everything, whatever the parent says.
    pub force: bool,
    /// Where to cut.
    pub cdc: &'a Cdc,
    bundler: Bundler,
    /// The ids that the open bundle, by its number, will have.
    bundles: HashMap<u64, Arc<Slot>>,
    bundle_age: usize,
    last_present: Option<Id>,
    links: HashMap<LinkId, Link>,
    out: Sender<Pending>,
}

impl<'a> Source<'a> {
    /// A source stage that sends entries to `out`, in the tree's order.
    #[expect(clippy::too_many_arguments, reason = "one place makes it, naming each")]
    pub fn new(
        run: &'a Arc<Run>,
        feeder: &'a Feeder,
        nodes: &'a Nodes,
        tally: &'a Tally,
        cursor: Cursor<'a>,
        dying: HashSet<Id>,
        force: bool,
        cdc: &'a Cdc,
        out: Sender<Pending>,
    ) -> Self {
        Source {
            run,
            feeder,
            nodes,
            tally,
            cursor,
            dying,
            force,
            cdc,
            bundler: Bundler::new(run.keys().tree.bytes()),
            bundles: HashMap::new(),
            bundle_age: 0,
            last_present: None,
            links: HashMap::new(),
            out,
        }
    }

    /// Takes all that the walk gives.
    pub fn run(mut self, walk: impl Iterator<Item = Walked>) -> Result<()> {
        for walked in walk {
            self.run.check()?;
            match walked {
                Walked::Item(item) => self.item(item)?,
                Walked::Note { path, note } => self.tally.note(&path, &note),
                Walked::Error { path, error } => self.tally.file_error(&path, error),
            }
            if self.bundles.is_empty() {
                self.bundle_age = 0;
            } else {
                self.bundle_age += 1;
                if self.bundle_age >= WINDOW {
                    self.end_bundle()?;
                }
            }
        }
        self.end_bundle()
    }

    fn item(&mut self, item: Item) -> Result<()> {
        let then = self.cursor.take(&item.path);
        if let Some(trouble) = self.cursor.take_trouble() {
            self.tally.observer().event(Event::Warning(&format!(
                "the parent backup cannot be read on, so files are read from the source: {trouble}"
            )));
        }
        if item.entry.kind == FileKind::File {
            return self.file(item, then);
        }
        let mut entry = item.entry.clone();
        let same = then
            .as_ref()
            .is_some_and(|t| t.kind == entry.kind && t.ctime == entry.ctime);
        let xattrs = match then {
            Some(then) if same && self.nodes.blob_present(then.xattrs.as_ref())? => {
                entry.xattrs = then.xattrs;
                Vec::new()
            }
            _ => self.xattrs(&item),
        };
        let streams = self.streams(&item)?;
        self.tally.other(&entry);
        self.send(Pending {
            path: item.path,
            entry,
            body: Body::empty(),
            extents: None,
            xattrs,
            streams,
        })
    }

    fn xattrs(&self, item: &Item) -> Vec<(Vec<u8>, Vec<u8>)> {
        item.xattrs().unwrap_or_else(|e| {
            self.tally.file_error(&item.path, e);
            Vec::new()
        })
    }

    fn send(&self, pending: Pending) -> Result<()> {
        match self.out.send(pending) {
            Ok(()) => Ok(()),
            // The tree stage has ended: it left the reason with the run.
            Err(_) => self
                .run
                .check()
                .and(Err(Error::failed("the tree could not be written"))),
        }
    }

    fn file(&mut self, item: Item, then: Option<Entry>) -> Result<()> {
        let known = then.is_some();
        if let Some(then) = then
            && !self.force
            && self.reusable(&item.entry, &then)?
        {
            let mut entry = item.entry;
            let body = Body::Ready(then.content);
            (entry.extents, entry.xattrs) = (then.extents, then.xattrs);
            entry.streams = then.streams;
            self.tally.unmodified(&entry);
            return self.send(Pending {
                path: item.path,
                entry,
                body,
                extents: None,
                xattrs: Vec::new(),
                streams: Vec::new(),
            });
        }
        let pending = match self.linked(&item) {
            Some(pending) => pending,
            None => match self.read(&item) {
                Ok(pending) => pending,
                Err(e) if self.run.failed() => return self.run.check().and(Err(e)),
                Err(e) => {
                    self.tally.file_error(&item.path, e);
                    return Ok(());
                }
            },
        };
        if let Some(id) = pending.entry.hardlink
            && self.links.len() < MAX_LINKS
        {
            let entry = pending.entry.clone();
            self.links.insert(
                id,
                Link {
                    body: pending.body.clone(),
                    extents: pending.extents.clone(),
                    streams: pending.streams.clone(),
                    entry,
                },
            );
        }
        self.tally.read(&pending.entry, known);
        self.send(pending)
    }

    fn reusable(&mut self, now: &Entry, then: &Entry) -> Result<bool> {
        if !unchanged(now, then)
            || then
                .content
                .pieces
                .iter()
                .any(|p| self.dying.contains(&p.chunk))
        {
            return Ok(false);
        }
        for stream in &then.streams {
            if !self
                .nodes
                .present(&stream.content, &mut self.last_present)?
            {
                return Ok(false);
            }
        }
        Ok(self.nodes.present(&then.content, &mut self.last_present)?
            && self.nodes.blob_present(then.extents.as_ref())?
            && self.nodes.blob_present(then.xattrs.as_ref())?)
    }

    /// Another name of a file that this pass has read already, if it has not changed since.
    fn linked(&mut self, item: &Item) -> Option<Pending> {
        let link = self.links.get(&item.entry.hardlink?)?;
        if !unchanged(&item.entry, &link.entry) {
            return None;
        }
        let mut entry = item.entry.clone();
        entry.size = link.entry.size;
        let (body, extents) = (link.body.clone(), link.extents.clone());
        Some(Pending {
            path: item.path.clone(),
            entry,
            body,
            extents,
            streams: link.streams.clone(),
            xattrs: self.xattrs(item),
        })
    }

    /// Reads a file; once more if it changed meanwhile, and if it changed again the entry says so.
    fn read(&mut self, item: &Item) -> Result<Pending> {
        for last in [false, true] {
            let mut file = item.open_for_read()?;
            let mut entry = item.entry.clone();
            file.state().update(&mut entry);
            let mut extents = file.extents()?;
            let (body, got) = self.content(&mut file, &entry, extents.as_deref())?;
            // A file without holes was read to its end, wherever that was: the sizes of some file systems (/proc, FUSE)
            // mean nothing.
            let whole = extents
                .as_ref()
                .is_none_or(|e| got == e.iter().map(|x| x.len).sum::<u64>());
            if !whole || !file.still_same()? {
                if !last {
                    continue;
                }
                self.tally.note(
                    &item.path,
                    "changed while it was read, twice; its content may mix two versions",
                );
                entry.unstable = true;
            }
            match &mut extents {
                None => entry.size = got,
                Some(extents) => truncate(extents, got),
            }
            let xattrs = self.xattrs(item);
            let streams = self.streams(item)?;
            return Ok(Pending {
                path: item.path.clone(),
                entry,
                body,
                extents,
                xattrs,
                streams,
            });
        }
        Err(Error::failed("the file changed while it was read"))
    }

    /// Reads and cuts the content: the extents, or all up to the end of the file. Gives how many bytes there were.
    fn content(
        &mut self,
        file: &mut SourceFile,
        entry: &Entry,
        extents: Option<&[Extent]>,
    ) -> Result<(Body, u64)> {
        let total = extents.map_or(entry.size, |e| e.iter().map(|x| x.len).sum());
        let reader = match extents {
            Some(extents) => Parts::new(file, extents),
            None => Parts::whole(file, entry.size),
        };
        self.cut(reader, total)
    }

    /// Reads to the end, where `total` bytes are expected, and cuts.
    pub(super) fn cut(&mut self, mut reader: impl Read, total: u64) -> Result<(Body, u64)> {
        let failed = |e| Error::io("cannot read the file", e);
        let mut start = Vec::new();
        if total < SMALL_FILE {
            start.reserve(total as usize + 1);
            let mut some = (&mut reader).take(SMALL_FILE);
            some.read_to_end(&mut start).map_err(failed)?;
            if (start.len() as u64) < SMALL_FILE {
                return self.small(&start);
            }
        }
        let mut pieces = Vec::new();
        let mut got = 0;
        let mut chunks = Chunker::new(self.cdc, start.chain(reader));
        while let Some(raw) = chunks.next_chunk().map_err(failed)? {
            let len = raw.len() as u64;
            let slot = Arc::<Slot>::default();
            self.feeder.submit(raw, slot.clone())?;
            pieces.push(PendingPiece {
                slot,
                offset: 0,
                len,
            });
            got += len;
            self.tally.bytes(len);
        }
        Ok((Body::Pending(Arc::new(pieces)), got))
    }

    fn small(&mut self, raw: &[u8]) -> Result<(Body, u64)> {
        let len = raw.len() as u64;
        self.tally.bytes(len);
        if raw.is_empty() {
            return Ok((Body::empty(), 0));
        }
        let mut closed = Vec::new();
        let at = self.bundler.add(raw, |bundle| {
            closed.push(bundle);
            Ok(())
        })?;
        let slot = self.bundles.entry(at.bundle).or_default().clone();
        closed
            .into_iter()
            .try_for_each(|bundle| self.submit_bundle(bundle))?;
        Ok((
            Body::Pending(Arc::new(vec![PendingPiece {
                slot,
                offset: at.offset,
                len,
            }])),
            len,
        ))
    }

    fn submit_bundle(&mut self, bundle: Bundle) -> Result<()> {
        self.bundle_age = 0;
        let slot = self.bundles.remove(&bundle.number).unwrap_or_default();
        self.feeder.submit(bundle.bytes, slot)
    }

    fn end_bundle(&mut self) -> Result<()> {
        self.bundler
            .flush()
            .map_or(Ok(()), |bundle| self.submit_bundle(bundle))
    }
}

impl Drop for Source<'_> {
    /// A stage that ends early leaves a bundle open, whose id the tree stage may be waiting for.
    fn drop(&mut self) {
        self.bundles.values().for_each(|slot| slot.give_up());
    }
}

/// Keeps the first `len` bytes of what extents describe.
fn truncate(extents: &mut Vec<Extent>, mut len: u64) {
    extents.retain_mut(|e| {
        e.len = e.len.min(len);
        len -= e.len;
        e.len > 0
    });
}

/// The parts of a file, one after another.
struct Parts<'f> {
    file: &'f mut SourceFile,
    parts: std::collections::VecDeque<Extent>,
    /// Bytes left of the part being read.
    open: u64,
    /// What follows the last part counts, too.
    onward: bool,
}

impl<'f> Parts<'f> {
    /// The parts that `extents` say.
    fn new(file: &'f mut SourceFile, extents: &[Extent]) -> Self {
        Parts {
            file,
            parts: extents.to_vec().into(),
            open: 0,
            onward: false,
        }
    }

    /// `size` bytes from the start, where the file stands, and what there is beyond, unless the file is growing: a file
    /// that grows faster than it is read would never end.
    fn whole(file: &'f mut SourceFile, size: u64) -> Self {
        Parts {
            file,
            parts: Default::default(),
            open: size,
            onward: true,
        }
    }
}

impl Read for Parts<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.open == 0 {
            let Some(part) = self.parts.pop_front() else {
                return match self.onward && self.file.still_same().unwrap_or(false) {
                    true => self.file.read(buffer),
                    false => Ok(0),
                };
            };
            let mut file = self.file.file();
            file.seek(SeekFrom::Start(part.offset))?;
            self.open = part.len;
        }
        let want = buffer
            .len()
            .min(usize::try_from(self.open).unwrap_or(usize::MAX));
        let got = self.file.read(&mut buffer[..want])?;
        self.open -= got as u64;
        if got == 0 && want > 0 {
            // Shorter than it was: what is left are not the bytes that the extents promise.
            (self.open, self.parts, self.onward) = (0, Default::default(), false);
        }
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extents_are_cut_to_what_was_read() {
        let mut extents = vec![
            Extent { offset: 0, len: 10 },
            Extent {
                offset: 20,
                len: 10,
            },
            Extent { offset: 40, len: 1 },
        ];
        truncate(&mut extents, 15);
        assert_eq!(
            extents,
            [Extent { offset: 0, len: 10 }, Extent { offset: 20, len: 5 }]
        );
    }
}
