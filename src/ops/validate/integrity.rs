//! What the storage checks by itself, and what it keeps beside an object.

use super::permissions::Granted;
use super::report::{Group, Report, Verdict};
use super::scratch::{Scratch, is_missing, said, service};
use crate::id::Id;
use crate::s3::request::{self, Put, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const GROUP: Group = Group::Integrity;

/// What it does about `if-none-match: *`, for the list of features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Honoured,
    Ignored,
    Refused,
}

/// Everything; `put` has to be granted.
pub fn check(
    scratch: &Scratch<'_>,
    granted: Granted,
    report: &mut Report,
) -> (Option<Condition>, bool) {
    wrong_hash(scratch, report);
    wrong_md5(scratch, report);
    let checksum = checksum(scratch, granted, report);
    (condition(scratch, report), checksum)
}

fn plain<'a>(scratch: &Scratch<'_>, name: &str, body: &'a [u8], put: Put<'_>) -> Request<'a> {
    request::put_object(&scratch.key(name), body, &Id::sha256(body), put)
}

/// Was a put with something wrong in it refused? Some say so as an error of their own.
fn refused(scratch: &Scratch<'_>, report: &mut Report, name: &'static str, request: &Request<'_>) {
    let not_stored = || {
        let get = request::get_object(&request.key);
        scratch.send(&get).is_err_and(|f| is_missing(&f))
    };
    let harmless = "damage on the way would be found at the next read";
    let (verdict, detail) = match scratch.send(request) {
        Err(f) if service(&f).is_some_and(|e| e.status < 500) || not_stored() => {
            (Verdict::Fine, format!("refused ({})", said(&f)))
        }
        Err(f) => (Verdict::NotNeeded, format!("{}; {harmless}", said(&f))),
        Ok(_) => (Verdict::NotNeeded, format!("not looked at; {harmless}")),
    };
    report.add(GROUP, name, verdict, detail);
}

/// The signature covers a hash that is not the body's.
fn wrong_hash(scratch: &Scratch<'_>, report: &mut Report) {
    let mut request = plain(scratch, "hash", b"what was sent", Put::default());
    request.payload = Id::sha256(b"what was meant").hex();
    refused(scratch, report, "wrong payload hash", &request);
}

fn wrong_md5(scratch: &Scratch<'_>, report: &mut Report) {
    let put = Put {
        md5: true,
        ..Put::default()
    };
    let meant = plain(scratch, "md5", b"what was meant", put);
    let mut request = plain(scratch, "md5", b"what was sent", Put::default());
    request.headers = meant.headers;
    refused(scratch, report, "wrong Content-MD5", &request);
}

/// Is `x-amz-checksum-sha256` taken, and told when asked for?
fn checksum(scratch: &Scratch<'_>, granted: Granted, report: &mut Report) -> bool {
    let name = "checksum kept";
    let put = Put {
        checksum: true,
        ..Put::default()
    };
    let request = plain(scratch, "checksum", b"corso", put);
    if let Err(f) = scratch.send(&request) {
        report.add(
            GROUP,
            name,
            Verdict::NotNeeded,
            format!("not taken ({}); not needed", said(&f)),
        );
        return false;
    }
    if !granted.get {
        report.unknown(GROUP, name);
        return false;
    }
    let head = scratch.send(&request::head_checksum(&scratch.key("checksum")));
    let told = head
        .ok()
        .and_then(|a| a.header("x-amz-checksum-sha256").map(str::to_owned));
    let right = told == Some(STANDARD.encode(Id::sha256(b"corso")));
    match right {
        true => report.add(GROUP, name, Verdict::Fine, "SHA-256"),
        false => report.add(
            GROUP,
            name,
            Verdict::NotNeeded,
            "taken and not told; not needed",
        ),
    }
    right
}

/// A second create of the same key.
fn condition(scratch: &Scratch<'_>, report: &mut Report) -> Option<Condition> {
    let name = "conditional create";
    let put = Put {
        if_absent: true,
        ..Put::default()
    };
    let not_needed = "not needed: objects are named by their content";
    let first = scratch.send(&plain(scratch, "condition", b"first", put));
    let second = scratch.send(&plain(scratch, "condition", b"second", put));
    let (condition, verdict, detail) = match (first, second) {
        (Ok(_), Err(f)) if service(&f).is_some_and(|e| e.status == 412) => (
            Some(Condition::Honoured),
            Verdict::Fine,
            "honoured".to_owned(),
        ),
        (Ok(_), Ok(_)) => (
            Some(Condition::Ignored),
            Verdict::NotNeeded,
            format!("ignored; {not_needed}"),
        ),
        (Err(f), _) if service(&f).is_some_and(|e| matches!(e.status, 400 | 501)) => (
            Some(Condition::Refused),
            Verdict::NotNeeded,
            format!("refused ({}); {not_needed}", said(&f)),
        ),
        (Err(f), _) | (_, Err(f)) => (None, Verdict::Wrong, said(&f)),
    };
    report.add(GROUP, name, verdict, detail);
    condition
}
