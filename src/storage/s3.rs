//! Storage in an S3 bucket, under a prefix.

mod batch;
mod config;
mod lock;
mod order;
mod past;
mod read;

pub use config::{S3Config, S3Options, StoredAs, Tuning};
pub use past::PastS3;

use super::{Listed, ObjectInfo, PutOptions, Retained, Storage, Stored, Usage, check_key};
use crate::error::{Context, Error, Kind, Result};
use crate::id::Id;
use crate::s3::client::{Answer, Cause, Client, Failure, Limits};
use crate::s3::download::Pace;
use crate::s3::explain::explain;
use crate::s3::provider::{Checksum, ContentMd5, ListDialect};
use crate::s3::rate::Rate;
use crate::s3::request::{self, ListPage, Put, Request};
use crate::s3::response::{Listed as Page, parse_list, parse_location};
use crate::s3::tls::TlsOptions;
use crate::s3::transport::{Network, Rates, Timeouts, Transport};
use crate::units::Time;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// More pages than any bucket of ours has: a server whose listing never ends is not believed for ever.
const MAX_PAGES: u32 = 1_000_000;

/// How often an answer that makes no sense is asked for.
const MAX_PARSES: u32 = 3;

/// A bucket and a prefix in it. Cheap to share between threads.
pub struct S3Storage {
    client: Client,
    prefix: String,
    /// Cleared when the server says that it does not know `If-None-Match`.
    conditional: AtomicBool,
    /// Set when the server says that it wants Content-MD5 with every put.
    digest: AtomicBool,
    stored_as: StoredAs,
    connections: Option<usize>,
}

impl S3Storage {
    /// Sets up the client; sends nothing yet.
    ///
    /// # Errors
    /// `Usage` for an endpoint, bucket or CA bundle that cannot be right.
    pub fn connect(config: S3Config) -> Result<S3Storage> {
        let endpoint = config.parsed_endpoint()?;
        let tls = TlsOptions {
            enabled: endpoint.tls(),
            disable_verification: config.disable_tls_verification,
            extra_roots: config.root_ca_pem.clone(),
        };
        let timeouts = match config.tuning.timeout {
            Some(limit) => Timeouts::within(limit),
            None => Timeouts::default(),
        };
        let rates = Rates {
            up: config.tuning.max_upload_rate.map(Rate::new),
            down: config.tuning.max_download_rate.map(Rate::new),
        };
        let network = Network::new(endpoint.host(), &tls, &config.proxies, timeouts, rates)?;
        Self::with_transport(config, Box::new(network))
    }

    /// The same over any transport, for tests.
    pub fn with_transport(config: S3Config, transport: Box<dyn Transport>) -> Result<S3Storage> {
        let endpoint = config.parsed_endpoint()?;
        config::check_bucket(&config.bucket)?;
        let prefix = config::normal_prefix(&config.prefix)?;
        let region = config.region.as_deref();
        let mut client = Client::new(
            transport,
            endpoint,
            &config.bucket,
            region,
            config.credentials,
            config.retry,
        );
        if let Some(most) = config.tuning.connections {
            client = client.with_connections(most);
        }
        if let Some(limit) = config.tuning.timeout {
            client = client.with_pace(Pace::within(limit));
        }
        let conditional = AtomicBool::new(client.provider().conditional_put.sent());
        Ok(S3Storage {
            client,
            prefix,
            conditional,
            digest: AtomicBool::new(false),
            stored_as: config.stored_as,
            connections: config.tuning.connections,
        })
    }

    /// With at most `most` requests at a time, though the user did not ask for that many: for measuring.
    pub fn letting_through(mut self, most: usize) -> S3Storage {
        self.client = self.client.with_connections(most);
        self
    }

    /// The client, for its region, clock and credentials' source.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The prefix: empty, or with exactly one slash at its end.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    fn full_key(&self, key: &str) -> Result<String> {
        check_key(key)?;
        Ok(format!("{}{key}", self.prefix))
    }

    fn send(&self, request: &Request<'_>, limits: Limits) -> Result<Answer> {
        self.client
            .send(request, limits)
            .map_err(|failure| explain(&self.client, request, &failure))
    }

    fn date_of(&self, answer: &Answer) -> Time {
        answer.date.unwrap_or_else(|| self.client.clock().now())
    }

    /// One put; a conditional one without the condition where the server does not know it (501, or 400 naming the header).
    fn send_put(
        &self,
        key: &str,
        body: &[u8],
        sha256: &Id,
        options: &PutOptions,
    ) -> std::result::Result<Answer, PutFault> {
        let provider = self.client.provider();
        let limits = Limits {
            not_after: options.not_after,
            ..Limits::default()
        };
        let checksum = provider.checksum == Checksum::Sha256;
        let with_lock = options.lock.is_some() && !checksum && provider.md5 == ContentMd5::WithLock;
        loop {
            let if_absent = options.if_absent && self.conditional.load(Relaxed);
            let md5 = with_lock || self.digest.load(Relaxed);
            let put = Put {
                if_absent,
                checksum,
                md5,
                lock: options.lock,
                storage_class: self.stored_as.class_of(key.strip_prefix(&self.prefix)),
                encryption: self.stored_as.encryption.as_deref(),
                kms_key: self.stored_as.kms_key.as_deref(),
            };
            let request = request::put_object(key, body, sha256, put);
            match self.client.send(&request, limits) {
                Ok(answer) => return Ok(answer),
                Err(failure) if if_absent && is_not_implemented(&failure) => {
                    self.conditional.store(false, Relaxed)
                }
                Err(failure) if !md5 && lock::wants_digest(&failure) => {
                    self.digest.store(true, Relaxed)
                }
                Err(failure) => {
                    let error = explain(&self.client, &request, &failure);
                    return Err(PutFault {
                        error,
                        attempts: failure.attempts,
                    });
                }
            }
        }
    }

    /// After a retried conditional put, "it is there already" may be our own success: then it is what we sent.
    fn is_our_own(&self, key: &str, body: &[u8]) -> Result<Option<Stored>> {
        let request = request::get_object(key);
        let limits = Limits {
            body: body.len() as u64,
            not_after: None,
        };
        match self.client.send(&request, limits) {
            Ok(answer) if answer.body == body => Ok(Some(Stored {
                date: self.date_of(&answer),
            })),
            Ok(_) => Ok(None),
            Err(Failure {
                cause: Cause::TooLong(_),
                ..
            }) => Ok(None),
            Err(failure) => Err(explain(&self.client, &request, &failure)),
        }
    }

    /// A page of a listing as this provider wants to be asked.
    fn page(&self) -> ListPage<'static> {
        ListPage {
            plain: self.client.provider().list == ListDialect::V2Plain,
            ..ListPage::default()
        }
    }

    /// A page and its answer. One that makes no sense, such as one that was cut short on the way, is asked for anew.
    fn list_page(&self, request: &Request<'_>) -> Result<(Answer, Page)> {
        let mut attempts = 0;
        loop {
            let answer = self.send(request, Limits::default())?;
            attempts += 1;
            match parse_list(&answer.body) {
                Ok(page) => return Ok((answer, page)),
                Err(_) if attempts < MAX_PARSES => {}
                Err(why) => {
                    return Err(damaged_answer(&format!("listing {:?}", self.prefix), &why));
                }
            }
        }
    }

    fn place_by_listing(&self) -> Result<()> {
        let request = request::list_objects(ListPage {
            prefix: &self.prefix,
            max_keys: Some(1),
            ..self.page()
        });
        let Err(error) = self.send(&request, Limits::default()) else {
            return Ok(());
        };
        if error.kind() == Kind::WrongRegion {
            // The server did not say which region is right in its refusal; it may if asked.
            let location = request::get_bucket_location();
            if let Ok(answer) = self.send(&location, Limits::default())
                && let Ok(region) = parse_location(&answer.body)
                && region != self.client.region()
            {
                self.client.set_region(&region);
                return self.send(&request, Limits::default()).map(drop);
            }
        }
        Err(error)
    }
}

struct PutFault {
    error: Error,
    attempts: u32,
}

fn is_not_implemented(failure: &Failure) -> bool {
    matches!(&failure.cause, Cause::Service(e) if e.status == 501 || e.code == "NotImplemented")
}

fn damaged_answer(what: &str, why: &str) -> Error {
    Error::new(
        Kind::Network,
        format!("{what}: the server's answer makes no sense: {why}"),
    )
}

impl Storage for S3Storage {
    fn put(&self, key: &str, body: &[u8], options: &PutOptions) -> Result<Stored> {
        let key = self.full_key(key)?;
        let sha256 = options.sha256.unwrap_or_else(|| Id::sha256(body));
        match self.send_put(&key, body, &sha256, options) {
            Ok(answer) => Ok(Stored {
                date: self.date_of(&answer),
            }),
            Err(fault) if fault.error.kind() == Kind::ObjectExists && fault.attempts > 1 => {
                match self.is_our_own(&key, body)? {
                    Some(stored) => Ok(stored),
                    None => Err(fault.error),
                }
            }
            Err(fault) => Err(fault.error),
        }
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>> {
        read::get(self, newest(key), limit)
    }

    fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Vec<u8>> {
        read::get_range(self, newest(key), offset, length)
    }

    fn head(&self, key: &str) -> Result<ObjectInfo> {
        read::head(self, newest(key))
    }

    fn checksum(&self, key: &str) -> Result<Option<Id>> {
        read::checksum(self, newest(key))
    }

    fn list(&self, prefix: &str, each: &mut dyn FnMut(ObjectInfo) -> Result<()>) -> Result<Listed> {
        let full = format!("{}{prefix}", self.prefix);
        let mut began = None;
        let mut token: Option<String> = None;
        let mut order = order::Order::default();
        for _ in 0..MAX_PAGES {
            let request = request::list_objects(ListPage {
                prefix: &full,
                continuation: token.as_deref(),
                ..self.page()
            });
            let (answer, page) = self.list_page(&request)?;
            let ended = self.date_of(&answer);
            order
                .page(&self.prefix, page.objects.iter().map(|o| o.key.as_str()))
                .map_err(|why| damaged_answer(&format!("listing {full:?}"), why))?;
            let began = *began.get_or_insert_with(|| ended.minus(whole_seconds(answer.took)));
            for object in page.objects {
                let Some(key) = object.key.strip_prefix(&self.prefix) else {
                    continue;
                };
                if check_key(key).is_ok() && key.starts_with(prefix) {
                    each(ObjectInfo {
                        key: key.to_string(),
                        size: object.size,
                        modified: object.modified,
                    })?;
                }
            }
            match page.continuation {
                Some(next) if Some(&next) == token.as_ref() => {
                    return Err(damaged_answer(
                        &format!("listing {full:?}"),
                        "the next page is the same page",
                    ));
                }
                Some(next) => token = Some(next),
                None => return Ok(Listed { began, ended }),
            }
        }
        Err(damaged_answer(
            &format!("listing {full:?}"),
            "it does not end",
        ))
    }

    fn delete(&self, key: &str) -> Result<()> {
        match self.send(
            &request::delete_object(&self.full_key(key)?),
            Limits::default(),
        ) {
            Err(error) if error.kind() == Kind::ObjectMissing => Ok(()),
            other => other.map(drop),
        }
    }

    fn delete_many(&self, keys: &[String]) -> Vec<Result<()>> {
        batch::delete_many(self, keys)
    }

    fn now(&self) -> Time {
        self.client.clock().now()
    }

    fn check_place(&self) -> Result<()> {
        // HEAD first: some servers create a bucket on PUT, and HEAD names the region even where it refuses.
        let request = request::head_bucket();
        match self.client.send(&request, Limits::default()) {
            Ok(answer) => {
                // AWS sends requests for a bucket anywhere to where it is, but only for a while after creation.
                if let Some(region) = answer
                    .header("x-amz-bucket-region")
                    .and_then(crate::s3::response::plain_region)
                    && self.client.endpoint().region().is_none()
                {
                    self.client.set_region(&region);
                }
                Ok(())
            }
            // An answer to HEAD has no body: a GET says what a bare status means.
            Err(Failure {
                cause: Cause::Service(e),
                ..
            }) if !matches!(e.status, 500..) => self.place_by_listing(),
            Err(failure) => Err(explain(&self.client, &request, &failure)),
        }
        .context(|| format!("opening {}", self.describe()))
    }

    fn check_lock(&self) -> Result<()> {
        lock::check(self)
    }

    fn retention(&self, key: &str) -> Result<Option<Retained>> {
        lock::get(self, key)
    }

    fn retain(&self, key: &str, lock: &Retained) -> Result<()> {
        lock::put(self, key, lock)
    }

    fn describe(&self) -> String {
        let bucket = self.client.bucket();
        match self.prefix.as_str() {
            "" => format!("S3 bucket {bucket}"),
            prefix => format!("S3 bucket {bucket}, prefix {prefix}"),
        }
    }

    fn usage(&self) -> Usage {
        self.client.usage()
    }

    fn connections(&self) -> Option<usize> {
        self.connections
    }
}

fn newest(key: &str) -> read::Wanted<'_> {
    read::Wanted { key, version: None }
}

/// Rounded up: the server's clock is read in whole seconds.
fn whole_seconds(d: Duration) -> Duration {
    Duration::from_secs(d.as_secs() + 1)
}

#[cfg(test)]
mod tests;
