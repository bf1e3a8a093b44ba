//! Large buffers that have been used, kept to be used again.
//!
//! A fresh one costs a page fault for every 4 KiB, since allocators (musl's above all) give large blocks back to the
//! system at once. Who is done with a buffer of a chunk, a pack or a range calls [`give`]; who needs one calls [`take`].
//! Nothing depends on it: a buffer that is dropped instead is merely made anew.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Smaller ones are not worth it. Bytes.
const SMALLEST: usize = 64 << 10;
/// The largest buffer of a chunk; larger ones are of packs and ranges. Bytes.
pub const CHUNK: usize = 10 << 20;
/// How much lies idle for chunks, and for packs, at most. Bytes.
const IDLE: [usize; 2] = [12 << 20, 40 << 20];

/// Idle buffers for chunks, and for packs and ranges.
static SHELVES: [Mutex<Shelf>; 2] = [const { Mutex::new(Shelf::new()) }; 2];

/// Idle buffers, empty, the one given last at the end.
struct Shelf {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

impl Shelf {
    const fn new() -> Shelf {
        Shelf {
            buffers: Vec::new(),
            bytes: 0,
        }
    }

    /// The smallest that holds `capacity` bytes and is at most twice as large: bounds of memory count lengths.
    fn take(&mut self, capacity: usize) -> Option<Vec<u8>> {
        let fitting = self.buffers.iter().enumerate();
        let (at, _) = fitting
            .filter(|(_, b)| b.capacity() >= capacity && b.capacity() / 2 <= capacity)
            .min_by_key(|(_, b)| b.capacity())?;
        let buffer = self.buffers.remove(at);
        self.bytes -= buffer.capacity();
        Some(buffer)
    }

    fn give(&mut self, buffer: Vec<u8>, most: usize) {
        self.bytes += buffer.capacity();
        self.buffers.push(buffer);
        while self.bytes > most && !self.buffers.is_empty() {
            self.bytes -= self.buffers.remove(0).capacity();
        }
    }
}

fn shelf(capacity: usize) -> (MutexGuard<'static, Shelf>, usize) {
    let which = usize::from(capacity > CHUNK);
    let shelf = SHELVES[which]
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    (shelf, IDLE[which])
}

/// An empty buffer with room for `capacity` bytes.
pub fn take(capacity: usize) -> Vec<u8> {
    let idle = match capacity >= SMALLEST {
        true => shelf(capacity).0.take(capacity),
        false => None,
    };
    idle.unwrap_or_else(|| Vec::with_capacity(capacity))
}

/// Takes a buffer back, whatever is in it.
pub fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() >= SMALLEST {
        buffer.clear();
        let (mut shelf, most) = shelf(buffer.capacity());
        shelf.give(buffer, most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_that_fits() {
        let mut shelf = Shelf::new();
        for size in [300, 100, 200, 9000] {
            shelf.give(Vec::with_capacity(size), 100_000);
        }
        assert_eq!(shelf.take(150).unwrap().capacity(), 200);
        assert_eq!(shelf.take(150).unwrap().capacity(), 300);
        assert!(shelf.take(150).is_none(), "9000 is far too large");
        assert_eq!((shelf.buffers.len(), shelf.bytes), (2, 9100));
    }

    #[test]
    fn idle_memory_is_bounded() {
        let mut shelf = Shelf::new();
        for size in [400, 500, 300, 2000] {
            shelf.give(Vec::with_capacity(size), 1000);
            assert!(shelf.bytes <= 1000);
            let sum: usize = shelf.buffers.iter().map(Vec::capacity).sum();
            assert_eq!(sum, shelf.bytes);
        }
    }

    #[test]
    fn what_comes_back_is_empty() {
        give(vec![7; 1 << 20]);
        let buffer = take(1 << 20);
        assert!(buffer.is_empty() && buffer.capacity() >= 1 << 20);
    }
}
