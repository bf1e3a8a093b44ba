//! What object lock and the past need, for those who mean to use them. Nothing is locked for that.

use super::permissions::{Granted, note};
use super::report::{Group, Report, Verdict};
use super::scratch::{Scratch, said, service};
use crate::format::lock::LockMode;
use crate::s3::request::{self, VersionPage};
use crate::s3::response::{parse_lock_configuration, parse_versioning, parse_versions};
use crate::storage::Retained;
use std::time::Duration;

/// What is meant to be used beyond the usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meant {
    /// Object lock.
    pub lock: bool,
    /// `--point-in-time`.
    pub past: bool,
}

/// Tries what is needed. Comes before the scratch object `permission` is deleted.
pub fn check(scratch: &Scratch<'_>, meant: Meant, granted: Granted, report: &mut Report) {
    if meant.lock {
        lock(scratch, report);
    }
    if meant.past {
        past(scratch, granted, report);
    }
}

fn lock(scratch: &Scratch<'_>, report: &mut Report) {
    let request = request::get_object_lock_configuration();
    let result = scratch.send(&request);
    let enabled = result
        .as_ref()
        .is_ok_and(|answer| parse_lock_configuration(&answer.body) == Ok(true));
    if note(report, request.permission(), true, result) {
        let (verdict, detail) = match enabled {
            true => (Verdict::Fine, "the bucket has it"),
            false => (Verdict::Wrong, "the bucket does not have it: enable it"),
        };
        report.add(Group::Operations, "object lock", verdict, detail);
    }
    // An object that is not there cannot be locked; whether it could be asked for, the answer tells.
    let key = scratch.key("nothing");
    let shortly = Retained {
        mode: LockMode::Governance,
        until: scratch.client.clock().now().plus(Duration::from_secs(60)),
    };
    for request in [
        request::get_object_retention(&key),
        request::put_object_retention(&key, &shortly),
    ] {
        match scratch.send(&request) {
            // In a bucket without locks there is nothing to ask for.
            Err(f) if !enabled && service(&f).is_some_and(|e| e.status == 400) => {
                report.unknown(Group::Permissions, request.permission());
            }
            result => drop(note(report, request.permission(), true, result)),
        }
    }
}

fn past(scratch: &Scratch<'_>, granted: Granted, report: &mut Report) {
    let request = request::get_bucket_versioning();
    match scratch.send(&request) {
        Ok(answer) => {
            report.add(
                Group::Permissions,
                request.permission(),
                Verdict::Fine,
                "granted",
            );
            let (verdict, detail) = match parse_versioning(&answer.body) {
                Ok(true) => (Verdict::Fine, "the bucket keeps them".to_owned()),
                Ok(false) => (Verdict::Wrong, "the bucket keeps none".to_owned()),
                Err(why) => (Verdict::Wrong, why),
            };
            report.add(Group::Operations, "versions", verdict, detail);
        }
        Err(f) => report.add(
            Group::Permissions,
            request.permission(),
            Verdict::NotNeeded,
            format!(
                "{}; without it nobody says if the bucket keeps versions",
                said(&f)
            ),
        ),
    }
    let key = scratch.key("permission");
    let request = request::list_versions(VersionPage {
        prefix: &key,
        ..VersionPage::default()
    });
    let result = scratch.send(&request);
    let page = result.as_ref().ok().map(|a| parse_versions(&a.body));
    if !note(report, request.permission(), false, result) {
        return report.unknown(Group::Permissions, "s3:GetObjectVersion");
    }
    match page {
        Some(Err(why)) => report.add(Group::Operations, "list versions", Verdict::Wrong, why),
        Some(Ok(page)) => match page.versions.iter().find(|v| v.key == key) {
            Some(version) => {
                let request = request::get_object(&key).of_version(&version.id);
                let result = scratch.send(&request);
                note(report, request.permission(), true, result);
            }
            None if granted.put => report.add(
                Group::Operations,
                "list versions",
                Verdict::Wrong,
                "an object that was put is not listed",
            ),
            None => report.unknown(Group::Permissions, "s3:GetObjectVersion"),
        },
        None => {}
    }
}
