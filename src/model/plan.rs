//! Chance and time of day, as planned: for a thread that asks for it, random bytes come from a seed and the host's
//! clock stands still.
//!
//! A serial run that draws the same bytes and gets the same answers writes the same objects under the same names.
//! The exploration rests on that: see [`super::explore`].

use crate::units::Time;
use std::cell::RefCell;

struct Plan {
    bytes: blake3::OutputReader,
    time: Time,
}

thread_local! {
    static PLAN: RefCell<Option<Plan>> = const { RefCell::new(None) };
}

/// From here on, this thread draws its random bytes from `seed`, and its host's clock stands at `time`.
pub fn follow(seed: &[u8], time: Time) {
    let bytes = blake3::Hasher::new_derive_key("corso 2026 model random bytes")
        .update(seed)
        .finalize_xof();
    PLAN.set(Some(Plan { bytes, time }));
}

/// Back to the system's random source and clock.
pub fn leave() {
    PLAN.set(None);
}

/// Fills `out` if this thread follows a plan.
pub fn fill(out: &mut [u8]) -> bool {
    PLAN.with_borrow_mut(|plan| match plan {
        Some(plan) => {
            plan.bytes.fill(out);
            true
        }
        None => false,
    })
}

/// The planned time of day.
pub fn now() -> Option<Time> {
    PLAN.with_borrow(|plan| plan.as_ref().map(|p| p.time))
}
