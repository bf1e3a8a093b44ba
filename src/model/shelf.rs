//! What is stored at some moment, in a form that is cheap to copy: numbers of names, and times of puts.
//!
//! What an object holds is a function of its name, so each body is kept once, beside its name.

use super::world::Object;
use crate::storage::memory::MemoryStorage;
use crate::units::Time;
use std::collections::HashMap;
use std::sync::Arc;

/// A key, or a prefix of keys, by number.
pub type Number = u32;

/// All keys that were ever asked for, and what lies or lay there.
#[derive(Default)]
pub struct Names {
    keys: Vec<Arc<str>>,
    bodies: Vec<Option<Arc<[u8]>>>,
    numbers: HashMap<Arc<str>, Number>,
}

impl Names {
    /// The number of `key`.
    pub fn number(&mut self, key: &str) -> Number {
        if let Some(number) = self.numbers.get(key) {
            return *number;
        }
        let (key, number): (Arc<str>, _) = (key.into(), self.keys.len() as Number);
        self.keys.push(key.clone());
        self.bodies.push(None);
        self.numbers.insert(key, number);
        number
    }

    /// The number of `key`, where `body` belongs. `None`: something else was put under that name before.
    pub fn keep(&mut self, key: &str, body: &[u8]) -> Option<Number> {
        let number = self.number(key);
        let kept = self.bodies[number as usize].get_or_insert_with(|| body.into());
        (**kept == *body).then_some(number)
    }

    /// The key of `number`.
    pub fn key(&self, number: Number) -> &Arc<str> {
        &self.keys[number as usize]
    }

    /// What belongs under `number`, if anything was ever put there.
    pub fn body(&self, number: Number) -> Option<Arc<[u8]>> {
        self.bodies[number as usize].clone()
    }
}

/// Which objects exist, in the order of their keys, and when each was put.
#[derive(Clone, Default)]
pub struct Shelf(Vec<(Number, Time)>);

impl Shelf {
    /// With these objects.
    pub fn new(names: &mut Names, objects: &[Object]) -> Shelf {
        let mut shelf = Shelf::default();
        for (key, body, modified) in objects {
            if let Some(number) = names.keep(key, body) {
                shelf.put(names, number, *modified);
            }
        }
        shelf
    }

    fn place(&self, names: &Names, number: Number) -> Result<usize, usize> {
        let key = names.key(number);
        self.0.binary_search_by(|(n, _)| names.key(*n).cmp(key))
    }

    /// Is it there?
    pub fn has(&self, names: &Names, number: Number) -> bool {
        self.place(names, number).is_ok()
    }

    /// Puts it, unless it is there.
    pub fn put(&mut self, names: &Names, number: Number, now: Time) -> bool {
        let place = self.place(names, number);
        if let Err(at) = place {
            self.0.insert(at, (number, now));
        }
        place.is_err()
    }

    /// Removes it, if it is there.
    pub fn delete(&mut self, names: &Names, number: Number) -> bool {
        let place = self.place(names, number);
        place.map(|at| self.0.remove(at)).is_ok()
    }

    /// What lies below `prefix`, in the order of keys.
    pub fn list(&self, names: &Names, prefix: Number) -> Vec<(Number, Time)> {
        let prefix = names.key(prefix);
        let from = self.0.partition_point(|(n, _)| names.key(*n) < prefix);
        let below = |(n, _): &&(Number, Time)| names.key(*n).starts_with(&**prefix);
        self.0[from..].iter().take_while(below).copied().collect()
    }

    /// All of it.
    pub fn objects(&self) -> &[(Number, Time)] {
        &self.0
    }

    /// The same as a storage, its clock at rest at `now`.
    pub fn storage(&self, names: &Names, now: Time) -> Arc<MemoryStorage> {
        let object = |(number, modified): &(Number, Time)| {
            let body = names.body(*number).unwrap_or_default();
            (names.key(*number).to_string(), body, *modified)
        };
        let objects: Vec<Object> = self.0.iter().map(object).collect();
        Arc::new(MemoryStorage::from_contents(objects, now))
    }
}
