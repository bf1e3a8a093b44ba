//! How many requests are under way at a time: halved where the server asks for less, and grown again by one for each
//! round of successes (additive increase, multiplicative decrease; RFC 5681 does the same for TCP).

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Shared by all threads that use one client.
#[derive(Debug)]
pub struct Gate {
    most: usize,
    state: Mutex<State>,
    free: Condvar,
}

#[derive(Debug)]
struct State {
    /// At least 1.0; its whole part is how many may be under way.
    limit: f64,
    busy: usize,
    /// Counts the halvings.
    round: u64,
}

/// One request under way, until dropped.
#[derive(Debug)]
pub struct Permit<'a> {
    gate: &'a Gate,
    round: u64,
}

impl Gate {
    /// At most `most` requests at a time.
    pub fn new(most: usize) -> Gate {
        let most = most.max(1);
        Gate {
            most,
            state: Mutex::new(State {
                limit: most as f64,
                busy: 0,
                round: 0,
            }),
            free: Condvar::new(),
        }
    }

    /// Waits until another request may begin.
    pub fn enter(&self) -> Permit<'_> {
        let mut state = self.state();
        while state.busy >= state.limit as usize {
            state = self
                .free
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.busy += 1;
        Permit {
            gate: self,
            round: state.round,
        }
    }

    /// How many may be under way now.
    pub fn limit(&self) -> usize {
        self.state().limit as usize
    }

    /// The most that may ever be.
    pub fn most(&self) -> usize {
        self.most
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// The server asked for less. Requests that were under way together halve the limit once.
    pub fn slow_down(&self) {
        let mut state = self.gate.state();
        if state.round == self.round {
            state.limit = (state.limit / 2.0).max(1.0);
            state.round += 1;
        }
    }

    /// The server answered as it should.
    pub fn success(&self) {
        let mut state = self.gate.state();
        let before = state.limit as usize;
        state.limit = (state.limit + 1.0 / state.limit).min(self.gate.most as f64);
        if state.limit as usize > before {
            self.gate.free.notify_one();
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.gate.state().busy -= 1;
        self.gate.free.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    #[test]
    fn requests_that_were_slowed_down_together_count_once() {
        let gate = Gate::new(16);
        let together: Vec<Permit<'_>> = (0..16).map(|_| gate.enter()).collect();
        together.iter().for_each(Permit::slow_down);
        assert_eq!(gate.limit(), 8);
        drop(together);
        gate.enter().slow_down();
        assert_eq!(gate.limit(), 4);
        for _ in 0..9 {
            gate.enter().slow_down();
        }
        assert_eq!(gate.limit(), 1, "one always goes through");
    }

    #[test]
    fn it_recovers_by_one_a_round_and_stops_at_the_top() {
        let gate = Gate::new(8);
        gate.enter().slow_down();
        assert_eq!(gate.limit(), 4);
        for _ in 0..5 {
            gate.enter().success();
        }
        assert_eq!(gate.limit(), 5);
        for _ in 0..100 {
            gate.enter().success();
        }
        assert_eq!((gate.limit(), gate.most()), (8, 8));
    }

    #[test]
    fn no_more_than_the_limit_are_inside() {
        let (gate, inside, peak) = (Gate::new(3), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let permit = gate.enter();
                        peak.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
                        std::thread::yield_now();
                        inside.fetch_sub(1, SeqCst);
                        permit.success();
                    }
                });
            }
        });
        assert!(peak.load(SeqCst) <= 3);
    }
}
