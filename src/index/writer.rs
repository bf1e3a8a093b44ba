//! Sorts rows into a segment with bounded memory.

use super::merge::Merge;
use super::output::Output;
use super::place::Place;
use super::segment::Segment;
use super::{Pack, Row};
use crate::error::{Error, Result};

/// Rows sorted in memory at a time: 64 MiB.
pub(crate) const RUN_ROWS: usize = (64 << 20) / size_of::<Row>();

/// Takes packs and rows in any order, gives one segment. What exceeds one run in memory goes to temporary segments,
/// which are merged at the end.
pub(crate) struct Writer {
    place: Place,
    limit: usize,
    packs: Vec<Pack>,
    rows: Vec<Row>,
    runs: Vec<Segment>,
}

impl Writer {
    /// A writer of a segment in `place` that holds up to `limit` rows in memory.
    pub(crate) fn new(place: Place, limit: usize) -> Writer {
        Writer {
            place,
            limit: limit.max(1),
            packs: Vec::new(),
            rows: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// Adds a pack; gives the number by which rows refer to it.
    pub(crate) fn add_pack(&mut self, pack: Pack) -> Result<u32> {
        let number = u32::try_from(self.packs.len())
            .map_err(|_| Error::failed("the index has more than 2^32 packs"))?;
        self.packs.push(pack);
        Ok(number)
    }

    /// Sets the whole table of packs; rows refer to it by position.
    pub(crate) fn set_packs(&mut self, packs: Vec<Pack>) {
        self.packs = packs;
    }

    /// Whether nothing has been added.
    pub(crate) fn is_empty(&self) -> bool {
        self.packs.is_empty()
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: Row) -> Result<()> {
        if self.rows.len() >= self.limit {
            self.spill()?;
        }
        self.rows.push(row);
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        self.rows.sort_unstable();
        let run = write_sorted(
            &self.place,
            self.rows.len() as u64,
            Vec::new(),
            self.rows.drain(..).map(Ok),
        )?;
        self.runs.push(run);
        Ok(())
    }

    /// The segment; temporary until [`Segment::keep`].
    pub(crate) fn finish(mut self) -> Result<Segment> {
        if self.runs.is_empty() {
            self.rows.sort_unstable();
            return write_sorted(
                &self.place,
                self.rows.len() as u64,
                self.packs,
                self.rows.into_iter().map(Ok),
            );
        }
        self.spill()?;
        let total = self.runs.iter().map(Segment::rows).sum();
        self.rows = Vec::new();
        write_sorted(
            &self.place,
            total,
            self.packs,
            Merge::new(&self.runs, |_, row| Some(row)),
        )
    }
}

/// Writes a segment of about `expected` rows, given in order, that refer to `packs`.
pub(crate) fn write_sorted(
    place: &Place,
    expected: u64,
    packs: Vec<Pack>,
    rows: impl Iterator<Item = Result<Row>>,
) -> Result<Segment> {
    let mut output = Output::new(place.create()?, expected)?;
    for row in rows {
        output.push(&row?)?;
    }
    output.finish(packs)
}
