//! From bytes to chunks in flight: a chunk's id is known later, and whoever needs it waits for it.

use crate::codec::spare;
use crate::error::Result;
use crate::format::container::ObjectKind;
use crate::format::entry::{Content, Piece};
use crate::id::Id;
use crate::repo::gate::Gate;
use crate::repo::run::Run;
use crate::repo::threads::caught;
use crate::units::MIB;
use std::sync::{Arc, OnceLock};

/// Raw chunks that wait for a worker or are being hashed and compressed.
const CHUNK_BYTES: u64 = 16 * MIB;

/// The id of a chunk that is being made; `None` if that failed (the run knows why).
#[derive(Default)]
pub struct Slot(OnceLock<Option<Id>>);

impl Slot {
    /// Waits for the id.
    pub fn wait(&self) -> Option<Id> {
        *self.0.wait()
    }

    /// Says that the chunk will not be made, so that nobody waits for it any longer.
    pub fn give_up(&self) {
        // An id that is known stays.
        let _ = self.0.set(None);
    }
}

/// A piece of content whose chunk's id may not be known yet.
#[derive(Clone)]
pub struct PendingPiece {
    /// The chunk.
    pub slot: Arc<Slot>,
    /// Where in the chunk.
    pub offset: u64,
    /// How long.
    pub len: u64,
}

/// A file's content: known, or on its way.
#[derive(Clone)]
pub enum Body {
    /// Known: reused from the parent, or empty.
    Ready(Content),
    /// On its way; shared by the names of a hardlinked file.
    Pending(Arc<Vec<PendingPiece>>),
}

impl Body {
    /// No content.
    pub fn empty() -> Body {
        Body::Ready(Content::default())
    }

    /// Waits until all ids are known; `None` if a chunk failed.
    pub fn resolve(&self) -> Option<Content> {
        match self {
            Body::Ready(content) => Some(content.clone()),
            Body::Pending(pieces) => {
                let piece = |p: &PendingPiece| {
                    Some(Piece {
                        chunk: p.slot.wait()?,
                        offset: p.offset,
                        len: p.len,
                    })
                };
                Some(Content {
                    depth: 0,
                    pieces: pieces.iter().map(piece).collect::<Option<_>>()?,
                })
            }
        }
    }
}

/// Hands raw chunks to the thread pool.
pub struct Feeder {
    run: Arc<Run>,
    gate: Arc<Gate>,
}

impl Feeder {
    /// A feeder of `run`.
    pub fn new(run: Arc<Run>) -> Feeder {
        Feeder {
            run,
            gate: Arc::new(Gate::new(CHUNK_BYTES)),
        }
    }

    /// Hashes, compresses and packs `raw` on the pool, and answers through `slot`. Waits while too much is on its way.
    pub fn submit(&self, raw: Vec<u8>, slot: Arc<Slot>) -> Result<()> {
        let bytes = raw.len() as u64;
        let room = self.run.wait_for_room();
        if room.is_err() || !self.gate.enter(bytes, &|| self.run.failed()) {
            slot.give_up();
            return room.and_then(|()| self.run.check());
        }
        let (run, gate) = (self.run.clone(), self.gate.clone());
        let work = move || {
            let made = caught("storing a chunk", || {
                let id = run.keys().chunk_id(&raw);
                run.chunk(ObjectKind::Data, &id, &raw).map(|_| id)
            });
            spare::give(raw);
            gate.leave(bytes);
            let _ = slot.0.set(match made {
                Ok(id) => Some(id),
                Err(e) => {
                    run.fail(e);
                    None
                }
            });
        };
        match self.run.pooled() {
            true => rayon::spawn(work),
            false => work(),
        }
        Ok(())
    }
}
