//! The bucket as it was, over a script.

use super::*;

/// `KEY VERSION SECOND [SIZE|-] [latest]`: versions first, then deletions, as some servers have it.
fn versions(rows: &[&str], next: Option<(&str, &str)>) -> Reply {
    let mut parts = [String::new(), String::new()];
    for row in rows {
        let words: Vec<&str> = row.split(' ').collect();
        let gone = words[3] == "-";
        let tag = if gone { "DeleteMarker" } else { "Version" };
        let size = match gone {
            true => String::new(),
            false => format!("<Size>{}</Size>", words[3]),
        };
        parts[usize::from(gone)].push_str(&format!(
            "<{tag}><Key>{}</Key><VersionId>{}</VersionId><IsLatest>{}</IsLatest>\
             <LastModified>2026-01-02T03:04:{}Z</LastModified>{size}</{tag}>",
            words[0],
            words[1],
            words.len() > 4,
            words[2]
        ));
    }
    let more = match next {
        Some((key, version)) => format!(
            "<IsTruncated>true</IsTruncated><NextKeyMarker>{key}</NextKeyMarker>\
             <NextVersionIdMarker>{version}</NextVersionIdMarker>"
        ),
        None => String::new(),
    };
    ok(format!(
        "<ListVersionsResult>{}{}{more}</ListVersionsResult>",
        parts[0], parts[1]
    )
    .as_bytes())
}

fn past(replies: Vec<Reply>) -> (PastS3, Script) {
    let (live, script) = scripted(replies);
    let moment = "2026-01-02T03:04:10Z".parse::<jiff::Timestamp>().unwrap();
    (PastS3::new(live, Time(moment.as_millisecond())), script)
}

fn listed(storage: &PastS3, prefix: &str) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    let each = &mut |o: ObjectInfo| {
        all.push((o.key, o.size));
        Ok(())
    };
    storage.list(prefix, each).unwrap();
    all
}

#[test]
fn of_each_key_the_version_of_that_time() {
    let (storage, _) = past(vec![versions(
        &[
            "p/a/1 later 11 99 latest",
            "p/a/1 now 10 1",
            "p/a/1 old 05 98",
            "p/a/2 v 05 2",
            "p/a/2 gone 20 - latest",
            "p/a/3 v 05 3",
            "p/a/3 gone 07 - latest",
            "p/a/4 v 12 4 latest",
            "p/a/5 v 05 5",
            "p/a/5 gone 06 -",
            "p/a/5 again 07 55",
            "p/a/Stranger v 01 1 latest",
            "other/a/6 v 01 1 latest",
        ],
        None,
    )]);
    let want = [("a/1", 1), ("a/2", 2), ("a/5", 55)].map(|(k, s)| (k.to_owned(), s));
    assert_eq!(listed(&storage, "a/"), want);
}

#[test]
fn within_one_second_the_newest_counts_as_far_as_it_is_told() {
    let (storage, _) = past(vec![versions(
        &[
            "p/a/1 second 05 2",
            "p/a/1 first 05 1",
            "p/a/2 v 05 1",
            "p/a/2 gone 05 - latest",
            "p/a/3 v 05 3",
            "p/a/3 gone 05 -",
        ],
        None,
    )]);
    let want = [("a/1", 2), ("a/3", 3)].map(|(k, s)| (k.to_owned(), s));
    assert_eq!(listed(&storage, "a/"), want);
}

#[test]
fn versions_of_one_key_may_fill_pages() {
    let (storage, script) = past(vec![
        versions(
            &["p/a/1 v 05 1", "p/a/2 late 12 9 latest"],
            Some(("p/a/2", "late")),
        ),
        versions(&["p/a/2 gone 09 -"], Some(("p/a/2", "gone"))),
        versions(&["p/a/2 v 05 2", "p/a/3 v 05 3 latest"], None),
    ]);
    let want = [("a/1", 1), ("a/3", 3)].map(|(k, s)| (k.to_owned(), s));
    assert_eq!(listed(&storage, "a/"), want);
    let sent = script.sent.lock().unwrap();
    assert!(sent[0].1.contains("versions="), "{}", sent[0].1);
    assert!(sent[1].1.contains("key-marker=p%2Fa%2F2"), "{}", sent[1].1);
    assert!(
        sent[2].1.contains("version-id-marker=gone"),
        "{}",
        sent[2].1
    );
    let again = || versions(&["p/a/1 v 05 1"], Some(("p/a/1", "v")));
    let (storage, _) = past(vec![again(), again()]);
    assert!(storage.list("a/", &mut |_| Ok(())).is_err(), "never ends");
}

#[test]
fn objects_are_read_at_their_version() {
    let (storage, script) = past(vec![
        versions(&["p/packs/aa/1 v1 05 1", "p/packs/aa/2 v2 05 2"], None),
        ok(b"x"),
        ok(b"yz"),
        versions(&["p/config v3 05 1", "p/config2 v4 05 1"], None),
        ok(b"c"),
    ]);
    assert_eq!(storage.get("packs/aa/1", 9).unwrap(), b"x");
    assert_eq!(storage.get_range("packs/aa/2", 0, 2).unwrap(), b"yz");
    assert_eq!(storage.head("packs/aa/2").unwrap().size, 2);
    assert_eq!(storage.get("config", 9).unwrap(), b"c");
    let sent = script.sent.lock().unwrap();
    assert!(
        sent[0].1.contains("prefix=p%2Fpacks%2Faa%2F"),
        "{}",
        sent[0].1
    );
    for (at, id) in [(1, "v1"), (2, "v2"), (4, "v3")] {
        assert!(
            sent[at].1.ends_with(&format!("versionId={id}")),
            "{}",
            sent[at].1
        );
    }
    let (storage, _) = past(vec![versions(&[], None)]);
    let missing = storage.get("config", 9).unwrap_err();
    assert_eq!(missing.kind(), Kind::ObjectMissing);
}

#[test]
fn nothing_is_written() {
    let (storage, script) = past(vec![]);
    let options = PutOptions::default();
    let refused = [
        storage.put("config", b"x", &options).map(drop),
        storage.delete("config"),
        storage.delete_many(&["config".to_owned()]).remove(0),
        storage.check_lock(),
    ];
    for result in refused {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(
            error
                .to_string()
                .contains("as it was at 2026-01-02T03:04:10Z")
        );
    }
    assert!(script.sent.lock().unwrap().is_empty());
    assert!(storage.moment().is_some());
}
