//! Times, sizes and durations: as numbers, as people write them, as they are printed.

use crate::error::{Error, Result};
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One kibibyte.
pub const KIB: u64 = 1 << 10;
/// One mebibyte.
pub const MIB: u64 = 1 << 20;
/// One gibibyte.
pub const GIB: u64 = 1 << 30;

/// How late a storage's dates may be: they are cut to a second, and servers that format them once a second (fasthttp,
/// nginx) are late by another.
pub const DATE_LAG: Duration = Duration::from_millis(1_999);

/// A moment, in milliseconds since 1970-01-01T00:00:00Z. Used for the storage's clock and for snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub i64);

impl Time {
    /// This host's clock. Protocol decisions use the storage's clock instead.
    pub fn local_now() -> Time {
        #[cfg(test)]
        if let Some(planned) = crate::model::plan::now() {
            return planned;
        }
        Time::from(SystemTime::now())
    }

    /// `self - earlier`, zero when `earlier` is later.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0).max(0) as u64)
    }

    /// Later by `by`.
    pub fn plus(self, by: Duration) -> Time {
        Time(
            self.0
                .saturating_add(by.as_millis().min(i64::MAX as u128) as i64),
        )
    }

    /// Earlier by `by`.
    pub fn minus(self, by: Duration) -> Time {
        Time(
            self.0
                .saturating_sub(by.as_millis().min(i64::MAX as u128) as i64),
        )
    }

    /// RFC 3339 in UTC with whole seconds, as `--json` prints it.
    pub fn rfc3339(self) -> String {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            Err(_) => format!("@{}ms", self.0),
        }
    }

    /// `2026-01-31 12:00:00` in the host's time zone, for people.
    pub fn local(self) -> String {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => t
                .to_zoned(jiff::tz::TimeZone::system())
                .strftime("%Y-%m-%d %H:%M:%S")
                .to_string(),
            Err(_) => format!("@{}ms", self.0),
        }
    }
}

impl From<SystemTime> for Time {
    fn from(t: SystemTime) -> Time {
        match t.duration_since(UNIX_EPOCH) {
            Ok(d) => Time(d.as_millis() as i64),
            Err(e) => Time(-(e.duration().as_millis() as i64)),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

/// `1.5 MiB`: a size for people, binary units.
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < KIB {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// Parses `512`, `32M`, `1.5GiB`, `10 kb`: binary units in every spelling.
pub fn parse_bytes(text: &str) -> Result<u64> {
    let bad = || {
        Error::usage(format!(
            "{text:?} is not a size; write for example 512, 64K, 32M or 1.5G"
        ))
    };
    let trimmed = text.trim();
    let split = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let factor = match unit
        .trim()
        .to_ascii_lowercase()
        .trim_end_matches("ib")
        .trim_end_matches('b')
    {
        "" => 1,
        "k" => KIB,
        "m" => MIB,
        "g" => GIB,
        "t" => GIB * 1024,
        _ => return Err(bad()),
    };
    let value = number.parse::<f64>().map_err(|_| bad())? * factor as f64;
    if !(0.0..9.0e18).contains(&value) {
        return Err(bad());
    }
    Ok(value as u64)
}

/// `1h 2m 3s`, `12s`, `7d`, `1d 1h`: a duration for people, in whole seconds.
pub fn human_duration(d: Duration) -> String {
    let s = d.as_secs();
    let parts = [
        (s / 86_400, 'd'),
        (s / 3600 % 24, 'h'),
        (s / 60 % 60, 'm'),
        (s % 60, 's'),
    ];
    let told: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| format!("{n}{unit}"))
        .collect();
    match told.is_empty() {
        true => "0s".into(),
        false => told.join(" "),
    }
}

/// Parses `90s`, `15m`, `24h`, `7d`, `1h30m`; a bare number is refused, since its unit would be a guess.
pub fn parse_duration(text: &str) -> Result<Duration> {
    let bad = || {
        Error::usage(format!(
            "{text:?} is not a duration; write for example 90s, 15m, 24h or 7d"
        ))
    };
    let mut seconds = 0u64;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(bad());
    }
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let number: u64 = rest[..digits].parse().map_err(|_| bad())?;
        let factor = match rest.as_bytes()[digits] {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return Err(bad()),
        };
        seconds = number
            .checked_mul(factor)
            .and_then(|n| seconds.checked_add(n))
            .ok_or_else(bad)?;
        rest = &rest[digits + 1..];
    }
    Ok(Duration::from_secs(seconds))
}

/// Parses a moment: `2026-01-31T12:00:00Z` (RFC 3339, any offset), or `2026-01-31 12:00:00`, `2026-01-31 12:00` and
/// `2026-01-31` (its first second) in the host's time zone. Whole seconds; what is behind them is left out.
pub fn parse_time(text: &str) -> Result<Time> {
    let bad = || {
        Error::usage(format!("{text:?} is not a time")).hint(
            "write for example 2026-01-31T12:00:00Z, or \"2026-01-31 12:00\" in this host's time zone",
        )
    };
    let text = text.trim();
    let stamp = match text.parse::<jiff::Timestamp>() {
        Ok(stamp) => stamp,
        Err(_) => text
            .parse::<jiff::civil::DateTime>()
            .and_then(|local| local.to_zoned(jiff::tz::TimeZone::system()))
            .map_err(|_| bad())?
            .timestamp(),
    };
    Ok(Time(stamp.as_second().saturating_mul(1000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(human_bytes(1023), "1023 B");
        assert_eq!(human_bytes(1536), "1.5 KiB");
        assert_eq!(human_bytes(MIB), "1.0 MiB");
        for (text, n) in [
            ("0", 0),
            ("64K", 65536),
            ("1.5GiB", GIB * 3 / 2),
            ("10 kb", 10240),
        ] {
            assert_eq!(parse_bytes(text).unwrap(), n, "{text}");
        }
        for bad in ["", "x", "1x", "-1", "1e9", "99999999999999T"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("1h30m").unwrap(), Duration::from_secs(5400));
        assert_eq!(parse_duration("0").unwrap(), Duration::ZERO);
        for bad in ["", "5", "h", "1y", "99999999999999999999d"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (3723, "1h 2m 3s"),
            (86_400, "1d"),
            (604_800 + 3600, "7d 1h"),
        ] {
            assert_eq!(human_duration(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn times() {
        assert_eq!(Time(0).rfc3339(), "1970-01-01T00:00:00Z");
        assert_eq!(Time(5).since(Time(10)), Duration::ZERO);
        for text in [
            "2026-01-31T12:00:00Z",
            "2026-01-31T13:00:00.9+01:00",
            "2026-01-31 12:00:00Z",
        ] {
            let time = parse_time(text).unwrap();
            assert_eq!(time.rfc3339(), "2026-01-31T12:00:00Z", "{text}");
            assert_eq!(time.0 % 1000, 0);
        }
        let day = parse_time("2026-01-31").unwrap();
        assert_eq!(day.local(), "2026-01-31 00:00:00");
        assert_eq!(
            parse_time("2026-01-31 07:08").unwrap().local(),
            "2026-01-31 07:08:00"
        );
        for bad in ["", "yesterday", "2026-02-30", "12:00", "1700000000"] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }
}
