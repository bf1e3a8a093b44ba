//! Merging of sorted segments.

use super::Row;
use super::segment::{Scan, Segment};
use crate::error::Result;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// Maps a row of source `n` (as given by the second argument) to the row that is wanted, or drops it.
pub(crate) type Translate<'a> = Box<dyn Fn(usize, Row) -> Option<Row> + 'a>;

/// The rows of several sorted sources as one stream ordered by id. Among equal ids the order is that of the sources.
pub(crate) struct Merge<'a> {
    sources: Vec<Box<dyn Iterator<Item = Result<Row>> + 'a>>,
    heap: BinaryHeap<Reverse<(Row, usize)>>,
    translate: Translate<'a>,
    failed: Option<crate::error::Error>,
}

impl<'a> Merge<'a> {
    /// A merge of `segments`; `translate` sees each row with the position of its segment. It must not change ids.
    pub(crate) fn new(
        segments: impl IntoIterator<Item = &'a Segment>,
        translate: impl Fn(usize, Row) -> Option<Row> + 'a,
    ) -> Merge<'a> {
        let mut merge = Merge {
            sources: Vec::new(),
            heap: BinaryHeap::new(),
            translate: Box::new(translate),
            failed: None,
        };
        segments.into_iter().for_each(|s| merge.add(Scan::new(s)));
        merge
    }

    /// Adds one more sorted source; its position follows those of the sources so far.
    pub(crate) fn add(&mut self, mut source: impl Iterator<Item = Result<Row>> + 'a) {
        match wanted(&mut source, self.sources.len(), &self.translate) {
            Ok(Some(row)) => self.heap.push(Reverse((row, self.sources.len()))),
            Ok(None) => {}
            Err(e) => self.failed = Some(e),
        }
        self.sources.push(Box::new(source));
    }
}

/// The next row of `source` that `translate` lets through.
fn wanted(
    source: &mut dyn Iterator<Item = Result<Row>>,
    position: usize,
    translate: &Translate<'_>,
) -> Result<Option<Row>> {
    for row in source {
        if let Some(row) = translate(position, row?) {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

impl Iterator for Merge<'_> {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Result<Row>> {
        if let Some(e) = self.failed.take() {
            self.heap.clear();
            return Some(Err(e));
        }
        let mut top = self.heap.peek_mut()?;
        let Reverse((row, position)) = *top;
        match wanted(&mut *self.sources[position], position, &self.translate) {
            Ok(Some(next)) => *top = Reverse((next, position)),
            Ok(None) => {
                PeekMut::pop(top);
            }
            Err(e) => {
                drop(top);
                self.failed = Some(e);
            }
        }
        Some(Ok(row))
    }
}
