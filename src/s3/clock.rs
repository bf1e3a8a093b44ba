//! The storage's clock, as this host knows it.
//!
//! Every answer bounds the difference between the two clocks: its `Date`, which may be late by [`DATE_LAG`], was written
//! between the start and the end of the exchange. The difference in use changes only when an answer contradicts it, so that
//! the clock is steady, and exact on hosts whose clock is right.

use crate::units::{DATE_LAG, Time};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

/// Longer exchanges say too little about the clock.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// A refusal of a request that was signed with a time further off than this may be the clock's fault.
const SKEW_THAT_MATTERS: Duration = Duration::from_secs(4 * 60);

/// The difference to add to this host's clock.
#[derive(Debug, Default)]
pub struct Clock {
    skew_ms: AtomicI64,
}

impl Clock {
    /// The storage's time now, as far as known.
    pub fn now(&self) -> Time {
        self.at(Time::local_now())
    }

    /// The storage's time at a moment of this host's clock.
    pub fn at(&self, local: Time) -> Time {
        Time(local.0.saturating_add(self.skew_ms()))
    }

    /// Storage minus host, in milliseconds.
    pub fn skew_ms(&self) -> i64 {
        self.skew_ms.load(Relaxed)
    }

    /// Was a request signed with a time so far from what is known now that it may have been refused for that?
    pub fn was_off(&self, signed: Time) -> bool {
        let now = self.now();
        now.since(signed).max(signed.since(now)) > SKEW_THAT_MATTERS
    }

    /// Takes an answer's `date` into account; `began` and `ended` are of this host's clock. Gives the correction made, in
    /// milliseconds. Answers from a cache (`Age`) must not be passed.
    pub fn observe(&self, date: Time, began: Time, ended: Time) -> i64 {
        if ended < began || ended.since(began) > LONGEST {
            return 0;
        }
        let lowest = date.0.saturating_sub(ended.0);
        let highest = date.plus(DATE_LAG).0.saturating_sub(began.0);
        let known = self.skew_ms();
        if (lowest..=highest).contains(&known) {
            return 0;
        }
        let middle = lowest / 2 + highest / 2;
        self.skew_ms.store(middle, Relaxed);
        middle.saturating_sub(known)
    }
}

/// `Fri, 24 May 2013 00:00:00 GMT` (RFC 9110 IMF-fixdate; RFC 2822 forms too).
pub fn parse_http_date(text: &str) -> Option<Time> {
    if text.len() > 64 {
        return None;
    }
    let text = text.trim();
    let zoned = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()?;
    Some(Time(zoned.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_clock_stays_exact() {
        let clock = Clock::default();
        assert_eq!(
            clock.observe(Time(5_000), Time(5_990), Time(6_100)),
            0,
            "cut to a second"
        );
        assert_eq!(
            clock.observe(Time(5_000), Time(6_800), Time(6_900)),
            0,
            "written a second ago"
        );
        assert_eq!(clock.skew_ms(), 0);
        assert!(clock.observe(Time(5_000), Time(7_100), Time(7_200)) < 0);
    }

    #[test]
    fn a_wrong_clock_is_corrected_once() {
        let clock = Clock::default();
        let hour = 3_600_000;
        assert!(clock.observe(Time(hour), Time(0), Time(200)) > hour - 1000);
        let known = clock.skew_ms();
        assert!((known - hour).abs() <= 1_100, "{known}");
        assert_eq!(
            clock.observe(Time(hour + 7_000), Time(7_100), Time(7_300)),
            0
        );
        assert_eq!(clock.skew_ms(), known);
    }

    #[test]
    fn useless_answers_change_nothing() {
        let clock = Clock::default();
        assert_eq!(
            clock.observe(Time(i64::MAX), Time(10), Time(0)),
            0,
            "the host's clock jumped back"
        );
        assert_eq!(clock.observe(Time(i64::MAX), Time(0), Time(i64::MAX)), 0);
        clock.observe(Time(i64::MIN), Time(0), Time(1));
        clock.now();
    }

    #[test]
    fn dates() {
        assert_eq!(
            parse_http_date("Fri, 24 May 2013 00:00:00 GMT"),
            Some(Time(1_369_353_600_000))
        );
        for bad in ["", "yesterday", "Fri, 99 May 2013 00:00:00 GMT"] {
            assert_eq!(parse_http_date(bad), None, "{bad}");
        }
    }
}
