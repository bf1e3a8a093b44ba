//! The invariant, at one moment.

use super::actor::maintained;
use super::explore::Setup;
use super::shelf::Number;
use super::state::State;
use super::tales::{Mark, Next, Tales, mark};
use super::whole::all_whole;
use super::world::{World, grace};
use crate::error::Result;
use crate::id::Id;
use crate::ops::maintenance::Mode;
use crate::storage::memory::MemoryStorage;
use crate::units::Time;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Checks it, and remembers what was found about which objects.
pub struct Invariant<'a> {
    world: &'a World,
    setup: &'a Setup,
    /// About index objects, packs and snapshots: a restore looks at nothing else.
    whole: HashMap<Mark, Option<String>>,
    /// About all objects: what maintenance makes of them much later.
    later: HashMap<Mark, Option<String>>,
    sets: HashSet<Mark>,
    removed: Vec<Id>,
}

impl<'a> Invariant<'a> {
    /// For `setup`.
    pub fn new(world: &'a World, setup: &'a Setup) -> Invariant<'a> {
        let removes = setup.actors.iter();
        Invariant {
            world,
            setup,
            whole: HashMap::new(),
            later: HashMap::new(),
            sets: HashSet::new(),
            removed: removes
                .filter_map(|a| (a.removes)(world, setup.start))
                .collect(),
        }
    }

    /// The distinct sets of stored objects so far.
    pub fn into_sets(self) -> HashSet<Mark> {
        self.sets
    }

    /// Is all whole at this moment, will it be, and is what was promised there?
    pub fn check(&mut self, state: &State, tales: &Tales<'_>) -> Result<(), String> {
        let names = tales.names();
        let ended = |n: usize| matches!(tales.get(state.places[n].tale).next, Next::Ended(_));
        let late: Vec<Number> = (state.late.iter())
            .filter(|(actor, _)| !ended(*actor))
            .map(|(_, number)| *number)
            .collect();
        let (mut of_restore, mut of_all) = (blake3::Hasher::new(), blake3::Hasher::new());
        for (number, _) in state.shelf.objects() {
            let key = names.key(*number);
            of_all.update(key.as_bytes()).update(&[0]);
            if ["index/", "packs/", "snapshots/"]
                .iter()
                .any(|p| key.starts_with(p))
            {
                of_restore.update(&number.to_le_bytes());
            }
        }
        for number in &late {
            of_restore.update(&[1]).update(&number.to_le_bytes());
        }
        self.sets.insert(mark(&of_all));
        let storage = || state.shelf.storage(&names, state.now);
        let late_keys = || {
            late.iter()
                .map(|n| names.key(*n).to_string())
                .collect::<Vec<_>>()
        };
        let world = self.world;
        let whole = || all_whole(world, &storage(), &late_keys());
        found(&mut self.whole, mark(&of_restore), whole)?;
        if self.setup.bug.is_none() && late.is_empty() {
            found(&mut self.later, mark(&of_all), || {
                whole_later(world, &storage())
            })?;
        }
        for name in self.promised(state, tales) {
            let key = format!("snapshots/{name}");
            let there = |(n, _): &(Number, Time)| **names.key(*n) == *key;
            if !self.removed.contains(&name) && !state.shelf.objects().iter().any(there) {
                return Err(format!("snapshot {} is gone", name.short()));
            }
        }
        Ok(())
    }

    /// Snapshots that must be there: the one that was, and those whose makers have said so.
    fn promised(&self, state: &State, tales: &Tales<'_>) -> Vec<Id> {
        let mut promised = vec![self.world.history(self.setup.start).kept];
        for place in &state.places {
            if let Next::Ended(ended) = &tales.get(place.tale).next {
                promised.extend(&ended.gain.made);
            }
        }
        promised
    }
}

fn found(
    known: &mut HashMap<Mark, Option<String>>,
    mark: Mark,
    check: impl FnOnce() -> Result<()>,
) -> Result<(), String> {
    let outcome = known
        .entry(mark)
        .or_insert_with(|| check().err().map(|e| e.to_string()));
    outcome.clone().map_or(Ok(()), Err)
}

/// If every actor died at this moment, do later runs of maintenance clean up, and is all whole after them?
fn whole_later(world: &World, storage: &Arc<MemoryStorage>) -> Result<()> {
    let repo = world.open(storage.clone(), false);
    for _ in 0..2 {
        storage.advance(grace(5));
        maintained(&repo, Mode::Complete, 1).map_err(|e| e.context("maintenance later on"))?;
    }
    all_whole(world, storage, &[]).map_err(|e| e.context("after maintenance later on"))
}
