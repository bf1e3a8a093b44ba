//! What actors have lived through, as a tree of answers: the engine runs once for each leaf of it.
//!
//! An actor goes on until it wants something of the storage, and then waits; so what it does next is a function of the
//! answers that it got (random bytes and this host's clock are planned, see [`super::plan`]). A state of the search
//! therefore needs no thread that waits in it, but a number of this tree. When an answer is new, the engine runs from its
//! beginning, hears again what it heard, then the new answer, and goes on undisturbed to its end ([`super::solo`]): all
//! that it asks on the way is learnt too. That the engine asks what it asked before is checked every time.

use super::actor::Actor;
use super::bugs;
use super::explore::Setup;
use super::plan;
use super::shelf::{Names, Number, Shelf};
use super::solo::{Answer, Ask, Ended, Solo, Tape};
use super::world::{G, NOW, World};
use crate::units::Time;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Which tale.
pub type TaleId = u32;

/// A hash of enough bits that two things do not share one by chance.
pub type Mark = [u8; 16];

/// What comes next.
#[derive(Clone)]
pub enum Next {
    /// The actor waits for an answer.
    Asks(Ask),
    /// It has ended.
    Ended(Arc<Ended>),
}

/// All that an actor was told, and what it does then.
pub struct Tale {
    before: Option<TaleId>,
    heard: Option<Answer>,
    /// What comes next.
    pub next: Next,
    /// A hash over all questions and answers, without times.
    pub class: Mark,
    /// The times among the answers that the engine keeps. For an actor that minds the ages of objects only the time of
    /// its newest look, as it never goes on from an older one, and which objects were older than the grace period
    /// then is in `class`.
    pub times: Vec<Time>,
}

/// What is reported when the same answers led to another question.
pub const UNSTABLE: &str =
    "the same answers led to another question: the engine has a hidden input";

/// All tales that are known.
pub struct Tales<'a> {
    setup: &'a Setup,
    names: Arc<Mutex<Names>>,
    all: Vec<Tale>,
    after: HashMap<(TaleId, Answer), TaleId>,
    /// How often the engine ran.
    pub runs: u64,
    /// Requests in these runs.
    pub requests: u64,
}

/// The mark of what was hashed.
pub fn mark(hasher: &blake3::Hasher) -> Mark {
    let mut mark = Mark::default();
    hasher.finalize_xof().fill(&mut mark);
    mark
}

impl<'a> Tales<'a> {
    /// None yet.
    pub fn new(setup: &'a Setup, names: Names) -> Tales<'a> {
        Tales {
            setup,
            names: Arc::new(Mutex::new(names)),
            all: Vec::new(),
            after: HashMap::new(),
            runs: 0,
            requests: 0,
        }
    }

    /// The names of all objects.
    pub fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A tale.
    pub fn get(&self, tale: TaleId) -> &Tale {
        &self.all[tale as usize]
    }

    /// What `tale`'s actor waits for.
    pub fn ask(&self, tale: TaleId) -> Option<Ask> {
        match self.get(tale).next {
            Next::Asks(ask) => Some(ask),
            Next::Ended(_) => None,
        }
    }

    /// The beginning of an actor's tale.
    pub fn begin(&mut self, actor: usize, shelf: &Shelf) -> Result<TaleId, String> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[actor as u8]);
        let first = Tale {
            before: None,
            heard: None,
            // Known after the first run.
            next: Next::Asks(Ask::Now),
            class: mark(&hasher),
            times: Vec::new(),
        };
        self.run(actor, first, shelf, NOW)
    }

    /// `tale` with one more answer, after which `shelf` is stored and the time is `now`.
    pub fn after(
        &mut self,
        actor: usize,
        tale: TaleId,
        answer: Answer,
        (shelf, now): (&Shelf, Time),
    ) -> Result<TaleId, String> {
        let step = (tale, answer);
        if let Some(known) = self.after.get(&step) {
            return Ok(*known);
        }
        let next = self.continued(&self.setup.actors[actor], tale, step.1);
        self.run(actor, next, shelf, now)
    }

    /// What was asked and answered up to `tale`.
    fn script(&self, tale: Option<TaleId>, last: Option<&Answer>) -> Vec<(Ask, Answer)> {
        let (mut script, mut at, mut heard) = (Vec::new(), tale, last.cloned());
        while let Some(tale) = at.map(|id| self.get(id)) {
            if let (Next::Asks(ask), Some(heard)) = (&tale.next, heard) {
                script.push((*ask, heard));
            }
            (at, heard) = (tale.before, tale.heard.clone());
        }
        script.reverse();
        script
    }

    /// Runs the engine as `first` says and then to its end; adds all that is new.
    fn run(
        &mut self,
        number: usize,
        first: Tale,
        shelf: &Shelf,
        now: Time,
    ) -> Result<TaleId, String> {
        let actor = self.setup.actors[number];
        let script = self.script(first.before, first.heard.as_ref());
        let repeated = script.len();
        let solo = Arc::new(Solo {
            actor,
            names: self.names.clone(),
            tape: Mutex::new(Tape {
                script,
                at: 0,
                shelf: shelf.clone(),
                now,
                news: Vec::new(),
                unstable: false,
            }),
        });
        let outcome = live(self.setup, number, solo.clone());
        let mut tape = solo.tape.lock().unwrap_or_else(PoisonError::into_inner);
        self.runs += 1;
        self.requests += (repeated + tape.news.len()) as u64;
        if tape.unstable || tape.at < repeated {
            return Err(UNSTABLE.into());
        }
        let news = std::mem::take(&mut tape.news);
        drop(tape);
        let ended = outcome.ok_or_else(|| format!("{} panicked", actor.name))?;
        Ok(self.add(&actor, first, news, ended))
    }

    fn add(
        &mut self,
        actor: &Actor,
        first: Tale,
        news: Vec<(Ask, Answer)>,
        ended: Ended,
    ) -> TaleId {
        let id = self.all.len() as TaleId;
        let mut tale = first;
        for (ask, answer) in news {
            tale.next = Next::Asks(ask);
            let last = self.push(tale);
            tale = self.continued(actor, last, answer);
        }
        tale.next = Next::Ended(Arc::new(ended));
        self.push(tale);
        id
    }

    fn push(&mut self, tale: Tale) -> TaleId {
        let id = self.all.len() as TaleId;
        if let (Some(before), Some(heard)) = (tale.before, &tale.heard) {
            self.after.insert((before, heard.clone()), id);
        }
        self.all.push(tale);
        id
    }

    /// `before`, whose actor hears `answer`. What comes next is not known yet.
    fn continued(&self, actor: &Actor, id: TaleId, answer: Answer) -> Tale {
        let before = self.get(id);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&before.class);
        let mut times = before.times.clone();
        let mut about = |kind: u8, number: Number| {
            hasher.update(&[kind]).update(&number.to_le_bytes());
        };
        match (&before.next, &answer) {
            (Next::Asks(Ask::Put(number, _)), Answer::Put(outcome)) => {
                about(0, *number);
                hasher.update(format!("{:?}", outcome.as_ref().err()).as_bytes());
                times.extend(outcome.iter().filter(|date| date.0 != 0));
            }
            (Next::Asks(Ask::Get(number)), Answer::Get(there)) => {
                about(1 + u8::from(*there), *number);
            }
            (Next::Asks(Ask::List(prefix)), Answer::List(found, began, ended)) => {
                about(3, *prefix);
                if began.0 != 0 {
                    if actor.minds_age {
                        times.clear();
                    }
                    times.push(*began);
                }
                let look = times.last().copied().unwrap_or(*began);
                for (number, modified) in found {
                    let old = actor.minds_age && modified.plus(G) <= look;
                    hasher
                        .update(&number.to_le_bytes())
                        .update(&[u8::from(old)]);
                }
                times.extend([*ended].iter().filter(|time| time.0 != 0));
            }
            (Next::Asks(Ask::Delete(number)), _) => about(4, *number),
            // What a run does because of the time is seen at once, or tested again by the storage.
            _ => about(5, 0),
        }
        Tale {
            before: Some(id),
            heard: Some(answer),
            next: Next::Asks(Ask::Now),
            class: mark(&hasher),
            times,
        }
    }
}

/// Runs the engine. `None`: it panicked.
fn live(setup: &Setup, number: usize, storage: Arc<Solo>) -> Option<Ended> {
    let (world, actor) = (World::of(setup.start), setup.actors[number]);
    plan::follow(format!("actor {number}").as_bytes(), NOW);
    bugs::plant(setup.bug);
    let run = || {
        let repo = world.open(storage, actor.writer);
        (actor.run)(world, setup.start, &repo)
    };
    let outcome = catch_unwind(AssertUnwindSafe(run)).ok();
    bugs::plant(None);
    plan::leave();
    outcome.map(|outcome| Ended {
        how: match &outcome {
            Ok(_) => "done".to_owned(),
            Err(e) => format!("{:?}", e.kind()),
        },
        gain: outcome.unwrap_or_default(),
    })
}
