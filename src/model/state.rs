//! A state of the search, and what tells it from others.

use super::explore::Setup;
use super::shelf::{Number, Shelf};
use super::solo::{Answer, Ask, answer};
use super::tales::{Mark, Next, TaleId, Tales, mark};
use super::world::{G, grace};
use crate::units::Time;
use std::time::Duration;

/// How long a signed request is good: S3 refuses it afterwards.
pub const WINDOW: Duration = Duration::from_secs(15 * 60);

/// Where an actor is.
#[derive(Clone, Copy)]
pub struct Place {
    /// What it has lived through.
    pub tale: TaleId,
    /// For a request of two steps: when the first one was.
    pub signed: Option<Time>,
}

/// Everything at one moment.
#[derive(Clone)]
pub struct State {
    /// What is stored.
    pub shelf: Shelf,
    /// The storage's clock.
    pub now: Time,
    /// The actors.
    pub places: Vec<Place>,
    /// How often the clock may still move.
    pub ticks: usize,
    /// Who took the last step of weight, and how often one was made to wait.
    pub last: Option<usize>,
    /// See `last`.
    pub preempted: usize,
    /// Who died.
    pub dead: Option<usize>,
    /// All tombstones that ever were, and when each was put. Says only which steps need not
    /// be tried in every order, so it is no part of a state's mark.
    pub stones: Vec<(Number, Time)>,
    /// Snapshots that arrived later than a storage with a window would have let them, and who put them.
    pub late: Vec<(usize, Number)>,
}

/// Does this request have two steps? A put: the client checks its view's age and signs, the storage acts; and a listing
/// of tombstones: the time of a view is read, the storage acts. No time that is read before the others is kept.
fn has_two_steps(ask: Ask, tombstones: Number) -> bool {
    matches!(ask, Ask::Put(..)) || ask == Ask::List(tombstones)
}

impl State {
    /// Is the next step of `actor`, who asks `ask`, one that looks at the clock and at nothing else?
    pub fn signs(&self, actor: usize, ask: Ask, tombstones: Number) -> bool {
        let first = has_two_steps(ask, tombstones) && self.places[actor].signed.is_none();
        first || ask == Ask::Now
    }

    /// `actor` takes its next step. Gives whether anything that others see has changed.
    pub fn step(
        &mut self,
        actor: usize,
        tales: &mut Tales<'_>,
        setup: &Setup,
        tombstones: Number,
    ) -> Result<bool, String> {
        let Some(ask) = tales.ask(self.places[actor].tale) else {
            return Ok(false);
        };
        let signed = self.places[actor].signed;
        if has_two_steps(ask, tombstones) && signed.is_none() {
            return match ask {
                Ask::Put(_, Some(not_after)) if self.now > not_after => {
                    let late = Answer::Put(Err(crate::error::Kind::TooLate));
                    self.hear(actor, late, tales, setup)
                }
                _ => {
                    self.places[actor].signed = Some(self.now);
                    Ok(false)
                }
            };
        }
        let began = signed.unwrap_or(self.now);
        if let Ask::Put(number, _) = ask
            && self.now.since(began) > WINDOW
        {
            if setup.window {
                // Too long on its way: refused, and the client signs again.
                self.places[actor].signed = None;
                return Ok(false);
            }
            self.late.push((actor, number));
        }
        let names = tales.names();
        let times = (began, self.now);
        let heard = answer((&names, &mut self.shelf), ask, &setup.actors[actor], times);
        let changes = matches!(ask, Ask::Put(..) | Ask::Delete(_));
        if let (Ask::Put(number, _), Answer::Put(Ok(_))) = (ask, &heard)
            && names.key(number).starts_with("tombstones/")
        {
            self.stones.push((number, self.now));
        }
        drop(names);
        Ok(self.hear(actor, heard, tales, setup)? | changes)
    }

    /// `actor` hears `answer`. A run that does not mind ages reads the clock only to decide whether to renew its view
    /// before a put; that is no step of its own, for time that passes after it is found by the put's own check, which
    /// leads to the same renewal.
    fn hear(
        &mut self,
        actor: usize,
        heard: Answer,
        tales: &mut Tales<'_>,
        setup: &Setup,
    ) -> Result<bool, String> {
        let place = &mut self.places[actor];
        place.signed = None;
        place.tale = tales.after(actor, place.tale, heard, (&self.shelf, self.now))?;
        self.read_clock(actor, tales, setup)?;
        Ok(tales.ask(self.places[actor].tale).is_none())
    }

    /// See [`State::hear`].
    pub fn read_clock(
        &mut self,
        actor: usize,
        tales: &mut Tales<'_>,
        setup: &Setup,
    ) -> Result<(), String> {
        while !setup.actors[actor].minds_age && tales.ask(self.places[actor].tale) == Some(Ask::Now)
        {
            let place = &mut self.places[actor];
            let now = Answer::Now(self.now);
            place.tale = tales.after(actor, place.tale, now, (&self.shelf, self.now))?;
        }
        Ok(())
    }
}

/// Which ages are the same for all that follows.
///
/// The engine compares a time with the clock, or with another time, to see whether a part of the grace period lies
/// between them: an object's age with the whole of it; a view's with 7/16 and 6/16 (when to renew, when to stop moving), a
/// half (the last put), three quarters (was the answer to a put late?) and the whole; that of a signed request with the
/// window, a quarter. Ticks are whole quarters. So of two ages that lie on the same side of 2, 3 and 4 quarters now and
/// after each sum of ticks that may still come, nothing can tell one from the other. (With a mistake planted
/// that moves a limit, up to 6 quarters count.)
pub struct Ages {
    views: Vec<Vec<u8>>,
    objects: Vec<Vec<u8>>,
}

/// Ages that are looked at, in quarters.
const OLDEST: usize = 16;

impl Ages {
    /// For the ticks of `setup`.
    pub fn new(setup: &Setup) -> Ages {
        let mut sums: Vec<Vec<usize>> = vec![vec![0]];
        for _ in 0..setup.ticks {
            let last = &sums[sums.len() - 1];
            let with = |sum: &usize| setup.tick.iter().map(move |t| sum + *t as usize).collect();
            let more: Vec<Vec<usize>> = last.iter().map(with).collect();
            let mut next: Vec<usize> = last.iter().copied().chain(more.concat()).collect();
            next.sort_unstable();
            next.dedup();
            sums.push(next);
        }
        let classes = |limits: (usize, usize)| {
            let class = |age: usize, sums: &[usize]| -> Vec<usize> {
                sums.iter()
                    .map(|s| (age + s).clamp(limits.0 - 1, limits.1))
                    .collect()
            };
            let one = |sums: &Vec<usize>| {
                let mut number = 0;
                let mut last = class(0, sums);
                let mut of = |age| {
                    let this = class(age, sums);
                    number += u8::from(this != last);
                    last = this;
                    number
                };
                (0..OLDEST).map(&mut of).collect()
            };
            sums.iter().map(one).collect()
        };
        Ages {
            views: classes((2, 6)),
            objects: classes((4, 4)),
        }
    }

    fn quarters(later: Time, earlier: Time) -> usize {
        let passed = later.since(earlier).as_millis() / grace(1).as_millis();
        (passed as usize).min(OLDEST - 1)
    }
}

impl State {
    /// What tells this state from others. States with the same mark have the same future, but for the times of what
    /// happens then.
    ///
    /// - Times count by their class of age, see [`Ages`]; those of objects only as long as somebody lives who minds them.
    /// - Of an actor that has ended only what it says that it did counts.
    pub fn mark(&self, tales: &Tales<'_>, setup: &Setup, ages: &Ages) -> Mark {
        if setup.exact {
            return self.exact_mark();
        }
        let mut hasher = blake3::Hasher::new();
        let (views, objects) = (&ages.views[self.ticks], &ages.objects[self.ticks]);
        let mut buffer: Vec<u8> = Vec::with_capacity(512);
        let mut looks = Vec::new();
        for (actor, place) in self.places.iter().enumerate() {
            let tale = tales.get(place.tale);
            match &tale.next {
                _ if self.dead == Some(actor) => buffer.push(3),
                Next::Ended(ended) => {
                    buffer.extend([1, ended.gain.made.len() as u8]);
                    ended
                        .gain
                        .made
                        .iter()
                        .for_each(|m| buffer.extend_from_slice(&m.0));
                }
                Next::Asks(ask) => {
                    buffer.push(2);
                    buffer.extend_from_slice(&tale.class);
                    buffer.extend_from_slice(&about(*ask));
                    let age = |t: &Time| views[Ages::quarters(self.now, *t)];
                    buffer.push(place.signed.as_ref().map_or(u8::MAX, age));
                    buffer.extend(tale.times.iter().map(age));
                    for (n, later) in tale.times.iter().enumerate() {
                        let before = tale.times[..n].iter();
                        let apart = |t: &Time| Ages::quarters(*later, *t).clamp(1, 6) as u8;
                        buffer.extend(before.map(apart));
                    }
                    if setup.actors[actor].minds_age {
                        // Its next look, or its last one.
                        looks.push(tale.times.last().copied());
                    }
                }
            }
        }
        for (number, modified) in self.shelf.objects() {
            buffer.extend_from_slice(&number.to_le_bytes());
            if looks.is_empty() {
                continue;
            }
            buffer.push(objects[Ages::quarters(self.now, *modified)]);
            let old = |look: &Option<Time>| look.is_some_and(|look| modified.plus(G) <= look);
            buffer.extend(looks.iter().map(old).map(u8::from));
        }
        buffer.push(self.ticks as u8);
        if setup.preemptions.is_some() {
            buffer.push(self.last.map_or(u8::MAX, |l| l as u8));
        }
        for (actor, number) in &self.late {
            buffer.push(*actor as u8);
            buffer.extend_from_slice(&number.to_le_bytes());
        }
        hasher.update(&buffer);
        mark(&hasher)
    }

    /// All that there is, times as they are.
    fn exact_mark(&self) -> Mark {
        let mut hasher = blake3::Hasher::new();
        let mut add = |number: i64| {
            hasher.update(&number.to_le_bytes());
        };
        add(self.now.0);
        add(self.ticks as i64);
        for place in &self.places {
            add(place.tale.into());
            add(place.signed.map_or(-1, |t| t.0));
        }
        for (number, modified) in self.shelf.objects() {
            add((*number).into());
            add(modified.0);
        }
        for (actor, number) in &self.late {
            add(-1 - *actor as i64);
            add((*number).into());
        }
        mark(&hasher)
    }
}

/// A question without the time in it.
fn about(ask: Ask) -> [u8; 5] {
    let (kind, number) = match ask {
        Ask::Put(number, _) => (0, number),
        Ask::Get(number) => (1, number),
        Ask::List(number) => (2, number),
        Ask::Delete(number) => (3, number),
        Ask::Now => (4, 0),
    };
    let mut bytes = [kind; 5];
    bytes[1..].copy_from_slice(&number.to_le_bytes());
    bytes
}
