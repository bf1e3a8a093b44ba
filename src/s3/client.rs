//! The client of one bucket: signs, sends, watches the clock and the region, tries again, counts.

use super::clock::{Clock, parse_http_date};
use super::credentials::{CredentialProvider, Credentials};
use super::download::{Pace, Paced};
use super::endpoint::Endpoint;
use super::gate::Gate;
use super::meter::Meter;
pub use super::outcome::{Answer, Cause, Failure, Limits};
use super::provider::Provider;
use super::region::is_wrong_region;
use super::request::{Action, Request, lock_headers};
use super::response::{S3Error, looks_like_html};
use super::retry::{
    Attempts, Policy, Verdict, is_expired, jitter, judge_broken, judge_error, judge_keys,
    retry_after,
};
use super::sigv4::{Signer, ToSign};
use super::transport::{Broken, BrokenKind, HttpRequest, HttpResponse, Transport};
use super::{canonical, download};
use crate::error::Error;
use crate::storage::Usage;
use crate::units::{MIB, Time};
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Bodies above this wait for `100 Continue`, so that a refusal is read instead of a broken pipe; once one was taken, only
/// what is sent again and what follows a failure.
const EXPECT_ABOVE: usize = MIB as usize;

/// Longest error answer that is read.
const MAX_ERROR: u64 = 64 * 1024;
/// An attempt that brought this much of a body renews the time limit.
const PROGRESS: u64 = 256 * 1024;

/// See the module.
pub struct Client {
    transport: Box<dyn Transport>,
    endpoint: Endpoint,
    bucket: String,
    credentials: CredentialProvider,
    region: RwLock<String>,
    policy: Policy,
    clock: Clock,
    meter: Meter,
    answered: AtomicBool,
    /// The last large body was taken: the next is sent without asking first, which saves a round trip.
    takes: AtomicBool,
    gate: Gate,
    /// Bodies that come slower than this are fetched on another connection.
    pace: Pace,
    sleep: fn(Duration),
}

impl Client {
    /// A client for `bucket`. `region`: `None` lets the servers say.
    pub fn new(
        transport: Box<dyn Transport>,
        endpoint: Endpoint,
        bucket: &str,
        region: Option<&str>,
        credentials: impl Into<CredentialProvider>,
        policy: Policy,
    ) -> Client {
        let region = endpoint
            .region()
            .or(region)
            .unwrap_or(endpoint.default_region())
            .to_string();
        Client {
            transport,
            bucket: bucket.to_string(),
            credentials: credentials.into(),
            region: RwLock::new(region),
            policy,
            clock: Clock::default(),
            meter: Meter::default(),
            answered: AtomicBool::new(false),
            takes: AtomicBool::new(false),
            gate: Gate::new(endpoint.provider().connections),
            pace: Pace::default(),
            sleep: std::thread::sleep,
            endpoint,
        }
    }

    /// With at most `most` requests at a time, instead of what is usual at this provider.
    pub fn with_connections(mut self, most: usize) -> Client {
        self.gate = Gate::new(most);
        self
    }

    /// Bodies may come no slower than this.
    pub fn with_pace(mut self, pace: Pace) -> Client {
        self.pace = pace;
        self
    }

    /// How many requests may be under way at a time.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The storage's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What was asked so far.
    pub fn usage(&self) -> Usage {
        self.meter.usage()
    }

    /// The bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The region in use: given, learned, or the default.
    pub fn region(&self) -> String {
        self.region
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Uses another region from now on.
    pub fn set_region(&self, region: &str) {
        *self.region.write().unwrap_or_else(PoisonError::into_inner) = region.to_string();
    }

    /// What the provider can do.
    pub fn provider(&self) -> &'static Provider {
        self.endpoint.provider()
    }

    /// The keys last used, for messages.
    pub fn credentials(&self) -> Arc<Credentials> {
        self.credentials.current()
    }

    /// Sends a request until it is answered with 2xx, fails for good, or the time is up.
    pub fn send(&self, request: &Request<'_>, limits: Limits) -> Result<Answer, Failure> {
        let mut call = Call {
            attempts: Attempts::new(self.policy),
            corrected_clock: false,
            corrected_region: false,
            renewed_keys: false,
            fresh: false,
        };
        let mut partial = Vec::new();
        loop {
            call.attempts.start();
            match self.attempt(request, limits, &mut partial, &call) {
                Ok(mut answer) => {
                    answer.attempts = call.attempts.made();
                    return Ok(answer);
                }
                Err(fault) => {
                    self.takes.store(false, Relaxed);
                    self.recover(&mut call, *fault)?;
                }
            }
        }
    }

    /// Waits for the next attempt, with region or clock corrected where that was the fault; or fails for good.
    fn recover(&self, call: &mut Call, mut fault: Fault) -> Result<(), Failure> {
        // Whatever broke this connection may have broken the others to that address, too.
        call.fresh = matches!(fault.cause, Cause::Broken(_));
        let (verdict, asked) = match &fault.cause {
            Cause::Service(error) => {
                if !call.corrected_region && self.learn_region(error, &fault.region) {
                    call.corrected_region = true;
                    return Ok(());
                }
                if !call.corrected_clock && self.clock_was_wrong(error, fault.signed) {
                    call.corrected_clock = true;
                    return Ok(());
                }
                let renewal = match call.renewed_keys {
                    true => None,
                    false => self.renew_keys(error, &fault),
                };
                match renewal {
                    Some(Ok(())) => {
                        call.renewed_keys = true;
                        return Ok(());
                    }
                    Some(Err(none)) => {
                        let verdict = judge_keys(&none);
                        fault.cause = Cause::Keys(Arc::new(none));
                        (verdict, None)
                    }
                    None => (judge_error(error), fault.retry_after),
                }
            }
            Cause::Keys(error) => (judge_keys(error), None),
            Cause::Broken(broken) => (judge_broken(broken, self.answered.load(Relaxed)), None),
            _ => (Verdict::Final, None),
        };
        if fault.progress {
            call.attempts.progress();
        }
        match call.attempts.wait(verdict, asked, jitter()) {
            Some(wait) => {
                (self.sleep)(wait);
                Ok(())
            }
            None => Err(Failure {
                cause: fault.cause,
                attempts: call.attempts.made(),
            }),
        }
    }

    /// Gets new keys where the storage finds the ones used expired; `None` if that is not so, or there are no others. A
    /// HEAD's refusal has no code: there the keys' own end tells.
    fn renew_keys(&self, error: &S3Error, fault: &Fault) -> Option<Result<(), Error>> {
        let keys = fault.keys.as_ref()?;
        let ended = keys.expires().is_some_and(|end| self.clock.now() >= end);
        let silent = error.code.is_empty() && matches!(error.status, 400 | 401 | 403);
        if !(is_expired(error) || (silent && ended)) {
            return None;
        }
        match self.credentials.renew(keys) {
            Ok(true) => Some(Ok(())),
            Ok(false) => None,
            Err(none) => Some(Err(
                none.context("the storage finds the session token expired")
            )),
        }
    }

    /// Takes a region from an answer that says ours is wrong; true if that changes anything for this request.
    fn learn_region(&self, error: &S3Error, used: &str) -> bool {
        match &error.region {
            Some(region)
                if is_wrong_region(error) && region != used && self.endpoint.region().is_none() =>
            {
                self.set_region(region);
                true
            }
            _ => false,
        }
    }

    /// A refusal of a request signed with a time that the clock, corrected since by the answer's `Date`, finds far off.
    fn clock_was_wrong(&self, error: &S3Error, signed: Time) -> bool {
        matches!(error.status, 400 | 403) && self.clock.was_off(signed)
    }

    /// One attempt. `partial` holds what earlier attempts read of a whole or ranged GET.
    fn attempt(
        &self,
        request: &Request<'_>,
        limits: Limits,
        partial: &mut Vec<u8>,
        call: &Call,
    ) -> Result<Answer, Box<Fault>> {
        // Before the time is taken, so that waiting makes no request late.
        let permit = self.gate.enter();
        let number = call.attempts.made();
        let region = self.region();
        let began = Time::local_now();
        let signed = self.clock.at(began);
        let keys = self
            .credentials
            .get(signed)
            .map_err(|error| Box::new(Fault::new(Cause::Keys(Arc::new(error)), signed, &region)))?;
        let fault = |cause: Cause| {
            Box::new(Fault {
                keys: Some(keys.clone()),
                ..Fault::new(cause, signed, &region)
            })
        };
        if limits.not_after.is_some_and(|last| signed > last) {
            return Err(fault(Cause::TooLate));
        }
        if request.action != Action::GetObject {
            partial.clear();
        }
        let range = download::range_header(request.range, partial.len() as u64);
        let (url, headers) = self.signed(request, &keys, &region, signed, range, number > 1);
        let body = matches!(request.method, "PUT" | "POST").then_some(&*request.body);
        let length = body.map_or(0, |b| b.len() as u64);
        self.meter.request(request.action, length, number > 1);
        let exchange = HttpRequest {
            method: request.method,
            url: &url,
            headers: &headers,
            body,
            fresh: call.fresh,
        };
        let response = self
            .transport
            .exchange(&exchange)
            .map_err(|b| fault(Cause::Broken(b)))?;
        let (date, took) = self.observe(&response, began);
        if !(200..300).contains(&response.status) {
            let retry_after = retry_after(response.header("retry-after"), date);
            let error = self.read_error(request, response);
            if error.status == 416 && !partial.is_empty() {
                // There is no more, though more was announced: one of the two was wrong on the way.
                partial.clear();
                return Err(fault(Cause::Broken(Broken {
                    kind: BrokenKind::Other,
                    message: "the answers disagree on the object's length".into(),
                })));
            }
            if judge_error(&error) == Verdict::Throttled {
                permit.slow_down();
            }
            return Err(Box::new(Fault {
                retry_after,
                ..*fault(Cause::Service(error))
            }));
        }
        let before = partial.len();
        let (status, headers) = (response.status, response.headers.clone());
        let typed_html = is_html(&response);
        let read = match request.method {
            "HEAD" => Ok(()),
            _ => download::read_body(request, response, limits.body, self.pace, partial),
        };
        let arrived = (partial.len() - before) as u64;
        self.meter.received(arrived);
        if let Err(cause) = read {
            return Err(Box::new(Fault {
                progress: arrived >= PROGRESS,
                ..*fault(cause)
            }));
        }
        let body = std::mem::take(partial);
        // No whole object of ours begins so; a range of one might.
        let whole = request.action == Action::GetObject && request.range.is_none();
        let inside = match request.action {
            _ if (typed_html || whole) && looks_like_html(&body) => {
                Some(S3Error::web_page(status, &body))
            }
            Action::GetObject => None,
            _ => S3Error::inside_success(status, &body),
        };
        if let Some(error) = inside {
            if judge_error(&error) == Verdict::Throttled {
                permit.slow_down();
            }
            return Err(fault(Cause::Service(error)));
        }
        permit.success();
        if request.body.len() > EXPECT_ABOVE {
            self.takes.store(true, Relaxed);
        }
        Ok(Answer {
            status,
            headers,
            body,
            date,
            took,
            attempts: number,
        })
    }

    /// Takes note of an answer: the server is there, and what its clock says. Gives that, and how long it took.
    fn observe(&self, response: &HttpResponse, began: Time) -> (Option<Time>, Duration) {
        let ended = Time::local_now();
        self.answered.store(true, Relaxed);
        let date = response.header("date").and_then(parse_http_date);
        // An answer from a cache has the date of when it was stored.
        if let (Some(date), None) = (date, response.header("age")) {
            match response.status {
                400 | 403 => self.clock.observe_refusal(date, began, ended),
                _ => self.clock.observe(date, began, ended),
            };
        }
        (date, ended.since(began))
    }

    /// URL and all headers of a request, signed.
    fn signed(
        &self,
        request: &Request<'_>,
        keys: &Credentials,
        region: &str,
        time: Time,
        range: Option<String>,
        again: bool,
    ) -> (String, Vec<(String, String)>) {
        let address = self.endpoint.address(&self.bucket, region);
        let path = match (address.base.as_str(), request.key.as_str()) {
            (base, "") if !base.is_empty() => base.to_string(),
            (base, key) => format!("{base}/{key}"),
        };
        let mut headers = request.headers.clone();
        headers.extend(range.map(|range| ("range".to_string(), range)));
        if let Some(lock) = &request.lock {
            headers.extend(lock_headers(lock, time));
        }
        headers.push(("host".into(), address.host.clone()));
        headers.push(("x-amz-content-sha256".into(), request.payload.clone()));
        let to_sign = ToSign {
            method: request.method,
            path: &path,
            query: &request.query,
            headers: &headers,
            payload: &request.payload,
        };
        let added = Signer::s3(keys, region, time).sign(&to_sign).added;
        headers.extend(added);
        headers.push((
            "user-agent".into(),
            concat!("corso/", env!("CARGO_PKG_VERSION")).into(),
        ));
        let asks = self.provider().expect_continue && (again || !self.takes.load(Relaxed));
        if asks && request.body.len() > EXPECT_ABOVE {
            headers.push(("expect".into(), "100-continue".into()));
        }
        let mut url = format!(
            "{}://{}{}",
            address.scheme,
            address.host,
            canonical::uri_encode(&path, true)
        );
        if !request.query.is_empty() {
            url.push('?');
            url.push_str(&canonical::query_string(&request.query));
        }
        (url, headers)
    }

    fn read_error(&self, request: &Request<'_>, mut response: HttpResponse) -> S3Error {
        let mut body = Vec::new();
        if request.method != "HEAD" {
            // What cannot be read only costs the text; the status says enough.
            let text = Paced::new(&mut response.body, self.pace);
            let _ = text.take(MAX_ERROR).read_to_end(&mut body);
            self.meter.received(body.len() as u64);
        }
        let region = response.header("x-amz-bucket-region");
        let mut error = S3Error::parse(
            response.status,
            &body,
            region,
            response.header("x-amz-request-id"),
        );
        error.detour.location = response.header("location").map(str::to_owned);
        error
    }
}

/// Objects of ours have no type, and S3 says everything else in XML: whatever sends a page of HTML is something in
/// between, such as the login page of a network. (Some servers put the type on empty answers.)
fn is_html(response: &HttpResponse) -> bool {
    let kind = response.header("content-type").unwrap_or_default();
    kind.trim_start()
        .to_ascii_lowercase()
        .starts_with("text/html")
}

/// The state of one [`Client::send`].
struct Call {
    attempts: Attempts,
    corrected_clock: bool,
    corrected_region: bool,
    renewed_keys: bool,
    /// The next attempt goes on a new connection.
    fresh: bool,
}

/// A failed attempt.
struct Fault {
    cause: Cause,
    /// The time and region it was signed with.
    signed: Time,
    region: String,
    /// The keys it was signed with.
    keys: Option<Arc<Credentials>>,
    retry_after: Option<Duration>,
    /// A good part of the body arrived, and is kept.
    progress: bool,
}
impl Fault {
    fn new(cause: Cause, signed: Time, region: &str) -> Fault {
        Fault {
            cause,
            signed,
            region: region.to_string(),
            keys: None,
            retry_after: None,
            progress: false,
        }
    }
}

#[cfg(test)]
mod tests;
