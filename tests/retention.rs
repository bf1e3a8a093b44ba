//! Retention beside `restic forget --dry-run`: random histories, random rules, the same backups kept for the same
//! reasons.
//!
//! `CORSO_TEST_RETENTION=HISTORIES,POLICIES,SEED` makes it larger.

mod support;

use corso::format::snapshot::Manifest;
use corso::id::Id;
use corso::policy::{GroupBy, GroupKey, Item, Policy, Span, parse_count};
use corso::units::Time;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Backups in a history.
const BACKUPS: usize = 30;
/// Two with summer time north of the equator, one of half an hour south of it, one without.
const ZONES: [&str; 4] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
];
/// Around these moments things go wrong: clocks change, years, months and ISO weeks end, February has 29 days.
const MOMENTS: [&str; 10] = [
    "2021-03-28 02:30:00",
    "2021-10-31 02:30:00",
    "2021-03-14 02:30:00",
    "2021-11-07 01:30:00",
    "2021-04-04 01:45:00",
    "2021-10-03 02:15:00",
    "2020-12-31 23:30:00",
    "2021-01-03 23:30:00",
    "2020-02-29 12:00:00",
    "2021-05-31 00:00:00",
];

/// A small generator (splitmix64): the same numbers from the same seed everywhere.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len() as u64) as usize]
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A restic repository with a history.
struct Restic {
    program: PathBuf,
    work: tempfile::TempDir,
    zone: &'static str,
}

impl Restic {
    fn run(&self, arguments: &[&str]) -> String {
        let done = Command::new(&self.program)
            .args(["--repo", "repo", "--no-cache"])
            .args(arguments)
            .current_dir(self.work.path())
            .env("RESTIC_PASSWORD", "x")
            .env("TZ", self.zone)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            done.status.success(),
            "restic {arguments:?}: {}",
            text(&done.stderr)
        );
        text(&done.stdout)
    }

    fn new(program: &Path, chance: &mut Chance) -> Restic {
        let restic = Restic {
            program: program.to_owned(),
            work: support::temp_dir(),
            zone: chance.pick(&ZONES),
        };
        restic.run(&["init", "--quiet"]);
        let (mut made, mut last) = (0, None);
        while made < BACKUPS {
            let backup = match last.take() {
                // The same time twice, and all else equal: which of them comes first is anyone's choice.
                Some(before) if chance.one_in(8) => before,
                _ => Backup::random(chance),
            };
            backup.make(&restic);
            last = Some(backup);
            made += 1;
        }
        restic
    }
}

struct Backup {
    time: String,
    host: &'static str,
    source: &'static str,
    tags: Vec<&'static str>,
}

impl Backup {
    fn random(chance: &mut Chance) -> Backup {
        let moment = match chance.below(20) {
            0 => "2090-01-01 00:00:00",
            1..6 => "2021-06-01 00:00:00",
            _ => chance.pick(&MOMENTS),
        };
        let mut time: jiff::civil::DateTime = moment.replace(' ', "T").parse().unwrap();
        let unit = [60, 600, 3600, 86_400, 7 * 86_400, 40 * 86_400][chance.below(6) as usize];
        let seconds = chance.below(11) as i64 * unit - 5 * unit + chance.below(60) as i64;
        time = time
            .checked_add(jiff::SignedDuration::from_secs(seconds))
            .unwrap();
        let all = ["a", "b", "c"];
        Backup {
            time: time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            host: chance.pick(&["web1", "web2"]),
            source: chance.pick(&["one", "two", "one"]),
            tags: all.into_iter().filter(|_| chance.one_in(3)).collect(),
        }
    }

    fn make(&self, restic: &Restic) {
        std::fs::write(restic.work.path().join(self.source), self.source).unwrap();
        let mut arguments = vec![
            "backup", "--quiet", "--time", &self.time, "--host", self.host,
        ];
        for tag in &self.tags {
            arguments.extend(["--tag", tag]);
        }
        arguments.push(self.source);
        restic.run(&arguments);
    }
}

/// A snapshot as restic describes it.
struct Snapshot {
    id: Id,
    time: Time,
    manifest: Manifest,
}

fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().into_iter().flatten();
    list.map(|v| v.as_str().unwrap().to_owned()).collect()
}

fn time_of(value: &Value) -> Time {
    let time: Timestamp = value["time"].as_str().unwrap().parse().unwrap();
    Time(time.as_millisecond())
}

fn snapshot(value: &Value) -> Snapshot {
    Snapshot {
        id: value["id"].as_str().unwrap().parse().unwrap(),
        time: time_of(value),
        manifest: Manifest {
            host: value["hostname"].as_str().unwrap().to_owned(),
            sources: texts(&value["paths"])
                .into_iter()
                .map(String::into_bytes)
                .collect(),
            tags: texts(&value["tags"]),
            ..Manifest::default()
        },
    }
}

/// Flags for restic, and the policy that they stand for.
fn random_policy(chance: &mut Chance) -> (Vec<String>, Policy) {
    let mut flags = Vec::new();
    let mut policy = Policy::default();
    let counts = [
        ("last", &mut policy.last),
        ("hourly", &mut policy.hourly),
        ("daily", &mut policy.daily),
        ("weekly", &mut policy.weekly),
        ("monthly", &mut policy.monthly),
        ("yearly", &mut policy.yearly),
    ];
    for (name, count) in counts {
        if chance.one_in(3) {
            let n = chance.pick(&["1", "2", "3", "5", "10", "100", "unlimited"]);
            *count = parse_count(n).unwrap();
            // Not every restic has a word for it.
            let n = n.replace("unlimited", "1000000");
            flags.push(format!("--keep-{name}={n}"));
        }
    }
    if chance.one_in(3) {
        let mut span = String::new();
        for (unit, most) in [("y", 2), ("m", 14), ("d", 40), ("h", 60)] {
            if chance.one_in(2) {
                span.push_str(&format!("{}{unit}", chance.below(most) + 1));
            }
        }
        if !span.is_empty() {
            policy.within = Span::parse(&span).unwrap();
            flags.push(format!("--keep-within={span}"));
        }
    }
    for _ in 0..chance.below(3) {
        let list = chance.pick(&["a", "b", "a,b", "c,a", "nosuch"]);
        policy
            .tags
            .push(list.split(',').map(str::to_owned).collect());
        flags.push(format!("--keep-tag={list}"));
    }
    match policy.is_empty() {
        true => random_policy(chance),
        false => (flags, policy),
    }
}

/// What happens to the backups of one group: when each was made, and why it is kept; no reason: it goes. Sorted, since
/// the order of backups of one moment is anyone's choice.
type Fate = Vec<(Time, Vec<String>)>;

fn ours(
    all: &[Snapshot],
    policy: &Policy,
    by: GroupBy,
    zone: &TimeZone,
) -> BTreeMap<GroupKey, Fate> {
    let mut groups: BTreeMap<GroupKey, Vec<&Snapshot>> = BTreeMap::new();
    for one in all {
        groups.entry(by.key(&one.manifest)).or_default().push(one);
    }
    let fate = |group: Vec<&Snapshot>| {
        let item = |s: &&Snapshot| Item {
            time: s.time,
            id: s.id,
            tags: &all.iter().find(|o| o.id == s.id).unwrap().manifest.tags,
        };
        let items: Vec<Item<'_>> = group.iter().map(item).collect();
        let reasons = policy.reasons(&items, zone, Time::local_now());
        let mut fate: Fate = items.iter().map(|i| i.time).zip(reasons).collect();
        fate.sort();
        fate
    };
    groups
        .into_iter()
        .map(|(k, group)| (k, fate(group)))
        .collect()
}

fn theirs(answer: &str, by: GroupBy) -> BTreeMap<GroupKey, Fate> {
    let groups: Value = serde_json::from_str(answer).unwrap();
    let mut all = BTreeMap::new();
    for group in groups.as_array().unwrap() {
        let list = |name: &str| group[name].as_array().cloned().unwrap_or_default();
        let (keep, reasons, remove) = (list("keep"), list("reasons"), list("remove"));
        assert_eq!(keep.len(), reasons.len());
        let mut fate: Fate = keep
            .iter()
            .zip(&reasons)
            .map(|(s, r)| (time_of(s), texts(&r["matches"])))
            .chain(remove.iter().map(|s| (time_of(s), Vec::new())))
            .collect();
        fate.sort();
        let key = by.key(&snapshot(keep.iter().chain(&remove).next().unwrap()).manifest);
        all.insert(key, fate);
    }
    all
}

#[test]
fn the_same_backups_are_kept_for_the_same_reasons_as_by_restic() {
    let Some(program) = support::find_program("restic", "CORSO_TEST_RESTIC", "restic") else {
        return;
    };
    let asked = std::env::var("CORSO_TEST_RETENTION").unwrap_or_default();
    let numbers: Vec<u64> = asked.split(',').filter_map(|n| n.parse().ok()).collect();
    let [histories, policies, seed] = numbers.try_into().unwrap_or([1, 15, 20_261_122]);
    let mut chance = Chance(seed);
    let (mut kept, mut judged) = (0, 0);
    for history in 0..histories {
        let restic = Restic::new(&program, &mut chance);
        let Ok(zone) = TimeZone::get(restic.zone) else {
            return support::skip("restic", "there is no time zone database");
        };
        let listed: Vec<Value> =
            serde_json::from_str(&restic.run(&["snapshots", "--json"])).unwrap();
        let all: Vec<Snapshot> = listed.iter().map(snapshot).collect();
        assert_eq!(all.len(), BACKUPS);
        for _ in 0..policies {
            let by = chance.pick(&[
                "host,paths",
                "host,paths",
                "host",
                "paths",
                "tags",
                "",
                "host,paths,tags",
            ]);
            let (flags, policy) = random_policy(&mut chance);
            let mut arguments = vec!["forget", "--dry-run", "--json", "--group-by", by];
            arguments.extend(flags.iter().map(String::as_str));
            let answer = restic.run(&arguments);
            let by = GroupBy::parse(by).unwrap();
            let (ours, theirs) = (ours(&all, &policy, by, &zone), theirs(&answer, by));
            judged += all.len();
            kept += ours
                .values()
                .flatten()
                .filter(|(_, why)| !why.is_empty())
                .count();
            let about = format!(
                "seed {seed}, history {history} in {}, {arguments:?}",
                restic.zone
            );
            assert!(ours.keys().eq(theirs.keys()), "{about}");
            for (key, fate) in &ours {
                assert_eq!(*fate, theirs[key], "{about}, {key:?}: ours, theirs");
            }
        }
    }
    println!(
        "seed {seed}: {histories} histories of {BACKUPS} backups, {policies} policies each: {judged} judgements, {kept} kept"
    );
}
