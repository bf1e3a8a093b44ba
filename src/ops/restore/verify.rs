//! Reading restored files again. Each piece is compared with the id of the bytes that were to be written, which came
//! from a chunk that was verified itself.

use super::batch::{Batch, Want};
use super::job::Job;
use super::run::add;
use crate::error::{Context, Error, Result};
use crate::fs::restore::read_exact_at;
use crate::id::Id;
use rayon::prelude::*;
use std::fs::File;

impl Batch<'_> {
    /// Verifies all files of the batch, if that is asked for: the finished ones, and the pieces so far of one that
    /// goes on in the next batch.
    pub fn verify(&self) {
        if !self.run.options.verify {
            return;
        }
        let mut checks: Vec<(&Want, Id)> = self
            .wants
            .iter()
            .zip(&self.written)
            .filter_map(|(want, id)| id.get().map(|id| (want, *id)))
            .collect();
        checks.sort_unstable_by_key(|(want, _)| (want.job, want.pos));
        (0..self.jobs.len()).into_par_iter().for_each(|number| {
            let start = checks.partition_point(|(want, _)| (want.job as usize) < number);
            let end = checks.partition_point(|(want, _)| want.job as usize <= number);
            self.verify_job(&self.jobs[number], &checks[start..end]);
        });
    }

    fn verify_job(&self, job: &Job, checks: &[(&Want, Id)]) {
        if job.is_open() && !checks.is_empty() {
            if let Err(e) = self.read_again(job, checks) {
                self.run.fail(job, e);
            }
        } else if job.was_written() {
            match self.read_again(job, checks) {
                Ok(()) => add(&self.run.counts.verified, 1),
                Err(e) => self.run.error(&job.shown(), e),
            }
        }
    }

    fn read_again(&self, job: &Job, checks: &[(&Want, Id)]) -> Result<()> {
        let name = job
            .current_name()
            .ok_or_else(|| Error::failed("it is gone again"))?;
        let dir = self.run.target.dir(&job.parent, false)?;
        let file = dir.open_read(&name).context(|| "opening it again")?;
        let size = file.metadata().context(|| "looking at it again")?.len();
        if job.was_written() && size != job.size {
            return Err(differs());
        }
        for (want, id) in checks {
            self.run.stop.check()?;
            self.read_piece(&file, want, id)?;
        }
        Ok(())
    }

    fn read_piece(&self, file: &File, want: &Want, id: &Id) -> Result<()> {
        // The piece was in memory once, as part of one chunk; so it fits again.
        let mut bytes = vec![0; want.len as usize];
        read_exact_at(file, &mut bytes, want.pos).context(|| "reading it again")?;
        match (self.run.from.chunk_id)(&bytes) == *id {
            true => Ok(()),
            false => Err(differs()),
        }
    }
}

fn differs() -> Error {
    Error::damaged("what was read back is not what was written")
        .hint("something else changed the file, or the target's disk or memory is failing")
}
