//! When does it make no sense any more to go on with the next object?
//!
//! An object that cannot be read (archived, denied, on a disk that fails) is its own failure, and the others are worth
//! asking for. Where many of them in a row fail alike, it is the storage.

use super::Repository;
use crate::error::{Error, Kind, Result};
use std::sync::{Mutex, PoisonError};

/// So many different objects in a row may fail alike.
pub const MAX_ALIKE: usize = 8;

/// Judges the failures of objects that are asked for one after another. Shared by all who read a repository.
#[derive(Debug, Default)]
pub struct Patience(Mutex<Row>);

/// Objects that failed alike since the last success.
#[derive(Debug, Default)]
struct Row {
    kind: Option<Kind>,
    keys: Vec<String>,
}

impl Patience {
    /// The answer to a request for `key`. The failure of one object comes back as one of the storage
    /// ([`Error::of_all`]) where [`MAX_ALIKE`] different ones have failed with its kind and none was read in between.
    /// Damage does not count: its bytes were read.
    pub fn judge<T>(&self, key: &str, answer: Result<T>) -> Result<T> {
        match answer {
            Ok(value) => {
                *self.row() = Row::default();
                Ok(value)
            }
            Err(e) if e.is_unreadable() => Err(self.count(key, e)),
            Err(e) => Err(e),
        }
    }

    fn row(&self) -> std::sync::MutexGuard<'_, Row> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, key: &str, error: Error) -> Error {
        let mut row = self.row();
        if row.kind != Some(error.kind()) {
            *row = Row {
                kind: Some(error.kind()),
                keys: Vec::new(),
            };
        }
        if row.keys.len() < MAX_ALIKE && !row.keys.iter().any(|k| k == key) {
            row.keys.push(key.to_owned());
        }
        match row.keys.len() < MAX_ALIKE {
            true => error,
            false => error
                .context(format!("{MAX_ALIKE} objects in a row could not be read"))
                .of_all(),
        }
    }
}

impl Repository {
    /// The bytes of the object `key`, `limit` at most. Its failure is judged ([`Patience::judge`]).
    pub(crate) fn ask(&self, key: &str, limit: u64) -> Result<Vec<u8>> {
        self.patience.judge(key, self.storage.get(key, limit))
    }
}

/// What came of opening one object: keys or a format that are not at hand are that object's own trouble, and it stays.
pub fn opened<T>(answer: Result<T>) -> Result<T> {
    answer.map_err(|e| match e.kind() {
        Kind::RoleNeeded | Kind::NewerFormat => e.of_one(),
        _ => e,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(patience: &Patience, n: usize) -> Error {
        let answer: Result<()> = Err(Error::new(Kind::PermissionDenied, "no"));
        patience.judge(&format!("packs/{n}"), answer).unwrap_err()
    }

    #[test]
    fn one_object_that_fails_again_and_again_is_one_object() {
        let patience = Patience::default();
        assert!((0..100).all(|_| denied(&patience, 1).is_of_one_object()));
    }

    #[test]
    fn many_that_fail_alike_are_the_storage() {
        let patience = Patience::default();
        assert!((1..MAX_ALIKE).all(|n| denied(&patience, n).is_of_one_object()));
        let last = denied(&patience, MAX_ALIKE);
        assert!(last.is_of_all() && last.kind() == Kind::PermissionDenied);
        assert!(!last.again().is_of_one_object(), "also when it is retold");
        patience.judge("x", Ok(())).unwrap();
        assert!(denied(&patience, 9).is_of_one_object());
    }

    #[test]
    fn failures_of_other_kinds_are_other_rows() {
        let patience = Patience::default();
        for n in 0..100 {
            let answer: Result<()> = match n % 2 {
                0 => Err(Error::failed("EIO")),
                _ => Err(Error::new(Kind::Archived, "archived")),
            };
            assert!(
                patience
                    .judge(&n.to_string(), answer)
                    .unwrap_err()
                    .is_unreadable()
            );
        }
        let down: Result<()> = Err(Error::new(Kind::Network, "gone"));
        assert!(!patience.judge("x", down).unwrap_err().is_of_one_object());
    }
}
