//! Each permission of the documented policies, one by one.

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
pub fn check(scratch: &Scratch<'_>, report: &mut Report) -> Granted {
    let mut granted = Granted::default();
    let list = request::list_objects(ListPage {
        prefix: &scratch.prefix,
        max_keys: Some(1),
        ..ListPage::default()
    });
    granted.list = note(report, Action::ListObjects, scratch.send(&list));
    granted.put = note(
        report,
        Action::PutObject,
        scratch.put("permission", b"corso"),
    );
    let key = scratch.key("permission");
    // Of a missing object, S3 says AccessDenied instead of NoSuchKey to those who may not list.
    let get = scratch.send(&request::get_object(&key));
    granted.get = note(report, Action::GetObject, get);
    granted.delete = note(
        report,
        Action::DeleteObject,
        scratch.send(&request::delete_object(&key)),
    );
    location(scratch, report);
    granted
}

/// Was it granted? Whether the object is there is another question.
fn note(report: &mut Report, action: Action, result: Result<Answer, Failure>) -> bool {
    let name = action.permission();
    match result {
        Ok(_) => report.add(Group::Permissions, name, Verdict::Fine, "granted"),
        Err(f)
            if is_missing(&f) && action != Action::ListObjects && action != Action::PutObject =>
        {
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
