//! Records: what full keys leave for each other. A deletion carries the deleted snapshot, still sealed.

use super::config::Retention;
use super::control;
use crate::codec::cbor::{Reader, Writer, required};
use crate::crypto::Keyring;
use crate::error::{Error, Result};
use crate::id::{Id, Id16};
use crate::units::Time;
use std::time::Duration;

/// Longest object, bytes: a snapshot object and a little.
pub const MAX_LEN: usize = (64 << 20) + (64 << 10);
const MAX_SNAPSHOT: usize = 64 << 20;
const MAGIC: &[u8; 8] = b"corso\0rc";

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A snapshot was deleted; its object's bytes, from which it can be brought back within the grace period.
    Deletion {
        /// Its name.
        snapshot: Id,
        /// The object, as it was.
        object: Vec<u8>,
    },
    /// A snapshot is kept whatever retention says.
    Pin(Id),
    /// It is not any more.
    Unpin(Id),
    /// What this writer stores from now on does not count.
    Revocation(Id16),
    /// Settings that replace those in `config`.
    Settings {
        /// Retention.
        retention: Retention,
        /// Grace period; never shorter than the one in `config`, on which running clients rely.
        grace: Option<Duration>,
    },
}

/// A record: what, the how-manieth, and when by the clock of the host that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it says.
    pub change: Change,
    /// One more than the highest that its writer saw, so that the order outlives a copy of the repository, whose objects
    /// are all as old as the copy. 0 in deletions, whose order does not matter.
    pub number: u64,
    /// For people; decisions use the storage's clock.
    pub time: Time,
    /// Random, so that no name is used twice.
    pub nonce: Id16,
}

/// The object's bytes; its name is their SHA-256. Full keys only.
pub fn encode(record: &Record, keyring: &Keyring) -> Result<Vec<u8>> {
    let mut w = Writer::new();
    w.map(|f| {
        let kind = match record.change {
            Change::Deletion { .. } => 1,
            Change::Pin(_) => 2,
            Change::Unpin(_) => 3,
            Change::Revocation(_) => 4,
            Change::Settings { .. } => 5,
        };
        f.u64(1, kind);
        f.i64(2, record.time.0);
        f.bytes(3, record.nonce);
        match &record.change {
            Change::Deletion { snapshot, object } => {
                f.bytes(4, snapshot);
                f.bytes(5, object);
            }
            Change::Pin(snapshot) | Change::Unpin(snapshot) => f.bytes(4, snapshot),
            Change::Revocation(writer) => f.bytes(6, writer),
            Change::Settings { retention, grace } => {
                retention.encode(f.key(7));
                if let Some(grace) = grace {
                    f.u64(8, grace.as_secs());
                }
            }
        }
        if record.number > 0 {
            f.u64(9, record.number);
        }
    });
    let bytes = control::seal(MAGIC, &w.into_vec(), keyring)?;
    match bytes.len() <= MAX_LEN {
        true => Ok(bytes),
        false => Err(Error::failed("a record is too long")),
    }
}

/// Reads a record. Whether it is this repository's is for [`verify`] to say.
///
/// # Errors
/// `Damaged`, also for a deletion whose object does not have the hash of the name.
pub fn decode(bytes: &[u8]) -> Result<Record> {
    if bytes.len() > MAX_LEN {
        return Err(Error::damaged("this record is too long"));
    }
    let mut r = Reader::new(control::open(MAGIC, bytes, "record")?);
    let (mut kind, mut time, mut nonce, mut snapshot) = (None, None, None, None);
    let (mut object, mut writer, mut retention, mut grace) = (None, None, None, None);
    let mut number = 0;
    r.map(|key, r| {
        match key {
            1 => kind = Some(r.u64()?),
            2 => time = Some(Time(r.i64()?)),
            3 => nonce = Some(r.id16()?),
            4 => snapshot = Some(r.id()?),
            5 => object = Some(r.bytes(MAX_SNAPSHOT)?.to_vec()),
            6 => writer = Some(r.id16()?),
            7 => retention = Some(Retention::decode(r)?),
            8 => grace = Some(Duration::from_secs(r.u64()?)),
            9 => number = r.u64()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    r.finish()?;
    let change = match required(kind, "type")? {
        1 => {
            let (snapshot, object) = (required(snapshot, "snapshot")?, required(object, "object")?);
            if Id::sha256(&object) != snapshot {
                return Err(Error::damaged(
                    "a deletion record does not hold the snapshot that it names",
                ));
            }
            Change::Deletion { snapshot, object }
        }
        2 => Change::Pin(required(snapshot, "snapshot")?),
        3 => Change::Unpin(required(snapshot, "snapshot")?),
        4 => Change::Revocation(required(writer, "writer")?),
        5 => Change::Settings {
            retention: required(retention, "retention")?,
            grace,
        },
        other => {
            return Err(super::newer(&format!("a record of type {other}")));
        }
    };
    Ok(Record {
        change,
        number,
        time: required(time, "time")?,
        nonce: required(nonce, "nonce")?,
    })
}

/// Was the record made with a full key of this repository? `None`: a writer key cannot tell.
pub fn verify(bytes: &[u8], keyring: &Keyring) -> Option<bool> {
    control::verify(bytes, keyring)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_round_trips() {
        let keyring = Keyring::generate(Id16([1; 16])).unwrap();
        let object = b"sealed".to_vec();
        let retention = Retention {
            last: 3,
            ..Retention::default()
        };
        let changes = [
            Change::Deletion {
                snapshot: Id::sha256(&object),
                object,
            },
            Change::Pin(Id([1; 32])),
            Change::Unpin(Id([2; 32])),
            Change::Revocation(Id16([3; 16])),
            Change::Settings {
                retention,
                grace: Some(Duration::from_secs(7200)),
            },
            Change::Settings {
                retention,
                grace: None,
            },
        ];
        for (number, change) in (0..).zip(changes) {
            let record = Record {
                change,
                number,
                time: Time(-5),
                nonce: Id16([9; 16]),
            };
            let bytes = encode(&record, &keyring).unwrap();
            assert_eq!(decode(&bytes).unwrap(), record);
            assert_eq!(verify(&bytes, &keyring), Some(true));
            for at in 0..bytes.len() {
                assert!(decode(&bytes[..at]).is_err());
            }
        }
    }

    #[test]
    fn a_deletion_holds_what_it_names() {
        let keyring = Keyring::generate(Id16([1; 16])).unwrap();
        let change = Change::Deletion {
            snapshot: Id([1; 32]),
            object: b"x".to_vec(),
        };
        let bytes = encode(
            &Record {
                change,
                number: 0,
                time: Time(0),
                nonce: Id16::ZERO,
            },
            &keyring,
        )
        .unwrap();
        assert!(decode(&bytes).is_err());
    }
}
