//! Steps that need not be tried in every order, and what that rests on.

use super::super::shelf::Number;
use super::super::solo::Ask;
use super::super::state::State;
use super::super::world::{G, grace};
use super::Explorer;
use crate::format::tombstone;
use crate::repo::pack_key;
use crate::units::Time;

impl Explorer<'_> {
    /// Can nothing that others do touch this actor's step, nor it them?
    ///
    /// What somebody asks for is there, or has been: nothing is put under a name that another has asked for before, for
    /// names are hashes of what is stored. So of a get only a deletion changes the answer.
    pub(super) fn is_quiet(&self, actor: usize, state: &State) -> bool {
        let Some(ask) = self.ask(actor, state).filter(|_| !self.setup.exact) else {
            return false;
        };
        if state.signs(actor, ask, self.tombstones) {
            return state.ticks == 0;
        }
        let (Ask::Get(number) | Ask::List(number)) = ask else {
            return false;
        };
        let names = self.tales.names();
        let below = |prefixes: &[&str]| prefixes.iter().any(|p| names.key(number).starts_with(p));
        let alive = |n: &usize| *n != actor && self.ask(*n, state).is_some();
        let mut others = (0..state.places.len()).filter(alive);
        let touched = others.any(|n| {
            let other = &self.setup.actors[n];
            let deletes = || !other.minds_age || self.is_doomed(number, state);
            match ask {
                Ask::List(_) => below(other.deletes) || below(other.puts),
                _ => below(other.deletes) && deletes(),
            }
        });
        // A listing has the time in it.
        !touched && (state.ticks == 0 || matches!(ask, Ask::Get(_)))
    }

    /// May maintenance delete this: does a tombstone name it that is due, or may come to be?
    fn is_doomed(&self, number: Number, state: &State) -> bool {
        let longest = self.setup.tick.iter().max().copied().unwrap_or(0);
        let ahead = grace(longest * state.ticks as u32);
        // One that is not there yet may become due; and with a mistake planted this is not to be relied on.
        ahead >= G || self.setup.bug.is_some() || self.is_due(number, state, state.now.plus(ahead))
    }

    /// At `then`, is this an object that a tombstone names whose grace period is over, or that tombstone?
    fn is_due(&self, number: Number, state: &State, then: Time) -> bool {
        let due = state.stones.iter().filter(|(_, put)| put.plus(G) <= then);
        let names = |stone: &Number| self.stones.get(stone).is_none_or(|s| s.contains(&number));
        let mut due = due.map(|(stone, _)| stone);
        due.any(|stone| *stone == number || names(stone))
    }

    /// Reads the tombstones that are new.
    pub(super) fn learn_stones(&mut self, state: &State) {
        for (stone, _) in &state.stones {
            if self.stones.contains_key(stone) {
                continue;
            }
            let mut names = self.tales.names();
            let body = names.body(*stone).unwrap_or_default();
            if let Ok(read) = tombstone::decode(&body) {
                let index = read.index.iter().map(|id| format!("index/{id}"));
                let keys: Vec<String> = read.packs.iter().map(pack_key).chain(index).collect();
                let numbers = keys.iter().map(|key| names.number(key)).collect();
                self.stones.insert(*stone, numbers);
            }
        }
    }

    /// An actor does nothing but what [`super::super::actor`] says of it, and maintenance deletes only what a tombstone
    /// names that is due: [`Explorer::is_quiet`] rests on that. (It leaves out no actor's step for good. So whatever an
    /// actor might do against it, it does in some execution that is left.)
    pub(super) fn check_declared(&self, n: usize, state: &State) -> Result<(), String> {
        let actor = &self.setup.actors[n];
        let (number, allowed) = match self.tales.ask(state.places[n].tale) {
            Some(Ask::Put(number, _)) => (number, actor.puts),
            Some(Ask::Delete(number)) => (number, actor.deletes),
            _ => return Ok(()),
        };
        let deletes = matches!(self.tales.ask(state.places[n].tale), Some(Ask::Delete(_)));
        let names = self.tales.names();
        let key = names.key(number);
        let minds = deletes && actor.minds_age && self.setup.bug.is_none();
        if minds && !self.is_due(number, state, state.now) {
            return Err(format!("{} deletes {key} before it is due", actor.name));
        }
        match allowed.iter().any(|p| key.starts_with(p)) {
            true => Ok(()),
            false => Err(format!("{} is not declared to touch {key}", actor.name)),
        }
    }
}
