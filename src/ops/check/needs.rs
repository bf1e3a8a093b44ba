//! What an entry needs, and whether it is there.

use crate::error::Result;
use crate::format::entry::{Content, Entry};
use crate::format::tree::{NodeSource, Pieces};
use crate::id::{Id, Id16};
use crate::ops::reach::each_content;
use crate::ops::survey::{Health, Held};
use std::collections::HashMap;

/// What is lost of one entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Content bytes in chunks that are nowhere.
    pub bytes: u64,
    /// Its list of chunks cannot be read to its end: more may be lost than is counted.
    pub list: bool,
    /// Its extents, attributes, descriptor or streams.
    pub extras: bool,
    /// Some of this may be whole: it cannot be read now.
    pub unreadable: bool,
}

impl Lost {
    /// Nothing is.
    pub fn is_nothing(&self) -> bool {
        *self == Lost::default()
    }

    /// For people.
    pub fn describe(&self, size: u64) -> String {
        let mut parts = Vec::new();
        let lost = match self.unreadable {
            true => "cannot be read now",
            false => "are lost",
        };
        if self.bytes > 0 {
            parts.push(format!("{} of {size} bytes {lost}", self.bytes));
        }
        if self.list {
            parts.push(match self.unreadable {
                true => "its list of chunks cannot be read now".to_string(),
                false => "its list of chunks is damaged".to_string(),
            });
        }
        if self.extras {
            parts.push(format!("extents, extended attributes or the like {lost}"));
        }
        parts.join("; ")
    }
}

/// Looks up what entries of one domain need.
pub struct Needs<'a, S: ?Sized> {
    health: &'a Health,
    writer: Id16,
    source: &'a S,
    /// The chunk asked for last, which was there: neighbours share bundles.
    last: Option<Id>,
    /// Chunks that are only in packs which a tombstone names, and whether they could be read.
    tried: &'a mut HashMap<(Id16, Id), bool>,
    /// Chunks that are only in packs which a tombstone names.
    pub dying: u64,
    /// Something could not be read now.
    unreadable: bool,
}

impl<'a, S: NodeSource + ?Sized> Needs<'a, S> {
    /// Lists are read from `source`.
    pub fn new(
        health: &'a Health,
        writer: Id16,
        source: &'a S,
        tried: &'a mut HashMap<(Id16, Id), bool>,
    ) -> Self {
        Needs {
            health,
            writer,
            source,
            last: None,
            tried,
            dying: 0,
            unreadable: false,
        }
    }

    /// What is lost of `entry`.
    ///
    /// # Errors
    /// Those that are not of one object.
    pub fn lost(&mut self, entry: &Entry) -> Result<Lost> {
        let mut lost = Lost::default();
        self.unreadable = false;
        (lost.bytes, lost.list) = self.content(&entry.content)?;
        let mut first = true;
        each_content(entry, &mut |content| {
            // The file's own content comes first, and has been counted.
            if !std::mem::take(&mut first) {
                lost.extras |= self.content(content)? != (0, false);
            }
            Ok(())
        })?;
        lost.unreadable = (self.unreadable || self.health.is_partial()) && !lost.is_nothing();
        Ok(lost)
    }

    /// How many bytes are in chunks that are nowhere, and whether a list is damaged.
    fn content(&mut self, content: &Content) -> Result<(u64, bool)> {
        let mut lost = 0u64;
        for piece in Pieces::new(self.source, content) {
            let piece = match piece {
                Ok(piece) => piece,
                Err(e) if e.is_of_one_object() => {
                    self.unreadable |= e.is_unreadable();
                    return Ok((lost, true));
                }
                Err(e) => return Err(e),
            };
            if self.last == Some(piece.chunk) {
                continue;
            }
            let there = match self.health.held(&self.writer, &piece.chunk)? {
                Held::Yes => true,
                Held::Dying => self.can_be_copied(&piece.chunk)?,
                Held::No => false,
            };
            match there {
                true => self.last = Some(piece.chunk),
                false => lost = lost.saturating_add(piece.len),
            }
        }
        Ok((lost, false))
    }

    /// What a tombstone names may be damaged: a repair buries such packs. There are few of these chunks: they are read.
    fn can_be_copied(&mut self, id: &Id) -> Result<bool> {
        let readable = match self.tried.get(&(self.writer, *id)) {
            Some(readable) => *readable,
            None => match self.source.node(id) {
                Ok(_) => true,
                Err(e) if e.is_unreadable() => {
                    self.unreadable = true;
                    return Ok(false);
                }
                Err(e) if e.is_damage() => false,
                Err(e) => return Err(e),
            },
        };
        self.tried.insert((self.writer, *id), readable);
        self.dying += u64::from(readable);
        Ok(readable)
    }
}
