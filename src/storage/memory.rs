//! Objects in memory, for tests: with a clock that can be moved and a hook before every request.

use super::fault::Op;
use super::{Listed, ObjectInfo, PutOptions, Storage, Stored, Usage, check_key, check_not_after};
use crate::error::{Error, Kind, Result};
use crate::units::Time;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A request that is about to happen, as the hook sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What is asked.
    pub op: Op,
    /// Its key, or the prefix of a listing (once per page), or nothing.
    pub key: &'a str,
    /// How far it is.
    pub phase: Phase,
}

/// A request has two moments at which others can come between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The client is about to check `not_after` and to sign.
    Ready,
    /// Signed and under way; the storage acts next. Time that passes here makes a late arrival.
    Sent,
}

/// Called before each request with no lock held, so it may use the storage itself, move the clock, wait, or return an
/// error: the request then does not happen.
pub type Hook = dyn Fn(&Request) -> Result<()> + Send + Sync;

/// An S3-like storage in memory. Requests happen one at a time, in the order in which they take the one lock.
pub struct MemoryStorage {
    state: Mutex<State>,
    hook: Mutex<Option<Arc<Hook>>>,
}

struct State {
    objects: BTreeMap<String, Object>,
    /// None: this host's clock.
    clock: Option<Time>,
    page: usize,
    conditional: bool,
    present: bool,
    usage: Usage,
}

/// The objects of a [`MemoryStorage`] at one moment.
#[derive(Clone)]
pub struct Saved(BTreeMap<String, Object>);

#[derive(Clone)]
struct Object {
    body: Arc<[u8]>,
    modified: Time,
}

impl Default for MemoryStorage {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStorage {
    /// Empty, on this host's clock, with pages of 1,000 keys, honouring `if_absent`.
    pub fn new() -> MemoryStorage {
        let state = State {
            objects: BTreeMap::new(),
            clock: None,
            page: 1000,
            conditional: true,
            present: true,
            usage: Usage::default(),
        };
        MemoryStorage {
            state: Mutex::new(state),
            hook: Mutex::new(None),
        }
    }

    /// Stops the clock and sets it.
    pub fn set_clock(&self, now: Time) {
        self.state().clock = Some(now);
    }

    /// Stops the clock, if it runs, and moves it on.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        state.clock = Some(state.now().plus(by));
    }

    /// Keys to a page of a listing; the hook runs before each.
    pub fn set_page(&self, keys: usize) {
        self.state().page = keys.max(1);
    }

    /// Whether `if_absent` is honoured.
    pub fn set_conditional(&self, honoured: bool) {
        self.state().conditional = honoured;
    }

    /// Removes the place itself, or brings it back with all its objects.
    pub fn set_present(&self, present: bool) {
        self.state().present = present;
    }

    /// Replaces the hook.
    pub fn set_hook(&self, hook: Option<Arc<Hook>>) {
        *self.hook.lock().unwrap_or_else(PoisonError::into_inner) = hook;
    }

    /// Every object as it is, without a request.
    pub fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        self.state()
            .objects
            .iter()
            .map(|(key, object)| (key.clone(), object.body.to_vec()))
            .collect()
    }

    /// With these objects: key, bytes, and when each was put. Its clock stands at `now`.
    pub fn from_contents(
        objects: impl IntoIterator<Item = (String, Arc<[u8]>, Time)>,
        now: Time,
    ) -> MemoryStorage {
        let storage = MemoryStorage::new();
        {
            let mut state = storage.state();
            state.clock = Some(now);
            let objects = objects.into_iter();
            state.objects = objects
                .map(|(key, body, modified)| (key, Object { body, modified }))
                .collect();
        }
        storage
    }

    /// Every object as it is, shared, with the time of its put; without a request.
    pub fn snapshot(&self) -> Vec<(String, Arc<[u8]>, Time)> {
        let state = self.state();
        let each = state.objects.iter();
        each.map(|(k, o)| (k.clone(), o.body.clone(), o.modified))
            .collect()
    }

    /// All objects as they are, to come back to. Cheap: bodies are shared.
    pub fn save(&self) -> Saved {
        Saved(self.state().objects.clone())
    }

    /// Back to what was saved, times included.
    pub fn load(&self, saved: &Saved) {
        self.state().objects = saved.0.clone();
    }

    /// Replaces an object's bytes without a request and without a new time, as rot would. Gives whether it is there.
    pub fn tamper(&self, key: &str, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut state = self.state();
        let Some(object) = state.objects.get_mut(key) else {
            return false;
        };
        let mut body = object.body.to_vec();
        change(&mut body);
        object.body = body.into();
        true
    }

    /// The storage's state; a panic in a test's hook must not hide the test's own failure.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, op: Op, key: &str, phase: Phase) -> Result<()> {
        let hook = self
            .hook
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match hook {
            Some(hook) => hook(&Request { op, key, phase }),
            None => Ok(()),
        }
    }

    /// Runs the hook's two phases around the client's own check, then acts under the lock.
    fn request<T>(
        &self,
        op: Op,
        key: &str,
        options: &PutOptions,
        act: impl FnOnce(&mut State) -> Result<T>,
    ) -> Result<T> {
        self.tell(op, key, Phase::Ready)?;
        check_not_after(self.now(), options)?;
        self.tell(op, key, Phase::Sent)?;
        let mut state = self.state();
        let class = match op {
            Op::Put => &mut state.usage.put,
            Op::Get | Op::GetRange | Op::Head | Op::Place => &mut state.usage.get,
            Op::List => &mut state.usage.list,
            Op::Delete => &mut state.usage.delete,
        };
        *class += 1;
        if !state.present {
            return Err(Error::new(
                Kind::BucketMissing,
                "the memory storage was taken away",
            ));
        }
        act(&mut state)
    }

    fn object<T>(&self, op: Op, key: &str, act: impl FnOnce(&Object) -> Result<T>) -> Result<T> {
        check_key(key)?;
        self.request(op, key, &PutOptions::default(), |state| {
            match state.objects.get(key) {
                Some(object) => act(object),
                None => Err(Error::new(
                    Kind::ObjectMissing,
                    format!("there is no object {key} in memory"),
                )),
            }
        })
    }

    /// One page of a listing, from after `last`.
    fn page(&self, prefix: &str, last: Option<&str>) -> Result<Page> {
        self.request(Op::List, prefix, &PutOptions::default(), |state| {
            let from = last.map_or(Bound::Included(prefix), Bound::Excluded);
            let keys = state
                .objects
                .range::<str, _>((from, Bound::Unbounded))
                .take_while(|(k, _)| k.starts_with(prefix));
            let info = |(key, o): (&String, &Object)| ObjectInfo {
                key: key.clone(),
                size: o.body.len() as u64,
                modified: o.modified,
            };
            let objects: Vec<ObjectInfo> = keys.take(state.page).map(info).collect();
            Ok(Page {
                last: objects.len() < state.page,
                objects,
                date: state.now(),
            })
        })
    }
}

struct Page {
    objects: Vec<ObjectInfo>,
    date: Time,
    last: bool,
}

impl State {
    fn now(&self) -> Time {
        self.clock.unwrap_or_else(Time::local_now)
    }
}

impl Storage for MemoryStorage {
    fn put(&self, key: &str, body: &[u8], options: &PutOptions) -> Result<Stored> {
        check_key(key)?;
        self.request(Op::Put, key, options, |state| {
            state.usage.bytes_up += body.len() as u64;
            if options.if_absent && state.conditional && state.objects.contains_key(key) {
                return Err(Error::new(
                    Kind::ObjectExists,
                    format!("{key} is in memory already"),
                ));
            }
            let date = state.now();
            state.objects.insert(
                key.to_owned(),
                Object {
                    body: body.into(),
                    modified: date,
                },
            );
            Ok(Stored { date })
        })
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>> {
        let body = self.object(Op::Get, key, |object| {
            match object.body.len() as u64 > limit {
                true => Err(Error::damaged(format!(
                    "object {key} is longer than {limit} bytes"
                ))),
                false => Ok(object.body.to_vec()),
            }
        })?;
        self.state().usage.bytes_down += body.len() as u64;
        Ok(body)
    }

    fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Vec<u8>> {
        let body = self.object(Op::GetRange, key, |object| {
            let range = usize::try_from(offset)
                .ok()
                .zip(offset.checked_add(length).and_then(|e| e.try_into().ok()));
            match range.and_then(|(start, end): (usize, usize)| object.body.get(start..end)) {
                Some(part) => Ok(part.to_vec()),
                None => {
                    let size = object.body.len();
                    Err(Error::damaged(format!(
                        "object {key} has {size} bytes, too few for {length} from {offset}"
                    )))
                }
            }
        })?;
        self.state().usage.bytes_down += body.len() as u64;
        Ok(body)
    }

    fn head(&self, key: &str) -> Result<ObjectInfo> {
        self.object(Op::Head, key, |o| {
            Ok(ObjectInfo {
                key: key.to_owned(),
                size: o.body.len() as u64,
                modified: o.modified,
            })
        })
    }

    fn list(&self, prefix: &str, each: &mut dyn FnMut(ObjectInfo) -> Result<()>) -> Result<Listed> {
        if !prefix.is_empty() {
            check_key(prefix.trim_end_matches('/'))?;
        }
        let began = self.now();
        let mut last: Option<String> = None;
        loop {
            let page = self.page(prefix, last.as_deref())?;
            last = page.objects.last().map(|o| o.key.clone()).or(last);
            page.objects.into_iter().try_for_each(&mut *each)?;
            if page.last {
                return Ok(Listed {
                    began,
                    ended: page.date,
                });
            }
        }
    }

    fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        self.request(Op::Delete, key, &PutOptions::default(), |state| {
            state.objects.remove(key);
            Ok(())
        })
    }

    fn now(&self) -> Time {
        self.state().now()
    }

    fn check_place(&self) -> Result<()> {
        self.request(Op::Place, "", &PutOptions::default(), |_| Ok(()))
    }

    fn describe(&self) -> String {
        "memory".to_owned()
    }

    fn usage(&self) -> Usage {
        self.state().usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::conformance;

    #[test]
    fn keeps_the_contract() {
        let (storage, missing) = (MemoryStorage::new(), MemoryStorage::new());
        missing.set_present(false);
        let report = conformance::run(
            &storage,
            &conformance::Options {
                keys: 2500,
                missing: Some(&missing),
            },
        )
        .unwrap();
        assert!(report.conditional_puts);
        assert_eq!(report.race_winners, 1);
        assert_eq!(report.ghosts, [""; 0]);
        assert!(storage.contents().is_empty());
    }

    #[test]
    fn keeps_the_contract_without_conditional_puts() {
        let storage = MemoryStorage::new();
        storage.set_conditional(false);
        let report = conformance::run(
            &storage,
            &conformance::Options {
                keys: 10,
                missing: None,
            },
        )
        .unwrap();
        assert!(!report.conditional_puts);
    }

    #[test]
    fn the_hook_can_come_between_and_crash() {
        let storage = Arc::new(MemoryStorage::new());
        storage.set_clock(Time(1000));
        let inner = storage.clone();
        storage.set_hook(Some(Arc::new(move |request: &Request| {
            match (request.key, request.phase) {
                ("crash", _) => Err(Error::failed("killed")),
                // The check is passed and the request arrives late.
                ("late", Phase::Sent) => {
                    inner.advance(Duration::from_secs(1));
                    Ok(())
                }
                _ => Ok(()),
            }
        })));
        let options = PutOptions {
            not_after: Some(Time(1500)),
            ..Default::default()
        };
        assert!(storage.put("crash", b"", &options).is_err());
        assert_eq!(
            storage.put("late", b"x", &options).unwrap().date,
            Time(2000)
        );
        assert_eq!(
            storage.put("later", b"x", &options).unwrap_err().kind(),
            Kind::TooLate
        );
        assert_eq!(storage.contents().into_keys().collect::<Vec<_>>(), ["late"]);
    }

    #[test]
    fn a_listing_is_as_many_requests_as_pages() {
        let storage = MemoryStorage::new();
        storage.set_page(2);
        for key in ["a/1", "a/2", "a/3", "b"] {
            storage.put(key, b"", &PutOptions::default()).unwrap();
        }
        let mut keys = Vec::new();
        let mut each = |o: ObjectInfo| {
            keys.push(o.key);
            Ok(())
        };
        storage.list("a/", &mut each).unwrap();
        assert_eq!(keys, ["a/1", "a/2", "a/3"]);
        assert_eq!(storage.usage().list, 2);
    }
}
