//! Retention: which backups to keep, and why. Pure, with the rules of `restic forget`.
//!
//! Backups are put into groups, and the rules are applied to each group on its own, from the newest backup to the
//! oldest. A calendar rule (hourly, daily ...) keeps the newest backup of each period, for so many periods that have
//! one. Every rule looks at every backup: one that is kept for its tag still counts as the newest of its day.

mod group;
mod span;
#[cfg(test)]
mod tests;

pub use group::{GroupBy, GroupKey};
pub use span::Span;

use crate::error::{Error, Result};
use crate::format::config::Retention;
use crate::id::Id;
use crate::units::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// A count that never runs out.
pub const UNLIMITED: u64 = u64::MAX;

/// Which backups to keep. A count of 0 is no rule, [`UNLIMITED`] keeps one of every period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The newest so many.
    pub last: u64,
    /// One an hour, for so many hours that have one.
    pub hourly: u64,
    /// One a day.
    pub daily: u64,
    /// One a week, Monday to Sunday as in ISO 8601.
    pub weekly: u64,
    /// One a month.
    pub monthly: u64,
    /// One a year.
    pub yearly: u64,
    /// All that are less than this older than the newest.
    pub within: Span,
    /// All that have every tag of one of these lists.
    pub tags: Vec<Vec<String>>,
}

/// What the rules look at.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// When the backup was made.
    pub time: Time,
    /// Orders backups of the same time.
    pub id: Id,
    /// Its tags.
    pub tags: &'a [String],
}

impl From<&Retention> for Policy {
    fn from(rules: &Retention) -> Self {
        Policy {
            last: rules.last,
            hourly: rules.hourly,
            daily: rules.daily,
            weekly: rules.weekly,
            monthly: rules.monthly,
            yearly: rules.yearly,
            within: Span::seconds(rules.within_secs),
            tags: Vec::new(),
        }
    }
}

impl Policy {
    /// Is there no rule at all? Such a policy must not be applied: it would keep nothing.
    pub fn is_empty(&self) -> bool {
        *self == Policy::default()
    }

    /// For each of `items` the reasons to keep it, in the order of the rules; none: it may go.
    ///
    /// `zone` says when hours, days and so on begin. Backups dated after `now` do not count as the newest for
    /// [`Policy::within`]: a clock that ran ahead once must not make all others old.
    pub fn reasons(&self, items: &[Item<'_>], zone: &TimeZone, now: Time) -> Vec<Vec<String>> {
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by_key(|at| std::cmp::Reverse((items[*at].time, items[*at].id)));
        let newest = items.iter().map(|i| i.time).filter(|t| *t < now).max();
        // Nothing but backups from the future: all are kept.
        let from = newest.map_or(Time(i64::MIN), |t| self.within.before(t, zone));
        let mut buckets = self.buckets();
        let mut reasons = vec![Vec::new(); items.len()];
        for (nth, at) in order.into_iter().enumerate() {
            let item = &items[at];
            let why = &mut reasons[at];
            for list in self.tags.iter().filter(|list| has_tags(item.tags, list)) {
                why.push(format!("has tags [{}]", list.join(", ")));
            }
            if !self.within.is_zero() && item.time > from {
                why.push(format!("within {}", self.within));
            }
            let local = zoned(item.time, zone);
            for bucket in &mut buckets {
                if bucket.takes((bucket.period)(&local, nth)) {
                    why.push(bucket.reason.to_owned());
                }
            }
        }
        reasons
    }

    fn buckets(&self) -> [Bucket; 6] {
        let bucket = |left, reason, period| Bucket {
            left,
            reason,
            period,
            last: None,
        };
        [
            bucket(self.last, "last snapshot", |_, nth| nth as i64),
            bucket(self.hourly, "hourly snapshot", |t, _| {
                day(t) * 100 + i64::from(t.hour())
            }),
            bucket(self.daily, "daily snapshot", |t, _| day(t)),
            bucket(self.weekly, "weekly snapshot", |t, _| {
                let week = t.date().iso_week_date();
                i64::from(week.year()) * 100 + i64::from(week.week())
            }),
            bucket(self.monthly, "monthly snapshot", |t, _| day(t) / 100),
            bucket(self.yearly, "yearly snapshot", |t, _| t.year().into()),
        ]
    }
}

/// A counting rule on its way through a group.
struct Bucket {
    left: u64,
    reason: &'static str,
    period: Period,
    last: Option<i64>,
}

/// The number of the period that a backup is of; the second value is its place from the newest on.
type Period = fn(&Zoned, usize) -> i64;

impl Bucket {
    /// Is the backup the first that is seen of its period, and is something left to give?
    fn takes(&mut self, period: i64) -> bool {
        if self.left == 0 || self.last == Some(period) {
            return false;
        }
        self.last = Some(period);
        if self.left != UNLIMITED {
            self.left -= 1;
        }
        true
    }
}

/// Year, month and day as one number, such as 20260131.
fn day(t: &Zoned) -> i64 {
    i64::from(t.year()) * 10_000 + i64::from(t.month()) * 100 + i64::from(t.day())
}

/// A moment in the zone; one beyond the years that calendars know counts as the first or last of them.
fn zoned(time: Time, zone: &TimeZone) -> Zoned {
    let bound = if time.0 < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_millisecond(time.0)
        .unwrap_or(bound)
        .to_zoned(zone.clone())
}

/// Are all of `wanted` among `tags`? The empty tag stands for having none.
fn has_tags(tags: &[String], wanted: &[String]) -> bool {
    wanted
        .iter()
        .all(|tag| tags.contains(tag) || (tag.is_empty() && tags.is_empty()))
}

/// Reads the count of a rule: a number, or `unlimited` (also as `-1`).
pub fn parse_count(text: &str) -> Result<u64> {
    match text.trim() {
        "unlimited" | "-1" => Ok(UNLIMITED),
        number => number.parse().map_err(|_| {
            Error::usage(format!(
                "{text:?} is not a number of backups; write for example 7, or unlimited"
            ))
        }),
    }
}
