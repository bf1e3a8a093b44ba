//! One cell: damage, operation, outcome, and what must hold whatever the outcome.

use crate::world::{Bench, Objects, Warnings, options, read_files};
use corso::error::{Error, Kind};
use corso::id::Id;
use corso::ops::backup;
use corso::ops::check::{CheckOptions, CheckReport, Subset, check};
use corso::ops::maintenance::{MaintenanceOptions, maintain};
use corso::ops::opened::OpenSnapshot;
use corso::ops::repair::{
    IndexOptions, PacksOptions, SnapshotsOptions, repair_index, repair_packs, repair_snapshots,
};
use corso::ops::restore::RestoreOptions;
use corso::repo::Repository;
use corso::repo::snapshots::SnapshotFilter;
use corso::report::{Observer, Silent, Stop};
use corso::storage::Storage;
use corso::storage::memory::Saved;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub const KINDS: [&str; 8] = [
    "config",
    "key slot",
    "data pack",
    "metadata pack",
    "index object",
    "snapshot",
    "record",
    "tombstone",
];
pub const DAMAGES: [&str; 6] = ["delete", "truncate", "zero", "flip", "swap", "replay"];
pub const OPERATIONS: [&str; 6] = [
    "backup",
    "restore",
    "check",
    "repair",
    "maintenance",
    "list",
];

/// Files that come out right: snapshot and name.
type Restorable = BTreeSet<(Id, String)>;

/// The cells of one row.
struct Cells<'b> {
    bench: &'b Bench<'b>,
    repo: &'b Arc<Repository>,
    before: Saved,
    /// A check finds nothing: what was done is no damage, and nothing has to be undone.
    clean: bool,
    restorable: Restorable,
    restored: String,
    undamaged: Vec<(String, Option<Vec<u8>>)>,
    /// Config and key slots are read when a repository is opened.
    anew: bool,
}

impl Cells<'_> {
    fn one(&self, operation: &str, cell: &str) -> String {
        let Cells { bench, repo, .. } = self;
        bench.storage.load(&self.before);
        bench.storage.set_clock(bench.history.now);
        let contents = bench.storage.contents();
        let outcome = match operation {
            "backup" => bench.backup(repo),
            "restore" => self.restored.clone(),
            "check" => bench.check(repo),
            "repair" => bench.repair(repo, cell, &self.restorable),
            "maintenance" => bench.maintenance(repo),
            _ => bench.list(repo),
        };
        if bench.storage.contents() == contents {
            return outcome;
        }
        let writes = !matches!(operation, "restore" | "check" | "list");
        bench.claim(writes, || format!("{cell}: it writes"));
        let honest = !outcome.starts_with("refused");
        bench.claim(honest, || format!("{cell}: {outcome}, and wrote"));
        bench.nothing_is_worse(repo, cell, &self.restorable);
        if !self.clean {
            bench.undo(&self.undamaged);
        }
        let opened = self.anew.then(|| Bench::open(&bench.storage).unwrap());
        let report = checked(opened.as_ref().unwrap_or(repo));
        bench.claim(report.is_clean(), || {
            format!("{cell}, undone: {:?} {:?}", report.findings, report.files)
        });
        outcome
    }
}

impl Bench<'_> {
    /// The outcomes of all operations after `damage` to an object of `kind`.
    pub fn row(&self, kind: &str, damage: &str) -> Vec<String> {
        let anew = matches!(kind, "config" | "key slot");
        self.reset();
        let undamaged = self.damage(kind, damage);
        let before = self.storage.save();
        let repo = match anew {
            false => Ok(self.repo.clone()),
            true => Bench::open(&self.storage),
        };
        let repo = match repo {
            Ok(repo) => repo,
            // Nothing is done without the repository.
            Err(e) => return vec![refused(&e); OPERATIONS.len()],
        };
        let (restorable, restored) = self.restore(&repo);
        let cells = Cells {
            bench: self,
            repo: &repo,
            before,
            clean: checked(&repo).is_clean(),
            restorable,
            restored,
            undamaged,
            anew,
        };
        let one = |operation: &&str| {
            let name = format!("{kind}, {damage}, {operation}");
            let run = AssertUnwindSafe(|| cells.one(operation, &name));
            catch_unwind(run).unwrap_or_else(|_| {
                self.claim(false, || format!("{name}: it panics"));
                "panic".into()
            })
        };
        OPERATIONS.iter().map(one).collect()
    }

    /// Notes what does not hold; the test fails in the end, with all of it.
    fn claim(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.broken.lock().unwrap().push(what());
        }
    }

    /// Damages an object. Gives the objects to put back, with none for one that was not there.
    fn damage(&self, kind: &str, damage: &str) -> Vec<(String, Option<Vec<u8>>)> {
        let keys = self.keys(kind, &self.objects);
        let key = match kind {
            // The one whose passphrase is used.
            "key slot" => format!("keys/{}", self.repo.slot()),
            _ => keys.last().unwrap().clone(),
        };
        let body = self.objects[&key].clone();
        let tamper =
            |key: &str, change: &dyn Fn(&mut Vec<u8>)| assert!(self.storage.tamper(key, change));
        let mut undamaged = vec![(key.clone(), Some(body.clone()))];
        match damage {
            "delete" => self.storage.delete(&key).unwrap(),
            "truncate" => tamper(&key, &|b| b.truncate(b.len() / 2)),
            "zero" => tamper(&key, &|b| b.fill(0)),
            "flip" => tamper(&key, &|b| {
                let at = b.len() / 2;
                b[at] ^= 0x10;
            }),
            "swap" => match keys.iter().find(|k| **k != key) {
                Some(other) => {
                    let bytes = self.objects[other].clone();
                    tamper(&key, &|b| *b = bytes.clone());
                    tamper(other, &|b| *b = body.clone());
                    undamaged.push((other.clone(), Some(bytes)));
                }
                // There is one config: it changes places with a key slot.
                None => {
                    let bytes = self.objects[&format!("keys/{}", self.repo.slot())].clone();
                    tamper(&key, &|b| *b = bytes.clone());
                }
            },
            _ => match kind {
                "config" => {
                    let mut older = corso::format::config::Config::decode(&body).unwrap();
                    older.pack_size *= 2;
                    let bytes = older.encode().unwrap();
                    tamper(&key, &|b| *b = bytes.clone());
                }
                _ => undamaged = vec![(self.replay(kind), None)],
            },
        }
        undamaged
    }

    /// Puts an object that was removed once.
    fn replay(&self, kind: &str) -> String {
        let gone: Objects = self
            .history
            .ever
            .iter()
            .filter(|(key, _)| !self.objects.contains_key(*key))
            .map(|(k, b)| (k.clone(), b.clone()))
            .collect();
        let mut keys = self.keys(kind, &gone);
        // Of the others all is there still: tombstones name it.
        let first = self
            .history
            .first_deleted
            .map(|id| format!("snapshots/{id}"));
        keys.retain(|k| kind != "snapshot" || Some(k) == first.as_ref());
        let key = keys
            .first()
            .unwrap_or_else(|| panic!("no {kind} was ever removed"));
        self.storage
            .put(key, &gone[key], &Default::default())
            .unwrap();
        key.clone()
    }

    fn undo(&self, undamaged: &[(String, Option<Vec<u8>>)]) {
        for (key, body) in undamaged {
            match body {
                Some(body) => drop(self.storage.put(key, body, &Default::default()).unwrap()),
                None => self.storage.delete(key).unwrap(),
            }
        }
    }

    fn nothing_is_worse(&self, repo: &Arc<Repository>, cell: &str, restorable: &Restorable) {
        let (now, _) = self.restore(repo);
        let lost: Vec<_> = restorable.difference(&now).collect();
        self.claim(lost.is_empty(), || {
            format!("{cell}: not restorable any more: {lost:?}")
        });
    }

    fn backup(&self, repo: &Arc<Repository>) -> String {
        let warnings = Arc::new(Warnings::default());
        let options = options(&self.history.source());
        let made = backup::create(repo.clone(), &options, warnings.clone(), &Stop::default());
        match made {
            Ok(_) => done(&warnings),
            Err(e) => refused(&e),
        }
    }

    /// Restores every backup and holds each file against what was backed up.
    fn restore(&self, repo: &Arc<Repository>) -> (Restorable, String) {
        let mut good = Restorable::new();
        let mut outcome = "ok";
        let mut names = match repo.snapshot_names() {
            Ok(names) => names,
            Err(e) => return (good, refused(&e)),
        };
        names.sort();
        for id in names {
            match self.restore_one(repo, &id, &mut good) {
                Ok(true) => {}
                Ok(false) => outcome = "partial",
                Err(e) if matches!(e.kind(), Kind::Damaged | Kind::ObjectMissing) => {
                    outcome = "partial"
                }
                Err(e) => return (good, refused(&e)),
            }
        }
        for id in self.history.files.keys() {
            let listed = self.objects.contains_key(&format!("snapshots/{id}"));
            if listed && !good.iter().any(|(i, _)| i == id) {
                outcome = "partial";
            }
        }
        (good, outcome.into())
    }

    /// Is all of it there?
    fn restore_one(
        &self,
        repo: &Arc<Repository>,
        id: &Id,
        good: &mut Restorable,
    ) -> corso::error::Result<bool> {
        let out = tempfile::tempdir().unwrap();
        let options = RestoreOptions {
            destination: out.path().to_owned(),
            ..RestoreOptions::default()
        };
        let opened = OpenSnapshot::new(repo, repo.snapshot(id)?, &Silent)?;
        let report = opened.restore(&options, &Silent, &Stop::default())?;
        let landed = read_files(
            &out.path()
                .join(self.history.source().strip_prefix("/").unwrap()),
        );
        let now = read_files(&self.history.source());
        // A backup that an operation here has made is one of the source as it is.
        let want = self.history.files.get(id).unwrap_or(&now);
        for (name, bytes) in &landed {
            let right = want.get(name) == Some(bytes);
            self.claim(right, || format!("{name} of {id} has wrong bytes"));
            good.insert((*id, name.clone()));
        }
        let whole = landed.len() == want.len();
        let told = whole || report.errors > 0;
        self.claim(told, || format!("files of {id} are missing, unnoticed"));
        Ok(whole && report.errors == 0)
    }

    fn check(&self, repo: &Arc<Repository>) -> String {
        match checked(repo).is_clean() {
            true => "ok".into(),
            false => "found".into(),
        }
    }

    fn repair(&self, repo: &Arc<Repository>, cell: &str, restorable: &Restorable) -> String {
        let contents = self.storage.contents();
        let was_clean = checked(repo).is_clean();
        let stop = Stop::default();
        let observer: Arc<dyn Observer> = Arc::new(Silent);
        let packs = PacksOptions {
            read_data: true,
            ..PacksOptions::default()
        };
        let repaired = repair_index(repo, &IndexOptions::default(), &Silent, &stop)
            .and_then(|_| repair_packs(repo, &packs, &Silent, &stop))
            .and_then(|_| repair_snapshots(repo, &SnapshotsOptions::default(), &observer, &stop));
        if let Err(e) = repaired {
            return refused(&e);
        }
        if checked(repo).is_clean() {
            return match was_clean && self.storage.contents() == contents {
                true => "ok".into(),
                false => "healed".into(),
            };
        }
        let after = self.storage.save();
        self.backup(repo);
        let healed = checked(repo).is_clean();
        self.nothing_is_worse(repo, cell, restorable);
        self.storage.load(&after);
        if healed { "backup heals" } else { "left" }.into()
    }

    fn maintenance(&self, repo: &Arc<Repository>) -> String {
        let warnings = Warnings::default();
        match maintain(
            repo,
            &MaintenanceOptions::default(),
            &warnings,
            &Stop::default(),
        ) {
            // It says of which backup the data was left alone.
            Ok(report) if !report.frozen.is_empty() => "left".into(),
            Ok(_) => done(&warnings),
            Err(e) => refused(&e),
        }
    }

    fn list(&self, repo: &Arc<Repository>) -> String {
        let warnings = Warnings::default();
        match repo.snapshots(&SnapshotFilter::default(), &warnings) {
            Ok(_) => done(&warnings),
            Err(e) => refused(&e),
        }
    }
}

fn checked(repo: &Arc<Repository>) -> CheckReport {
    let options = CheckOptions {
        read: Some(Subset::All),
        checksums: false,
    };
    check(repo, &options, &Silent, &Stop::default()).unwrap()
}

fn done(warnings: &Warnings) -> String {
    match warnings.0.load(Ordering::SeqCst) {
        0 => "ok".into(),
        _ => "warned".into(),
    }
}

fn refused(error: &Error) -> String {
    format!("refused {}", error.kind().exit_code())
}
