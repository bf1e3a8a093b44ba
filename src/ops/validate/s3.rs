//! A bucket.

use super::integrity::{self, Condition};
use super::locks::Meant;
use super::permissions;
use super::report::Report;
use super::scratch::{LARGE, Scratch, noise};
use super::speed::{Probe, measure};
use super::{operations, report::Verdict};
use crate::error::Result;
use crate::report::{Event, Observer, Stop};
use crate::s3::provider::Checksum;
use crate::s3::request;
use crate::storage::Storage;
use crate::storage::s3::S3Storage;

/// Asks a bucket, below the repository's prefix; also for what is `meant` to be used.
///
/// # Errors
/// `BucketMissing`, and whatever keeps the first request from being answered; all else is in the report.
pub fn s3(
    storage: &S3Storage,
    meant: Meant,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<Report> {
    observer.event(Event::Phase("looking for the bucket"));
    if let Err(e) = storage.check_place()
        && e.kind() != crate::error::Kind::PermissionDenied
    {
        return Err(e);
    }
    let client = storage.client();
    let scratch = Scratch::new(client, storage.prefix())?;
    let mut report = Report {
        place: format!("{} at {}", storage.describe(), client.endpoint().text()),
        provider: client.provider().name.to_owned(),
        ..Report::default()
    };
    let result = ask(&scratch, meant, &mut report, observer, stop);
    features_at_once(storage, &mut report);
    observer.event(Event::Phase("removing what was put"));
    report.left_behind = scratch.remove();
    if result.is_err() {
        for key in &report.left_behind {
            observer.event(Event::Warning(&format!("{key} could not be removed")));
        }
    }
    report.clock_ms = client.clock().skew_ms();
    result.map(|()| report)
}

fn ask(
    scratch: &Scratch<'_>,
    meant: Meant,
    report: &mut Report,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<()> {
    observer.event(Event::Phase("checking permissions"));
    let granted = permissions::check(scratch, meant, report);
    let (mut condition, mut checksum) = (None, false);
    stop.check()?;
    if granted.put {
        observer.event(Event::Phase("checking operations"));
        operations::check(scratch, granted, report)?;
        stop.check()?;
        observer.event(Event::Phase("checking what the storage checks"));
        (condition, checksum) = integrity::check(scratch, granted, report);
        // What cannot be removed again is not put in such amounts.
        stop.check()?;
        if granted.get && granted.delete {
            observer.event(Event::Phase("measuring"));
            speeds(scratch, report, stop)?;
        }
        report.keeps_versions = keeps_versions(scratch);
    }
    features(scratch, report, condition, checksum);
    Ok(())
}

/// Does the bucket keep old versions? Then each object has one to its name; to ask the bucket takes another permission.
fn keeps_versions(scratch: &Scratch<'_>) -> bool {
    scratch.put("version", b"").ok();
    let answer = scratch.send(&request::head_object(&scratch.key("version")));
    answer.is_ok_and(|a| a.header("x-amz-version-id").is_some_and(|v| v != "null"))
}

fn speeds(scratch: &Scratch<'_>, report: &mut Report, stop: &Stop) -> Result<()> {
    let body = noise(LARGE)?;
    let length = body.len() as u64;
    let name = |number: usize| format!("speed/{number}");
    scratch.put("ping", b"").ok();
    let probe = Probe {
        ping: &|| {
            scratch
                .send(&request::head_object(&scratch.key("ping")))
                .is_ok()
        },
        put: &|n| scratch.put(&name(n), &body).ok().map(|_| length),
        get: &|n| scratch.get(&name(n)).ok().map(|b| b.len() as u64),
    };
    measure(&probe, report, stop)
}

/// What Corso will use, as its own table has it and as the answers were.
fn features(
    scratch: &Scratch<'_>,
    report: &mut Report,
    condition: Option<Condition>,
    checksum: bool,
) {
    let provider = scratch.client.provider();
    let sent = provider.conditional_put.sent();
    let why = match condition {
        Some(Condition::Honoured) if sent => "honoured here",
        Some(Condition::Honoured) => "honoured here, and not asked for at this provider",
        Some(Condition::Ignored) => "ignored here, and not needed",
        Some(Condition::Refused) => "refused here, and not needed",
        None => "not found out",
    };
    let used = sent && condition == Some(Condition::Honoured);
    report.feature("conditional create", used, why);
    let asked = provider.checksum == Checksum::Sha256;
    let why = match (asked, checksum) {
        (true, true) => "sent with every object, and asked for by repo check --checksums",
        (true, false) => "sent with every object, and not kept here",
        (false, true) => "kept here; --provider minio sends it and lets repo check ask for it",
        (false, false) => "not sent: the signature covers the content's SHA-256 anyway",
    };
    report.feature("x-amz-checksum-sha256", asked && checksum, why);
    let batches = report
        .finding("batch delete")
        .is_some_and(|f| f.verdict == Verdict::Fine);
    let (used, why) = match provider.delete_batch {
        1 => (false, "not asked for at this provider".to_owned()),
        most if batches => (true, format!("up to {most} keys in one request")),
        _ => (false, "objects are deleted one by one".to_owned()),
    };
    report.feature("batch delete", used, why);
    let ranges = report
        .finding("ranged get")
        .is_some_and(|f| f.verdict == Verdict::Fine);
    report.feature(
        "ranged get",
        ranges,
        "for single chunks, and to go on where a transfer broke",
    );
}

/// As a backup has it: what is measured may be more.
fn features_at_once(storage: &S3Storage, report: &mut Report) {
    let usual = storage.client().provider().connections;
    let most = storage.connections().unwrap_or(usual);
    report.feature("requests at a time", true, format!("up to {most}"));
}
