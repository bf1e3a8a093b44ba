//! The duties of a storage, one function each.

use super::{Bench, bytes, ensure, ensure_kind, in_threads};
use crate::error::{Context, Error, Kind, Result};
use crate::id::Id;
use crate::storage::{ObjectInfo, PutOptions};
use crate::units::{MIB, Time};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A duty gets the bench and says what was wrong.
pub(super) type Duty = fn(&Bench) -> Result<()>;

/// Every duty with the name that its failure starts with.
pub(super) const DUTIES: &[(&str, Duty)] = &[
    ("the place is there", the_place),
    ("put and get", put_and_get),
    ("an empty object", empty_object),
    ("a 9 MiB object", large_object),
    ("ranges", ranges),
    ("head", head),
    ("limits", limits),
    ("missing objects", missing_objects),
    ("overwriting", overwriting),
    ("keys that are refused", refused_keys),
    ("listing by prefix", list_prefixes),
    ("listing in pages", list_pages),
    ("an error that stops a listing", list_stops),
    ("read after write", read_after_write),
    ("deletion", deletion),
    ("deleting many", deleting_many),
    ("puts that are too late", too_late),
    ("the clock", clock),
    ("concurrent puts", concurrent_puts),
    ("concurrent puts of one key", concurrent_same_key),
    ("a missing place", missing_place),
];

fn the_place(b: &Bench) -> Result<()> {
    b.storage.check_place()?;
    ensure(!b.storage.describe().is_empty(), || {
        "it has no description".into()
    })?;
    ensure(b.list("")?.is_empty(), || {
        "a fresh prefix is not empty".into()
    })
}

fn put_and_get(b: &Bench) -> Result<()> {
    let before = b.storage.usage();
    for (length, sha256) in [(1, false), (1000, true), (300_000, false)] {
        let body = bytes(length, 1);
        let options = PutOptions {
            sha256: sha256.then(|| Id::sha256(&body)),
            ..Default::default()
        };
        b.storage.put(&b.key("a"), &body, &options)?;
        ensure(b.get("a")? == body, || {
            format!("{length} bytes came back differently")
        })?;
    }
    let after = b.storage.usage();
    ensure(
        after.put >= before.put + 3 && after.get >= before.get + 3,
        || "requests are not counted".into(),
    )?;
    let moved = (after.bytes_up - before.bytes_up).min(after.bytes_down - before.bytes_down);
    ensure(moved >= 301_001, || {
        format!("only {moved} bytes of 301001 are counted")
    })
}

fn empty_object(b: &Bench) -> Result<()> {
    b.put("empty", b"")?;
    ensure(b.get("empty")?.is_empty(), || {
        "it came back with bytes".into()
    })?;
    ensure(b.storage.head(&b.key("empty"))?.size == 0, || {
        "its size is not zero".into()
    })?;
    ensure_kind(
        b.storage.get_range(&b.key("empty"), 0, 1),
        Kind::Damaged,
        "a range of it",
    )
}

fn large_object(b: &Bench) -> Result<()> {
    let body = bytes(9 * MIB as usize, 2);
    b.put("large", &body)?;
    ensure(b.get("large")? == body, || {
        "it came back differently".into()
    })?;
    let middle = b.storage.get_range(&b.key("large"), 5 * MIB, 3 * MIB)?;
    ensure(
        middle[..] == body[5 * MIB as usize..8 * MIB as usize],
        || "a range came back differently".into(),
    )
}

fn ranges(b: &Bench) -> Result<()> {
    let body = bytes(1000, 3);
    b.put("range", &body)?;
    let range = |offset, length| b.storage.get_range(&b.key("range"), offset, length);
    for (offset, length) in [(0u64, 1u64), (0, 1000), (999, 1), (10, 500), (10, 0)] {
        let expected = &body[offset as usize..(offset + length) as usize];
        ensure(range(offset, length)? == expected, || {
            format!("{length} bytes from {offset} came back differently")
        })?;
    }
    for (offset, length) in [
        (0, 1001),
        (999, 2),
        (1000, 1),
        (5000, 10),
        (u64::MAX - 1, 5),
    ] {
        ensure_kind(
            range(offset, length),
            Kind::Damaged,
            &format!("reading {length} bytes from {offset} of 1000"),
        )?;
    }
    Ok(())
}

fn head(b: &Bench) -> Result<()> {
    b.put("head", b"12345")?;
    let info = b.storage.head(&b.key("head"))?;
    ensure(info.key == b.key("head") && info.size == 5, || {
        format!("it gave {info:?}")
    })
}

fn limits(b: &Bench) -> Result<()> {
    b.put("limit", &bytes(1000, 4))?;
    let get = |limit| b.storage.get(&b.key("limit"), limit);
    ensure(get(1000)?.len() == 1000, || {
        "an object as long as its limit is cut".into()
    })?;
    ensure_kind(
        get(999),
        Kind::Damaged,
        "reading an object one byte over its limit",
    )?;
    ensure_kind(get(0), Kind::Damaged, "reading an object with limit 0")
}

fn missing_objects(b: &Bench) -> Result<()> {
    let key = b.key("none");
    ensure_kind(b.storage.get(&key, 10), Kind::ObjectMissing, "get")?;
    ensure_kind(
        b.storage.get_range(&key, 0, 1),
        Kind::ObjectMissing,
        "get_range",
    )?;
    ensure_kind(b.storage.head(&key), Kind::ObjectMissing, "head")
}

fn overwriting(b: &Bench) -> Result<()> {
    for body in [b"first".as_slice(), b"second, longer", b"3"] {
        b.put("over", body)?;
        ensure(b.get("over")? == body, || "an old body came back".into())?;
    }
    ensure(b.list("over")?.len() == 1, || {
        "it is listed more than once".into()
    })
}

fn refused_keys(b: &Bench) -> Result<()> {
    let long = "a".repeat(201);
    for key in [
        "",
        "/a",
        "a/",
        "a//b",
        "..",
        "a/../b",
        "A",
        "a b",
        "a\\b",
        "ä",
        "a\0",
        long.as_str(),
    ] {
        let what = |op: &str| format!("{op} of {key:?}");
        ensure_kind(
            b.storage.put(key, b"", &PutOptions::default()),
            Kind::Failed,
            &what("put"),
        )?;
        ensure_kind(b.storage.get(key, 10), Kind::Failed, &what("get"))?;
        ensure_kind(
            b.storage.get_range(key, 0, 1),
            Kind::Failed,
            &what("get_range"),
        )?;
        ensure_kind(b.storage.head(key), Kind::Failed, &what("head"))?;
        ensure_kind(b.storage.delete(key), Kind::Failed, &what("delete"))?;
    }
    // A key as long as those of packs, and deep.
    let deep = b.key(
        "deep/a/b/c/d/e/f/g/h/0123456789012345678901234567890123456789012345678901234567890123",
    );
    b.storage.put(&deep, b"x", &PutOptions::default())?;
    b.storage.delete(&deep)
}

fn list_prefixes(b: &Bench) -> Result<()> {
    let all = ["p/a", "p/a0", "p/b/1", "p/b/2/x", "p/b0", "p0"];
    for name in all.iter().rev() {
        b.put(name, name.as_bytes())?;
    }
    let expect = |prefix: &str, expected: &[&str]| {
        let names = b.names(prefix)?;
        ensure(names == expected, || {
            format!("{prefix} listed {names:?} instead of {expected:?}")
        })
    };
    expect("p/", &all[..5])?;
    expect("p/b/", &all[2..4])?;
    expect("p/b/1", &all[2..3])?;
    expect("p", &all)?;
    expect("p/c/", &[])?;
    let sizes: Vec<u64> = b.list("p/b/")?.iter().map(|o| o.size).collect();
    ensure(sizes == [5, 7], || {
        format!("sizes are {sizes:?} instead of [5, 7]")
    })
}

fn list_pages(b: &Bench) -> Result<()> {
    let name = |i: usize| format!("pages/{:02x}/{i:06}", i % 7);
    let next = AtomicUsize::new(0);
    in_threads(8, |_| {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= b.options.keys {
                return Ok(());
            }
            b.put(&name(i), b"x")?;
        }
    })?;
    let mut expected: Vec<String> = (0..b.options.keys).map(name).collect();
    expected.sort();
    let names = b.names("pages/")?;
    ensure(names.len() == expected.len(), || {
        format!("{} of {} keys are listed", names.len(), expected.len())
    })?;
    ensure(names == expected, || {
        "keys are listed in the wrong order".into()
    })
}

fn list_stops(b: &Bench) -> Result<()> {
    b.put("stop/1", b"")?;
    b.put("stop/2", b"")?;
    let mut calls = 0;
    let mut each = |_| {
        calls += 1;
        Err(Error::new(Kind::Interrupted, "enough"))
    };
    ensure_kind(
        b.storage.list(&b.key("stop/"), &mut each),
        Kind::Interrupted,
        "the listing",
    )?;
    ensure(calls == 1, || format!("it went on for {calls} calls"))
}

fn read_after_write(b: &Bench) -> Result<()> {
    for i in 0..20u64 {
        let name = format!("fresh/{i:02}");
        b.put(&name, &i.to_be_bytes())?;
        ensure(b.get(&name)? == i.to_be_bytes(), || {
            format!("{name} is not what was put")
        })?;
        let listed = b.list("fresh/")?.len() as u64;
        ensure(listed == i + 1, || {
            format!("{listed} objects are listed after {} puts", i + 1)
        })?;
        ensure(b.storage.head(&b.key(&name))?.size == 8, || {
            format!("{name} has the wrong size")
        })?;
    }
    Ok(())
}

fn deletion(b: &Bench) -> Result<()> {
    b.put("delete/1", b"x")?;
    b.put("delete/2", b"x")?;
    b.storage.delete(&b.key("delete/1"))?;
    ensure_kind(
        b.get("delete/1"),
        Kind::ObjectMissing,
        "reading a deleted object",
    )?;
    ensure(b.names("delete/")? == ["delete/2"], || {
        "the listing is wrong".into()
    })?;
    b.storage
        .delete(&b.key("delete/1"))
        .context(|| "deleting it again")?;
    b.storage
        .delete(&b.key("delete/never"))
        .context(|| "deleting what never was")?;
    b.put("delete/1", b"y")?;
    ensure(b.get("delete/1")? == b"y", || {
        "a key cannot be used again".into()
    })
}

fn deleting_many(b: &Bench) -> Result<()> {
    ensure(b.storage.delete_many(&[]).is_empty(), || {
        "no keys gave results".into()
    })?;
    let names = ["many/1", "many/2", "many/3"];
    names
        .iter()
        .try_for_each(|name| b.put(name, b"x").map(drop))?;
    let keys: Vec<String> = ["many/1", "many/never", "many/3"]
        .iter()
        .map(|n| b.key(n))
        .collect();
    let results = b.storage.delete_many(&keys);
    ensure(results.len() == 3, || {
        format!("3 keys gave {} results", results.len())
    })?;
    results.into_iter().collect::<Result<()>>()?;
    ensure(b.names("many/")? == ["many/2"], || {
        "the listing is wrong".into()
    })?;
    let mixed = b
        .storage
        .delete_many(&[b.key("many/2"), "NOT A KEY".into()]);
    ensure(matches!(mixed[..], [Ok(()), Err(_)]), || {
        "a bad key does not fail alone".into()
    })
}

fn too_late(b: &Bench) -> Result<()> {
    let put = |name: &str, not_after: Time| {
        b.storage.put(
            &b.key(name),
            b"x",
            &PutOptions {
                not_after: Some(not_after),
                ..Default::default()
            },
        )
    };
    let past = b.storage.now().minus(Duration::from_secs(60));
    ensure_kind(put("late", past), Kind::TooLate, "a put after its time")?;
    ensure_kind(
        b.storage.head(&b.key("late")),
        Kind::ObjectMissing,
        "reading what came too late",
    )?;
    put("early", b.storage.now().plus(Duration::from_secs(3600))).map(drop)
}

/// Servers give whole seconds, and this machine may be busy: a minute is sane.
fn clock(b: &Bench) -> Result<()> {
    let near = |a: Time, b: Time| a.since(b).max(b.since(a)) < Duration::from_secs(60);
    let stored = b.put("clock", b"x")?;
    let now = b.storage.now();
    ensure(near(stored.date, now), || {
        format!("the put says {}, the clock {now}", stored.date)
    })?;
    let info = b.storage.head(&b.key("clock"))?;
    ensure(near(info.modified, now), || {
        format!("the object is of {}, the clock says {now}", info.modified)
    })?;
    let mut modified = None;
    let mut each = |o: ObjectInfo| {
        modified = Some(o.modified);
        Ok(())
    };
    let listed = b.storage.list(&b.key("clock"), &mut each)?;
    let same = modified.is_some_and(|m| near(m, info.modified));
    ensure(same, || {
        format!("head gives {}, the listing {modified:?}", info.modified)
    })?;
    ensure(near(listed.ended, now), || {
        format!("the listing ended {}, the clock says {now}", listed.ended)
    })?;
    ensure(
        listed.began <= listed.ended.plus(Duration::from_secs(1)),
        || format!("the listing ran backwards: {listed:?}"),
    )
}

fn concurrent_puts(b: &Bench) -> Result<()> {
    in_threads(8, |thread| {
        for i in 0..5 {
            let (name, body) = (
                format!("threads/{thread}/{i}"),
                bytes(100_000, thread * 100 + i),
            );
            b.put(&name, &body)?;
            ensure(b.get(&name)? == body, || {
                format!("{name} came back differently")
            })?;
        }
        Ok(())
    })?;
    let count = b.list("threads/")?.len();
    ensure(count == 40, || format!("{count} of 40 objects are listed"))
}

fn concurrent_same_key(b: &Bench) -> Result<()> {
    let body = |thread| bytes(200_000 + thread as usize, thread);
    in_threads(8, |thread| b.put("contended", &body(thread)).map(drop))?;
    let found = b.get("contended")?;
    ensure((0..8).any(|thread| found == body(thread)), || {
        "it is a mixture".into()
    })
}

fn missing_place(b: &Bench) -> Result<()> {
    let Some(missing) = b.options.missing else {
        return Ok(());
    };
    ensure_kind(missing.check_place(), Kind::BucketMissing, "check_place")?;
    ensure_kind(
        missing.list("packs/", &mut |_| Ok(())),
        Kind::BucketMissing,
        "list",
    )?;
    ensure_kind(
        missing.check_place(),
        Kind::BucketMissing,
        "check_place after all that",
    )
}
