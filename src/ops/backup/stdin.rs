//! Standard input as a backup of one file.

use super::feed::{Body, Feeder, PendingPiece, Slot};
use super::source::Pending;
use super::tally::Tally;
use crate::chunker::{Cdc, Chunker};
use crate::error::{Error, Result};
use crate::format::entry::{Entry, FileKind, FileTime};
use crate::repo::run::Run;
use crate::units::Time;
use crossbeam_channel::Sender;
use std::sync::Arc;

/// Reads standard input to its end. A failure to read ends the backup: half a stream is no backup. So does a stop that
/// was asked for, also while there is nothing to read.
pub fn read(
    name: &[u8],
    cdc: &Cdc,
    run: &Run,
    feeder: &Feeder,
    tally: &Tally,
    out: &Sender<Pending>,
) -> Result<()> {
    let path = super::stdin_path(name);
    let mut entry = Entry::new(FileKind::File);
    entry.mode = 0o600;
    let now = Time::local_now().0;
    entry.mtime = FileTime {
        secs: now.div_euclid(1000),
        nanos: now.rem_euclid(1000) as u32 * 1_000_000,
    };
    let mut pieces = Vec::new();
    let failed = || run.failed();
    let mut chunks = Chunker::new(cdc, crate::fs::stdin(&failed));
    while let Some(raw) = chunks.next_chunk().map_err(|e| {
        let reason = run.check().err();
        reason.unwrap_or_else(|| Error::io("reading standard input", e))
    })? {
        let len = raw.len() as u64;
        let slot = Arc::<Slot>::default();
        feeder.submit(raw, slot.clone())?;
        pieces.push(PendingPiece {
            slot,
            offset: 0,
            len,
        });
        entry.size += len;
        tally.bytes(len);
    }
    tally.read(&entry, false);
    let pending = Pending {
        path,
        entry,
        body: Body::Pending(Arc::new(pieces)),
        extents: None,
        xattrs: Vec::new(),
        streams: Vec::new(),
    };
    out.send(pending)
        .map_err(|_| Error::failed("the tree could not be written"))
}
