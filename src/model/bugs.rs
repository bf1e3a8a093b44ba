//! Mistakes that can be planted in the engine, to see that the explorer finds them.

use std::cell::Cell;

/// A mistake. Each is consulted at the one place in the engine where it would be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A view lists index objects first, then tombstones.
    IndexFirst,
    /// A run never renews its view, and puts however old it is.
    NoRenewal,
    /// A view is renewed however long ago it was taken.
    EndlessRenewal,
    /// A put may be sent up to a whole grace period after the view.
    LatePut,
    /// A sweep deletes what is due without looking what needs it.
    NoLook,
    /// A rescue deletes the tombstones of what is needed, and copies nothing.
    Withdraw,
    /// A tombstone goes although an index object that stays names its packs.
    StoneGone,
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// From here on, the runs of this thread make this mistake.
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Does this thread make this mistake?
pub fn planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}
