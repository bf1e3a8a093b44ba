//! Every interleaving of some actors' steps and of time passing.
//!
//! # What is explored
//! A state is: what is stored and when it was put, the clock, and for each actor all that it has lived through
//! ([`super::tales`]). Engine, names and bytes are functions of that (see [`super::plan`]), so a state that was seen
//! needs no second visit, however it was come to. The search goes depth first.
//!
//! From a state, each actor that waits may take its step, and the clock may go on by one of a few ticks while some are
//! left. Nothing more is needed for crashes: an actor that died is one that takes no further step, and the invariant is
//! checked at every state, so at all those in which any of the actors has died; a request that was under way may still
//! arrive later, or never. What others do after a crash is what they do while the actor sleeps for ever. For each
//! distinct set of stored objects two maintenances much later are run too: as if all had died at that moment.
//!
//! # What is left out, and why nothing is lost
//! - Times count by classes of age: [`super::state::Ages`] says why that is enough.
//! - A step that nothing else can touch is taken at once. That is a get of what no other actor that lives may delete
//!   (maintenance deletes what tombstones name, a grace period after them), and a listing of what no other may put or
//!   delete once no tick is left, and the signing of a put then. Such a step commutes with all that the others can do
//!   before it, so every order has the same states as one that begins with it, apart from some that only lack it and
//!   store the same. What actors may do is declared ([`super::actor`]) and checked. No step can be put off for ever by
//!   this: every run ends. A test compares what is stored with and without it.
//! - With a bound, a state that is come to with no more interruptions to spare than before is not visited again.
//! - Object names are the planned ones. Another name could change the order of two gets, and nothing else.

mod quiet;

use super::actor::Actor;
use super::bugs::Bug;
use super::dice::Dice;
use super::invariant::Invariant;
use super::shelf::{Names, Number, Shelf};
use super::solo::Ask;
use super::state::{Ages, Place, State};
use super::tales::{Mark, Next, Tales, UNSTABLE};
use super::world::{NOW, Start, World, grace};
use std::collections::{BTreeMap, HashMap, HashSet};
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
    /// With a bound: may one actor die besides? That would count as being kept waiting for ever.
    pub crash: bool,
    /// Without the reductions: to see that they lose nothing.
    pub exact: bool,
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
    /// Interleavings: ways through the states from the beginning to an end, those left out by reductions not counted, nor
    /// those under a bound.
    pub interleavings: f64,
    /// Steps taken, from all states.
    pub steps: u64,
    /// Distinct states.
    pub states: usize,
    /// Steps that led to a state that was known: the search went no further there.
    pub pruned: u64,
    /// How often the engine ran.
    pub runs: u64,
    /// Requests in these runs.
    pub requests: u64,
    /// Distinct states in which all actors have ended.
    pub ends: u64,
    /// Distinct sets of stored objects, each checked.
    pub sets: HashSet<Mark>,
    /// How actors ended, over distinct end states.
    pub outcomes: BTreeMap<String, u64>,
    /// Nothing was left.
    pub complete: bool,
    /// What went wrong first.
    pub violation: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

/// A choice: an actor's step; beyond the actors a tick; and beyond the ticks that the actor which went last dies.
type Choice = usize;

/// A state on the way, and what was tried from there.
struct Frame {
    state: State,
    mark: Mark,
    open: Vec<Choice>,
    tried: usize,
    interleavings: f64,
}

/// What is known of a state.
#[derive(Clone, Copy, Default)]
struct Known {
    /// Interleavings from there on; counted only without a bound.
    interleavings: f64,
    /// With a bound: how often one had been made to wait when it was come to. Whoever comes with more to spare goes on.
    preempted: usize,
}

/// The search.
struct Explorer<'a> {
    setup: &'a Setup,
    tales: Tales<'a>,
    invariant: Invariant<'a>,
    ages: Ages,
    tombstones: Number,
    seen: HashMap<Mark, Known>,
    /// What each tombstone names.
    stones: HashMap<Number, HashSet<Number>>,
    way: Vec<Frame>,
    report: Report,
}

/// Explores `setup`, up to the first violation.
///
/// The times of the folders above the source are the one input that is not under control: should one of them change
/// meanwhile, the exploration starts afresh.
pub fn explore(setup: &Setup) -> Report {
    let unstable = |r: &Report| {
        let violation = r.violation.as_ref();
        violation.is_some_and(|v| v.starts_with(UNSTABLE))
    };
    let tries = (0..3).map(|_| search(setup));
    let mut report = Report::default();
    for each in tries {
        report = each;
        if !unstable(&report) {
            break;
        }
    }
    report
}

fn search(setup: &Setup) -> Report {
    let begun = Instant::now();
    let world = World::of(setup.start);
    let mut names = Names::default();
    let tombstones = names.number("tombstones/");
    let shelf = Shelf::new(&mut names, &world.objects(setup.start));
    let mut explorer = Explorer {
        setup,
        tales: Tales::new(setup, names),
        invariant: Invariant::new(world, setup),
        ages: Ages::new(setup),
        tombstones,
        seen: HashMap::new(),
        stones: HashMap::new(),
        way: Vec::new(),
        report: Report::default(),
    };
    let outcome = explorer.first(shelf).and_then(|first| match setup.random {
        Some(seed) => explorer.walk(&first, seed, begun),
        None => explorer.all(first, begun),
    });
    let trace = explorer.trace();
    let mut report = explorer.report;
    report.violation = outcome.err().map(|what| format!("{what}\n  {trace}"));
    report.complete = explorer.way.is_empty() && report.violation.is_none();
    report.states = explorer.seen.len();
    report.sets = explorer.invariant.into_sets();
    (report.runs, report.requests) = (explorer.tales.runs, explorer.tales.requests);
    report.seconds = begun.elapsed().as_secs_f64();
    report
}

impl Report {
    /// Executions: how often the search went on to an end or to a state that was known.
    pub fn executions(&self) -> u64 {
        self.ends + self.pruned
    }
}

impl Explorer<'_> {
    fn first(&mut self, shelf: Shelf) -> Result<State, String> {
        let mut state = State {
            places: Vec::new(),
            now: NOW,
            ticks: self.setup.ticks,
            last: None,
            preempted: 0,
            dead: None,
            stones: Vec::new(),
            late: Vec::new(),
            shelf,
        };
        state.stones = state.shelf.list(&self.tales.names(), self.tombstones);
        self.learn_stones(&state);
        for actor in 0..self.setup.actors.len() {
            let tale = self.tales.begin(actor, &state.shelf)?;
            state.places.push(Place { tale, signed: None });
        }
        for actor in 0..self.setup.actors.len() {
            state.read_clock(actor, &mut self.tales, self.setup)?;
        }
        Ok(state)
    }

    /// Every way.
    fn all(&mut self, first: State, begun: Instant) -> Result<(), String> {
        self.enter(first, true)?;
        while let Some(frame) = self.way.last_mut() {
            let Some(&choice) = frame.open.get(frame.tried) else {
                let (mark, interleavings) = (frame.mark, frame.interleavings);
                let known = self.seen.entry(mark).or_default();
                known.interleavings = interleavings;
                self.way.pop();
                self.count(interleavings);
                continue;
            };
            frame.tried += 1;
            let mut state = frame.state.clone();
            let changed = self.take(choice, &mut state)?;
            self.enter(state, changed)?;
            if self.report.steps.is_multiple_of(64) && begun.elapsed() > self.setup.limit {
                break;
            }
        }
        Ok(())
    }

    fn count(&mut self, interleavings: f64) {
        match self.way.last_mut() {
            Some(parent) => parent.interleavings += interleavings,
            None => self.report.interleavings = interleavings,
        }
    }

    /// Goes on from `state` if it is new.
    fn enter(&mut self, state: State, changed: bool) -> Result<(), String> {
        let mark = state.mark(&self.tales, self.setup, &self.ages);
        // A state cannot come back on its own way, since no actor goes back: so what is known is counted out.
        let known = self.seen.get(&mark).copied();
        if let Some(known) = known.filter(|k| k.preempted <= state.preempted) {
            self.report.pruned += 1;
            self.count(known.interleavings);
            return Ok(());
        }
        let now = Known {
            preempted: state.preempted,
            ..Known::default()
        };
        self.seen.insert(mark, now);
        if changed {
            self.invariant.check(&state, &self.tales)?;
        }
        let open = self.open(&state);
        let end = open.is_empty();
        if end && known.is_none() {
            self.note_end(&state);
        }
        self.way.push(Frame {
            state,
            mark,
            open,
            tried: 0,
            interleavings: f64::from(u8::from(end)),
        });
        Ok(())
    }

    /// Ways by chance, until time is over: often the actor that went last goes on.
    fn walk(&mut self, first: &State, seed: u64, begun: Instant) -> Result<(), String> {
        let mut dice = Dice::new(seed);
        while begun.elapsed() < self.setup.limit {
            self.way.clear();
            self.report.interleavings += 1.0;
            let mut state = first.clone();
            loop {
                let mark = state.mark(&self.tales, self.setup, &self.ages);
                let new = self.seen.insert(mark, Known::default()).is_none();
                let open = self.open(&state);
                let last = state.last.filter(|l| open.contains(l));
                let choice = match last {
                    Some(last) if dice.below(4) > 0 => Some(last),
                    _ => open.get(dice.below(open.len())).copied(),
                };
                let Some(choice) = choice else {
                    if new {
                        self.note_end(&state);
                    }
                    break;
                };
                let before = state.clone();
                let changed = self.take(choice, &mut state);
                self.way.push(Frame {
                    state: before,
                    mark,
                    open: vec![choice],
                    tried: 1,
                    interleavings: 0.0,
                });
                if changed? {
                    self.invariant.check(&state, &self.tales)?;
                }
            }
        }
        Ok(())
    }

    /// What `actor` asks, if it lives.
    fn ask(&self, actor: usize, state: &State) -> Option<Ask> {
        let ask = self.tales.ask(state.places[actor].tale);
        ask.filter(|_| state.dead != Some(actor))
    }

    /// What may come next.
    fn open(&self, state: &State) -> Vec<Choice> {
        let alive = |n: &Choice| self.ask(*n, state).is_some();
        let waiting = || (0..state.places.len()).filter(alive);
        if let Some(quiet) = waiting().find(|n| self.is_quiet(*n, state)) {
            return vec![quiet];
        }
        let may_switch = self
            .setup
            .preemptions
            .is_none_or(|max| state.preempted < max);
        let last = state.last.filter(alive);
        let mut open: Vec<Choice> = waiting()
            .filter(|n| may_switch || last.is_none_or(|last| last == *n))
            .collect();
        // First what costs nothing, so that most states are come to in the cheapest way first.
        open.sort_by_key(|n| Some(*n) != last);
        if !open.is_empty() && state.ticks > 0 {
            open.extend((0..self.setup.tick.len()).map(|t| state.places.len() + t));
        }
        let may_die = self.setup.crash && self.setup.random.is_none();
        if may_die && last.is_some() && state.dead.is_none() && open.len() > 1 {
            open.push(self.death());
        }
        open
    }

    /// The choice that an actor dies.
    fn death(&self) -> Choice {
        self.setup.actors.len() + self.setup.tick.len()
    }

    /// Gives whether something changed that the invariant looks at.
    fn take(&mut self, choice: Choice, state: &mut State) -> Result<bool, String> {
        self.report.steps += 1;
        if choice == self.death() {
            state.dead = state.last;
            return Ok(false);
        }
        if choice >= state.places.len() {
            let quarters = self.setup.tick[choice - state.places.len()];
            state.now = state.now.plus(grace(quarters));
            state.ticks -= 1;
            return Ok(false);
        }
        self.check_declared(choice, state)?;
        if !self.is_quiet(choice, state) {
            let alive = |l: &usize| self.ask(*l, state).is_some();
            let kept = state.last.filter(|l| *l != choice).filter(alive);
            state.preempted += usize::from(kept.is_some());
            state.last = Some(choice);
        }
        let changed = state.step(choice, &mut self.tales, self.setup, self.tombstones)?;
        self.learn_stones(state);
        Ok(changed)
    }

    fn note_end(&mut self, state: &State) {
        self.report.ends += 1;
        for (actor, place) in self.setup.actors.iter().zip(&state.places) {
            let line = match &self.tales.get(place.tale).next {
                Next::Ended(ended) => format!("{}: {}", actor.name, ended.how),
                Next::Asks(_) => format!("{}: died", actor.name),
            };
            *self.report.outcomes.entry(line).or_default() += 1;
        }
    }

    /// The way to where the search is, for people.
    fn trace(&self) -> String {
        let names = self.tales.names();
        let line = |frame: &Frame| {
            let choice = *frame.open.get(frame.tried.checked_sub(1)?)?;
            if choice == self.death() {
                return Some("it dies".to_owned());
            }
            if choice >= frame.state.places.len() {
                let quarters = self.setup.tick[choice - frame.state.places.len()];
                return Some(format!("{quarters}/4 G pass"));
            }
            let ask = self.tales.ask(frame.state.places[choice].tale)?;
            let what = match ask {
                Ask::Put(number, _) => format!("put {}", names.key(number)),
                Ask::Get(number) => format!("get {}", names.key(number)),
                Ask::List(number) => format!("list {}", names.key(number)),
                Ask::Delete(number) => format!("delete {}", names.key(number)),
                Ask::Now => "the time".to_owned(),
            };
            let signs = match frame.state.signs(choice, ask, self.tombstones) {
                true => " (signs)",
                false => "",
            };
            let actor = self.setup.actors[choice].name;
            Some(format!("{actor} {choice}: {what}{signs}"))
        };
        let lines: Vec<String> = self.way.iter().filter_map(line).collect();
        lines.join("\n  ")
    }
}
