//! From a finished temporary name to the final one, by the rules for collisions.

use super::Collisions;
use super::run::Run;
use crate::error::{Context, Error, Result};
use crate::fs::restore::{Dir, Placed};
use std::io::ErrorKind;

/// Names tried beside one that is taken.
const COPIES: u32 = 10_000;

/// Where a temporary file ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Put {
    /// It has this name now.
    As(Vec<u8>),
    /// The name was taken; the temporary file is removed.
    Skipped,
}

impl Run<'_> {
    /// Gives `temp` the name `name`, or what the rules for collisions make of it. On error, `temp` is still there.
    pub fn put_in_place(&self, dir: &Dir, temp: &[u8], name: &[u8]) -> Result<Put> {
        match self.options.collisions {
            Collisions::Replace => replace(dir, temp, name),
            Collisions::Skip => match dir.place(temp, name, false).context(naming)? {
                Placed::Done => Ok(Put::As(name.to_vec())),
                Placed::Taken => {
                    dir.remove(temp).context(|| "removing a temporary file")?;
                    Ok(Put::Skipped)
                }
            },
            Collisions::Copy => beside(dir, temp, name),
        }
    }
}

fn replace(dir: &Dir, temp: &[u8], name: &[u8]) -> Result<Put> {
    match dir.place(temp, name, true) {
        Err(e) if e.kind() == ErrorKind::IsADirectory => {
            dir.remove_dir(name).map_err(in_the_way)?;
            dir.place(temp, name, true).context(naming)?;
        }
        other => {
            other.context(naming)?;
        }
    }
    Ok(Put::As(name.to_vec()))
}

fn beside(dir: &Dir, temp: &[u8], name: &[u8]) -> Result<Put> {
    for n in 0..COPIES {
        let candidate = match n {
            0 => name.to_vec(),
            1 => [name, b" (restored)"].concat(),
            n => [name, format!(" (restored {n})").as_bytes()].concat(),
        };
        if dir.place(temp, &candidate, false).context(naming)? == Placed::Done {
            return Ok(Put::As(candidate));
        }
    }
    Err(Error::failed(format!("{COPIES} copies are there already")))
}

fn in_the_way(e: std::io::Error) -> Error {
    Error::io("a directory that is not empty is in its place", e)
        .hint("move it away, or restore elsewhere")
}

fn naming() -> &'static str {
    "giving it its name"
}
