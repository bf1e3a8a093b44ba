//! Packs by their listing, and by the hashes that the provider holds.

use super::report::{CheckReport, What};
use crate::error::Result;
use crate::id::Id;
use crate::ops::survey::{Health, Survey};
use crate::repo::{Repository, pack_key};
use crate::report::{Event, Observer, Progress, Stop};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Requests at a time.
const ASKERS: usize = 8;

/// Holds what the index says of packs against their listing.
pub fn compare(survey: &Survey, report: &mut CheckReport) {
    let mut seen: HashMap<Id, [u8; 16]> = HashMap::new();
    let dead = &survey.view.dead_packs;
    survey.each_described(&mut |pack| {
        // On its way out, whatever became of it: what is needed of it is read with the trees.
        if dead.contains(&pack.name) {
            return;
        }
        let key = pack_key(&pack.name);
        if let Some(digest) = seen.insert(pack.name, pack.digest) {
            if digest != pack.digest {
                let text = "index objects say different things of this pack";
                report.add(What::IndexConflict, key, text);
            }
            return;
        }
        report.packs += 1;
        report.pack_bytes += pack.size;
        match survey.packs.get(&pack.name) {
            Some(size) if *size == pack.size => {}
            Some(size) => report.add(
                What::PackSize,
                key,
                format!("it has {size} bytes and should have {}", pack.size),
            ),
            None => report.add(What::PackMissing, key, "it is not there"),
        }
    });
    for (name, size) in &survey.packs {
        if !seen.contains_key(name) && !dead.contains(name) {
            report.unindexed_packs += 1;
            report.unindexed_bytes += size;
        }
    }
    report.strangers = survey.strangers.len() as u64;
}

/// Names and lengths of the packs that the index names and the listing has, and that no tombstone names.
pub fn known(survey: &Survey) -> Vec<(Id, u64)> {
    let mut names = HashMap::new();
    survey.each_described(&mut |pack| {
        let stays = !survey.view.dead_packs.contains(&pack.name);
        if let (true, Some(size)) = (stays, survey.packs.get(&pack.name)) {
            names.insert(pack.name, *size);
        }
    });
    names.into_iter().collect()
}

/// Asks the provider for the hash of every pack.
pub fn checksums(
    repo: &Repository,
    survey: &Survey,
    observer: &dyn Observer,
    stop: &Stop,
    report: &mut CheckReport,
    health: &mut Health,
) -> Result<()> {
    observer.event(Event::Phase("asking for checksums"));
    let packs = known(survey);
    let next = AtomicUsize::new(0);
    let outcome = Mutex::new((report, health, Ok(())));
    let lock = || outcome.lock().unwrap_or_else(|e| e.into_inner());
    let ask = || {
        while let Some((name, _)) = packs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let answer = stop.check().and_then(|()| {
                let key = pack_key(name);
                repo.patience.judge(&key, repo.storage().checksum(&key))
            });
            let (report, health, failed) = &mut *lock();
            match answer {
                Ok(Some(hash)) if hash == *name => report.checksums += 1,
                Ok(None) => report.no_checksum += 1,
                Ok(Some(_)) => {
                    let text = "the storage holds other bytes than its name says";
                    report.add(What::Pack, pack_key(name), text);
                    health.set_bad(*name);
                }
                Err(e) if e.is_of_one_object() => {
                    report.add_failure(What::Pack, pack_key(name), &e);
                }
                Err(e) => {
                    *failed = Err(e);
                    next.store(packs.len(), Ordering::Relaxed);
                }
            }
            observer.event(Event::Progress(Progress {
                files: report.checksums + report.no_checksum,
                files_total: packs.len() as u64,
                ..Progress::default()
            }));
        }
    };
    std::thread::scope(|scope| {
        (0..ASKERS.min(packs.len())).for_each(|_| drop(scope.spawn(ask)));
    });
    outcome.into_inner().unwrap_or_else(|e| e.into_inner()).2
}
