//! Putting a new object, once, whatever becomes of the answer.

use super::Repository;
use crate::error::{Context, Error, Kind, Result};
use crate::id::Id;
use crate::storage::{PutOptions, Stored};
use crate::units::Time;

impl Repository {
    /// Puts an object that is named by the hash `name` of its bytes, not after `not_after` by the storage's clock.
    ///
    /// # Errors
    /// `TooLate`, when nothing was sent; `Damaged` if something else has the name; what the storage fails with.
    pub(crate) fn put_new(
        &self,
        key: &str,
        bytes: &[u8],
        name: &Id,
        not_after: Option<Time>,
    ) -> Result<Stored> {
        let options = PutOptions {
            sha256: Some(*name),
            not_after,
            if_absent: true,
        };
        match self.storage.put(key, bytes, &options) {
            // Names are hashes with a fresh salt in them: what is there is what an answer that got lost was about.
            Err(e) if e.kind() == Kind::ObjectExists => self.compare(key, bytes),
            Err(e) if e.kind() == Kind::TooLate => Err(e),
            other => other.context(|| format!("writing {key}")),
        }
    }

    fn compare(&self, key: &str, bytes: &[u8]) -> Result<Stored> {
        let there = self
            .storage
            .get(key, bytes.len() as u64)
            .context(|| format!("reading {key} back"))?;
        match there == bytes {
            true => Ok(Stored {
                date: self.storage.now(),
            }),
            false => Err(Error::damaged(format!("something else is stored as {key}"))
                .hint("somebody else writes to this place: check who has its keys")),
        }
    }
}

/// The key of a pack.
pub fn pack_key(pack: &Id) -> String {
    let hex = pack.hex();
    format!("packs/{}/{hex}", &hex[..2])
}
