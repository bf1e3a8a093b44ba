//! Reading an answer's body: bounded, checked against what was announced, resumable.

use super::client::Cause;
use super::request::{Action, Request};
use super::transport::{Broken, BrokenKind, HttpResponse, broken_io};
use crate::codec::spare;
use crate::units::MIB;
use std::io::Read;
use std::time::{Duration, Instant};

/// The `range` header of a GET for `range` (offset and length; `None` is the whole object) of which `have` bytes are here.
pub(super) fn range_header(range: Option<(u64, u64)>, have: u64) -> Option<String> {
    match range {
        None if have == 0 => None,
        None => Some(format!("bytes={have}-")),
        Some((offset, length)) => {
            let last = offset.saturating_add(length).saturating_sub(1);
            Some(format!("bytes={}-{last}", offset.saturating_add(have)))
        }
    }
}

/// Appends the body to `into`, which holds what earlier attempts read. On failure, what was read stays there.
pub(super) fn read_body(
    request: &Request<'_>,
    response: HttpResponse,
    limit: u64,
    pace: Pace,
    into: &mut Vec<u8>,
) -> Result<(), Cause> {
    refuse_encoded(request, &response)?;
    let have = into.len() as u64;
    let skip = match request.action {
        Action::GetObject => bytes_to_skip(
            &response,
            request
                .range
                .map_or(0, |(offset, _)| offset)
                .saturating_add(have),
        )?,
        _ => 0,
    };
    let announced = response
        .header("content-length")
        .and_then(|v| v.trim().parse::<u64>().ok());
    let rest = announced.map(|length| length.saturating_sub(skip));
    let room = limit.saturating_sub(have);
    let wanted = request
        .range
        .map(|(_, length)| length.saturating_sub(have).min(room));
    if wanted.is_none() && rest.is_some_and(|rest| rest > room) {
        return Err(Cause::TooLong(
            have.saturating_add(rest.unwrap_or_default()),
        ));
    }
    // One byte more than allowed tells a body that is too long from one that just fits.
    let most = wanted.unwrap_or(room.saturating_add(1));
    let response_range = response.header("content-range").map(str::to_owned);
    let mut reader = Paced::new(response.body, pace);
    discard(&mut reader, skip)?;
    let expected = rest.unwrap_or(0).min(most).min(32 * MIB) as usize;
    match into.capacity() {
        0 => *into = spare::take(expected),
        _ => into.reserve(expected),
    }
    let read = (&mut reader)
        .take(most)
        .read_to_end(into)
        .map_err(|e| Cause::Broken(broken_io(e)))? as u64;
    if wanted.is_none() && read > room {
        return Err(Cause::TooLong(limit.saturating_add(1)));
    }
    // What the range says to be there counts, too: lengths have been rewritten on the way.
    let promised = range_length(&response_range, skip).map(|length| length.min(most));
    match rest.map(|rest| rest.min(most)).max(promised) {
        Some(rest) if read < rest => Err(ended_early(read, rest)),
        _ => Ok(()),
    }
}

/// No encoding was asked for, and objects have none: what is encoded now is not what was stored. (`aws-chunked` is how
/// some clients send; servers that keep it send the bytes as they are.)
fn refuse_encoded(request: &Request<'_>, response: &HttpResponse) -> Result<(), Cause> {
    let coding = response.header("content-encoding").unwrap_or_default();
    let plain = |one: &str| ["", "identity", "aws-chunked"].contains(&one);
    let mut all = coding.split(',').map(|c| c.trim().to_ascii_lowercase());
    if request.method != "GET" || all.all(|one| plain(&one)) {
        return Ok(());
    }
    let coding: String = coding.chars().take(50).collect();
    Err(Cause::Changed(format!("Content-Encoding: {coding:?}")))
}

/// How many bytes `bytes 10-19/100` promises after the first `skip`.
fn range_length(content_range: &Option<String>, skip: u64) -> Option<u64> {
    let (span, _) = content_range
        .as_deref()?
        .trim()
        .strip_prefix("bytes")?
        .split_once('/')?;
    let (first, last) = span.trim().split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    last.checked_sub(first)?.checked_add(1)?.checked_sub(skip)
}

/// How slowly a body may come. A connection may stay alive for ever with a byte now and then.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long is looked at.
    pub window: Duration,
    /// Fewest bytes in each window, if it is waited for so long.
    pub least: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            window: Duration::from_secs(30),
            least: 30 * 1024,
        }
    }
}

impl Pace {
    /// One that judges after `window` at the latest, by the usual rate.
    pub fn within(window: Duration) -> Pace {
        let usual = Pace::default();
        let window = window.clamp(Duration::from_secs(1), usual.window);
        Pace {
            window,
            least: usual.least * window.as_millis() as u64 / usual.window.as_millis() as u64,
        }
    }
}

/// A body that fails when it comes too slowly.
pub(super) struct Paced<R> {
    inner: R,
    pace: Pace,
    since: Instant,
    bytes: u64,
}

impl<R: Read> Paced<R> {
    pub(super) fn new(inner: R, pace: Pace) -> Self {
        Paced {
            inner,
            pace,
            since: Instant::now(),
            bytes: 0,
        }
    }
}

impl<R: Read> Read for Paced<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes += read as u64;
        if read > 0 && self.since.elapsed() >= self.pace.window {
            if self.bytes < self.pace.least {
                let text = format!(
                    "the answer came at {} bytes in {:?}",
                    self.bytes, self.pace.window
                );
                return Err(std::io::Error::new(std::io::ErrorKind::TimedOut, text));
            }
            (self.since, self.bytes) = (Instant::now(), 0);
        }
        Ok(read)
    }
}

/// How much of the body lies before `start`: servers may answer a range with the whole object, and some (rclone) say 200
/// with a `Content-Range`.
fn bytes_to_skip(response: &HttpResponse, start: u64) -> Result<u64, Cause> {
    let nonsense =
        || Cause::Nonsense("the answer holds another range than the one asked for".into());
    let first = match response.header("content-range") {
        Some(text) => range_start(text).ok_or_else(nonsense)?,
        None if response.status == 206 => return Err(nonsense()),
        None => 0,
    };
    start.checked_sub(first).ok_or_else(nonsense)
}

/// `bytes 10-19/100` -> 10.
fn range_start(text: &str) -> Option<u64> {
    let (first, _) = text
        .trim()
        .strip_prefix("bytes")?
        .trim_start()
        .split_once('-')?;
    first.parse().ok()
}

fn discard(reader: &mut dyn Read, count: u64) -> Result<(), Cause> {
    let skipped = std::io::copy(&mut reader.take(count), &mut std::io::sink());
    match skipped.map_err(|e| Cause::Broken(broken_io(e)))? {
        skipped if skipped < count => Err(ended_early(skipped, count)),
        _ => Ok(()),
    }
}

fn ended_early(read: u64, announced: u64) -> Cause {
    let message = format!("the answer broke off after {read} of {announced} bytes");
    Cause::Broken(Broken {
        kind: BrokenKind::Other,
        message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::request::{get_object, get_object_range};
    use std::io::Cursor;

    fn answer(status: u16, headers: &[(&str, &str)], body: &'static [u8]) -> HttpResponse {
        let headers = headers
            .iter()
            .map(|(n, v)| (n.to_string(), v.to_string()))
            .collect();
        HttpResponse {
            status,
            headers,
            body: Box::new(Cursor::new(body)),
        }
    }

    #[test]
    fn ranges_are_inclusive_and_resume_inside() {
        assert_eq!(range_header(None, 0), None);
        assert_eq!(range_header(None, 7).as_deref(), Some("bytes=7-"));
        assert_eq!(
            range_header(Some((10, 5)), 0).as_deref(),
            Some("bytes=10-14")
        );
        assert_eq!(
            range_header(Some((10, 5)), 2).as_deref(),
            Some("bytes=12-14")
        );
        range_header(Some((u64::MAX, u64::MAX)), u64::MAX);
    }

    #[test]
    fn a_server_that_ignores_the_range_is_understood() {
        let mut into = Vec::new();
        let request = get_object_range("k", 2, 3);
        read_body(
            &request,
            answer(200, &[("content-length", "10")], b"0123456789"),
            3,
            Pace::default(),
            &mut into,
        )
        .unwrap();
        assert_eq!(into, b"234");
        let mut into = b"2".to_vec();
        let headers = [("content-length", "2"), ("content-range", "bytes 3-4/10")];
        read_body(
            &request,
            answer(200, &headers, b"34"),
            3,
            Pace::default(),
            &mut into,
        )
        .unwrap();
        assert_eq!(into, b"234");
    }

    #[test]
    fn a_body_shorter_than_its_range_is_torn() {
        let headers = [("content-length", "2"), ("content-range", "bytes 2-4/10")];
        let mut into = Vec::new();
        let request = get_object_range("k", 2, 3);
        let torn = read_body(
            &request,
            answer(206, &headers, b"23"),
            3,
            Pace::default(),
            &mut into,
        );
        assert!(matches!(torn, Err(Cause::Broken(_))), "{torn:?}");
        assert_eq!(into, b"23");
    }

    #[test]
    fn another_range_is_refused() {
        for headers in [
            &[("content-range", "bytes 3-4/10")][..],
            &[],
            &[("content-range", "lines 1-2")],
        ] {
            let got = read_body(
                &get_object_range("k", 2, 3),
                answer(206, headers, b"xyz"),
                3,
                Pace::default(),
                &mut Vec::new(),
            );
            assert!(matches!(got, Err(Cause::Nonsense(_))), "{headers:?}");
        }
    }

    #[test]
    fn bodies_are_bounded_announced_or_not() {
        let long = read_body(
            &get_object("k"),
            answer(200, &[("content-length", "9")], b"123456789"),
            8,
            Pace::default(),
            &mut Vec::new(),
        );
        assert!(matches!(long, Err(Cause::TooLong(9))));
        let unannounced = read_body(
            &get_object("k"),
            answer(200, &[], b"123456789"),
            8,
            Pace::default(),
            &mut Vec::new(),
        );
        assert!(matches!(unannounced, Err(Cause::TooLong(9))));
        let mut into = Vec::new();
        read_body(
            &get_object("k"),
            answer(200, &[], b"12345678"),
            8,
            Pace::default(),
            &mut into,
        )
        .unwrap();
        assert_eq!(into.len(), 8);
    }

    #[test]
    fn an_encoded_answer_is_not_the_storages() {
        let read = |coding: &'static str| {
            let answer = answer(200, &[("content-encoding", coding)], b"x");
            read_body(
                &get_object("k"),
                answer,
                8,
                Pace::default(),
                &mut Vec::new(),
            )
        };
        for coding in ["gzip", "br", "aws-chunked, GZIP"] {
            assert!(matches!(read(coding), Err(Cause::Changed(_))), "{coding}");
        }
        for coding in ["", "identity", "aws-chunked"] {
            read(coding).unwrap();
        }
    }

    #[test]
    fn a_body_that_breaks_off_is_kept_for_later() {
        let mut into = Vec::new();
        let short = read_body(
            &get_object("k"),
            answer(200, &[("content-length", "9")], b"1234"),
            100,
            Pace::default(),
            &mut into,
        );
        assert!(matches!(short, Err(Cause::Broken(_))));
        assert_eq!(into, b"1234");
    }

    #[test]
    fn a_body_that_drips_is_given_up() {
        /// A byte every few milliseconds.
        struct Drip(u32);
        impl Read for Drip {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                std::thread::sleep(Duration::from_millis(5));
                self.0 += 1;
                buffer[0] = 7;
                Ok(1)
            }
        }
        let response = HttpResponse {
            status: 200,
            headers: vec![("content-length".into(), "1000000".into())],
            body: Box::new(Drip(0)),
        };
        let pace = Pace {
            window: Duration::from_millis(50),
            least: 1000,
        };
        let mut into = Vec::new();
        let given_up = read_body(&get_object("k"), response, 1 << 20, pace, &mut into);
        assert!(matches!(
            given_up,
            Err(Cause::Broken(Broken {
                kind: BrokenKind::Timeout,
                ..
            }))
        ));
        assert!(
            (1..100).contains(&into.len()),
            "{} bytes are kept",
            into.len()
        );
    }
}
