//! `config`: what a repository is. In clear, written once, and bound into every key slot by its SHA-256.

use super::container::MAX_CHUNK;
use super::lock::ObjectLock;
use super::newer;
use crate::codec::cbor::{Reader, Writer, required};
use crate::crypto::Cipher;
use crate::error::{Context, Error, Kind, Result};
use crate::id::Id16;
use crate::units::Time;
use std::time::Duration;

const MAGIC: &[u8; 8] = b"corso\0cf";
/// The format version of a repository.
pub const VERSION: u16 = 1;
/// The longest config.
pub const MAX_CONFIG: usize = 64 << 10;
/// The shortest grace period that is not "nothing else runs".
pub const MIN_GRACE: Duration = Duration::from_secs(3600);
const MAX_GRACE: Duration = Duration::from_secs(10 * 366 * 86400);

/// Chunk lengths in bytes: the chunker's minimum, average and maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkSizes {
    /// No chunk but the last of a file is shorter.
    pub min: u32,
    /// The target.
    pub avg: u32,
    /// No chunk is longer.
    pub max: u32,
}

/// How many snapshots to keep; 0 is "no such rule".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// The newest so many.
    pub last: u64,
    /// One an hour, for so many hours that have one.
    pub hourly: u64,
    /// One a day.
    pub daily: u64,
    /// One a week.
    pub weekly: u64,
    /// One a month.
    pub monthly: u64,
    /// One a year.
    pub yearly: u64,
    /// All of the last so many seconds.
    pub within_secs: u64,
    /// There are rules that this version does not know: nothing may be forgotten by it.
    pub unknown: bool,
}

/// A repository's fixed settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The repository.
    pub repo: Id16,
    /// Names of features that a program must know to use the repository. None exist yet.
    pub features: Vec<String>,
    /// The bulk cipher.
    pub cipher: Cipher,
    /// Chunker sizes.
    pub chunker: ChunkSizes,
    /// The grace period G.
    pub grace: Duration,
    /// Retention as of creation; later changes are records.
    pub retention: Retention,
    /// When it was created.
    pub created: Time,
    /// The size that packs are closed at, in bytes.
    pub pack_size: u64,
    /// How objects are locked in the storage, if they are.
    pub lock: Option<ObjectLock>,
}

impl Retention {
    pub(super) fn encode(&self, w: &mut Writer) {
        let rules = [
            self.last,
            self.hourly,
            self.daily,
            self.weekly,
            self.monthly,
            self.yearly,
            self.within_secs,
        ];
        w.map(|m| {
            for (key, value) in (1..).zip(rules) {
                m.u64_nonzero(key, value);
            }
        });
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let mut rules = Retention::default();
        r.map(|key, value| {
            let rule = match key {
                1 => &mut rules.last,
                2 => &mut rules.hourly,
                3 => &mut rules.daily,
                4 => &mut rules.weekly,
                5 => &mut rules.monthly,
                6 => &mut rules.yearly,
                7 => &mut rules.within_secs,
                _ => {
                    rules.unknown = true;
                    return Ok(false);
                }
            };
            *rule = value.u64()?;
            Ok(true)
        })?;
        Ok(rules)
    }
}

impl Config {
    /// A config with the usual sizes: chunks of 512 KiB / 1 MiB / 8 MiB, packs of 32 MiB, a day of grace.
    pub fn new(repo: Id16, created: Time) -> Self {
        Config {
            repo,
            features: Vec::new(),
            cipher: Cipher::Aes256Gcm,
            chunker: ChunkSizes {
                min: 512 << 10,
                avg: 1 << 20,
                max: 8 << 20,
            },
            grace: Duration::from_secs(86400),
            retention: Retention::default(),
            created,
            pack_size: 32 << 20,
            lock: None,
        }
    }

    /// Refuses settings that no repository may have.
    pub fn check(&self) -> Result<()> {
        let ChunkSizes { min, avg, max } = self.chunker;
        let problem = if !(64 <= min && min < avg && avg < max && max as usize <= MAX_CHUNK) {
            "chunk sizes"
        } else if !(4 << 10..=512 << 20).contains(&self.pack_size) {
            "pack size"
        } else if self.grace != Duration::ZERO && !(MIN_GRACE..=MAX_GRACE).contains(&self.grace) {
            "grace period"
        } else if self.lock.is_some_and(|lock| !lock.is_valid()) {
            "duration of the object lock"
        } else {
            return Ok(());
        };
        Err(Error::damaged(format!(
            "the {problem} in the repository's config is out of range"
        )))
    }

    /// The object's bytes.
    pub fn encode(&self) -> Result<Vec<u8>> {
        self.check()?;
        let mut w = Writer::new();
        w.map(|m| {
            m.bytes(1, self.repo);
            let features = m.key(2).array(self.features.len());
            for name in &self.features {
                features.text(name);
            }
            m.u64(3, self.cipher as u64);
            let ChunkSizes { min, avg, max } = self.chunker;
            m.key(4)
                .array(3)
                .u64(min.into())
                .u64(avg.into())
                .u64(max.into());
            m.u64(5, self.grace.as_secs());
            self.retention.encode(m.key(6));
            m.i64(7, self.created.0);
            m.u64(8, self.pack_size);
            if let Some(lock) = &self.lock {
                lock.encode(m.key(9));
            }
        });
        Ok([MAGIC, VERSION.to_be_bytes().as_slice(), &w.into_vec()].concat())
    }

    /// Reads and checks the object. [`Kind::NotRepository`] when it is something else altogether.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let Some((version, body)) = bytes
            .strip_prefix(MAGIC)
            .and_then(|rest| rest.split_first_chunk::<2>())
        else {
            return Err(Error::new(
                Kind::NotRepository,
                "not a Corso repository: its config is something else",
            ));
        };
        match u16::from_be_bytes(*version) {
            0 => return Err(Error::damaged("the repository's config has no version")),
            VERSION => {}
            version => return Err(newer(&format!("a repository of version {version}"))),
        }
        if bytes.len() > MAX_CONFIG {
            return Err(Error::damaged("the repository's config is too long"));
        }
        let config = Self::decode_body(body).context(|| "reading the repository's config")?;
        if let Some(feature) = config.features.first() {
            return Err(newer(&format!("a repository with the feature {feature:?}")));
        }
        config.check()?;
        Ok(config)
    }

    fn decode_body(body: &[u8]) -> Result<Self> {
        let (mut repo, mut features, mut cipher, mut chunker) = (None, Vec::new(), None, None);
        let (mut grace, mut retention, mut created, mut pack_size) = (None, None, None, None);
        let mut lock = None;
        let mut r = Reader::new(body);
        r.map(|key, r| {
            match key {
                1 => repo = Some(r.id16()?),
                2 => features = r.list(64, |r| Ok(r.text(256)?.to_string()))?,
                3 => cipher = Some(Cipher::from_number(r.u64()?)?),
                4 => {
                    r.array_of(3)?;
                    chunker = Some(ChunkSizes {
                        min: r.u32()?,
                        avg: r.u32()?,
                        max: r.u32()?,
                    });
                }
                5 => grace = Some(Duration::from_secs(r.u64()?)),
                6 => retention = Some(Retention::decode(r)?),
                7 => created = Some(Time(r.i64()?)),
                8 => pack_size = Some(r.u64()?),
                9 => lock = Some(ObjectLock::decode(r)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        r.finish()?;
        Ok(Config {
            repo: required(repo, "repository id")?,
            features,
            cipher: required(cipher, "cipher")?,
            chunker: required(chunker, "chunk sizes")?,
            grace: required(grace, "grace period")?,
            retention: retention.unwrap_or_default(),
            created: required(created, "creation time")?,
            pack_size: required(pack_size, "pack size")?,
            lock,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::lock::LockMode;
    use proptest::prelude::*;

    fn config() -> Config {
        let mut config = Config::new(Id16([3; 16]), Time(1_700_000_000_000));
        config.retention = Retention {
            daily: 7,
            within_secs: 86400,
            ..Retention::default()
        };
        config
    }

    #[test]
    fn round_trips() {
        let bytes = config().encode().unwrap();
        assert_eq!(Config::decode(&bytes).unwrap(), config());
    }

    #[test]
    fn a_lock_is_kept() {
        for extend in [false, true] {
            let mut config = config();
            config.lock = Some(ObjectLock {
                mode: LockMode::Governance,
                duration: Duration::from_secs(30 * 86400),
                extend,
            });
            let bytes = config.encode().unwrap();
            assert_eq!(Config::decode(&bytes).unwrap(), config);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let good = config().encode().unwrap();
        let kind = |bytes: &[u8]| Config::decode(bytes).unwrap_err().kind();
        assert_eq!(kind(b""), Kind::NotRepository);
        assert_eq!(
            kind(b"{\"version\": 2, \"id\": \"restic\"}"),
            Kind::NotRepository
        );
        let mut newer = good.clone();
        newer[9] = 2;
        assert_eq!(kind(&newer), Kind::NewerFormat);
        let mut feature = config();
        feature.features.push("ec".into());
        assert_eq!(kind(&feature.encode().unwrap()), Kind::NewerFormat);
        for len in 10..good.len() {
            assert_eq!(kind(&good[..len]), Kind::Damaged);
        }
        assert_eq!(kind(&[&good[..], &[0]].concat()), Kind::Damaged);
    }

    #[test]
    fn refuses_settings_out_of_range() {
        let bad = |change: fn(&mut Config)| {
            let mut config = config();
            change(&mut config);
            config.encode().is_err()
        };
        assert!(bad(|c| c.chunker.min = 1));
        assert!(bad(|c| c.chunker.max = u32::MAX));
        assert!(bad(|c| c.chunker.avg = c.chunker.max + 1));
        assert!(bad(|c| c.grace = Duration::from_secs(60)));
        assert!(bad(|c| c.pack_size = u64::MAX));
        assert!(bad(|c| {
            c.lock = Some(ObjectLock {
                mode: LockMode::Compliance,
                duration: Duration::from_secs(3600),
                extend: false,
            })
        }));
        assert!(!bad(|c| c.grace = Duration::ZERO));
    }

    #[test]
    fn unknown_retention_rules_are_seen() {
        let r = &mut Reader::new(&[0xa2, 0x01, 0x05, 0x18, 0x20, 0x01]);
        assert_eq!(
            Retention::decode(r).unwrap(),
            Retention {
                last: 5,
                unknown: true,
                ..Retention::default()
            }
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn hostile_bytes_never_panic(at: usize, to: u8, bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut good = config().encode().unwrap();
            let _ = Config::decode(&[&good[..10], &bytes].concat());
            let at = at % good.len();
            good[at] = to;
            // Rules of a later version are passed over, so they are not written again.
            if let Ok(read) = Config::decode(&good) && !read.retention.unknown {
                prop_assert_eq!(read.encode().unwrap(), good);
            }
        }
    }
}
