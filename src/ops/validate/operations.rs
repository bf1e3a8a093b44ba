//! Reading, writing, listing and deleting, with keys odder than Corso's own.

use super::permissions::Granted;
use super::report::{Group, Report, Verdict};
use super::scratch::{LARGE, Scratch, is_missing, noise, said, service};
use crate::error::Result;
use crate::s3::request::{self, ListPage};
use crate::s3::response::parse_delete;

const GROUP: Group = Group::Operations;

/// Keys that servers, proxies and XML are known to stumble over. Those of a repository are of `a-z`, `0-9` and `/`.
const ODD: [&str; 9] = [
    "odd/a space",
    "odd/a+plus",
    "odd/100%25",
    "odd/quote'\"&<>",
    "odd/\u{fc}nic\u{f6}de-\u{1F600}",
    "odd/=:@!$()*,;~",
    "odd/two//slashes",
    "odd/back\\slash",
    "odd/.hidden",
];

/// Everything; `put` has to be granted.
pub fn check(scratch: &Scratch<'_>, granted: Granted, report: &mut Report) -> Result<()> {
    let body = noise(LARGE)?;
    round_trip(scratch, granted, &body, report);
    ranges(scratch, granted, &body, report);
    listing(scratch, granted, report);
    odd_keys(scratch, granted, report);
    deleting(scratch, granted, report);
    Ok(())
}

/// Notes `name` as fine or wrong.
fn note(report: &mut Report, name: &'static str, result: std::result::Result<String, String>) {
    match result {
        Ok(detail) => report.add(GROUP, name, Verdict::Fine, detail),
        Err(detail) => report.add(GROUP, name, Verdict::Wrong, detail),
    }
}

fn round_trip(scratch: &Scratch<'_>, granted: Granted, body: &[u8], report: &mut Report) {
    let name = "put, get, head";
    if !granted.get {
        return report.unknown(GROUP, name);
    }
    let run = || {
        for (key, body) in [("large", body), ("empty", &[][..])] {
            scratch
                .put(key, body)
                .map_err(|f| format!("put: {}", said(&f)))?;
            let back = scratch.get(key).map_err(|f| format!("get: {}", said(&f)))?;
            if back != body {
                return Err("get: other bytes came back".to_owned());
            }
            let head = scratch.send(&request::head_object(&scratch.key(key)));
            let head = head.map_err(|f| format!("head: {}", said(&f)))?;
            let length = head
                .header("content-length")
                .and_then(|v| v.trim().parse().ok());
            if length != Some(body.len()) || head.header("last-modified").is_none() {
                return Err("head: no length, or no time".to_owned());
            }
        }
        Ok("1 MiB and an empty object".to_owned())
    };
    note(report, name, run());
}

fn ranges(scratch: &Scratch<'_>, granted: Granted, body: &[u8], report: &mut Report) {
    let name = "ranged get";
    if !granted.get {
        return report.unknown(GROUP, name);
    }
    let key = scratch.key("large");
    let run = || {
        let middle = scratch.send(&request::get_object_range(&key, 1000, 70_000));
        let middle = middle.map_err(|f| said(&f))?;
        if middle.body != body[1000..71_000] {
            return Err("another range came back".to_owned());
        }
        let beyond = scratch.send(&request::get_object_range(&key, 5 << 20, 10));
        match beyond {
            Err(f) if service(&f).is_some_and(|e| e.status == 416) => {}
            Err(f) => return Err(format!("beyond the end: {}", said(&f))),
            Ok(answer) if answer.body.is_empty() => {}
            Ok(_) => return Err("bytes beyond the end".to_owned()),
        }
        Ok(match middle.status {
            206 => "206".to_owned(),
            other => format!("status {other}, with the right bytes"),
        })
    };
    note(report, name, run());
}

fn listing(scratch: &Scratch<'_>, granted: Granted, report: &mut Report) {
    if !granted.list {
        report.unknown(GROUP, "list: pages");
        return report.unknown(GROUP, "list: delimiter");
    }
    let names: Vec<String> = (0..5).map(|n| format!("list/{n}")).collect();
    let put = || {
        for name in names.iter().map(String::as_str).chain(["list/below/x"]) {
            scratch.put(name, b"x").map_err(|f| said(&f))?;
        }
        let mut wanted = names.clone();
        wanted.push("list/below/x".to_owned());
        let got = scratch.list("list/", Some(2)).map_err(|e| e.to_string())?;
        match got == wanted {
            true => Ok("complete and in order, two keys a page, at once after the put".to_owned()),
            false => Err(format!(
                "{} of {} keys came, or in another order",
                got.len(),
                wanted.len()
            )),
        }
    };
    note(report, "list: pages", put());
    let page = scratch.page(ListPage {
        prefix: "list/",
        delimiter: Some("/"),
        ..ListPage::default()
    });
    let below = scratch.key("list/below/");
    let (verdict, detail) = match page {
        Ok(page) if page.objects.len() == 5 && page.prefixes == [below] => {
            (Verdict::Fine, "folders are shown once".to_owned())
        }
        Ok(_) => (
            Verdict::NotNeeded,
            "not as S3 has it; not needed".to_owned(),
        ),
        Err(e) => (Verdict::NotNeeded, format!("{e}; not needed")),
    };
    report.add(GROUP, "list: delimiter", verdict, detail);
}

fn odd_keys(scratch: &Scratch<'_>, granted: Granted, report: &mut Report) {
    let name = "odd keys";
    if !(granted.get && granted.list) {
        return report.unknown(GROUP, name);
    }
    let kept = |key: &&str| {
        scratch.put(key, key.as_bytes()).is_ok()
            && scratch.get(key).is_ok_and(|b| b == key.as_bytes())
    };
    let (good, mut bad): (Vec<&str>, Vec<&str>) = ODD.into_iter().partition(kept);
    let listed = scratch.list("odd/", None).unwrap_or_default();
    bad.extend(good.iter().filter(|key| !listed.iter().any(|l| l == *key)));
    if bad.is_empty() {
        return report.add(
            GROUP,
            name,
            Verdict::Fine,
            format!("all {} kept and listed", ODD.len()),
        );
    }
    let shown: Vec<&str> = bad
        .iter()
        .filter_map(|key| key.strip_prefix("odd/"))
        .collect();
    report.add(
        GROUP,
        name,
        Verdict::NotNeeded,
        format!("not kept: {}; Corso uses none", shown.join("  ")),
    );
}

fn deleting(scratch: &Scratch<'_>, granted: Granted, report: &mut Report) {
    if !granted.delete {
        report.unknown(GROUP, "delete");
        return report.unknown(GROUP, "batch delete");
    }
    let gone = |key: &str| {
        scratch
            .send(&request::head_object(&scratch.key(key)))
            .is_err_and(|f| is_missing(&f))
    };
    let single = || {
        let key = scratch.key("empty");
        for _ in 0..2 {
            // The second time, nothing is there.
            match scratch.send(&request::delete_object(&key)) {
                Err(f) if !is_missing(&f) => return Err(said(&f)),
                _ => {}
            }
        }
        match !granted.get || gone("empty") {
            true => Ok("also of what is not there".to_owned()),
            false => Err("the object is still there".to_owned()),
        }
    };
    note(report, "delete", single());
    let names = ["batch/1", "batch/2", "batch/a & b <c>"];
    let batch = || {
        for name in names {
            scratch.put(name, b"x").map_err(|f| said(&f))?;
        }
        let keys: Vec<String> = names.iter().map(|n| scratch.key(n)).collect();
        let answer = scratch
            .send(&request::delete_objects(&keys))
            .map_err(|f| said(&f))?;
        match parse_delete(&answer.body)?.first() {
            Some(failure) => Err(format!("{:?}: {}", failure.key, failure.code)),
            None if granted.get && !names.iter().all(|n| gone(n)) => {
                Err("objects are still there".to_owned())
            }
            None => Ok(()),
        }
    };
    match batch() {
        Ok(()) => report.add(
            GROUP,
            "batch delete",
            Verdict::Fine,
            "three keys in one request",
        ),
        Err(why) => {
            let detail = format!("{why}; not needed, objects are deleted one by one");
            report.add(GROUP, "batch delete", Verdict::NotNeeded, detail);
        }
    }
}
