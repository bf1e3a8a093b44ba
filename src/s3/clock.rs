//! The storage's clock, as this host knows it.
//!
//! Every answer bounds the difference between the two clocks: its `Date`, which may be late by [`DATE_LAG`], was written
//! between the start and the end of the exchange. The difference in use changes only when an answer contradicts it, so that
//! the clock is steady, and exact on hosts whose clock is right. One that contradicts it wildly is believed if the next one
//! says the same, or if it refuses a request: of servers that disagree, the one that was asked last is not always right.

use crate::units::{DATE_LAG, Time};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Longer exchanges say too little about the clock.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// A refusal of a request that was signed with a time further off than this may be the clock's fault.
const SKEW_THAT_MATTERS: Duration = Duration::from_secs(4 * 60);

/// The difference to add to this host's clock.
#[derive(Debug, Default)]
pub struct Clock(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    skew_ms: i64,
    /// Some answer has said, or confirmed, what is known.
    told: bool,
    /// What the last answer said instead, if that was far off.
    doubt: Option<i64>,
}

/// May answers that say the one and the other come from one clock?
fn are_near(a: i64, b: i64) -> bool {
    u128::from(a.abs_diff(b)) <= SKEW_THAT_MATTERS.as_millis()
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
        self.state().skew_ms
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Was a request signed with a time so far from what is known now that it may have been refused for that?
    pub fn was_off(&self, signed: Time) -> bool {
        let now = self.now();
        now.since(signed).max(signed.since(now)) > SKEW_THAT_MATTERS
    }

    /// Takes an answer's `date` into account; `began` and `ended` are of this host's clock. Gives the correction made, in
    /// milliseconds. Answers from a cache (`Age`) must not be passed.
    pub fn observe(&self, date: Time, began: Time, ended: Time) -> i64 {
        self.take(date, began, ended, false)
    }

    /// The same of an answer that refuses a request: maybe for its time, so that this server's clock counts.
    pub fn observe_refusal(&self, date: Time, began: Time, ended: Time) -> i64 {
        self.take(date, began, ended, true)
    }

    fn take(&self, date: Time, began: Time, ended: Time, at_once: bool) -> i64 {
        if ended < began || ended.since(began) > LONGEST {
            return 0;
        }
        let lowest = date.0.saturating_sub(ended.0);
        let highest = date.plus(DATE_LAG).0.saturating_sub(began.0);
        let mut state = self.state();
        let (known, middle) = (state.skew_ms, lowest / 2 + highest / 2);
        let said_before = state.doubt.take().is_some_and(|d| are_near(d, middle));
        if (lowest..=highest).contains(&known) {
            state.told = true;
            return 0;
        }
        if state.told && !at_once && !said_before && !are_near(known, middle) {
            state.doubt = Some(middle);
            return 0;
        }
        (state.skew_ms, state.told) = (middle, true);
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
    fn servers_that_disagree_do_not_move_the_clock_to_and_fro() {
        let (clock, hour) = (Clock::default(), 3_600_000);
        let says = |skew: i64, now: i64| clock.observe(Time(now + skew), Time(now), Time(now + 50));
        for now in (0..100_000).step_by(2_000) {
            assert_eq!(says(0, now), 0);
            assert_eq!(says(-700 * hour, now + 1_000), 0);
        }
        // A refusal counts at once; what is said twice in a row, too, as after this host's clock was set.
        let (now, days) = (200_000, Time(200_000 - 700 * hour));
        assert!(clock.observe_refusal(days, Time(now), Time(now + 50)) < -699 * hour);
        assert_eq!(says(0, now), 0);
        assert!(says(0, now + 1_000) > 699 * hour);
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
