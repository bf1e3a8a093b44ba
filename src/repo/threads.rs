//! How many threads a run may use.

/// Threads of a run. What a run does, and in which order it must happen, does not depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Threads {
    /// Requests under way at a time when reading index objects and packs.
    pub fetchers: usize,
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
        uploaders: 0,
        pool: false,
    };
}

impl Default for Threads {
    fn default() -> Self {
        Threads {
            fetchers: 4,
            uploaders: 3,
            pool: true,
        }
    }
}
