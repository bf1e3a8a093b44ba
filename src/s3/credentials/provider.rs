//! The keys in use, renewed before they expire.
//!
//! Renewal begins some time before the end. One thread renews; all others go on with the old keys while these are good, and
//! wait for it only when they are not. Nothing is kept on disk.

use super::{Credentials, Source};
use crate::error::{Error, Result};
use crate::s3::retry::jitter;
use crate::units::Time;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::time::Duration;

/// Renewal begins this long before the end (the SDKs' window for container keys), or in the last quarter of shorter lives.
const WINDOW: Duration = Duration::from_secs(5 * 60);
/// Keys are not used in their last second: the request has yet to arrive.
const MARGIN: Duration = Duration::from_secs(1);
/// Keys that arrive expired are used for so long all the same: this host's clock may be what is wrong.
const EXPIRED_ON_ARRIVAL: Duration = Duration::from_secs(60);
/// After a failure, threads that waited for that very attempt get its error; later ones ask again.
const SAME_FAILURE: Duration = Duration::from_secs(1);

/// Keys that stay good. Clones share them.
#[derive(Clone)]
pub struct CredentialProvider(Arc<Inner>);

struct Inner {
    source: Box<dyn Source>,
    state: RwLock<State>,
    /// Held by whoever renews.
    turn: Mutex<Option<Failed>>,
    fetches: AtomicU64,
}

#[derive(Clone)]
struct State {
    keys: Arc<Credentials>,
    /// From here on they should be renewed.
    due: Option<Time>,
    /// From here on they must not be used.
    over: Option<Time>,
}

/// The last renewal that failed, for those who waited for it.
struct Failed {
    at: Time,
    error: Error,
}

impl State {
    fn new(keys: Credentials, now: Time) -> State {
        let (due, over) = match keys.expires() {
            None => (None, None),
            Some(end) if end <= now => {
                let end = now.plus(EXPIRED_ON_ARRIVAL);
                (Some(end), Some(end))
            }
            Some(end) => {
                let life = end.since(now);
                let due = end.minus(WINDOW.min(life / 4));
                (Some(due), Some(end.minus(MARGIN.min(life / 20))))
            }
        };
        State {
            keys: Arc::new(keys),
            due,
            over,
        }
    }

    fn is_due(&self, now: Time) -> bool {
        self.due.is_some_and(|due| now >= due)
    }

    fn is_over(&self, now: Time) -> bool {
        self.over.is_some_and(|over| now >= over)
    }
}

impl CredentialProvider {
    /// Asks `source` for the first keys.
    ///
    /// # Errors
    /// Those of the source.
    pub fn fetch(source: Box<dyn Source>) -> Result<CredentialProvider> {
        let keys = source.fetch()?;
        Ok(CredentialProvider(Arc::new(Inner {
            source,
            state: RwLock::new(State::new(keys, Time::local_now())),
            turn: Mutex::new(None),
            fetches: AtomicU64::new(1),
        })))
    }

    /// The keys last obtained, whatever their age.
    pub fn current(&self) -> Arc<Credentials> {
        self.state().keys
    }

    /// How often the source has been asked.
    pub fn fetches(&self) -> u64 {
        self.0.fetches.load(Relaxed)
    }

    /// Keys that are good at `now`, which is the storage's time where that is known.
    ///
    /// # Errors
    /// The keys have expired, and the source gives no new ones.
    pub fn get(&self, now: Time) -> Result<Arc<Credentials>> {
        let state = self.state();
        if !state.is_due(now) {
            return Ok(state.keys);
        }
        if state.is_over(now) {
            let turn = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
            return self.renew_in_turn(turn, &state.keys, now);
        }
        match self.0.turn.try_lock() {
            Ok(turn) => self.renew_in_turn(turn, &state.keys, now),
            Err(TryLockError::Poisoned(turn)) => {
                self.renew_in_turn(turn.into_inner(), &state.keys, now)
            }
            Err(TryLockError::WouldBlock) => Ok(state.keys),
        }
    }

    /// New keys in place of `refused`, which the storage finds expired. Gives false if the source has no others.
    ///
    /// # Errors
    /// Those of the source.
    pub fn renew(&self, refused: &Arc<Credentials>) -> Result<bool> {
        if refused.expires().is_none() && refused.session_token().is_none() {
            return Ok(false);
        }
        let mut turn = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&self.state().keys, refused) {
            self.ask(&mut turn)?;
        }
        let keys = self.state().keys;
        Ok(keys.access_key() != refused.access_key()
            || keys.session_token() != refused.session_token())
    }

    fn state(&self) -> State {
        let state = self.0.state.read();
        state.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, state: State) {
        let mut place = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        *place = state;
    }

    /// Renews `old` unless another thread has done so meanwhile. While `old` is still good, a failure only puts off the next
    /// attempt.
    fn renew_in_turn(
        &self,
        mut turn: MutexGuard<'_, Option<Failed>>,
        old: &Arc<Credentials>,
        now: Time,
    ) -> Result<Arc<Credentials>> {
        let mut state = self.state();
        if !Arc::ptr_eq(&state.keys, old) || !state.is_due(now) {
            return Ok(state.keys);
        }
        let Err(error) = self.ask(&mut turn) else {
            return Ok(self.state().keys);
        };
        if !state.is_over(now) {
            let left = state.over.map_or(Duration::ZERO, |over| over.since(now));
            let pause = (left / 8).clamp(Duration::from_secs(1), Duration::from_secs(60));
            state.due = Some(now.plus(pause));
        } else if self.0.source.outlives_failures() {
            // As the SDK for Go does: five to fifteen minutes more.
            let more = now.plus(Duration::from_secs_f64(300.0 + 600.0 * jitter()));
            (state.due, state.over) = (Some(more), Some(more));
        } else {
            return Err(error);
        }
        let keys = state.keys.clone();
        self.set(state);
        Ok(keys)
    }

    fn ask(&self, last: &mut Option<Failed>) -> Result<()> {
        let began = Time::local_now();
        if let Some(failed) = last
            && began.since(failed.at) < SAME_FAILURE
            && began >= failed.at
        {
            return Err(failed.error.again());
        }
        self.0.fetches.fetch_add(1, Relaxed);
        match self.0.source.fetch() {
            Ok(keys) => {
                *last = None;
                self.set(State::new(keys, Time::local_now()));
                Ok(())
            }
            Err(error) => {
                let error = error.context("renewing the storage credentials");
                let (at, again) = (Time::local_now(), error.again());
                *last = Some(Failed { at, error });
                Err(again)
            }
        }
    }
}

/// Keys that never change.
impl From<Credentials> for CredentialProvider {
    fn from(keys: Credentials) -> CredentialProvider {
        let state = State::new(keys.clone(), Time::local_now());
        CredentialProvider(Arc::new(Inner {
            source: Box::new(keys),
            state: RwLock::new(state),
            turn: Mutex::new(None),
            fetches: AtomicU64::new(0),
        }))
    }
}

impl fmt::Debug for CredentialProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CredentialProvider")
            .field(&self.current())
            .finish()
    }
}

#[cfg(test)]
mod tests;
