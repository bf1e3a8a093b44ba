//! The desk at which every request of every actor waits for its turn.
//!
//! An actor is a thread that runs the engine on a [`Gated`] storage. It goes on until it wants something of the
//! storage, and then waits; so between two requests nothing of an actor can be seen, and its state is a function of
//! the answers that it got. The explorer waits until all actors wait (or have ended), and lets one go.
//!
//! A put has two steps, as in [`crate::storage::memory`]: the client checks `not_after` and signs; the storage acts.
//! So has a listing of tombstones: a view's time is read, and then the storage acts. The others have one, as no time
//! that is read before them is kept. Reading the clock for itself (`now`) is a step of maintenance, and none of a
//! backup: that does it to decide whether to renew its view before a put, and time that passes after it is found by the
//! put's own check, which leads to the same renewal.

use crate::error::{Error, Result};
use crate::storage::fault::Op;
use crate::storage::memory::MemoryStorage;
use crate::storage::{
    Listed, ObjectInfo, PutOptions, Storage, Stored, Usage, check_key, check_not_after,
};
use crate::units::Time;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a signed request is good: S3 refuses it afterwards.
pub const WINDOW: Duration = Duration::from_secs(15 * 60);

/// A step that an actor wants to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What it asks of the storage.
    pub op: Op,
    /// Key, or prefix of a listing.
    pub key: String,
    /// For a second step: when the first one was.
    pub signed: Option<Time>,
}

impl Ask {
    /// Is this a step that looks at the clock and at nothing else: the first of two, or the reading of it?
    pub fn signs(&self) -> bool {
        let two = self.op == Op::Put || self.op == Op::List && self.key == "tombstones/";
        two && self.signed.is_none() || self.op == Op::Place
    }
}

/// What an actor has learnt so far, for telling states apart.
#[derive(Clone, Default)]
pub struct Memory {
    /// A hash over all questions and answers, without times.
    pub chain: [u8; 32],
    /// The times among the answers that the engine keeps.
    pub times: Vec<Time>,
    /// Requests that reached the storage.
    pub requests: u64,
}

/// Where an actor is.
#[derive(Debug)]
enum Seat {
    Working,
    Waiting(Ask),
    Gone,
}

struct State {
    seats: Vec<Seat>,
    granted: Option<usize>,
    stopped: bool,
    memories: Vec<Memory>,
    late: Vec<(usize, String)>,
}

/// Where actors and explorer meet.
pub struct Desk {
    state: Mutex<State>,
    /// One for each actor, and the last one for the explorer.
    bells: Vec<Condvar>,
}

impl Desk {
    /// For so many actors, all of them at work.
    pub fn new(actors: usize) -> Desk {
        let state = State {
            seats: (0..actors).map(|_| Seat::Working).collect(),
            granted: None,
            stopped: false,
            memories: vec![Memory::default(); actors],
            late: Vec::new(),
        };
        Desk {
            state: Mutex::new(state),
            bells: (0..=actors).map(|_| Condvar::new()).collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody works. Gives what each actor wants; `None` for those that have ended.
    pub fn settle(&self) -> Vec<Option<Ask>> {
        let bell = &self.bells[self.bells.len() - 1];
        let mut state = self.lock();
        while state.seats.iter().any(|s| matches!(s, Seat::Working)) {
            state = bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let want = |seat: &Seat| match seat {
            Seat::Waiting(ask) => Some(ask.clone()),
            _ => None,
        };
        state.seats.iter().map(want).collect()
    }

    /// What each actor has learnt.
    pub fn memories(&self) -> Vec<Memory> {
        self.lock().memories.clone()
    }

    /// Snapshots that arrived later than a storage with a window would have let them, and whose makers have not ended.
    pub fn late(&self) -> Vec<String> {
        let state = self.lock();
        let mending = |(actor, _): &&(usize, String)| !matches!(state.seats[*actor], Seat::Gone);
        let late = state.late.iter().filter(mending);
        late.map(|(_, key)| key.clone()).collect()
    }

    /// Lets `actor` take its step.
    pub fn grant(&self, actor: usize) {
        let mut state = self.lock();
        state.seats[actor] = Seat::Working;
        state.granted = Some(actor);
        self.bells[actor].notify_one();
    }

    /// From now on every request of every actor fails, and changes nothing.
    pub fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        for (actor, bell) in self.bells.iter().enumerate() {
            if let Some(seat @ Seat::Waiting(_)) = state.seats.get_mut(actor) {
                *seat = Seat::Working;
            }
            bell.notify_one();
        }
    }

    /// `actor` has ended.
    pub fn leave(&self, actor: usize) {
        let mut state = self.lock();
        state.seats[actor] = Seat::Gone;
        self.bells[self.bells.len() - 1].notify_one();
    }

    /// Waits for this actor's turn.
    fn ask(&self, actor: usize, ask: Ask) -> Result<()> {
        let mut state = self.lock();
        if !state.stopped {
            state.seats[actor] = Seat::Waiting(ask);
            self.bells[self.bells.len() - 1].notify_one();
        }
        loop {
            if state.stopped {
                return Err(Error::failed("this actor was stopped"));
            }
            if state.granted == Some(actor) {
                state.granted = None;
                return Ok(());
            }
            state = self.bells[actor]
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// An actor's way to the storage.
pub struct Gated {
    /// The storage that all share.
    pub inner: Arc<MemoryStorage>,
    /// Where to wait.
    pub desk: Arc<Desk>,
    /// Whose way it is.
    pub actor: usize,
    /// Does this actor look at how old objects are? Others drop the times in a listing unread.
    pub minds_age: bool,
    /// Does the storage refuse what was signed too long ago?
    pub window: bool,
}

impl Gated {
    fn turn(&self, op: Op, key: &str, signed: Option<Time>) -> Result<()> {
        let key = key.to_owned();
        self.desk.ask(self.actor, Ask { op, key, signed })
    }

    /// Adds a question and its answer to what the actor has learnt.
    fn learn(&self, op: Op, key: &str, answer: &[u8], times: &[Time]) {
        let mut state = self.desk.lock();
        let memory = &mut state.memories[self.actor];
        let mut hasher = blake3::Hasher::new();
        hasher.update(&memory.chain).update(&[op as u8]);
        hasher.update(key.as_bytes()).update(&[0]).update(answer);
        memory.chain = *hasher.finalize().as_bytes();
        memory.times.extend_from_slice(times);
        memory.requests += 1;
    }

    /// A request of one step. What an object holds is a function of its name, so that the outcome is all there is to
    /// learn.
    fn simple<T>(&self, op: Op, key: &str, act: impl FnOnce() -> Result<T>) -> Result<T> {
        self.turn(op, key, None)?;
        let answer = act();
        self.learn(op, key, &outcome(&answer), &[]);
        answer
    }
}

fn outcome<T>(answer: &Result<T>) -> Vec<u8> {
    match answer {
        Ok(_) => vec![1],
        Err(e) => format!("{:?}", e.kind()).into_bytes(),
    }
}

impl Storage for Gated {
    fn put(&self, key: &str, body: &[u8], options: &PutOptions) -> Result<Stored> {
        check_key(key)?;
        loop {
            self.turn(Op::Put, key, None)?;
            let signed = self.inner.now();
            if let Err(e) = check_not_after(signed, options) {
                self.learn(Op::Put, key, b"late", &[]);
                return Err(e);
            }
            self.turn(Op::Put, key, Some(signed))?;
            if self.inner.now().since(signed) <= WINDOW {
                break;
            }
            // Too long on its way: refused, and the client signs again.
            if !self.window {
                self.desk.lock().late.push((self.actor, key.to_owned()));
                break;
            }
        }
        let answer = self.inner.put(key, body, options);
        // Nobody keeps the date of an answer but who publishes.
        let date = answer.as_ref().ok().map(|s| s.date);
        let kept = date.filter(|_| key.starts_with("snapshots/"));
        self.learn(Op::Put, key, &outcome(&answer), kept.as_slice());
        answer
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>> {
        self.simple(Op::Get, key, || self.inner.get(key, limit))
    }

    fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Vec<u8>> {
        self.simple(Op::GetRange, key, || {
            self.inner.get_range(key, offset, length)
        })
    }

    fn head(&self, key: &str) -> Result<ObjectInfo> {
        self.simple(Op::Head, key, || self.inner.head(key))
    }

    /// One page, as all listings of the model are.
    fn list(&self, prefix: &str, each: &mut dyn FnMut(ObjectInfo) -> Result<()>) -> Result<Listed> {
        self.turn(Op::List, prefix, None)?;
        let began = self.inner.now();
        if prefix == "tombstones/" {
            self.turn(Op::List, prefix, Some(began))?;
        }
        let (mut answer, mut times) = (Vec::new(), Vec::new());
        let listed = self.inner.list(prefix, &mut |object| {
            answer.extend_from_slice(object.key.as_bytes());
            if self.minds_age {
                times.push(object.modified);
            }
            each(object)
        })?;
        let listed = Listed { began, ..listed };
        // Views keep these.
        if self.minds_age || prefix == "tombstones/" || prefix == "index/" {
            times.extend([listed.began, listed.ended]);
        }
        self.learn(Op::List, prefix, &answer, &times);
        Ok(listed)
    }

    fn delete(&self, key: &str) -> Result<()> {
        self.simple(Op::Delete, key, || self.inner.delete(key))
    }

    fn now(&self) -> Time {
        // Maintenance decides by it how much to do; a stopped actor's time does not matter.
        if self.minds_age && self.turn(Op::Place, "clock", None).is_ok() {
            self.learn(Op::Place, "clock", &[], &[]);
        }
        self.inner.now()
    }

    fn check_place(&self) -> Result<()> {
        Ok(())
    }

    fn describe(&self) -> String {
        "the model's storage".to_owned()
    }

    fn usage(&self) -> Usage {
        Usage::default()
    }
}
