use super::*;
use proptest::prelude::*;

fn zone() -> TimeZone {
    // Berlin's rules, without a time zone database.
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
}

fn at(text: &str) -> Time {
    let civil: jiff::civil::DateTime = text.parse().unwrap();
    Time(civil.to_zoned(zone()).unwrap().timestamp().as_millisecond())
}

fn reasons(policy: &Policy, times: &[&str]) -> Vec<String> {
    let items: Vec<Item> = times
        .iter()
        .zip(0..)
        .map(|(t, n)| Item {
            time: at(t),
            id: Id([n; 32]),
            tags: &[],
        })
        .collect();
    let found = policy.reasons(&items, &zone(), at("2100-01-01T00:00"));
    found.iter().map(|why| why.join(", ")).collect()
}

#[test]
fn each_rule_keeps_the_newest_of_its_periods() {
    let policy = Policy {
        daily: 2,
        weekly: 2,
        ..Policy::default()
    };
    let times = [
        "2021-01-03T10:00", // Sunday of the 53rd week of 2020
        "2021-01-04T10:00",
        "2021-01-04T11:00",
        "2020-12-30T10:00",
    ];
    assert_eq!(
        reasons(&policy, &times),
        [
            "daily snapshot, weekly snapshot",
            "",
            "daily snapshot, weekly snapshot",
            ""
        ]
    );
}

#[test]
fn the_hour_that_comes_twice_is_one() {
    let policy = Policy {
        hourly: UNLIMITED,
        ..Policy::default()
    };
    let hour = 3_600_000;
    // 02:30 in summer time, 02:30 and 03:30 in winter time.
    let first = at("2026-10-25T02:30").0;
    let times: Vec<Item> = [first, first + hour, first + 2 * hour]
        .map(|t| Item {
            time: Time(t),
            id: Id::ZERO,
            tags: &[],
        })
        .into();
    let kept = policy.reasons(&times, &zone(), Time(i64::MAX));
    assert_eq!(kept.map_lens(), [0, 1, 1]);
}

trait Lens {
    fn map_lens(&self) -> Vec<usize>;
}

impl Lens for Vec<Vec<String>> {
    fn map_lens(&self) -> Vec<usize> {
        self.iter().map(Vec::len).collect()
    }
}

#[test]
fn within_counts_from_the_newest_that_is_not_in_the_future() {
    let policy = Policy {
        within: Span::parse("1m1d").unwrap(),
        ..Policy::default()
    };
    let times = [
        "2200-01-01T00:00",
        "2026-03-31T12:00",
        "2026-03-02T12:00",
        "2026-03-02T12:01",
    ];
    // The 31st of February is the 3rd of March; a day before is the 2nd.
    assert_eq!(
        reasons(&policy, &times),
        ["within 1m1d", "within 1m1d", "", "within 1m1d"]
    );
}

#[test]
fn tags_are_all_asked_for() {
    let policy = Policy {
        tags: vec![vec!["a".into(), "b".into()], vec!["".into()]],
        ..Policy::default()
    };
    let tags: Vec<Vec<String>> = vec![vec!["b".into(), "a".into()], vec!["a".into()], vec![]];
    let items: Vec<Item> = tags
        .iter()
        .map(|tags| Item {
            time: Time(0),
            id: Id::ZERO,
            tags,
        })
        .collect();
    let kept = policy.reasons(&items, &zone(), Time(1));
    assert_eq!(kept.concat(), ["has tags [a, b]", "has tags []"]);
    assert_eq!(kept.map_lens(), [1, 0, 1]);
}

#[test]
fn what_people_write() {
    assert_eq!(Span::parse("2y5m7d3h").unwrap().to_string(), "2y5m7d3h");
    assert_eq!(Span::seconds(86_400 + 5).to_string(), "24h5s");
    for bad in [
        "",
        "5",
        "d",
        "1w",
        "-1d",
        "1d1d",
        "0d",
        "1000001y",
        "1é",
        "99999999999d",
    ] {
        assert!(Span::parse(bad).is_err(), "{bad}");
    }
    assert_eq!(parse_count("-1").unwrap(), UNLIMITED);
    assert_eq!(parse_count("7").unwrap(), 7);
    for bad in ["", "-2", "x", "1.5"] {
        assert!(parse_count(bad).is_err(), "{bad}");
    }
    assert_eq!(GroupBy::parse("host,paths").unwrap(), GroupBy::default());
    let none = GroupBy::parse("").unwrap();
    assert!(!none.host && !none.paths && !none.tags);
    assert!(GroupBy::parse("host,size").is_err());
    assert!(Policy::default().is_empty());
    assert!(Policy::from(&Retention::default()).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_times_are_judged(
        times in proptest::collection::vec(any::<i64>(), 0..8),
        counts: [u8; 6],
        years in 0..2_000_000u32,
        now: i64,
    ) {
        let [last, hourly, daily, weekly, monthly, yearly] = counts.map(u64::from);
        let within = Span::parse(&format!("{years}y1d")).unwrap_or_default();
        let policy = Policy { last, hourly, daily, weekly, monthly, yearly, within, tags: vec![] };
        let items: Vec<Item> = times
            .iter()
            .map(|t| Item { time: Time(*t), id: Id::ZERO, tags: &[] })
            .collect();
        let kept = policy.reasons(&items, &zone(), Time(now));
        let newest = times.iter().zip(&kept).max_by_key(|(t, why)| (**t, why.len()));
        prop_assert!(policy.is_empty() || newest.is_none_or(|(_, why)| !why.is_empty()));
    }
}
