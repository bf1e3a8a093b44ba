//! A gate that bounds how many bytes are on their way between two stages.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Counts bytes in flight; entering waits while the gate is full.
pub struct Gate {
    limit: u64,
    inside: Mutex<u64>,
    changed: Condvar,
}

impl Gate {
    /// A gate for at most `limit` bytes (one larger item may pass alone).
    pub fn new(limit: u64) -> Self {
        Gate {
            limit,
            inside: Mutex::new(0),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `bytes` fit, then counts them. `give_up` is asked a few times a second; `false` when it said so.
    pub fn enter(&self, bytes: u64, give_up: &dyn Fn() -> bool) -> bool {
        let mut inside = self.lock();
        while *inside > 0 && *inside + bytes > self.limit {
            if give_up() {
                return false;
            }
            let waited = self
                .changed
                .wait_timeout(inside, Duration::from_millis(100));
            inside = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *inside += bytes;
        true
    }

    /// Counts `bytes` without waiting: for a stage that must not block and whose producer waits instead.
    pub fn force(&self, bytes: u64) {
        *self.lock() += bytes;
    }

    /// Gives `bytes` back.
    pub fn leave(&self, bytes: u64) {
        let mut inside = self.lock();
        *inside = inside.saturating_sub(bytes);
        self.changed.notify_all();
    }

    /// Enters, however long that takes, and leaves when the answer is dropped.
    pub fn hold(&self, bytes: u64) -> Held<'_> {
        self.enter(bytes, &|| false);
        Held(self, bytes)
    }

    /// Bytes inside now.
    pub fn inside(&self) -> u64 {
        *self.lock()
    }

    /// Waits until at most `bytes` are inside; `false` if `give_up` said so first.
    pub fn wait_below(&self, bytes: u64, give_up: &dyn Fn() -> bool) -> bool {
        let mut inside = self.lock();
        while *inside > bytes {
            if give_up() {
                return false;
            }
            let waited = self
                .changed
                .wait_timeout(inside, Duration::from_millis(100));
            inside = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// A part of a gate, given back when dropped.
pub struct Held<'a>(&'a Gate, u64);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.leave(self.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_until_there_is_room_and_gives_up_when_told() {
        let gate = Gate::new(10);
        assert!(gate.enter(25, &|| false), "one larger item may pass alone");
        assert!(!gate.enter(1, &|| true));
        std::thread::scope(|s| {
            s.spawn(|| gate.leave(25));
            assert!(gate.enter(10, &|| false));
        });
        gate.force(5);
        assert_eq!(gate.inside(), 15);
        gate.leave(15);
        assert!(gate.wait_below(0, &|| false));
    }
}
