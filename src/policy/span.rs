//! Lengths of time by the calendar: `2y5m7d3h`.

use super::zoned;
use crate::error::{Error, Result};
use crate::units::Time;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use std::fmt;

/// Longer spans reach back to the beginning of time anyway.
const MAX: u32 = 1_000_000;

/// Years, months and days by the calendar, and seconds. All of them zero: no such rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    years: u32,
    months: u32,
    days: u32,
    seconds: u64,
}

impl Span {
    /// So many seconds.
    pub fn seconds(seconds: u64) -> Span {
        Span {
            seconds,
            ..Span::default()
        }
    }

    /// Is it no time at all?
    pub fn is_zero(&self) -> bool {
        *self == Span::default()
    }

    /// Reads `2y5m7d3h`: years, months, days and hours, each at most once.
    pub fn parse(text: &str) -> Result<Span> {
        let bad = || {
            Error::usage(format!(
                "{text:?} is not a length of time by the calendar; write for example 14d, 6m or 1y5m7d2h"
            ))
        };
        let mut rest = text.trim();
        let mut found: [Option<u32>; 4] = [None; 4];
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
            let (number, tail) = rest.split_at(digits);
            let unit = tail.chars().next().ok_or_else(bad)?;
            let at = "ymdh".find(unit).ok_or_else(bad)?;
            let number = number.parse().ok().filter(|n| *n <= MAX).ok_or_else(bad)?;
            if found[at].replace(number).is_some() {
                return Err(bad());
            }
            rest = &tail[1..];
        }
        let [years, months, days, hours] = found.map(Option::unwrap_or_default);
        let span = Span {
            years,
            months,
            days,
            seconds: u64::from(hours) * 3600,
        };
        match span.is_zero() {
            true => Err(bad()),
            false => Ok(span),
        }
    }

    /// The moment this much before `time`: years, months and days on the calendar of `zone` with the same time of
    /// day, then seconds. The 31st of a month that has 30 days is the 1st of the next. Before the beginning of the
    /// calendar: the earliest moment there is.
    pub(super) fn before(&self, time: Time, zone: &TimeZone) -> Time {
        let date = self.date_before(time, zone).unwrap_or(Time(i64::MIN));
        let moment = date.minus(std::time::Duration::from_secs(self.seconds));
        // Also for times that no calendar knows.
        moment.min(Time(time.0.saturating_sub(1)))
    }

    fn date_before(&self, time: Time, zone: &TimeZone) -> Option<Time> {
        let local = zoned(time, zone);
        let date = local.date();
        let months = i64::from(date.year()) * 12 + i64::from(date.month())
            - 1
            - i64::from(self.years) * 12
            - i64::from(self.months);
        let year = i16::try_from(months.div_euclid(12)).ok()?;
        let first = Date::new(year, months.rem_euclid(12) as i8 + 1, 1).ok()?;
        let day = (i64::from(date.day()) - 1 - i64::from(self.days)).days();
        let wall = first.checked_add(day).ok()?.to_datetime(local.time());
        // A time of day that the zone skips or has twice: either moment will do, and this is the one restic takes.
        let utc = wall.to_zoned(TimeZone::UTC).ok()?.timestamp();
        let offset = |t: Timestamp| i64::from(zone.to_offset(t).seconds());
        let there = utc.checked_sub(offset(utc).seconds()).ok()?;
        let moment = match offset(utc) {
            0 => utc,
            _ => utc.checked_sub(offset(there).seconds()).ok()?,
        };
        Some(Time(moment.as_millisecond()))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (u64::from(self.years), 'y'),
            (self.months.into(), 'm'),
            (self.days.into(), 'd'),
            (self.seconds / 3600, 'h'),
            // In this form only settings of the repository are.
            (self.seconds % 3600, 's'),
        ];
        for (number, unit) in parts.into_iter().filter(|(number, _)| *number > 0) {
            write!(f, "{number}{unit}")?;
        }
        Ok(())
    }
}
