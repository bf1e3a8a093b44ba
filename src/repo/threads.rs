//! How many threads a run may use.

use crate::error::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Threads of a run. What a run does, and in which order it must happen, does not depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Threads {
    /// Requests under way at a time for ranges of packs, and where answers are small.
    pub fetchers: usize,
    /// The same for objects that are read whole and may be large: those of the index, backups, records.
    pub loaders: usize,
    /// Threads that seal and upload packs; none: whoever fills a pack uploads it.
    pub uploaders: usize,
    /// Do chunks go to the pool, and the tree to a thread of its own?
    pub pool: bool,
}

impl Threads {
    /// Everything on the thread that calls: at most one request of a run is under way at any moment, and a run that
    /// gets the same answers asks the same questions. For checking the protocol.
    #[cfg(test)]
    pub(crate) const SERIAL: Threads = Threads {
        fetchers: 1,
        loaders: 1,
        uploaders: 0,
        pool: false,
    };

    /// As many requests at a time as the user asked for, if they did: each upload holds a pack in memory.
    pub(crate) fn for_connections(connections: Option<usize>) -> Threads {
        let usual = Threads::default();
        match connections {
            Some(most) => Threads {
                fetchers: most.max(1),
                loaders: most.clamp(1, usual.loaders),
                uploaders: most.max(1),
                ..usual
            },
            None => usual,
        }
    }
}

impl Default for Threads {
    fn default() -> Self {
        Threads {
            fetchers: 12,
            loaders: 4,
            uploaders: 3,
            pool: true,
        }
    }
}

/// Does `work`; a panic in it is an error, so that a thread that others wait for does not vanish. (Where panics abort, it
/// ends the program all the same.)
pub(crate) fn caught<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    // Whoever gets the error ends the run: what `work` left half done is not used.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let text = format!("{what}: the program itself is at fault, and says above where");
        Err(Error::failed(text).hint("report this, please, with all that was printed"))
    })
}

/// Does `work` for every item, `threads` at a time. Gives the results in the order of the items.
pub(crate) fn each_at_once<T: Sync, R: Send>(
    threads: usize,
    items: &[T],
    work: &(dyn Fn(&T) -> R + Sync),
) -> Vec<R> {
    if threads <= 1 || items.len() <= 1 {
        return items.iter().map(work).collect();
    }
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads.min(items.len()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { return };
                    let result = work(item);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order() {
        let items: Vec<u32> = (0..100).collect();
        for threads in [0, 1, 7] {
            assert_eq!(each_at_once(threads, &items, &|n| *n), items);
        }
    }
}
