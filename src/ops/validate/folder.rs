//! A folder: the same questions by the storage's own trait.

use super::report::{Group, Report, Verdict};
use super::scratch::{LARGE, name, noise};
use super::speed::{Probe, measure};
use crate::error::{Kind, Result};
use crate::id::Id;
use crate::report::{Event, Observer, Stop};
use crate::storage::filesystem::{FilesystemStorage, failure};
use crate::storage::{PutOptions, Storage};
use crate::units::Time;
use std::path::Path;

/// Asks the folder `root`, in a folder below it that is removed afterwards.
///
/// # Errors
/// `BucketMissing` where there is no folder, and what keeps anything from being put there.
pub fn folder(root: &Path, observer: &dyn Observer, stop: &Stop) -> Result<Report> {
    observer.event(Event::Phase("looking for the folder"));
    FilesystemStorage::open(root, false)?;
    let scratch = root.join(name()?);
    std::fs::create_dir(&scratch).map_err(|e| failure("creating", &scratch, e))?;
    let asked = ask(&scratch, observer, stop);
    observer.event(Event::Phase("removing what was put"));
    let removed = std::fs::remove_dir_all(&scratch);
    let left = removed.is_err().then(|| scratch.display().to_string());
    let mut report = asked.inspect_err(|_| {
        if let Some(left) = &left {
            observer.event(Event::Warning(&format!("{left} could not be removed")));
        }
    })?;
    report.place = format!("path {}", root.display());
    report.left_behind.extend(left);
    Ok(report)
}

fn ask(scratch: &Path, observer: &dyn Observer, stop: &Stop) -> Result<Report> {
    let storage = FilesystemStorage::open(scratch, false)?;
    let mut report = Report::default();
    observer.event(Event::Phase("checking operations"));
    let body = noise(LARGE)?;
    let mut note = |name, result: Result<bool>, fine: &str| match result {
        Ok(true) => report.add(Group::Operations, name, Verdict::Fine, fine),
        Ok(false) => report.add(
            Group::Operations,
            name,
            Verdict::Wrong,
            "something else came back",
        ),
        Err(e) => report.add(Group::Operations, name, Verdict::Wrong, e.to_string()),
    };
    note(
        "put, get, head",
        round_trip(&storage, &body),
        "1 MiB and an empty object, synced to the disk",
    );
    note(
        "ranged get",
        storage
            .get_range("large", 1000, 70_000)
            .map(|b| b == body[1000..71_000]),
        "the right bytes",
    );
    note("list", listing(&storage), "complete and in order");
    note("replace", replaced(&storage), "in one step");
    note("delete", deleted(&storage), "also of what is not there");
    let created = PutOptions {
        if_absent: true,
        ..PutOptions::default()
    };
    let (verdict, detail) = match storage.put("list/0", b"second", &created) {
        Err(e) if e.kind() == Kind::ObjectExists => (Verdict::Fine, "honoured".to_owned()),
        Err(e) => (Verdict::Wrong, e.to_string()),
        Ok(_) => (
            Verdict::NotNeeded,
            "ignored; not needed: objects are named by their content".to_owned(),
        ),
    };
    report.feature(
        "conditional create",
        verdict == Verdict::Fine,
        detail.clone(),
    );
    report.add(Group::Integrity, "conditional create", verdict, detail);
    report.clock_ms = storage.now().0.saturating_sub(Time::local_now().0);
    observer.event(Event::Phase("measuring"));
    let sha256 = Id::sha256(&body);
    let options = PutOptions {
        sha256: Some(sha256),
        ..PutOptions::default()
    };
    let (key, length) = (|n: usize| format!("speed/{n}"), body.len() as u64);
    measure(
        &Probe {
            ping: &|| storage.head("large").is_ok(),
            put: &|n| storage.put(&key(n), &body, &options).ok().map(|_| length),
            get: &|n| storage.get(&key(n), length).ok().map(|b| b.len() as u64),
        },
        &mut report,
        stop,
    )?;
    Ok(report)
}

fn round_trip(storage: &dyn Storage, body: &[u8]) -> Result<bool> {
    for (key, body) in [("large", body), ("empty", &[][..])] {
        storage.put(key, body, &PutOptions::default())?;
        if storage.get(key, LARGE as u64)? != body || storage.head(key)?.size != body.len() as u64 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn listing(storage: &dyn Storage) -> Result<bool> {
    let names: Vec<String> = (0..5).map(|n| format!("list/{n}")).collect();
    for name in &names {
        storage.put(name, b"x", &PutOptions::default())?;
    }
    let mut listed = Vec::new();
    storage.list("list/", &mut |object| {
        listed.push(object.key);
        Ok(())
    })?;
    Ok(listed == names)
}

fn replaced(storage: &dyn Storage) -> Result<bool> {
    storage.put("list/1", b"second", &PutOptions::default())?;
    Ok(storage.get("list/1", 100)? == b"second")
}

fn deleted(storage: &dyn Storage) -> Result<bool> {
    storage.delete("empty")?;
    storage.delete("empty")?;
    Ok(storage
        .head("empty")
        .is_err_and(|e| e.kind() == Kind::ObjectMissing))
}
