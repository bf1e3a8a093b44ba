//! A bucket that keeps versions, as it was at a moment in the past. Only for reading.

use super::order::Order;
use super::read::{self, Wanted};
use super::{MAX_PAGES, MAX_PARSES, S3Storage, damaged_answer, whole_seconds};
use crate::error::{Error, Kind, Result};
use crate::id::Id;
use crate::s3::client::{Answer, Limits};
use crate::s3::provider::ListDialect;
use crate::s3::request::{self, VersionPage};
use crate::s3::response::{ListedVersion, ListedVersions, parse_versioning, parse_versions};
use crate::storage::{Listed, ObjectInfo, PutOptions, Retained, Storage, Stored, Usage, check_key};
use crate::units::Time;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

/// Versions that are remembered, so that objects need no further question. Some 200 bytes each.
const MAX_KNOWN: usize = 100_000;

/// See the module. Every object is the newest version of its key that is not later than the moment; one that was deleted
/// then is not there.
pub struct PastS3 {
    live: S3Storage,
    moment: Time,
    known: Mutex<HashMap<String, Version>>,
}

/// The version of an object that counts.
#[derive(Clone)]
struct Version {
    id: String,
    size: u64,
    modified: Time,
}

impl PastS3 {
    /// The bucket of `live` as it was at `moment`.
    pub fn new(live: S3Storage, moment: Time) -> PastS3 {
        PastS3 {
            live,
            moment,
            known: Mutex::default(),
        }
    }

    fn refusal<T>(&self) -> Result<T> {
        Err(Error::usage(format!(
            "this is the repository as it was at {}: nothing can be changed in it",
            self.moment
        ))
        .hint("go back to the present with `corso repo connect s3` without --point-in-time"))
    }

    fn known(&self, key: &str) -> Option<Version> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).cloned()
    }

    fn remember(&self, key: String, version: Version) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(key, version);
    }

    /// The version of one object. Packs are asked for a folder at a time.
    fn version(&self, key: &str) -> Result<Version> {
        check_key(key)?;
        if let Some(version) = self.known(key) {
            return Ok(version);
        }
        let folder = key
            .starts_with("packs/")
            .then(|| key.rfind('/').map(|at| &key[..=at]))
            .flatten();
        let mut found = None;
        self.scan(folder.unwrap_or(key), &mut |name, version| {
            if name == key {
                found = Some(version.clone());
            }
            Ok(())
        })?;
        found.ok_or_else(|| {
            let text = format!("there was no object {key} at {}", self.moment);
            Error::new(Kind::ObjectMissing, text)
        })
    }

    /// Reads one object, at its version.
    fn read<T>(&self, key: &str, read: impl FnOnce(Wanted<'_>) -> Result<T>) -> Result<T> {
        let version = self.version(key)?;
        read(Wanted {
            key,
            version: Some(&version.id),
        })
    }

    /// Every object below `prefix`, in key order. Memory: a page, whatever the number of versions.
    fn scan(
        &self,
        prefix: &str,
        each: &mut dyn FnMut(&str, &Version) -> Result<()>,
    ) -> Result<Listed> {
        let full = format!("{}{prefix}", self.live.prefix);
        let mut began = None;
        let mut after: Option<(String, String)> = None;
        let mut order = Order::of_versions();
        let mut open: BTreeMap<String, ListedVersion> = BTreeMap::new();
        for _ in 0..MAX_PAGES {
            let (answer, page) = self.page(&full, after.as_ref())?;
            let ended = self.live.date_of(&answer);
            let keys = page.versions.iter().map(|v| v.key.as_str());
            order
                .page(&self.live.prefix, keys)
                .map_err(|why| damaged_answer(&format!("listing the versions of {full:?}"), why))?;
            let began = *began.get_or_insert_with(|| ended.minus(whole_seconds(answer.took)));
            for version in page.versions {
                self.take(&mut open, version);
            }
            // The versions of the key that a page ends with may go on in the next one.
            let rest = match &page.next {
                Some((key, _)) => open.split_off(key),
                None => BTreeMap::new(),
            };
            for (key, version) in std::mem::replace(&mut open, rest) {
                self.show(prefix, &key, version, each)?;
            }
            match page.next {
                Some(next) if Some(&next) == after.as_ref() => {
                    return Err(damaged_answer(
                        &format!("listing the versions of {full:?}"),
                        "the next page is the same page",
                    ));
                }
                Some(next) => after = Some(next),
                None => return Ok(Listed { began, ended }),
            }
        }
        Err(damaged_answer(
            &format!("listing the versions of {full:?}"),
            "it does not end",
        ))
    }

    /// A page and its answer; one that makes no sense is asked for anew.
    fn page(
        &self,
        prefix: &str,
        after: Option<&(String, String)>,
    ) -> Result<(Answer, ListedVersions)> {
        let request = request::list_versions(VersionPage {
            prefix,
            after: after.map(|(key, version)| (key.as_str(), version.as_str())),
            plain: self.live.client.provider().list == ListDialect::V2Plain,
            ..VersionPage::default()
        });
        let mut attempts = 0;
        loop {
            let answer = self.live.send(&request, Limits::default())?;
            attempts += 1;
            match parse_versions(&answer.body) {
                Ok(page) => return Ok((answer, page)),
                Err(_) if attempts < MAX_PARSES => {}
                Err(why) => {
                    let what = format!("listing the versions of {prefix:?}");
                    return Err(damaged_answer(&what, &why));
                }
            }
        }
    }

    /// Keeps the version if it is the one that counts so far.
    fn take(&self, open: &mut BTreeMap<String, ListedVersion>, version: ListedVersion) {
        if version.modified > self.moment {
            return;
        }
        match open.get_mut(&version.key) {
            Some(best) if comes_after(&version, best) => *best = version,
            Some(_) => {}
            None => drop(open.insert(version.key.clone(), version)),
        }
    }

    /// Remembers an object of ours that was there, and tells of it.
    fn show(
        &self,
        prefix: &str,
        key: &str,
        version: ListedVersion,
        each: &mut dyn FnMut(&str, &Version) -> Result<()>,
    ) -> Result<()> {
        let (Some(key), Some(size)) = (key.strip_prefix(&self.live.prefix), version.size) else {
            return Ok(());
        };
        if check_key(key).is_err() || !key.starts_with(prefix) {
            return Ok(());
        }
        let version = Version {
            id: version.id,
            size,
            modified: version.modified,
        };
        each(key, &version)?;
        self.remember(key.to_owned(), version);
        Ok(())
    }

    /// Does the bucket keep versions? One that may not be asked counts as one that does.
    fn check_versions(&self) -> Result<()> {
        let request = request::get_bucket_versioning();
        let Ok(answer) = self.live.client.send(&request, Limits::default()) else {
            return Ok(());
        };
        match parse_versioning(&answer.body) {
            Ok(false) => Err(Error::usage(format!(
                "bucket {} keeps no versions, so that nobody knows how it was",
                self.live.client.bucket()
            ))
            .hint("leave out --point-in-time")),
            _ => Ok(()),
        }
    }
}

/// Is `a` newer than `b`, a version of the same key that was listed before it? Most servers tell whole seconds, and of two
/// in one second list the newer first, except that some list all deletions last.
fn comes_after(a: &ListedVersion, b: &ListedVersion) -> bool {
    let rank = |v: &ListedVersion| (v.modified, v.latest, v.size.is_some());
    rank(a) > rank(b)
}

impl Storage for PastS3 {
    fn put(&self, _: &str, _: &[u8], _: &PutOptions) -> Result<Stored> {
        self.refusal()
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>> {
        self.read(key, |wanted| read::get(&self.live, wanted, limit))
    }

    fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Vec<u8>> {
        self.read(key, |wanted| {
            read::get_range(&self.live, wanted, offset, length)
        })
    }

    fn head(&self, key: &str) -> Result<ObjectInfo> {
        self.version(key).map(|version| ObjectInfo {
            key: key.to_owned(),
            size: version.size,
            modified: version.modified,
        })
    }

    fn checksum(&self, key: &str) -> Result<Option<Id>> {
        self.read(key, |wanted| read::checksum(&self.live, wanted))
    }

    fn list(&self, prefix: &str, each: &mut dyn FnMut(ObjectInfo) -> Result<()>) -> Result<Listed> {
        self.scan(prefix, &mut |key, version| {
            each(ObjectInfo {
                key: key.to_owned(),
                size: version.size,
                modified: version.modified,
            })
        })
    }

    fn delete(&self, _: &str) -> Result<()> {
        self.refusal()
    }

    fn now(&self) -> Time {
        self.live.now()
    }

    fn check_place(&self) -> Result<()> {
        self.live.check_place()?;
        self.check_versions()
    }

    fn check_lock(&self) -> Result<()> {
        self.refusal()
    }

    fn retain(&self, _: &str, _: &Retained) -> Result<()> {
        self.refusal()
    }

    fn moment(&self) -> Option<Time> {
        Some(self.moment)
    }

    fn describe(&self) -> String {
        format!("{}, as it was at {}", self.live.describe(), self.moment)
    }

    fn usage(&self) -> Usage {
        self.live.usage()
    }

    fn connections(&self) -> Option<usize> {
        self.live.connections()
    }
}
