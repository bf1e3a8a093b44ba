//! One regular file on its way: from the first piece written under a temporary name to its final name.

use super::place::Put;
use super::run::{Run, add, full_path, lock};
use crate::error::{Context, Error, Result};
use crate::format::{Blob, Entry, LinkId, Stream, TreePath};
use crate::fs::restore::{Dir, Found, Meta, write_all_at};
use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};

/// Temporary files kept open between the pieces of a file; more are opened again for each piece.
const OPEN_FILES: u64 = 128;

/// A regular file to restore.
pub struct Job {
    /// Its directory's path in the snapshot.
    pub parent: Arc<TreePath>,
    /// Its name in the target.
    pub name: Vec<u8>,
    /// Length, holes included.
    pub size: u64,
    /// Content bytes.
    pub bytes: u64,
    /// Metadata, extended attributes not included.
    pub meta: Meta,
    pub xattrs: Option<Blob>,
    /// Windows alternate streams.
    pub streams: Vec<Stream>,
    pub hardlink: Option<LinkId>,
    /// The file that is there now and will be replaced.
    pub existing: Option<Found>,
    /// All its pieces are in one batch, so that "nothing differs" can be decided there.
    pub whole: bool,
    /// Some of the existing file differs.
    pub changed: AtomicBool,
    /// The existing file stayed.
    stayed: AtomicBool,
    /// Pieces not written yet, and one for as long as the planner adds some.
    pending: AtomicU64,
    state: AtomicU8,
    temp: Mutex<Temp>,
    /// The final name, once it is there.
    placed: OnceLock<Vec<u8>>,
}

const OPEN: u8 = 0;
const DONE: u8 = 1;
const FAILED: u8 = 2;
const SKIPPED: u8 = 3;

#[derive(Default)]
struct Temp {
    name: Option<Vec<u8>>,
    file: Option<Arc<File>>,
}

impl Job {
    /// A job for `entry`, held open by the planner until [`Run::release`].
    pub fn new(
        parent: Arc<TreePath>,
        name: Vec<u8>,
        entry: &Entry,
        existing: Option<Found>,
    ) -> Job {
        Job {
            parent,
            name,
            size: entry.size,
            bytes: entry.content.len(),
            meta: meta_of(entry),
            xattrs: entry.xattrs.clone(),
            streams: entry.streams.clone(),
            hardlink: entry.hardlink,
            existing,
            whole: true,
            changed: AtomicBool::new(false),
            stayed: AtomicBool::new(false),
            pending: AtomicU64::new(1),
            state: AtomicU8::new(OPEN),
            temp: Mutex::default(),
            placed: OnceLock::new(),
        }
    }

    /// Not finished, and nothing has gone wrong.
    pub fn is_open(&self) -> bool {
        self.state.load(SeqCst) == OPEN
    }

    /// Has its final name.
    pub fn is_done(&self) -> bool {
        self.state.load(SeqCst) == DONE
    }

    /// Has its final name, and its content was written by this run.
    pub fn was_written(&self) -> bool {
        self.is_done() && !self.stayed.load(SeqCst)
    }

    /// Every piece that was added is written; only the planner may add more.
    pub fn is_written_so_far(&self) -> bool {
        self.pending.load(SeqCst) == 1
    }

    /// One more piece to come.
    pub fn expect_piece(&self) {
        self.pending.fetch_add(1, SeqCst);
    }

    /// The name it has now: the final one, or that of its temporary file.
    pub fn current_name(&self) -> Option<Vec<u8>> {
        self.placed
            .get()
            .cloned()
            .or_else(|| lock(&self.temp).name.clone())
    }

    /// The path that messages name.
    pub fn shown(&self) -> Vec<u8> {
        full_path(&self.parent, &self.name)
    }

    /// Rough memory use in bytes.
    pub fn weight(&self) -> usize {
        let inline = match &self.xattrs {
            Some(Blob::Inline(bytes)) => bytes.len(),
            Some(Blob::Stored(content)) => content.pieces.len() * 48,
            None => 0,
        };
        512 + self.name.len() + inline + super::streams::weight(&self.streams)
    }
}

/// What an entry says of owner, mode, times and attributes.
pub fn meta_of(entry: &Entry) -> Meta {
    Meta {
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        mtime: entry.mtime,
        xattrs: Vec::new(),
        created: entry.created,
        win_attributes: entry.win_attributes,
    }
}

impl Run<'_> {
    /// Writes one piece at its place, into the temporary file. Failure is the job's.
    pub fn write_piece(&self, job: &Job, pos: u64, bytes: &[u8]) {
        let written = self
            .temp_file(job)
            .and_then(|file| write_all_at(&file, bytes, pos).context(|| "writing"));
        match written {
            Ok(()) => {
                add(&self.counts.written, bytes.len() as u64);
                self.release(job);
            }
            Err(e) => self.fail(job, e),
        }
    }

    /// One piece is written, or the planner is through with the job; the last one finishes it.
    pub fn release(&self, job: &Job) {
        if job.pending.fetch_sub(1, SeqCst) != 1 || !job.is_open() {
            return;
        }
        match self.finish(job) {
            Ok(()) => self.show_progress(),
            Err(e) => self.fail(job, e),
        }
    }

    /// The job cannot be completed. Removes its temporary file and reports, the first time.
    pub fn fail(&self, job: &Job, error: Error) {
        if self.drop_temp(job, FAILED) {
            self.error(&job.shown(), error);
        }
    }

    /// Removes what an unfinished job has written, without a word: the run ends.
    pub fn abandon(&self, job: &Job) {
        self.drop_temp(job, FAILED);
    }

    fn drop_temp(&self, job: &Job, state: u8) -> bool {
        let mut temp = lock(&job.temp);
        if !job.is_open() {
            return false;
        }
        job.state.store(state, SeqCst);
        self.close(&mut temp);
        if let Some(name) = temp.name.take()
            && let Ok(dir) = self.target.dir(&job.parent, false)
        {
            let _ = dir.remove(&name);
        }
        true
    }

    fn close(&self, temp: &mut Temp) {
        if temp.file.take().is_some() {
            self.open_files.fetch_sub(1, SeqCst);
        }
    }

    /// The temporary file, created at the first call.
    fn temp_file(&self, job: &Job) -> Result<Arc<File>> {
        let mut temp = lock(&job.temp);
        if !job.is_open() {
            return Err(Error::failed("given up before"));
        }
        if let Some(file) = &temp.file {
            return Ok(file.clone());
        }
        let dir = self.target.dir(&job.parent, false)?;
        let file = match &temp.name {
            Some(name) => dir
                .open_write(name)
                .context(|| "opening its temporary file")?,
            None => {
                let name = self.temp_name();
                let file = dir.create_file(&name).context(|| "creating a file")?;
                temp.name = Some(name);
                file
            }
        };
        let file = Arc::new(file);
        if self.open_files.fetch_add(1, SeqCst) < OPEN_FILES {
            temp.file = Some(file.clone());
        } else {
            self.open_files.fetch_sub(1, SeqCst);
        }
        Ok(file)
    }

    /// All content is written: length, metadata, final name.
    fn finish(&self, job: &Job) -> Result<()> {
        let file = self.temp_file(job)?;
        if job.bytes != job.size {
            // Holes; without them, the last piece has given the file its length.
            file.set_len(job.size).context(|| "setting the length")?;
        }
        let dir = self.target.dir(&job.parent, false)?;
        if let Some(temp) = job.current_name() {
            self.streams(&job.shown(), &job.streams, &dir, &temp);
        }
        self.apply(job, &dir, &file, self.inherits_acl.load(SeqCst))?;
        drop(file);
        let mut temp = lock(&job.temp);
        let name = temp
            .name
            .as_deref()
            .ok_or_else(|| Error::failed("its temporary file is gone"))?;
        let put = self.put_in_place(&dir, name, &job.name)?;
        temp.name = None;
        self.close(&mut temp);
        match put {
            Put::As(name) => self.done(job, name),
            Put::Skipped => {
                job.state.store(SKIPPED, SeqCst);
                drop(temp);
                self.skip(&job.shown(), "skipped: it exists already");
            }
        }
        Ok(())
    }

    /// The existing file has the content already: only metadata is set.
    pub fn finish_unchanged(&self, job: &Job) {
        let done = || -> Result<()> {
            let dir = self.target.dir(&job.parent, false)?;
            let file = dir.open_read(&job.name).context(|| "opening it")?;
            self.streams(&job.shown(), &job.streams, &dir, &job.name);
            self.apply(job, &dir, &file, true)
        };
        match done() {
            Ok(()) => {
                add(&self.counts.unchanged, 1);
                add(&self.counts.bytes_reused, job.bytes);
                add(&self.counts.written, job.bytes);
                if self.options.verify {
                    // Its content was read and compared just now.
                    add(&self.counts.verified, 1);
                }
                job.stayed.store(true, SeqCst);
                self.done(job, job.name.clone());
                self.show_progress();
            }
            Err(e) => self.fail(job, e),
        }
    }

    fn done(&self, job: &Job, name: Vec<u8>) {
        let _ = job.placed.set(name);
        job.state.store(DONE, SeqCst);
        add(&self.counts.files, 1);
        add(&self.counts.bytes, job.bytes);
    }

    fn apply(&self, job: &Job, dir: &Dir, file: &File, prune: bool) -> Result<()> {
        let mut meta = job.meta.clone();
        meta.xattrs = self.xattrs(job.xattrs.as_ref())?;
        let applied = dir.apply_file(file, &meta, self.policy, prune)?;
        self.remark(&job.shown(), applied);
        Ok(())
    }
}
