//! A batch: files planned together, so that chunks which several of them share are fetched once and in the cheapest
//! order. Its size is bounded in files, pieces, content and memory.

use super::content::{Span, part};
use super::job::Job;
use super::links::{Link, Links};
use super::run::{Run, add};
use crate::error::{Error, Kind, Result};
use crate::id::Id;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Most files of a batch.
const MAX_JOBS: usize = 16 << 10;
/// Most pieces of a batch.
const MAX_WANTS: usize = 64 << 10;
/// Content bytes at which a batch is full.
const MAX_CONTENT: u64 = 1 << 30;
/// Memory at which a batch is full, bytes.
const MAX_WEIGHT: usize = 16 << 20;

/// A piece that one file wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Want {
    pub chunk: Id,
    pub offset: u64,
    pub len: u64,
    /// Which of the batch's jobs.
    pub job: u32,
    /// Where in the file.
    pub pos: u64,
}

/// Files being restored together.
pub struct Batch<'r> {
    pub run: &'r Run<'r>,
    pub jobs: Vec<Arc<Job>>,
    pub wants: Vec<Want>,
    /// Where verification is asked for: for each want, the id of the bytes that were written for it.
    pub written: Vec<OnceLock<Id>>,
    links: Vec<Link>,
    /// Jobs whose metadata has to be fetched too, which is done when the content is through.
    held: Vec<Arc<Job>>,
    content: u64,
    weight: usize,
}

impl<'r> Batch<'r> {
    pub fn new(run: &'r Run<'r>) -> Self {
        Batch {
            run,
            jobs: Vec::new(),
            wants: Vec::new(),
            written: Vec::new(),
            links: Vec::new(),
            held: Vec::new(),
            content: 0,
            weight: 0,
        }
    }

    /// Is it time to flush?
    pub fn is_full(&self) -> bool {
        self.jobs.len() >= MAX_JOBS
            || self.links.len() >= MAX_JOBS
            || self.wants.len() >= MAX_WANTS
            || self.content >= MAX_CONTENT
            || self.weight >= MAX_WEIGHT
    }

    /// Adds a file and gives its number in this batch.
    pub fn add_job(&mut self, job: Arc<Job>) -> u32 {
        self.weight += job.weight();
        self.jobs.push(job);
        (self.jobs.len() - 1) as u32
    }

    /// Adds a piece of file number `job`.
    pub fn add_span(&mut self, job: u32, span: &Span) {
        if let Some(of) = self.jobs.get(job as usize) {
            of.expect_piece();
            let piece = &span.piece;
            self.content = self.content.saturating_add(piece.len);
            self.wants.push(Want {
                chunk: piece.chunk,
                offset: piece.offset,
                len: piece.len,
                job,
                pos: span.pos,
            });
        }
    }

    /// Adds a further name of a file.
    pub fn add_link(&mut self, link: Link) {
        self.weight += 128 + link.name.len();
        self.links.push(link);
    }

    /// Finishes this file only after all content is fetched.
    pub fn hold(&mut self, job: Arc<Job>) {
        self.held.push(job);
    }

    /// Restores all files of the batch and empties it. `carried` has more pieces to come and stays, as number 0.
    pub fn flush(&mut self, links: &mut Links, carried: Option<Arc<Job>>) -> Result<()> {
        self.wants.sort_unstable();
        if self.run.options.verify {
            self.written.resize_with(self.wants.len(), OnceLock::new);
        }
        let fetch = self.reuse();
        self.run.check()?;
        let chunks = self.run.from.chunks;
        let failed = chunks.get_many(&fetch, &|id, raw| {
            add(&self.run.counts.fetched, raw.len() as u64);
            self.deliver(id, raw)
        });
        self.run.check()?;
        for (id, error) in &failed {
            self.lost(id, error);
            self.run.check()?;
        }
        for job in std::mem::take(&mut self.held) {
            self.run.release(&job);
        }
        self.unfinished(carried.as_ref(), failed.first());
        self.verify();
        self.run.check()?;
        links.learn(&self.jobs);
        for link in std::mem::take(&mut self.links) {
            self.run.check()?;
            self.run.link(links, &link);
        }
        self.clear(carried);
        self.run.check()
    }

    fn clear(&mut self, carried: Option<Arc<Job>>) {
        self.jobs.clear();
        self.wants.clear();
        self.written.clear();
        self.content = 0;
        self.weight = 0;
        if let Some(job) = carried {
            self.add_job(job);
        }
    }

    /// The wants of one chunk.
    pub fn wants_of(&self, id: &Id) -> Range<usize> {
        let start = self.wants.partition_point(|w| w.chunk < *id);
        let end = self.wants.partition_point(|w| w.chunk <= *id);
        start..end
    }

    /// The file that wants a piece, unless it is finished or given up.
    pub fn open_job(&self, want: &Want) -> Option<&Arc<Job>> {
        self.jobs.get(want.job as usize).filter(|j| j.is_open())
    }

    /// Writes a verified chunk wherever it is wanted. Fails only to end the run.
    pub fn deliver(&self, id: &Id, raw: &[u8]) -> Result<()> {
        for index in self.wants_of(id) {
            // Each time: a chunk may hold thousands of small files, and what ends the run would meet every one of them.
            self.run.check()?;
            let want = &self.wants[index];
            let Some(job) = self.open_job(want) else {
                continue;
            };
            match part(raw, want.offset, want.len) {
                Ok(bytes) => self.deliver_part(index, want, job, bytes),
                Err(e) => self.run.fail(job, e),
            }
        }
        Ok(())
    }

    fn deliver_part(&self, index: usize, want: &Want, job: &Job, bytes: &[u8]) {
        let all = want.pos == 0 && want.len == job.size;
        if all && self.may_stay(job) && self.holds(job, want.pos, bytes) {
            return self.run.finish_unchanged(job);
        }
        if let Some(slot) = self.written.get(index) {
            let _ = slot.set((self.run.from.chunk_id)(bytes));
        }
        self.run.write_piece(job, want.pos, bytes);
    }

    /// No file is forgotten, whatever the source of chunks did or did not deliver. `carried` may wait for the planner
    /// only.
    fn unfinished(&self, carried: Option<&Arc<Job>>, failed: Option<&(Id, Error)>) {
        for job in self.jobs.iter().filter(|job| job.is_open()) {
            let waits = carried.is_some_and(|c| Arc::ptr_eq(c, job)) && job.is_written_so_far();
            if !waits {
                let reason = match failed {
                    Some((_, error)) => explain(error),
                    None => Error::failed("some of its content did not arrive"),
                };
                self.run.fail(job, reason);
            }
        }
    }

    /// No location of a chunk gives it: the files that want it fail, and no other.
    fn lost(&self, id: &Id, error: &Error) {
        for index in self.wants_of(id) {
            if let Some(job) = self.open_job(&self.wants[index]) {
                self.run.fail(job, explain(error));
            }
        }
    }
}

/// A missing chunk is damage of the repository, whatever the storage called it.
fn explain(error: &Error) -> Error {
    let error = error.again().context("its content cannot be read");
    match error.kind() {
        Kind::ObjectMissing => error.with_kind(Kind::Damaged),
        _ => error,
    }
}

/// Whatever ends a run, its unfinished files leave nothing behind.
impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for job in &self.jobs {
            self.run.abandon(job);
        }
    }
}
