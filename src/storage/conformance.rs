//! The contract of [`Storage`] as a suite that runs on every backend, one function per duty.

mod duties;

use super::{ObjectInfo, PutOptions, Storage, Stored};
use crate::error::{Context, Error, Kind, Result};
use crate::id::Id16;
use crate::units::MIB;
use std::sync::Mutex;

/// How to run the suite.
pub struct Options<'a> {
    /// Objects for the paginated listing; more than 1,000 make more than one page on S3.
    pub keys: usize,
    /// The same backend on a bucket or folder that does not exist.
    pub missing: Option<&'a dyn Storage>,
}

/// What backends may do either way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// `if_absent` on a taken key is refused (else it overwrites).
    pub conditional_puts: bool,
    /// Of 8 threads that created one key with `if_absent` at once, how many were told that they did. One where the
    /// condition is atomic.
    pub race_winners: usize,
    /// What is still listed after its deletion though `head` and `get` find nothing, without the run's prefix. Against
    /// the contract: a test expects none, or names the backend's defect.
    pub ghosts: Vec<String>,
}

/// Runs every duty under a fresh prefix `conformance/<random>/` and removes what it wrote.
///
/// Gives what the backend may choose, or the first failure, whose text starts with the duty's name.
pub fn run(storage: &dyn Storage, options: &Options) -> Result<Report> {
    let prefix = format!("conformance/{}/", Id16::random()?.short());
    let bench = Bench {
        storage,
        options,
        prefix,
    };
    for (name, duty) in duties::DUTIES {
        duty(&bench).context(|| *name)?;
    }
    let conditional_puts = conditional_puts(&bench).context(|| "conditional puts")?;
    let race_winners = race(&bench, conditional_puts).context(|| "a race of conditional puts")?;
    let ghosts = bench.clean_up().context(|| "cleaning up")?;
    Ok(Report {
        conditional_puts,
        race_winners,
        ghosts,
    })
}

/// What a duty works with.
struct Bench<'a> {
    storage: &'a dyn Storage,
    options: &'a Options<'a>,
    /// All of a run's keys are under this, so that runs do not meet.
    prefix: String,
}

impl Bench<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn put(&self, name: &str, body: &[u8]) -> Result<Stored> {
        self.storage
            .put(&self.key(name), body, &PutOptions::default())
    }

    fn get(&self, name: &str) -> Result<Vec<u8>> {
        self.storage.get(&self.key(name), 16 * MIB)
    }

    fn list(&self, name: &str) -> Result<Vec<ObjectInfo>> {
        let mut objects = Vec::new();
        let mut each = |o| {
            objects.push(o);
            Ok(())
        };
        self.storage.list(&self.key(name), &mut each)?;
        Ok(objects)
    }

    /// The keys of a listing, without the run's prefix.
    fn names(&self, name: &str) -> Result<Vec<String>> {
        let short = |o: ObjectInfo| {
            o.key
                .strip_prefix(&self.prefix)
                .unwrap_or(&o.key)
                .to_owned()
        };
        Ok(self.list(name)?.into_iter().map(short).collect())
    }

    /// Deletes all of the run's objects and checks that they are gone; gives those that only the listing still has.
    fn clean_up(&self) -> Result<Vec<String>> {
        let keys: Vec<String> = self.list("")?.into_iter().map(|o| o.key).collect();
        let results = self.storage.delete_many(&keys);
        results.into_iter().collect::<Result<()>>()?;
        let left = self.names("")?;
        for name in &left {
            let what = |op: &str| format!("{op} of {name}, which was deleted,");
            let missing = Kind::ObjectMissing;
            ensure_kind(self.storage.head(&self.key(name)), missing, &what("head"))?;
            ensure_kind(self.get(name), missing, &what("get"))?;
        }
        Ok(left)
    }
}

fn ensure(good: bool, problem: impl FnOnce() -> String) -> Result<()> {
    if good {
        Ok(())
    } else {
        Err(Error::failed(problem()))
    }
}

fn ensure_kind<T>(result: Result<T>, kind: Kind, what: &str) -> Result<()> {
    match result {
        Ok(_) => Err(Error::failed(format!(
            "{what} worked instead of failing with {}",
            kind.name()
        ))),
        Err(e) if e.kind() == kind => Ok(()),
        Err(e) => Err(Error::failed(format!(
            "{what} failed with {} instead of {}: {e}",
            e.kind().name(),
            kind.name()
        ))),
    }
}

/// Bytes that do not repeat within a buffer and differ by seed.
fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut body = vec![0; length];
    blake3::Hasher::new()
        .update(&seed.to_be_bytes())
        .finalize_xof()
        .fill(&mut body);
    body
}

fn conditional_puts(b: &Bench) -> Result<bool> {
    let put = |body: &[u8]| {
        b.storage.put(
            &b.key("conditional"),
            body,
            &PutOptions {
                if_absent: true,
                ..Default::default()
            },
        )
    };
    put(b"first").context(|| "creating")?;
    let honoured = match put(b"second") {
        Ok(_) => false,
        Err(e) if e.kind() == Kind::ObjectExists => true,
        Err(e) => return Err(e.context("creating again")),
    };
    let expected: &[u8] = if honoured { b"first" } else { b"second" };
    ensure(b.get("conditional")? == expected, || {
        "the body is not that of the put that won".into()
    })?;
    b.storage.delete(&b.key("conditional"))?;
    put(b"third").context(|| "creating after a deletion")?;
    Ok(honoured)
}

/// Where the condition is not atomic there may be more winners than one, but never a mixture.
fn race(b: &Bench, honoured: bool) -> Result<usize> {
    let winners = Mutex::new(Vec::new());
    let options = PutOptions {
        if_absent: true,
        ..Default::default()
    };
    in_threads(8, |thread| {
        match b
            .storage
            .put(&b.key("race"), &bytes(50_000, thread), &options)
        {
            Ok(_) => {
                winners
                    .lock()
                    .map_err(|_| Error::failed("a thread panicked"))?
                    .push(thread);
                Ok(())
            }
            Err(e) if honoured && e.kind() == Kind::ObjectExists => Ok(()),
            Err(e) => Err(e),
        }
    })?;
    let winners = winners
        .into_inner()
        .map_err(|_| Error::failed("a thread panicked"))?;
    let found = b.get("race")?;
    ensure(winners.iter().any(|w| found == bytes(50_000, *w)), || {
        "the body is that of no winner".into()
    })?;
    Ok(winners.len())
}

/// Runs `work` with 0, 1, ... in as many threads at once; gives the first error.
fn in_threads(count: u64, work: impl Fn(u64) -> Result<()> + Sync) -> Result<()> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..count).map(|i| scope.spawn(move || work(i))).collect();
        threads.into_iter().try_for_each(|t| {
            t.join()
                .unwrap_or_else(|_| Err(Error::failed("a thread panicked")))
        })
    })
}
