//! Keeping a run's view fresh, and saying what a newer one takes away.

use super::{Run, lock};
use crate::error::{Error, Kind, Result};
use crate::repo::protocol::{View, Viewer};
use crate::report::Event;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Views that are tried for one put, each too old already when the put is signed.
pub(super) const MOST_FOR_ONE_PUT: u32 = 6;
/// The first wait between them; it doubles.
const REST: Duration = Duration::from_millis(200);

impl Run {
    /// Waits before the put is tried on yet another view; that the first came too late is nothing special.
    pub(super) fn rest_before(&self, renewed: u32) -> Result<()> {
        if renewed > 0 {
            self.stop.check()?;
        }
        if renewed > 1 {
            std::thread::sleep(REST.saturating_mul(1 << (renewed - 2).min(8)));
        }
        Ok(())
    }

    /// Views that are new and yet too old: nothing but clocks does that.
    pub(super) fn always_too_late(&self) -> Error {
        let (view, now) = (self.view().time, self.repo.storage.now());
        let text = format!(
            "the servers of the storage do not agree on the time: by one that lists it is {view}, by one that is written \
             to {now}, so that {MOST_FOR_ONE_PUT} looks at the repository one after the other were too old to write by"
        );
        Error::new(Kind::ClockSkew, text)
            .hint("set the clocks of the storage's servers; something on the way may also keep old answers")
    }

    pub(super) fn fresh_deadline(&self) -> Result<Option<crate::units::Time>> {
        #[cfg(test)]
        if crate::model::bugs::planted(crate::model::bugs::Bug::NoRenewal) {
            return Ok(None);
        }
        let now = self.repo.storage.now();
        {
            let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
            if !self.grace.wants_renewal(&view, now) {
                return Ok(self.grace.deadline(&view));
            }
        }
        self.renew()?;
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        Ok(self.grace.deadline(&view))
    }

    /// Takes a newer view. What it takes away, or all that no index object names yet if it cannot continue the old
    /// one, is lost for this run: [`Run::take_loss`] tells.
    pub fn renew(&self) -> Result<()> {
        let mut viewer = lock(&self.viewer);
        let old = self
            .view
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        // Another thread may have renewed while this one waited.
        if !self.grace.wants_renewal(&old, self.repo.storage.now()) && !self.grace.0.is_zero() {
            return Ok(());
        }
        self.take_newer(&mut viewer)
    }

    pub(super) fn take_newer(&self, viewer: &mut Viewer) -> Result<()> {
        let old = self.view();
        self.observer
            .event(Event::Debug("renewing the view of the repository"));
        let new = self.newer_view(viewer)?;
        let continues = self.grace.continues(&old, &new);
        if !continues {
            // A tombstone may have come and gone: packs that nothing names yet may be gone with it.
            let mut unindexed = lock(&self.unindexed);
            self.breaks.fetch_add(1, Ordering::SeqCst);
            unindexed.packs.clear();
            self.index.forget_unindexed();
        }
        if !continues || new.takes_away_from(&old) {
            self.lost.store(true, Ordering::SeqCst);
        }
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    fn newer_view(&self, viewer: &mut Viewer) -> Result<View> {
        for _ in 0..5 {
            let view = viewer.take(&self.repo.keyring, &*self.observer)?;
            match self.repo.refresh_index(&self.index, &view, &*self.observer) {
                // Gone between list and get: look again.
                Err(e) if e.kind() == Kind::ObjectMissing => continue,
                other => return other.map(|()| view),
            }
        }
        Err(
            Error::new(Kind::Changed, "index objects were replaced at every look")
                .hint("try again later"),
        )
    }
}
