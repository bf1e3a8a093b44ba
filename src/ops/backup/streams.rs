//! Windows alternate streams of files and directories: read whole, cut like files.

use super::feed::Body;
use super::source::Source;
use crate::error::{Error, Result};
use crate::fs::walk::Item;
use crate::report::printable;
use std::io::Read;

/// More streams than this on one file are not kept: their names must fit into its entry.
const MAX_STREAMS: usize = 64;

impl Source<'_> {
    /// Reads the streams of `item`. One that cannot be read is reported, as a file would be; the file is kept without it.
    pub(super) fn streams(&mut self, item: &Item) -> Result<Vec<(Vec<u8>, Body)>> {
        let names = item.streams().unwrap_or_else(|e| {
            self.tally.file_error(&item.path, e);
            Vec::new()
        });
        if names.len() > MAX_STREAMS {
            let text = format!(
                "only {MAX_STREAMS} of its {} alternate streams are kept",
                names.len()
            );
            self.tally.file_error(&item.path, Error::failed(text));
        }
        let mut streams = Vec::new();
        for name in names.into_iter().take(MAX_STREAMS) {
            match self.stream(item, &name) {
                Ok(body) => streams.push((name, body)),
                Err(e) if self.run.failed() => return self.run.check().and(Err(e)),
                Err(e) => {
                    let which = format!("its alternate stream \"{}\"", printable(&name));
                    self.tally.file_error(&item.path, e.context(which));
                }
            }
        }
        Ok(streams)
    }

    fn stream(&mut self, item: &Item, name: &[u8]) -> Result<Body> {
        let file = item.open_stream(name)?;
        let size = file.metadata().map(|m| m.len()).unwrap_or(0);
        // What is appended meanwhile is left out: a stream that grows as it is read would never end.
        Ok(self.cut(file.take(size), size)?.0)
    }
}
