//! Object lock: for how long the storage itself keeps what is put from being deleted or replaced.

use super::newer;
use crate::codec::cbor::{Reader, Writer, required};
use crate::error::{Error, Result};
use crate::units::human_duration;
use std::fmt;
use std::time::Duration;

/// The shortest lock: a day.
pub const MIN_LOCK: Duration = Duration::from_secs(86400);
/// The longest, as on S3: a hundred years.
pub const MAX_LOCK: Duration = Duration::from_secs(100 * 365 * 86400);

/// Who may lift a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockMode {
    /// Those with the permission `s3:BypassGovernanceRetention`.
    Governance = 1,
    /// Nobody.
    Compliance = 2,
}

impl LockMode {
    /// As flags write it.
    pub fn name(self) -> &'static str {
        match self {
            LockMode::Governance => "governance",
            LockMode::Compliance => "compliance",
        }
    }

    /// As S3 writes it.
    pub fn s3_name(self) -> &'static str {
        match self {
            LockMode::Governance => "GOVERNANCE",
            LockMode::Compliance => "COMPLIANCE",
        }
    }

    /// From either, in any case.
    pub fn parse(text: &str) -> Option<LockMode> {
        [LockMode::Governance, LockMode::Compliance]
            .into_iter()
            .find(|mode| mode.name().eq_ignore_ascii_case(text.trim()))
    }
}

/// How a repository's objects are locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectLock {
    /// Who may lift it.
    pub mode: LockMode,
    /// How long an object is locked from when it is put, or from when its lock is extended. Whole seconds.
    pub duration: Duration,
    /// Maintenance extends the locks of what is still needed.
    pub extend: bool,
}

impl ObjectLock {
    /// Is the duration one that can be?
    pub(super) fn is_valid(&self) -> bool {
        (MIN_LOCK..=MAX_LOCK).contains(&self.duration)
    }

    pub(super) fn encode(&self, w: &mut Writer) {
        w.map(|m| {
            m.u64(1, self.mode as u64);
            m.u64(2, self.duration.as_secs());
            m.u64_nonzero(3, self.extend.into());
        });
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let (mut mode, mut duration, mut extend) = (None, None, false);
        r.map(|key, r| {
            match key {
                1 => {
                    mode = Some(match r.u64()? {
                        1 => LockMode::Governance,
                        2 => LockMode::Compliance,
                        _ => return Err(newer("an object lock of an unknown mode")),
                    });
                }
                2 => duration = Some(Duration::from_secs(r.u64()?)),
                3 => {
                    extend = match r.u64()? {
                        1 => true,
                        _ => return Err(Error::damaged("an object lock that is half extended")),
                    }
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(ObjectLock {
            mode: required(mode, "mode of the object lock")?,
            duration: required(duration, "duration of the object lock")?,
            extend,
        })
    }
}

impl fmt::Display for ObjectLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extended = match self.extend {
            true => ", extended by maintenance",
            false => "",
        };
        let lasting = human_duration(self.duration);
        write!(f, "{}, {lasting}{extended}", self.mode.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_have_two_names() {
        for mode in [LockMode::Governance, LockMode::Compliance] {
            assert_eq!(LockMode::parse(mode.name()), Some(mode));
            assert_eq!(LockMode::parse(mode.s3_name()), Some(mode));
        }
        assert_eq!(LockMode::parse("none"), None);
    }

    #[test]
    fn a_later_mode_is_refused() {
        let read = |bytes: &[u8]| ObjectLock::decode(&mut Reader::new(bytes));
        let good = read(&[0xa2, 1, 2, 2, 0x1a, 0, 1, 0x51, 0x80]).unwrap();
        assert_eq!(good.to_string(), "compliance, 1d");
        assert!(good.is_valid());
        let kind = |bytes: &[u8]| read(bytes).unwrap_err().kind();
        assert_eq!(
            kind(&[0xa2, 1, 3, 2, 0x1a, 0, 1, 0x51, 0x80]),
            crate::error::Kind::NewerFormat
        );
        assert_eq!(kind(&[0xa1, 1, 1]), crate::error::Kind::Damaged);
    }
}
