//! Putting a new object, once, whatever becomes of the answer.

use super::Repository;
use crate::crypto::{DomainKeys, Session};
use crate::error::{Context, Error, Kind, Result};
use crate::format::container::ObjectKind;
use crate::format::index::IndexPack;
use crate::format::lock::ObjectLock;
use crate::format::pack::{PackBuilder, verify_sealed};
use crate::id::Id;
use crate::storage::{PutOptions, Stored};
use crate::units::{MIB, Time};
use std::sync::Arc;

/// Metadata packs stay smaller than data packs: they are read whole. Bytes.
const META_TARGET: u64 = 8 * MIB;

impl Repository {
    /// The length in bytes at which a pack is ended.
    pub(crate) fn pack_target(&self, kind: ObjectKind) -> u64 {
        match kind {
            ObjectKind::Metadata => self.config.pack_size.min(META_TARGET),
            _ => self.config.pack_size,
        }
    }

    /// A pack to be filled with chunks of the domain of `keys`.
    pub(crate) fn begin_pack(
        &self,
        kind: ObjectKind,
        session: &Session,
        keys: &Arc<DomainKeys>,
    ) -> Result<PackBuilder> {
        let mut builder = PackBuilder::new(kind, session, self.config.cipher, keys.clone())?;
        let target = self.pack_target(kind) as usize;
        builder.reserve(target + target / 16);
        Ok(builder)
    }

    /// Seals a pack and reads it back from its sealed form. Gives its bytes, and what an index object says of it.
    pub(crate) fn seal_pack(&self, builder: PackBuilder) -> Result<(Vec<u8>, IndexPack)> {
        let kind = builder.kind();
        let sealed = builder.finish()?;
        verify_sealed(&sealed, &self.keyring)
            .context(|| "checking a pack before its upload; memory or processor may be faulty")?;
        let pack = IndexPack {
            pack: sealed.name,
            size: sealed.bytes.len() as u64,
            kind: kind as u8,
            rows: sealed.rows,
        };
        Ok((sealed.bytes, pack))
    }

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
            lock: self.lock_of(key),
        };
        match self.storage.put(key, bytes, &options) {
            // Names are hashes with a fresh salt in them: what is there is what an answer that got lost was about.
            Err(e) if e.kind() == Kind::ObjectExists => self.compare(key, bytes),
            Err(e) if e.kind() == Kind::TooLate => Err(e),
            other => other.context(|| format!("writing {key}")),
        }
    }

    /// How an object is locked: as the repository says, but for tombstones. Those live for about a grace period, can be made
    /// again, and keep nothing: without one, things stay.
    fn lock_of(&self, key: &str) -> Option<ObjectLock> {
        self.config.lock.filter(|_| !key.starts_with("tombstones/"))
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
