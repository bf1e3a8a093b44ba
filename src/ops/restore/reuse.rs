//! What the target holds already is not fetched: blocks of existing files are read and compared by chunk id.
//!
//! A chunk may hold many small files, and its id says nothing about a part of it. So a chunk is put together from the
//! files that want its parts, in the order of their offsets; only if the result has the right id is it used. Blocks are
//! looked for where the new file has them, not elsewhere.

use super::batch::{Batch, Want};
use super::content::Spans;
use super::job::Job;
use super::run::{Run, add};
use crate::fs::restore::{Found, read_exact_at};
use crate::id::Id;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::Ordering::SeqCst;

/// Longest chunk, raw bytes.
const MAX_CHUNK: u64 = 64 << 20;

impl Batch<'_> {
    /// Uses what is there and returns the chunks that have to be fetched, in order.
    pub fn reuse(&self) -> Vec<Id> {
        let groups = self.groups();
        if !self.jobs.iter().any(|j| j.existing.is_some()) {
            return groups
                .into_iter()
                .filter_map(|g| self.still_wanted(&g))
                .collect();
        }
        let there: Vec<bool> = groups.par_iter().map(|g| self.compare(g)).collect();
        self.jobs.par_iter().for_each(|job| {
            if job.whole && job.bytes > 0 && !job.changed.load(SeqCst) && self.may_stay(job) {
                self.run.finish_unchanged(job);
            }
        });
        let fetch = groups
            .into_par_iter()
            .zip(there)
            .filter_map(|(group, there)| {
                let id = self.still_wanted(&group)?;
                if there && let Some(raw) = self.assemble(&group) {
                    let wanted = self.wants[group]
                        .iter()
                        .filter(|w| self.open_job(w).is_some());
                    add(&self.run.counts.bytes_reused, wanted.map(|w| w.len).sum());
                    // An error here ends the run, and the caller asks for that.
                    let _ = self.deliver(&id, &raw);
                    return None;
                }
                Some(id)
            });
        fetch.collect()
    }

    /// Runs of wants of the same chunk.
    fn groups(&self) -> Vec<Range<usize>> {
        let mut groups = Vec::new();
        let mut start = 0;
        for run in self.wants.chunk_by(|a, b| a.chunk == b.chunk) {
            groups.push(start..start + run.len());
            start += run.len();
        }
        groups
    }

    /// The chunk's id, if a file that can still be completed wants it.
    fn still_wanted(&self, group: &Range<usize>) -> Option<Id> {
        self.wants[group.clone()]
            .iter()
            .find(|w| self.open_job(w).is_some())
            .map(|w| w.chunk)
    }

    /// Is the chunk there? Marks the files that lack some of it.
    fn compare(&self, group: &Range<usize>) -> bool {
        let raw = self.assemble(group);
        for want in &self.wants[group.clone()] {
            let Some(job) = self.jobs.get(want.job as usize) else {
                continue;
            };
            let same = raw
                .as_deref()
                .and_then(|raw| super::content::part(raw, want.offset, want.len).ok())
                .is_some_and(|bytes| self.holds(job, want.pos, bytes));
            if !same {
                job.changed.store(true, SeqCst);
            }
        }
        raw.is_some()
    }

    /// The chunk's raw bytes from existing files, verified.
    fn assemble(&self, group: &Range<usize>) -> Option<Vec<u8>> {
        let wants = &self.wants[group.clone()];
        let mut raw = Vec::new();
        for want in wants {
            let have = raw.len() as u64;
            if want.offset > have {
                return None;
            }
            if want.offset == have && have.checked_add(want.len)? <= MAX_CHUNK {
                self.append(want, &mut raw);
            }
        }
        let id = wants.first()?.chunk;
        (!raw.is_empty() && (self.run.from.chunk_id)(&raw) == id).then_some(raw)
    }

    /// Adds what the existing file has where the piece belongs, if it reaches that far.
    fn append(&self, want: &Want, raw: &mut Vec<u8>) {
        let Some(job) = self.jobs.get(want.job as usize) else {
            return;
        };
        if let Some(bytes) = self.run.existing_bytes(job, want.pos, want.len) {
            raw.extend_from_slice(&bytes);
        }
    }

    /// Does the existing file hold `bytes` at `pos`?
    pub fn holds(&self, job: &Job, pos: u64, bytes: &[u8]) -> bool {
        self.run
            .existing_bytes(job, pos, bytes.len() as u64)
            .is_some_and(|there| there == bytes)
    }

    /// See [`Run::may_stay`].
    pub fn may_stay(&self, job: &Job) -> bool {
        job.is_open()
            && job
                .existing
                .is_some_and(|found| self.run.may_stay(job, &found))
    }
}

impl Run<'_> {
    /// May the existing file stay if its content is right? Not if the new one is sparse (holes are not compared), if
    /// its metadata cannot be set, or if it has other names whose owner or mode would change with it.
    pub fn may_stay(&self, job: &Job, found: &Found) -> bool {
        let same =
            (found.uid, found.gid, found.mode) == (job.meta.uid, job.meta.gid, job.meta.mode);
        found.size == job.size
            && job.bytes == job.size
            && (found.links == 1 || same)
            && (self.root || crate::fs::restore::is_own(found))
    }

    /// `len` bytes at `pos` of the file that is there now.
    fn existing_bytes(&self, job: &Job, pos: u64, len: u64) -> Option<Vec<u8>> {
        let found = job.existing?;
        if len > MAX_CHUNK || pos.checked_add(len)? > found.size {
            return None;
        }
        let dir = self.target.dir(&job.parent, false).ok()?;
        let file = dir.open_read(&job.name).ok()?;
        let mut bytes = vec![0; len as usize];
        read_exact_at(&file, &mut bytes, pos).ok()?;
        Some(bytes)
    }

    /// For a file too large for one batch: are all its chunks there already? Reads up to the first difference.
    pub fn all_there(&self, job: &Job, spans: Spans<'_>) -> bool {
        let Some(found) = job.existing.filter(|found| self.may_stay(job, found)) else {
            return false;
        };
        for span in spans {
            let Ok(span) = span else { return false };
            let there = span.piece.offset == 0 && !self.stop.requested();
            let there = there
                .then(|| self.existing_bytes(job, span.pos, span.piece.len))
                .flatten();
            if there.is_none_or(|bytes| (self.from.chunk_id)(&bytes) != span.piece.chunk) {
                return false;
            }
        }
        found.size == job.size
    }
}
