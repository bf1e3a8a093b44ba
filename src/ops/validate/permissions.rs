//! Each permission of the documented policies, one by one.

use super::locks::{self, Meant};
use super::report::{Group, Report, Verdict};
use super::scratch::{Scratch, is_denied, is_missing, said};
use crate::s3::client::{Answer, Failure};
use crate::s3::request::{self, Action, ListPage};

/// What the keys may do; later checks need all but the last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Granted {
    pub list: bool,
    pub put: bool,
    pub get: bool,
    pub delete: bool,
}

/// Tries each.
pub fn check(scratch: &Scratch<'_>, meant: Meant, report: &mut Report) -> Granted {
    let mut granted = Granted::default();
    let list = request::list_objects(ListPage {
        prefix: &scratch.prefix,
        max_keys: Some(1),
        ..ListPage::default()
    });
    granted.list = note(report, list.permission(), false, scratch.send(&list));
    let put = scratch.put("permission", b"corso");
    granted.put = note(report, Action::PutObject.permission(), false, put);
    let key = scratch.key("permission");
    // Of a missing object, S3 says AccessDenied instead of NoSuchKey to those who may not list.
    let get = scratch.send(&request::get_object(&key));
    granted.get = note(report, Action::GetObject.permission(), true, get);
    locks::check(scratch, meant, granted, report);
    let delete = scratch.send(&request::delete_object(&key));
    granted.delete = note(report, Action::DeleteObject.permission(), true, delete);
    location(scratch, report);
    granted
}

/// Was it granted? Whether what was asked for is there may be another question: then it may be `missing`.
pub(super) fn note(
    report: &mut Report,
    name: &'static str,
    missing: bool,
    result: Result<Answer, Failure>,
) -> bool {
    match result {
        Ok(_) => report.add(Group::Permissions, name, Verdict::Fine, "granted"),
        Err(f) if missing && is_missing(&f) => {
            report.add(Group::Permissions, name, Verdict::Fine, "granted");
        }
        Err(f) if is_denied(&f) => {
            let detail = format!("denied ({}): allow {name}", said(&f));
            report.add(Group::Permissions, name, Verdict::Denied, detail);
            return false;
        }
        Err(f) => {
            report.add(Group::Permissions, name, Verdict::Wrong, said(&f));
            return false;
        }
    }
    true
}

/// Asked for only where a server says "wrong region" and not which is right.
fn location(scratch: &Scratch<'_>, report: &mut Report) {
    let name = Action::GetBucketLocation.permission();
    let (verdict, detail) = match scratch.send(&request::get_bucket_location()) {
        Ok(_) => (Verdict::Fine, "granted".to_owned()),
        Err(f) => (
            Verdict::NotNeeded,
            format!("{}; not needed, since the region is known", said(&f)),
        ),
    };
    report.add(Group::Permissions, name, verdict, detail);
}
