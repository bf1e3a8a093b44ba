//! Every interleaving of some actors' steps and of time passing.
//!
//! # What is explored
//! A state is: what is stored and when it was put, the clock, and for each actor all that it has learnt (see
//! [`super::desk`]). Engine, names and bytes are functions of that (see [`super::plan`]), so a state that was seen
//! needs no second visit, however it was come to. The search goes depth first; to try another way from an old state it
//! starts afresh and repeats the choices that led there. That a repetition leads to the same state is checked each
//! time.
//!
//! From a state, each actor that waits may take its step, and the clock may go on by one of a few ticks while some are
//! left. Nothing more is needed for crashes: an actor that died is one that takes no further step, and the invariant is
//! checked at every state, so at all those in which any of the actors has died; a request that was under way may still
//! arrive later, or never. What others do after a crash is what they do while the actor sleeps for ever. For each
//! distinct set of stored objects two maintenances much later are run too: as if all had died at that moment.
//!
//! # What is left out, and why nothing is lost
//! - Times count by their distance from now, and all beyond three grace periods count the same: no rule of the
//!   engine asks for more than a difference of times, or for one longer than the grace period.
//! - A step that nothing else can touch is taken at once. That is a get that no other actor that lives may delete, and
//!   a listing of what no other may put or delete once no tick is left, and the signing of a put then. Such a step
//!   commutes with all that the others can do before it, so every order has the same states as one that begins with
//!   it, apart from some that only lack it and store the same. What actors may do is declared ([`super::actor`]) and checked.
//! - Object names are the planned ones. Another name could change the order of two gets, and nothing else.

use super::actor::{Actor, Gain, maintained};
use super::bugs::{self, Bug};
use super::desk::{Ask, Desk, Gated, Memory};
use super::dice::Dice;
use super::plan;
use super::whole::all_whole;
use super::world::{Start, World, grace};
use crate::error::Result;
use crate::id::Id;
use crate::ops::maintenance::Mode;
use crate::storage::Storage;
use crate::storage::fault::Op;
use crate::storage::memory::MemoryStorage;
use crate::units::Time;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What to explore.
#[derive(Clone)]
pub struct Setup {
    /// The history.
    pub start: Start,
    /// Who acts.
    pub actors: Vec<Actor>,
    /// Lengths of ticks, in quarters of the grace period.
    pub tick: &'static [u32],
    /// How many ticks may come.
    pub ticks: usize,
    /// How often an actor may be kept waiting although it could go on; none: without a bound.
    pub preemptions: Option<usize>,
    /// Does the storage refuse what was signed more than 15 minutes ago?
    pub window: bool,
    /// Random choices from this seed instead of all choices.
    pub random: Option<u64>,
    /// A mistake to plant.
    pub bug: Option<Bug>,
    /// When to end although something is left.
    pub limit: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Executions.
    pub executions: u64,
    /// Requests in all of them.
    pub requests: u64,
    /// Distinct states.
    pub states: usize,
    /// Distinct sets of stored objects, each checked.
    pub stored: usize,
    /// Distinct states in which all actors have ended.
    pub ends: usize,
    /// How actors ended, over distinct end states.
    pub outcomes: BTreeMap<String, u64>,
    /// Nothing was left.
    pub complete: bool,
    /// What went wrong first.
    pub violation: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

/// A choice: an actor's step, or (beyond the actors) a tick.
type Choice = u8;

/// Choices that lead to a state, and the key of the state before the last of them.
struct Path {
    choices: Vec<Choice>,
    parent: Key,
}

type Key = [u8; 16];

/// The search.
pub struct Explorer<'a> {
    world: &'a World,
    setup: &'a Setup,
    seen: HashSet<Key>,
    todo: Vec<Path>,
    /// What was found about a set of stored objects.
    whole: HashMap<Key, Option<String>>,
    report: Report,
    dice: Option<Dice>,
}

/// What an actor came to.
type Ended = Mutex<Vec<Option<Result<Gain>>>>;

/// One execution under way.
struct Execution<'a> {
    storage: Arc<MemoryStorage>,
    desk: &'a Desk,
    ended: &'a Ended,
    trace: Vec<String>,
    ticks: usize,
    /// Who took the last step of weight, and how often one was made to wait.
    last: Option<usize>,
    preempted: usize,
}

/// Lets all threads end, whatever happens.
struct StopOnDrop<'a>(&'a Desk);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// What is reported when the same choices lead to another state.
const UNSTABLE: &str = "the same choices led to another state: the engine has a hidden input";

/// Explores `setup`, up to the first violation.
///
/// The times of the folders above the source are the one input that is not under control: should one of them change
/// meanwhile, the exploration starts afresh.
pub fn explore(setup: &Setup) -> Report {
    let unstable = |r: &Report| {
        r.violation
            .as_ref()
            .is_some_and(|v| v.starts_with(UNSTABLE))
    };
    (0..2)
        .map(|_| search(setup))
        .find(|report| !unstable(report))
        .unwrap_or_else(|| search(setup))
}

fn search(setup: &Setup) -> Report {
    let begun = Instant::now();
    let mut explorer = Explorer {
        world: World::get(),
        setup,
        seen: HashSet::new(),
        todo: vec![Path {
            choices: vec![],
            parent: Key::default(),
        }],
        whole: HashMap::new(),
        report: Report::default(),
        dice: setup.random.map(Dice::new),
    };
    while let Some(path) = explorer.todo.pop() {
        if let Err(violation) = explorer.execute(&path) {
            explorer.report.violation = Some(violation);
            break;
        }
        if begun.elapsed() > setup.limit {
            break;
        }
        if setup.random.is_some() {
            explorer.todo.push(Path {
                choices: vec![],
                parent: Key::default(),
            });
        }
    }
    let mut report = explorer.report;
    report.complete = explorer.todo.is_empty() && report.violation.is_none();
    report.states = explorer.seen.len();
    report.stored = explorer.whole.len();
    report.seconds = begun.elapsed().as_secs_f64();
    report
}

impl Explorer<'_> {
    /// Runs the actors along `path`, then on along new states until one is known or all have ended.
    fn execute(&mut self, path: &Path) -> Result<(), String> {
        let (world, setup) = (self.world, self.setup);
        let storage = world.storage(setup.start);
        let desk = Arc::new(Desk::new(setup.actors.len()));
        let ended: Ended = Mutex::new(setup.actors.iter().map(|_| None).collect());
        self.report.executions += 1;
        std::thread::scope(|scope| {
            let _stop = StopOnDrop(&desk);
            for number in 0..setup.actors.len() {
                let (desk, storage, ended) = (desk.clone(), storage.clone(), &ended);
                scope.spawn(move || act(world, setup, number, desk, storage, ended));
            }
            let mut execution = Execution {
                storage: storage.clone(),
                desk: &desk,
                ended: &ended,
                trace: Vec::new(),
                ticks: setup.ticks,
                last: None,
                preempted: 0,
            };
            let outcome = self.follow(path, &mut execution);
            let memories = desk.memories();
            self.report.requests += memories.iter().map(|m| m.requests).sum::<u64>();
            outcome.map_err(|what| format!("{what}\n  {}", execution.trace.join("\n  ")))
        })
    }

    fn follow(&mut self, path: &Path, now: &mut Execution<'_>) -> Result<(), String> {
        let mut choices: Vec<Choice> = Vec::new();
        loop {
            let asks = now.desk.settle();
            let depth = choices.len();
            let replayed = depth < path.choices.len();
            if depth + 1 >= path.choices.len() {
                self.check(now)?;
            }
            let key = match depth + 1 < path.choices.len() {
                true => Key::default(),
                false => now.key(&asks, self.setup.preemptions.is_some()),
            };
            if replayed {
                if depth + 1 == path.choices.len() && key != path.parent {
                    return Err(UNSTABLE.into());
                }
                choices.push(path.choices[depth]);
            } else {
                if !self.seen.insert(key) && self.setup.random.is_none() {
                    return Ok(());
                }
                let open = self.open(now, &asks);
                let Some((first, others)) = open.split_first() else {
                    self.note_end(now);
                    return Ok(());
                };
                if let Some(choice) = self.draw(&open, now.last) {
                    choices.push(choice);
                    self.take(choice, now, &asks)?;
                    continue;
                }
                for other in others.iter().rev() {
                    let mut choices = choices.clone();
                    choices.push(*other);
                    self.todo.push(Path {
                        choices,
                        parent: key,
                    });
                }
                choices.push(*first);
            }
            self.take(choices[depth], now, &asks)?;
        }
    }

    /// One of `open` by chance: often the actor that went last goes on.
    fn draw(&mut self, open: &[Choice], last: Option<usize>) -> Option<Choice> {
        let dice = self.dice.as_mut()?;
        let last = last.map(|l| l as Choice).filter(|l| open.contains(l));
        match last {
            Some(last) if dice.below(4) > 0 => Some(last),
            _ => open.get(dice.below(open.len())).copied(),
        }
    }

    /// What may come next.
    fn open(&self, now: &Execution<'_>, asks: &[Option<Ask>]) -> Vec<Choice> {
        let waiting = || (0..asks.len()).filter(|n| asks[*n].is_some());
        if let Some(quiet) = waiting().find(|n| self.is_quiet(*n, now, asks)) {
            return vec![quiet as Choice];
        }
        let may_switch = self.setup.preemptions.is_none_or(|max| now.preempted < max);
        let last = now.last.filter(|last| asks[*last].is_some());
        let mut open: Vec<Choice> = waiting()
            .filter(|n| may_switch || last.is_none_or(|last| last == *n))
            .map(|n| n as Choice)
            .collect();
        if !open.is_empty() && now.ticks > 0 {
            open.extend((0..self.setup.tick.len()).map(|t| (asks.len() + t) as Choice));
        }
        open
    }

    /// Can nothing that others do touch this actor's step, nor it them?
    fn is_quiet(&self, actor: usize, now: &Execution<'_>, asks: &[Option<Ask>]) -> bool {
        let Some(ask) = &asks[actor] else {
            return false;
        };
        let others = || {
            let alive = |n: &usize| *n != actor && asks[*n].is_some();
            (0..asks.len()).filter(alive).map(|n| &self.setup.actors[n])
        };
        let below = |prefixes: &[&str]| prefixes.iter().any(|p| ask.key.starts_with(p));
        match ask.op {
            _ if ask.signs() => now.ticks == 0,
            Op::Get | Op::GetRange | Op::Head => !others().any(|o| below(o.deletes)),
            Op::List => now.ticks == 0 && !others().any(|o| below(o.deletes) || below(o.puts)),
            _ => false,
        }
    }

    fn take(
        &mut self,
        choice: Choice,
        now: &mut Execution<'_>,
        asks: &[Option<Ask>],
    ) -> Result<(), String> {
        let n = usize::from(choice);
        if n >= asks.len() {
            let quarters = self.setup.tick[n - asks.len()];
            now.storage.advance(grace(quarters));
            now.ticks -= 1;
            now.trace.push(format!("{quarters}/4 G pass"));
            return Ok(());
        }
        let actor = &self.setup.actors[n];
        let ask = asks[n].as_ref().ok_or(UNSTABLE)?;
        let allowed = match ask.op {
            Op::Put => actor.puts,
            Op::Delete => actor.deletes,
            _ => &[""],
        };
        if !allowed.iter().any(|p| ask.key.starts_with(p)) {
            return Err(format!("{} is not declared to {ask:?}", actor.name));
        }
        if !self.is_quiet(n, now, asks) {
            let kept = now.last.filter(|l| *l != n && asks[*l].is_some());
            now.preempted += usize::from(kept.is_some());
            now.last = Some(n);
        }
        let step = if ask.signs() { " (signs)" } else { "" };
        now.trace.push(format!(
            "{} {n}: {:?} {}{step}",
            actor.name, ask.op, ask.key
        ));
        now.desk.grant(n);
        Ok(())
    }

    /// The invariant, at this moment.
    fn check(&mut self, now: &Execution<'_>) -> Result<(), String> {
        let objects = now.storage.snapshot();
        let mut hasher = blake3::Hasher::new();
        for (key, ..) in &objects {
            hasher.update(key.as_bytes()).update(&[0]);
        }
        let late = now.desk.late();
        late.iter().for_each(|key| {
            hasher.update(key.as_bytes()).update(&[1]);
        });
        let key = short(&hasher);
        let (world, storage) = (self.world, &now.storage);
        let found = self.whole.entry(key).or_insert_with(|| {
            let later = || match self.setup.bug {
                None if late.is_empty() => whole_later(world, storage),
                _ => Ok(()),
            };
            let outcome = all_whole(world, storage, &late).and_then(|()| later());
            outcome.err().map(|e| e.to_string())
        });
        if let Some(what) = found {
            return Err(what.clone());
        }
        let removed: Vec<Id> = (self.setup.actors.iter())
            .filter_map(|a| (a.removes)(world, self.setup.start))
            .collect();
        for name in now.promised(world.history(self.setup.start).kept) {
            let key = format!("snapshots/{name}");
            if !removed.contains(&name) && !objects.iter().any(|(k, ..)| *k == key) {
                return Err(format!("snapshot {} is gone", name.short()));
            }
        }
        Ok(())
    }

    fn note_end(&mut self, now: &Execution<'_>) {
        self.report.ends += 1;
        let ended = now.ended.lock().unwrap_or_else(PoisonError::into_inner);
        for (actor, outcome) in self.setup.actors.iter().zip(ended.iter()) {
            let text = match outcome {
                Some(Ok(_)) => "done".to_owned(),
                Some(Err(e)) => format!("{:?}", e.kind()),
                None => "panicked".to_owned(),
            };
            let line = format!("{}: {text}", actor.name);
            *self.report.outcomes.entry(line).or_default() += 1;
        }
    }
}

impl Execution<'_> {
    /// Snapshots that must be there: the one that was, and those whose makers have said so.
    fn promised(&self, kept: Id) -> Vec<Id> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let made = ended
            .iter()
            .flatten()
            .flatten()
            .flat_map(|g| g.made.clone());
        made.chain([kept]).collect()
    }

    /// What tells this state from others.
    fn key(&self, asks: &[Option<Ask>], bounded: bool) -> Key {
        let now = self.storage.now();
        let age = |t: Time| now.since(t).min(grace(12)).as_millis() as u64;
        let mut hasher = blake3::Hasher::new();
        for (key, _, modified) in self.storage.snapshot() {
            hasher.update(key.as_bytes()).update(&[0]);
            hasher.update(&age(modified).to_le_bytes());
        }
        for (Memory { chain, times, .. }, ask) in self.desk.memories().iter().zip(asks) {
            hasher.update(&[1]).update(chain);
            times.iter().for_each(|t| {
                hasher.update(&age(*t).to_le_bytes());
            });
            if let Some(ask) = ask {
                hasher.update(&[2, ask.op as u8]).update(ask.key.as_bytes());
                let signed = ask.signed.map_or(u64::MAX, age);
                hasher.update(&signed.to_le_bytes());
            }
        }
        hasher.update(&[self.ticks as u8]);
        if bounded {
            let last = self.last.map_or(u8::MAX, |l| l as u8);
            hasher.update(&[last, self.preempted as u8]);
        }
        short(&hasher)
    }
}

fn short(hasher: &blake3::Hasher) -> Key {
    let mut key = Key::default();
    hasher.finalize_xof().fill(&mut key);
    key
}

/// If every actor died at this moment, do later runs of maintenance clean up, and is all whole after them?
fn whole_later(world: &World, storage: &MemoryStorage) -> Result<()> {
    let later = Arc::new(MemoryStorage::from_contents(
        storage.snapshot(),
        storage.now(),
    ));
    let repo = world.open(later.clone(), false);
    for _ in 0..2 {
        later.advance(grace(5));
        maintained(&repo, Mode::Complete, 1).map_err(|e| e.context("maintenance later on"))?;
    }
    all_whole(world, &later, &[]).map_err(|e| e.context("after maintenance later on"))
}

/// An actor's thread.
fn act(
    world: &World,
    setup: &Setup,
    number: usize,
    desk: Arc<Desk>,
    storage: Arc<MemoryStorage>,
    ended: &Ended,
) {
    let actor = &setup.actors[number];
    plan::follow(format!("actor {number}").as_bytes(), storage.now());
    bugs::plant(setup.bug);
    let gated = Gated {
        inner: storage,
        desk: desk.clone(),
        actor: number,
        minds_age: actor.minds_age,
        window: setup.window,
    };
    let repo = world.open(Arc::new(gated), actor.writer);
    let run = std::panic::AssertUnwindSafe(|| (actor.run)(world, setup.start, &repo));
    let outcome = std::panic::catch_unwind(run).ok();
    ended.lock().unwrap_or_else(PoisonError::into_inner)[number] = outcome;
    desk.leave(number);
}
