//! Windows alternate streams: small as a rule, so each is fetched and written in one go, chunk after chunk.

use super::content::part;
use super::run::Run;
use crate::error::{Context, Result};
use crate::format::Stream;
use crate::format::tree::Pieces;
use crate::fs::restore::Dir;
use crate::report::printable;
use std::io::Write;

/// Rough memory use in bytes.
pub fn weight(streams: &[Stream]) -> usize {
    let one = |s: &Stream| 64 + s.name.len() + s.content.pieces.len() * 48;
    streams.iter().map(one).sum()
}

impl Run<'_> {
    /// Writes the streams of the file `name` in `dir`, or with an empty name of `dir` itself. What cannot be written is
    /// reported; the file is restored without it.
    pub fn streams(&self, shown: &[u8], streams: &[Stream], dir: &Dir, name: &[u8]) {
        if cfg!(not(windows)) && !streams.is_empty() {
            let note =
                "its alternate data streams are left out: they exist on Windows only (said once)";
            return self.note_once("streams", shown, note);
        }
        for stream in streams {
            if let Err(e) = self.stream(stream, dir, name) {
                let which = format!("its stream \"{}\" is not restored", printable(&stream.name));
                self.error(shown, e.context(which));
            }
        }
    }

    fn stream(&self, stream: &Stream, dir: &Dir, name: &[u8]) -> Result<()> {
        let mut file = dir
            .create_stream(name, &stream.name)
            .context(|| "creating it")?;
        for piece in Pieces::new(self.from.chunks, &stream.content) {
            self.check()?;
            let piece = piece?;
            let raw = self.from.chunks.get(&piece.chunk)?;
            file.write_all(part(&raw, piece.offset, piece.len)?)
                .context(|| "writing it")?;
        }
        Ok(())
    }
}
