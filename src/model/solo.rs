//! One run of the engine on its own thread of time: it hears what it is told to hear, then goes on undisturbed.

use super::actor::{Actor, Gain};
use super::shelf::{Names, Number, Shelf};
use crate::error::{Error, Kind, Result};
use crate::storage::{
    Listed, ObjectInfo, PutOptions, Storage, Stored, Usage, check_key, check_not_after,
};
use crate::units::Time;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What an actor asks of the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// To put an object, not after a moment.
    Put(Number, Option<Time>),
    /// An object, a part of it, or its length.
    Get(Number),
    /// What lies below a prefix.
    List(Number),
    /// To delete an object.
    Delete(Number),
    /// The time.
    Now,
}

/// What it hears.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The put was made, then; or why not.
    Put(Result<Time, Kind>),
    /// Is the object there?
    Get(bool),
    /// The objects with their times, and the times around the listing.
    List(Vec<(Number, Time)>, Time, Time),
    /// It is gone.
    Deleted,
    /// The time.
    Now(Time),
}

/// How an actor ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// What it says that it did.
    pub gain: Gain,
    /// `done`, or the kind of its error.
    pub how: String,
}

/// Answers one request at the moment `now`. A listing began at `began`.
///
/// An actor hears only those times that the engine keeps: that of a listing of tombstones, which is the time of a view;
/// when a listing of index objects had ended; when a snapshot was put; and the times of objects, if it minds their
/// ages. The others are constant, and what the engine did with one would show.
pub fn answer(
    (names, shelf): (&Names, &mut Shelf),
    ask: Ask,
    actor: &Actor,
    (began, now): (Time, Time),
) -> Answer {
    let only = |yes: bool, time: Time| if yes { time } else { Time(0) };
    match ask {
        Ask::Put(number, _) => match shelf.put(names, number, now) {
            true => Answer::Put(Ok(only(names.key(number).starts_with("snapshots/"), now))),
            false => Answer::Put(Err(Kind::ObjectExists)),
        },
        Ask::Get(number) => Answer::Get(shelf.has(names, number)),
        Ask::List(prefix) => {
            let key = &**names.key(prefix);
            let mut found = shelf.list(names, prefix);
            let times = found.iter_mut().map(|(_, time)| time);
            times.for_each(|time| *time = only(actor.minds_age, *time));
            Answer::List(
                found,
                only(key == "tombstones/", began),
                only(key == "index/" && !actor.minds_age, now),
            )
        }
        Ask::Delete(number) => {
            shelf.delete(names, number);
            Answer::Deleted
        }
        Ask::Now => Answer::Now(now),
    }
}

/// A storage that one run has for itself: it repeats what `script` says, then goes on from `shelf` with a clock at rest.
pub struct Solo {
    /// Whose it is.
    pub actor: Actor,
    /// The names of all objects.
    pub names: Arc<Mutex<Names>>,
    /// Where the run is.
    pub tape: Mutex<Tape>,
}

/// See [`Solo`].
pub struct Tape {
    /// What is repeated: questions and answers.
    pub script: Vec<(Ask, Answer)>,
    /// How much of it was.
    pub at: usize,
    /// What is stored after that.
    pub shelf: Shelf,
    /// The time after that.
    pub now: Time,
    /// What was asked and answered after that.
    pub news: Vec<(Ask, Answer)>,
    /// The run did not do what it did before.
    pub unstable: bool,
}

impl Solo {
    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, ask: Ask) -> Result<Answer> {
        let mut tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, answer)) = tape.script.get(tape.at).cloned() {
            tape.unstable |= then != ask;
            tape.at += 1;
            return match tape.unstable {
                true => Err(Error::failed("the same answers led to another question")),
                false => Ok(answer),
            };
        }
        let (names, now) = (self.names(), tape.now);
        let late = PutOptions::default();
        let late = match ask {
            Ask::Put(_, not_after) => check_not_after(now, &PutOptions { not_after, ..late }),
            _ => Ok(()),
        };
        let answer = match late {
            Err(e) => Answer::Put(Err(e.kind())),
            Ok(()) => answer((&names, &mut tape.shelf), ask, &self.actor, (now, now)),
        };
        tape.news.push((ask, answer.clone()));
        Ok(answer)
    }

    /// What lies under `key`, if it is there.
    fn body(&self, key: &str) -> Result<Arc<[u8]>> {
        check_key(key)?;
        let number = self.names().number(key);
        let body = match self.ask(Ask::Get(number))? {
            Answer::Get(true) => self.names().body(number),
            _ => None,
        };
        body.ok_or_else(|| Error::new(Kind::ObjectMissing, format!("there is no object {key}")))
    }
}

fn strange() -> Error {
    Error::failed("an answer to another question")
}

impl Storage for Solo {
    fn put(&self, key: &str, body: &[u8], options: &PutOptions) -> Result<Stored> {
        check_key(key)?;
        let number = self.names().keep(key, body);
        let number = number.ok_or_else(|| Error::failed("two objects of one name"))?;
        match self.ask(Ask::Put(number, options.not_after))? {
            Answer::Put(Ok(date)) => Ok(Stored { date }),
            Answer::Put(Err(kind)) => Err(Error::new(kind, format!("putting {key}"))),
            _ => Err(strange()),
        }
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>> {
        let body = self.body(key)?;
        match body.len() as u64 > limit {
            true => Err(Error::damaged(format!("object {key} is too long"))),
            false => Ok(body.to_vec()),
        }
    }

    fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Vec<u8>> {
        let body = self.body(key)?;
        let part = body.get(offset as usize..(offset + length) as usize);
        let part = part.ok_or_else(|| Error::damaged(format!("object {key} is too short")))?;
        Ok(part.to_vec())
    }

    fn head(&self, key: &str) -> Result<ObjectInfo> {
        Ok(ObjectInfo {
            key: key.to_owned(),
            size: self.body(key)?.len() as u64,
            modified: Time(0),
        })
    }

    /// One page, as all listings of the model are.
    fn list(&self, prefix: &str, each: &mut dyn FnMut(ObjectInfo) -> Result<()>) -> Result<Listed> {
        let number = self.names().number(prefix);
        let Answer::List(found, began, ended) = self.ask(Ask::List(number))? else {
            return Err(strange());
        };
        let info = |(number, modified): (Number, Time)| {
            let names = self.names();
            ObjectInfo {
                key: names.key(number).to_string(),
                size: names.body(number).map_or(0, |b| b.len() as u64),
                modified,
            }
        };
        found.into_iter().map(info).try_for_each(each)?;
        Ok(Listed { began, ended })
    }

    fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        let number = self.names().number(key);
        self.ask(Ask::Delete(number)).map(drop)
    }

    fn now(&self) -> Time {
        match self.ask(Ask::Now) {
            Ok(Answer::Now(time)) => time,
            _ => Time(0),
        }
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
