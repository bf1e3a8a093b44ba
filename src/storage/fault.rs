//! A storage that misbehaves on purpose: a decorator for tests, deterministic by its seed.

use super::{Listed, ObjectInfo, PutOptions, Retained, Storage, Stored, Usage};
use crate::error::{Error, Kind, Result};
use crate::units::Time;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The requests of [`Storage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// `put`
    Put,
    /// `get`
    Get,
    /// `get_range`
    GetRange,
    /// `head`
    Head,
    /// `list`
    List,
    /// `delete`, and each key of `delete_many`
    Delete,
    /// `check_place`
    Place,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request does not happen and fails with this kind.
    Fail(Kind),
    /// The request happens, and its answer is lost: it fails with this kind.
    Lost(Kind),
    /// The body of a get loses its second half.
    Truncate,
    /// One bit of the body of a get is flipped.
    Flip,
    /// The request takes this much longer.
    Delay(Duration),
}

/// When a fault strikes. Made by [`Rule::new`] (always) and narrowed.
#[derive(Clone, Debug)]
pub struct Rule {
    fault: Fault,
    op: Option<Op>,
    prefix: String,
    skip: u64,
    times: u64,
    percent: u64,
}

impl Rule {
    /// At every request.
    pub fn new(fault: Fault) -> Rule {
        Rule {
            fault,
            op: None,
            prefix: String::new(),
            skip: 0,
            times: u64::MAX,
            percent: 100,
        }
    }

    /// Only at this kind of request.
    pub fn on(mut self, op: Op) -> Rule {
        self.op = Some(op);
        self
    }

    /// Only at keys (for a listing: prefixes) that start so.
    pub fn under(mut self, prefix: &str) -> Rule {
        self.prefix = prefix.to_owned();
        self
    }

    /// Lets the first `n` requests that match pass.
    pub fn after(mut self, n: u64) -> Rule {
        self.skip = n;
        self
    }

    /// Strikes at most `n` times.
    pub fn times(mut self, n: u64) -> Rule {
        self.times = n;
        self
    }

    /// Strikes with this chance, in percent, drawn from the seed.
    pub fn chance(mut self, percent: u64) -> Rule {
        self.percent = percent;
        self
    }

    /// Does it strike now? Keeps count.
    fn strikes(&mut self, op: Op, key: &str, random: &mut Random) -> bool {
        if self.op.is_some_and(|o| o != op) || !key.starts_with(&self.prefix) || self.times == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if random.next() % 100 >= self.percent {
            return false;
        }
        self.times -= 1;
        true
    }
}

/// splitmix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Injects faults into the storage beneath it. With one thread, the same seed and rules give the same run.
pub struct FaultStorage<S> {
    inner: S,
    state: Mutex<State>,
}

struct State {
    rules: Vec<Rule>,
    random: Random,
    struck: u64,
}

/// All faults that strike one request.
#[derive(Default)]
struct Struck {
    lost: Option<Kind>,
    truncate: bool,
    /// A random number that chooses the bit.
    flip: Option<u64>,
}

impl<S: Storage> FaultStorage<S> {
    /// Without rules it changes nothing.
    pub fn new(inner: S, seed: u64, rules: Vec<Rule>) -> FaultStorage<S> {
        FaultStorage {
            inner,
            state: Mutex::new(State {
                rules,
                random: Random(seed),
                struck: 0,
            }),
        }
    }

    /// Replaces the rules.
    pub fn set_rules(&self, rules: Vec<Rule>) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .rules = rules;
    }

    /// How many faults have struck.
    pub fn struck(&self) -> u64 {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .struck
    }

    /// The storage beneath.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Finds what strikes this request; waits and fails here, before it happens.
    fn before(&self, op: Op, key: &str) -> Result<Struck> {
        let (mut struck, mut fail, mut delay) = (Struck::default(), None, Duration::ZERO);
        {
            let state = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner);
            for rule in &mut state.rules {
                if !rule.strikes(op, key, &mut state.random) {
                    continue;
                }
                state.struck += 1;
                match rule.fault {
                    Fault::Fail(kind) => fail = Some(kind),
                    Fault::Lost(kind) => struck.lost = Some(kind),
                    Fault::Truncate => struck.truncate = true,
                    Fault::Flip => struck.flip = Some(state.random.next()),
                    Fault::Delay(by) => delay += by,
                }
            }
        }
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        match fail {
            Some(kind) => Err(Error::new(
                kind,
                format!("injected failure of {op:?} {key}"),
            )),
            None => Ok(struck),
        }
    }

    fn around<T>(&self, op: Op, key: &str, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let struck = self.before(op, key)?;
        struck.after(op, key, act())
    }

    fn body(&self, op: Op, key: &str, act: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
        let struck = self.before(op, key)?;
        let mut body = struck.after(op, key, act())?;
        if struck.truncate {
            body.truncate(body.len() / 2);
        }
        if let (Some(random), false) = (struck.flip, body.is_empty()) {
            let bit = (random % (body.len() as u64 * 8)) as usize;
            body[bit / 8] ^= 1 << (bit % 8);
        }
        Ok(body)
    }
}

impl Struck {
    /// Loses the answer of a request that happened.
    fn after<T>(&self, op: Op, key: &str, result: Result<T>) -> Result<T> {
        match (self.lost, result) {
            (Some(kind), Ok(_)) => Err(Error::new(
                kind,
                format!("injected loss of the answer to {op:?} {key}"),
            )),
            (_, result) => result,
        }
    }
}

impl<S: Storage> Storage for FaultStorage<S> {
    fn put(&self, key: &str, body: &[u8], options: &PutOptions) -> Result<Stored> {
        self.around(Op::Put, key, || self.inner.put(key, body, options))
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>> {
        self.body(Op::Get, key, || self.inner.get(key, limit))
    }

    fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Vec<u8>> {
        self.body(Op::GetRange, key, || {
            self.inner.get_range(key, offset, length)
        })
    }

    fn head(&self, key: &str) -> Result<ObjectInfo> {
        self.around(Op::Head, key, || self.inner.head(key))
    }

    fn checksum(&self, key: &str) -> Result<Option<crate::id::Id>> {
        self.around(Op::Head, key, || self.inner.checksum(key))
    }

    fn list(&self, prefix: &str, each: &mut dyn FnMut(ObjectInfo) -> Result<()>) -> Result<Listed> {
        self.around(Op::List, prefix, || self.inner.list(prefix, each))
    }

    fn delete(&self, key: &str) -> Result<()> {
        self.around(Op::Delete, key, || self.inner.delete(key))
    }

    fn delete_many(&self, keys: &[String]) -> Vec<Result<()>> {
        let before: Vec<Result<Struck>> = keys
            .iter()
            .map(|key| self.before(Op::Delete, key))
            .collect();
        let passed = keys
            .iter()
            .zip(&before)
            .filter(|(_, b)| b.is_ok())
            .map(|(k, _)| k.clone())
            .collect::<Vec<_>>();
        let mut results = self.inner.delete_many(&passed).into_iter();
        let missing = || Err(Error::failed("the storage gave too few results"));
        let outcome = |(key, before): (&String, Result<Struck>)| {
            before?.after(Op::Delete, key, results.next().unwrap_or_else(missing))
        };
        keys.iter().zip(before).map(outcome).collect()
    }

    fn now(&self) -> Time {
        self.inner.now()
    }

    fn check_place(&self) -> Result<()> {
        self.around(Op::Place, "", || self.inner.check_place())
    }

    fn check_lock(&self) -> Result<()> {
        self.around(Op::Place, "", || self.inner.check_lock())
    }

    fn retention(&self, key: &str) -> Result<Option<Retained>> {
        self.around(Op::Head, key, || self.inner.retention(key))
    }

    fn retain(&self, key: &str, lock: &Retained) -> Result<()> {
        self.around(Op::Put, key, || self.inner.retain(key, lock))
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn usage(&self) -> Usage {
        self.inner.usage()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{conformance, memory::MemoryStorage};

    fn faulty(rules: Vec<Rule>) -> FaultStorage<MemoryStorage> {
        FaultStorage::new(MemoryStorage::new(), 7, rules)
    }

    fn put(storage: &dyn Storage, key: &str) -> Result<Stored> {
        storage.put(key, b"0123456789", &PutOptions::default())
    }

    #[test]
    fn without_rules_keeps_the_contract() {
        conformance::run(
            &faulty(vec![]),
            &conformance::Options {
                keys: 10,
                missing: None,
            },
        )
        .unwrap();
    }

    #[test]
    fn the_suite_names_the_duty_that_a_fault_breaks() {
        for (fault, duty) in [
            (Fault::Flip, "put and get"),
            (Fault::Truncate, "put and get"),
        ] {
            let storage = faulty(vec![Rule::new(fault).on(Op::Get)]);
            let error = conformance::run(
                &storage,
                &conformance::Options {
                    keys: 10,
                    missing: None,
                },
            )
            .unwrap_err();
            assert!(error.to_string().starts_with(duty), "{error}");
        }
    }

    #[test]
    fn fails_the_nth_under_a_prefix() {
        let storage = faulty(vec![
            Rule::new(Fault::Fail(Kind::Network))
                .on(Op::Put)
                .under("packs/")
                .after(1)
                .times(1),
        ]);
        let kinds = ["packs/1", "index/1", "packs/2", "packs/3"]
            .map(|key| put(&storage, key).err().map(|e| e.kind()));
        assert_eq!(kinds, [None, None, Some(Kind::Network), None]);
        assert!(!storage.inner().contents().contains_key("packs/2"));
        assert_eq!(storage.struck(), 1);
    }

    #[test]
    fn a_lost_answer_has_happened() {
        let storage = faulty(vec![Rule::new(Fault::Lost(Kind::Network)).times(1)]);
        assert_eq!(put(&storage, "a").unwrap_err().kind(), Kind::Network);
        assert_eq!(storage.get("a", 10).unwrap(), b"0123456789");
    }

    #[test]
    fn bodies_are_cut_and_flipped_the_same_way_for_the_same_seed() {
        let run = || {
            let storage = faulty(vec![Rule::new(Fault::Flip).on(Op::Get).chance(50)]);
            put(&storage, "a").unwrap();
            (0..20)
                .map(|_| storage.get("a", 10).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
        assert!(
            run().iter().any(|b| b != b"0123456789") && run().iter().any(|b| b == b"0123456789")
        );
        let storage = faulty(vec![Rule::new(Fault::Truncate).on(Op::GetRange)]);
        put(&storage, "a").unwrap();
        assert_eq!(storage.get_range("a", 2, 4).unwrap(), b"23");
    }

    #[test]
    fn delete_many_fails_key_by_key() {
        let storage = faulty(vec![
            Rule::new(Fault::Fail(Kind::PermissionDenied))
                .on(Op::Delete)
                .under("b"),
        ]);
        let keys = ["a", "b", "c"].map(str::to_owned);
        keys.iter()
            .for_each(|key| assert!(put(&storage, key).is_ok()));
        let results: Vec<bool> = storage
            .delete_many(&keys)
            .iter()
            .map(Result::is_ok)
            .collect();
        assert_eq!(results, [true, false, true]);
        assert_eq!(
            storage.inner().contents().into_keys().collect::<Vec<_>>(),
            ["b"]
        );
    }
}
