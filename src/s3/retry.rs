//! When to try again: what is worth it, how long to wait, when to stop.
//!
//! Waits have full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"). The time limit runs from the first
//! failure, so that a large upload that broke after minutes still gets another chance.

use super::clock::parse_http_date;
use super::response::S3Error;
use super::transport::{Broken, BrokenKind};
use crate::error::{Error, Kind};
use crate::units::Time;
use std::time::{Duration, Instant};

/// Limits and units of waiting.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Longest time from the first failure to the last attempt's start.
    pub limit: Duration,
    /// Attempts that are made whatever the time, while the failure is worth it.
    pub least: u32,
    /// First wait's upper bound after an ordinary failure.
    pub base: Duration,
    /// First wait's upper bound after the server asked for less.
    pub throttle_base: Duration,
    /// No wait's upper bound is above this.
    pub cap: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            limit: Duration::from_secs(120),
            least: 3,
            base: Duration::from_millis(100),
            throttle_base: Duration::from_secs(1),
            cap: Duration::from_secs(20),
        }
    }
}

impl Policy {
    /// Another time limit; zero never tries again.
    pub fn with_limit(limit: Duration) -> Policy {
        let least = if limit.is_zero() { 1 } else { 3 };
        Policy {
            limit,
            least,
            ..Policy::default()
        }
    }
}

/// What to do about a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It would fail again.
    Final,
    /// Worth another try.
    Again,
    /// Worth another try, more gently.
    Throttled,
}

/// Codes by which servers ask for less.
const THROTTLES: [&str; 17] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "SlowDownRead",
    "SlowDownWrite",
    "ServiceUnavailable",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "TooManyRequestsException",
];
/// Codes of passing trouble, whatever the status.
const PASSING: [&str; 6] = [
    "ConditionalRequestConflict",
    "InternalError",
    "OperationAborted",
    "RequestTimeout",
    "RequestTimeoutException",
    "TransactionInProgressException",
];

/// `Retry-After` may say anything; nobody waits for longer than this.
const LONGEST_ASKED: Duration = Duration::from_secs(7 * 86400);

/// Judges an error answer.
pub fn judge_error(error: &S3Error) -> Verdict {
    if THROTTLES.contains(&error.code.as_str()) || matches!(error.status, 429 | 503) {
        Verdict::Throttled
    } else if PASSING.contains(&error.code.as_str())
        // Beside S3's own, what proxies say: 499 nginx, 520 to 524 Cloudflare.
        || matches!(error.status, 408 | 499 | 500 | 502 | 504 | 520..=524)
    {
        Verdict::Again
    } else {
        Verdict::Final
    }
}

/// Judges a broken exchange. Names that do not exist, ports where nothing listens and answers that are not HTTP are passing trouble only of a server
/// that has answered before; bad certificates never are.
pub fn judge_broken(broken: &Broken, answered_before: bool) -> Verdict {
    match broken.kind {
        BrokenKind::Tls => Verdict::Final,
        BrokenKind::NameLookup
        | BrokenKind::Refused
        | BrokenKind::NotHttp
        | BrokenKind::Proxy
        | BrokenKind::NoProxy
            if !answered_before =>
        {
            Verdict::Final
        }
        _ => Verdict::Again,
    }
}

/// Judges that there are no keys to sign with: worth another try where the service that gives them is out of reach.
pub fn judge_keys(error: &Error) -> Verdict {
    use Kind::{ConnectionRefused, NameLookup, Network};
    match error.kind() {
        Network | NameLookup | ConnectionRefused => Verdict::Again,
        _ => Verdict::Final,
    }
}

/// Are the keys refused because they have expired? A HEAD has no body that could say so.
pub fn is_expired(error: &S3Error) -> bool {
    let codes = [
        "ExpiredToken",
        "ExpiredTokenException",
        "TokenRefreshRequired",
    ];
    codes.contains(&error.code.as_str())
}

/// `Retry-After`: seconds, or a time of the server's clock, which shows `now` (RFC 9110, 10.2.3).
pub fn retry_after(value: Option<&str>, now: Option<Time>) -> Option<Duration> {
    let value = value?.trim();
    match value.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds).min(LONGEST_ASKED)),
        Err(_) => Some(parse_http_date(value)?.since(now?).min(LONGEST_ASKED)),
    }
}

/// The attempts of one request.
#[derive(Debug)]
pub struct Attempts {
    policy: Policy,
    made: u32,
    first_failure: Option<Instant>,
}

impl Attempts {
    /// None made yet.
    pub fn new(policy: Policy) -> Attempts {
        Attempts {
            policy,
            made: 0,
            first_failure: None,
        }
    }

    /// How many were started.
    pub fn made(&self) -> u32 {
        self.made
    }

    /// Another one starts.
    pub fn start(&mut self) {
        self.made += 1;
    }

    /// Progress was made (bytes of a body arrived): the time limit starts anew.
    pub fn progress(&mut self) {
        self.first_failure = None;
    }

    /// How long to wait before the next attempt, or `None` if there is none. `random` is in `0.0..1.0`.
    pub fn wait(
        &mut self,
        verdict: Verdict,
        asked: Option<Duration>,
        random: f64,
    ) -> Option<Duration> {
        let base = match verdict {
            Verdict::Final => return None,
            Verdict::Again => self.policy.base,
            Verdict::Throttled => self.policy.throttle_base,
        };
        let spent = self
            .first_failure
            .get_or_insert_with(Instant::now)
            .elapsed();
        let bound = base
            .saturating_mul(1 << (self.made.saturating_sub(1)).min(16))
            .min(self.policy.cap);
        let wait = bound
            .mul_f64(random.clamp(0.0, 1.0))
            .max(asked.unwrap_or_default());
        let early = self.made < self.policy.least && wait <= self.policy.limit;
        (early || spent.saturating_add(wait) < self.policy.limit).then_some(wait)
    }
}

/// A number in `0.0..1.0` for jitter; not for secrets.
pub fn jitter() -> f64 {
    let bits = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, code: &str) -> S3Error {
        S3Error {
            status,
            code: code.into(),
            ..S3Error::default()
        }
    }

    #[test]
    fn verdicts() {
        for (status, code) in [
            (400, ""),
            (403, "AccessDenied"),
            (404, "NoSuchKey"),
            (412, ""),
            (301, ""),
            (501, ""),
        ] {
            assert_eq!(
                judge_error(&error(status, code)),
                Verdict::Final,
                "{status} {code}"
            );
        }
        for (status, code) in [
            (500, ""),
            (502, ""),
            (504, ""),
            (408, ""),
            (400, "RequestTimeout"),
            (200, "InternalError"),
            (499, ""),
            (522, ""),
            (400, "TransactionInProgressException"),
        ] {
            assert_eq!(
                judge_error(&error(status, code)),
                Verdict::Again,
                "{status} {code}"
            );
        }
        for (status, code) in [
            (503, ""),
            (429, ""),
            (200, "SlowDown"),
            (400, "ThrottlingException"),
            (400, "ThrottledException"),
            (400, "ProvisionedThroughputExceededException"),
        ] {
            assert_eq!(
                judge_error(&error(status, code)),
                Verdict::Throttled,
                "{status} {code}"
            );
        }
    }

    #[test]
    fn a_server_never_reached_is_not_waited_for() {
        let broken = |kind| Broken {
            kind,
            message: String::new(),
        };
        for kind in [
            BrokenKind::Refused,
            BrokenKind::NameLookup,
            BrokenKind::NotHttp,
        ] {
            assert_eq!(judge_broken(&broken(kind), false), Verdict::Final);
            assert_eq!(judge_broken(&broken(kind), true), Verdict::Again);
        }
        assert_eq!(judge_broken(&broken(BrokenKind::Tls), true), Verdict::Final);
        assert_eq!(
            judge_broken(&broken(BrokenKind::Other), false),
            Verdict::Again
        );
    }

    #[test]
    fn waits_grow_and_are_bounded() {
        let mut attempts = Attempts::new(Policy::default());
        let mut last = Duration::ZERO;
        for _ in 0..30 {
            attempts.start();
            let wait = attempts.wait(Verdict::Again, None, 0.999).unwrap();
            assert!(wait >= last && wait <= Duration::from_secs(20));
            last = wait;
        }
        assert!(last > Duration::from_secs(19));
        assert_eq!(
            attempts.wait(Verdict::Again, Some(Duration::from_secs(30)), 0.0),
            Some(Duration::from_secs(30))
        );
        assert_eq!(
            attempts.wait(Verdict::Again, Some(Duration::from_secs(3000)), 0.0),
            None
        );
        for never in [Duration::MAX, Duration::from_secs(u64::MAX)] {
            assert_eq!(attempts.wait(Verdict::Throttled, Some(never), 0.0), None);
        }
        assert_eq!(attempts.wait(Verdict::Final, None, 0.0), None);
    }

    #[test]
    fn retry_after_in_seconds_or_until() {
        let seconds = |value, now| retry_after(value, now).map(|d: Duration| d.as_secs());
        let now = Some(Time(1_369_353_600_000));
        assert_eq!(seconds(Some(" 7 "), None), Some(7));
        assert_eq!(seconds(Some("Fri, 24 May 2013 00:00:09 GMT"), now), Some(9));
        assert_eq!(seconds(Some("Fri, 24 May 2013 00:00:00 GMT"), None), None);
        assert_eq!(seconds(Some("Thu, 23 May 2013 00:00:00 GMT"), now), Some(0));
        assert_eq!(seconds(Some("soon"), now), None);
        let week = Some(7 * 86400);
        assert_eq!(seconds(Some("18446744073709551615"), now), week);
        assert_eq!(seconds(Some("18446744073709551616"), now), None);
        assert_eq!(seconds(Some("Thu, 01 Jan 2099 00:00:00 GMT"), now), week);
        assert_eq!(seconds(None, now), None);
    }

    #[test]
    fn a_limit_of_zero_never_tries_again() {
        let mut attempts = Attempts::new(Policy::with_limit(Duration::ZERO));
        attempts.start();
        assert_eq!(attempts.wait(Verdict::Again, None, 0.0), None);
    }
}
