//! The tree stage: takes entries in order, waits for their chunks, writes the nodes.

use super::feed::Body;
use super::nodes::Nodes;
use super::source::Pending;
use super::tally::Tally;
use crate::error::{Error, Result};
use crate::format::entry::{Content, Stream};
use crate::format::tree::{self, ListBuilder, Prepared, Root, TreeBuilder};
use crate::repo::run::Run;
use crossbeam_channel::Receiver;

/// Writes the tree of all that comes through `entries`. An entry that cannot be stored (a path too long) is reported
/// and left out.
pub fn write(
    nodes: &Nodes,
    run: &Run,
    tally: &Tally,
    entries: Receiver<Pending>,
    dry_run: bool,
) -> Result<Root> {
    let mut builder = TreeBuilder::new(run.keys().tree.bytes(), |_, raw| match dry_run {
        true => Ok(run.keys().chunk_id(&raw)),
        false => nodes.store(&raw),
    });
    for pending in entries {
        let Some(prepared) = prepare(nodes, run, tally, pending)? else {
            continue;
        };
        builder.add(&prepared)?;
    }
    run.check()?;
    builder.finish()
}

/// The content, once all its chunks are known; a long list of them becomes chunks, too.
fn content(nodes: &Nodes, run: &Run, body: &Body) -> Result<Content> {
    let Some(content) = body.resolve() else {
        return run
            .check()
            .and(Err(Error::failed("a chunk could not be stored")));
    };
    if content.depth > 0 {
        return Ok(content);
    }
    let mut sink = |raw: Vec<u8>| nodes.store(&raw);
    let mut list = ListBuilder::new();
    for piece in content.pieces {
        list.push(piece, &mut sink)?;
    }
    list.finish(&mut sink)
}

fn prepare(nodes: &Nodes, run: &Run, tally: &Tally, pending: Pending) -> Result<Option<Prepared>> {
    let Pending {
        path,
        mut entry,
        body,
        extents,
        xattrs,
        streams,
    } = pending;
    entry.content = content(nodes, run, &body)?;
    for (name, body) in streams {
        let content = content(nodes, run, &body)?;
        entry.streams.push(Stream { name, content });
    }
    let mut sink = |raw: Vec<u8>| nodes.store(&raw);
    if let Some(extents) = extents {
        entry.extents = Some(tree::store_blob(
            tree::encode_extents(&extents)?,
            &mut sink,
        )?);
    }
    if !xattrs.is_empty() {
        match tree::encode_xattrs(xattrs) {
            Ok(bytes) => entry.xattrs = Some(tree::store_blob(bytes, &mut sink)?),
            Err(e) => tally.file_error(
                &path,
                e.context("extended attributes are not in the backup"),
            ),
        }
    }
    if let Some((_, name)) = path.split()
        && let Err(e) = tree::fit_entry(name, &mut entry, &mut sink)
    {
        run.check()?;
        tally.file_error(&path, e);
        return Ok(None);
    }
    match Prepared::new(path.clone(), &entry) {
        Ok(prepared) => Ok(Some(prepared)),
        Err(e) => {
            tally.file_error(&path, e);
            Ok(None)
        }
    }
}
