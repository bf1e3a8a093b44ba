//! Failures in plain words: the right kind, what was being done, and what to do next.

use super::client::{Cause, Client, Failure};
use super::region::is_wrong_region;
use super::request::Request;
use super::response::S3Error;
use super::retry::{Verdict, judge_error};
use super::transport::{Broken, BrokenKind};
use crate::error::{Error, Kind};
use crate::units::human_duration;
use std::time::Duration;

/// A clock that is less off than this is nobody's trouble.
const SKEW_WORTH_A_WORD: Duration = Duration::from_secs(4 * 60);

const CHECK_PROXIES: &str =
    "check https_proxy, http_proxy and all_proxy, or add the storage's host to no_proxy";

/// The error of a request that failed.
pub fn explain(client: &Client, request: &Request<'_>, failure: &Failure) -> Error {
    let what = match request.key.as_str() {
        "" => format!("{} bucket {}", request.action.verb(), client.bucket()),
        key => format!(
            "{} {key} in bucket {}",
            request.action.verb(),
            client.bucket()
        ),
    };
    let error = match &failure.cause {
        Cause::Service(error) => service(client, request, error),
        Cause::Broken(broken) => network(client, broken),
        Cause::TooLong(length) => Error::damaged(format!(
            "the object has {length} bytes or more, which is too long"
        )),
        Cause::Keys(error) => error.again(),
        Cause::TooLate => Error::new(Kind::TooLate, "it is too late to send this"),
        Cause::Nonsense(why) => Error::new(
            Kind::Network,
            format!("the server's answer makes no sense: {why}"),
        ),
        Cause::Changed(how) => changed(client, how),
    };
    let error = match failure.attempts {
        0 | 1 => error,
        n => error.context(format!("after {n} attempts")),
    };
    error.context(what)
}

fn service(client: &Client, request: &Request<'_>, error: &S3Error) -> Error {
    let said = said(error);
    if let Some(flag) = unknown_storing(request, error) {
        let text = format!("the storage refuses what {flag} asks for: {said}");
        let hint = format!("leave out {flag}, or ask for what this provider has");
        return Error::usage(text).hint(hint);
    }
    match (error.status, error.code.as_str()) {
        (407, _) => proxy(client, &said),
        _ if error.detour.page.is_some() || is_login(error) => web_page(client, error),
        _ if http_to_tls(error) => tls_port(client, &said),
        (_, "NoSuchBucket") => bucket_missing(client),
        (_, "NoSuchKey" | "NoSuchVersion") => {
            Error::new(Kind::ObjectMissing, "there is no such object")
        }
        (404, "") if !request.key.is_empty() => {
            Error::new(Kind::ObjectMissing, "there is no such object")
        }
        (404, "" | "NotFound") if request.key.is_empty() => bucket_missing(client),
        (404, "NotFound") => Error::new(Kind::ObjectMissing, "there is no such object"),
        (412, _) => Error::new(Kind::ObjectExists, "the object is there already"),
        (416, _) | (_, "InvalidRange") => {
            Error::damaged("the object ends before the range that was asked for")
        }
        (400, "InvalidRequest") if error.message.contains("missing Object Lock") => {
            let bucket = client.bucket();
            Error::usage(format!("bucket {bucket} has no object lock ({said})")).hint(
                "the repository was made with --retention-mode, and its objects are locked when they are put: enable \
                 object lock for the bucket",
            )
        }
        (_, "InvalidBucketName") => Error::usage(format!(
            "{:?} is not a name that a bucket can have",
            client.bucket()
        )),
        (_, "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture") => {
            clock(client, &said)
        }
        (_, "InvalidObjectState" | "ObjectNotInActiveTierError") => {
            archived(client, request, &said)
        }
        _ if is_wrong_region(error) => wrong_region(client, error, &said),
        (_, code) if refused(code).is_some() => credentials(client, code, &said),
        (401 | 403, _) => denied(client, request, &said),
        (_, "QuotaExceeded" | "XMinioStorageFull" | "StorageFull") | (507, _) => {
            Error::new(Kind::NoSpace, format!("the storage is full: {said}"))
        }
        _ => {
            let place = client.endpoint().text();
            let answered = Error::new(Kind::Network, format!("the storage answered with {said}"))
                .hint(format!("is {place} an S3 endpoint that is in order?"));
            match is_about_the_object(request, error) {
                true => answered.of_one(),
                false => answered,
            }
        }
    }
}

/// Is it the server's own answer about this object: one that it cannot read, or whose encryption key is gone? Gateways
/// that do not reach the server, and servers that are too busy, would say the same of any other.
fn is_about_the_object(request: &Request<'_>, error: &S3Error) -> bool {
    let own = error.status == 500
        || ((400..500).contains(&error.status) && !matches!(error.status, 408 | 429 | 499));
    own && !request.key.is_empty() && judge_error(error) != Verdict::Throttled
}

/// The flag whose wish this storage does not know: a storage class, or an encryption of its own. A key that is switched
/// off or out of reach is no wish, and may come back.
fn unknown_storing(request: &Request<'_>, error: &S3Error) -> Option<&'static str> {
    let asks = |name: &str| request.headers.iter().any(|(n, _)| n == name);
    let encryption = match asks("x-amz-server-side-encryption-aws-kms-key-id") {
        true => Some("--sse-kms-key-id"),
        false => asks("x-amz-server-side-encryption").then_some("--sse"),
    };
    match error.code.as_str() {
        "InvalidStorageClass" if asks("x-amz-storage-class") => Some("--storage-class"),
        "KMS.NotFoundException" | "KMS.InvalidKeyUsageException" => encryption,
        "InvalidEncryptionAlgorithmError" => encryption.map(|_| "--sse"),
        // MinIO without a key service.
        "NotImplemented" if error.message.to_lowercase().contains("encryption") => {
            encryption.map(|_| "--sse")
        }
        _ => None,
    }
}

/// S3 Glacier Flexible Retrieval, Deep Archive, and the archive tiers of Intelligent-Tiering.
fn archived(client: &Client, request: &Request<'_>, said: &str) -> Error {
    let text = format!("the object is in an archive class and cannot be read from there ({said})");
    Error::new(Kind::Archived, text).hint(format!(
        "restore the object from the archive class first (`aws s3api restore-object --bucket {} --key {} --restore-request Days=7`, or the provider's console), wait until that is done, then run this again; see that no lifecycle rule moves the repository's objects to such a class",
        client.bucket(),
        request.key
    ))
}

/// What the server said, with its id for the provider's support.
fn said(error: &S3Error) -> String {
    let mut text = format!("status {}", error.status);
    if !error.code.is_empty() {
        text.push_str(&format!(", {}", error.code));
    }
    if !error.message.is_empty() {
        text.push_str(&format!(", {:?}", error.message));
    }
    if !error.request_id.is_empty() {
        text.push_str(&format!(", request {}", error.request_id));
    }
    text
}

fn bucket_missing(client: &Client) -> Error {
    Error::new(Kind::BucketMissing, format!("there is no bucket {} at {}", client.bucket(), client.endpoint().text()))
        .hint("buckets are never created here: create it first, or check the name, the endpoint and the region")
}

/// A redirection that S3 does not make.
fn is_login(error: &S3Error) -> bool {
    (300..400).contains(&error.status)
        && error.code.is_empty()
        && error.detour.location.is_some()
        && !is_wrong_region(error)
}

fn web_page(client: &Client, error: &S3Error) -> Error {
    let place = client.endpoint().text();
    let leads = match &error.detour.location {
        Some(location) => {
            let location: String = location.chars().take(200).collect();
            format!(", which leads to {location:?}")
        }
        None => String::new(),
    };
    let titled = match error.detour.page.as_deref() {
        Some(title) if !title.is_empty() => format!(" titled {title:?}"),
        _ => String::new(),
    };
    let text = format!(
        "a web page{titled} came from {place} instead of an answer of S3 (status {}{leads})",
        error.status
    );
    Error::new(Kind::Network, text).hint(
        "does this network ask for a login? Is there a proxy on the way, or is the endpoint that of a web interface?",
    )
}

fn changed(client: &Client, how: &str) -> Error {
    let place = client.endpoint().text();
    let text = format!("something on the way from {place} changed the answer ({how})");
    Error::new(Kind::Network, text).hint(
        "a proxy, a cache or a scanner on the way must pass what the storage answers as it is",
    )
}

/// What web servers say in clear on a port for TLS: Go's, nginx's and Apache's words.
fn http_to_tls(error: &S3Error) -> bool {
    let text = error.message.to_ascii_lowercase();
    error.status == 400
        && [
            "http request to an https server",
            "plain http request was sent to https port",
            "speaking plain http to an ssl",
        ]
        .iter()
        .any(|words| text.contains(words))
}

fn tls_port(client: &Client, said: &str) -> Error {
    let text = format!(
        "{} wants TLS, and was spoken to without ({said})",
        client.endpoint().text()
    );
    Error::new(Kind::Tls, text).hint("leave out --disable-tls")
}

fn proxy(client: &Client, said: &str) -> Error {
    let text = format!(
        "the proxy on the way to {} refused: {said}",
        client.endpoint().text()
    );
    let hint = if said.contains("407") {
        "it wants a user name and a password: write http://USER:PASSWORD@HOST:PORT in https_proxy, http_proxy or all_proxy"
    } else {
        CHECK_PROXIES
    };
    Error::new(Kind::Network, text).hint(hint)
}

fn clock(client: &Client, said: &str) -> Error {
    let skew = client.clock().skew_ms();
    let off = human_duration(Duration::from_millis(skew.unsigned_abs()));
    let text = match skew {
        0 => "this host's clock is too far from the storage's".to_string(),
        s if s > 0 => format!("this host's clock is {off} behind the storage's"),
        _ => format!("this host's clock is {off} ahead of the storage's"),
    };
    Error::new(Kind::ClockSkew, format!("{text} ({said})")).hint("set this host's clock")
}

fn wrong_region(client: &Client, error: &S3Error, said: &str) -> Error {
    let region = client.region();
    let (text, hint) = match &error.region {
        _ if !error.detour.endpoint.is_empty() => (
            format!(
                "the bucket is not at {}, but at {:?}",
                client.endpoint().text(),
                error.detour.endpoint
            ),
            "give that endpoint, without the bucket's name, with --endpoint".to_string(),
        ),
        Some(right) if *right != region => (
            format!("the bucket is in region {right}, and the request was for {region}"),
            format!("use --region {right}, and an endpoint of that region if you gave one"),
        ),
        _ => (
            format!(
                "the bucket is not in region {region}, or not at {}",
                client.endpoint().text()
            ),
            "give the right one with --region".to_string(),
        ),
    };
    Error::new(Kind::WrongRegion, format!("{text} ({said})")).hint(hint)
}

/// What a code says about the keys themselves.
fn refused(code: &str) -> Option<(&'static str, &'static str)> {
    Some(match code {
        "InvalidAccessKeyId" | "InvalidClientTokenId" | "UnrecognizedClientException" => (
            "the storage does not know the access key",
            "check the access key, and that it belongs to this endpoint",
        ),
        "SignatureDoesNotMatch" => (
            "the secret key does not fit the access key",
            "check the secret key",
        ),
        "InvalidToken" | "InvalidSecurity" => (
            "the session token is not valid",
            "a token belongs to the keys that it came with: renew all three",
        ),
        "ExpiredToken" | "TokenRefreshRequired" | "ExpiredTokenException" => (
            "the session token has expired",
            "renew the temporary credentials",
        ),
        "NotSignedUp" | "AccountProblem" | "AllAccessDisabled" => (
            "the account may not use the storage",
            "ask the provider about the account",
        ),
        "AuthenticationLockout" => (
            "the storage has locked the keys out for some minutes",
            "wait, then try again",
        ),
        _ => return None,
    })
}

fn credentials(client: &Client, code: &str, said: &str) -> Error {
    let (text, hint) =
        refused(code).unwrap_or(("the storage refused the credentials", "check them"));
    let keys = client.credentials();
    let skew = client.clock().skew_ms();
    // Corrected for, so not the cause; but people look there first.
    let clock = match Duration::from_millis(skew.unsigned_abs()) {
        off if off < SKEW_WORTH_A_WORD => String::new(),
        off => format!(
            "; this host's clock is {} off, which was allowed for",
            human_duration(off)
        ),
    };
    let text = format!(
        "{text}: {} from {} ({said}{clock})",
        keys.access_key(),
        keys.source()
    );
    Error::new(Kind::CredentialsRefused, text).hint(hint)
}

fn denied(client: &Client, request: &Request<'_>, said: &str) -> Error {
    let permission = request.permission();
    let keys = client.credentials();
    let text = format!(
        "permission {permission} denied to {} from {} ({said})",
        keys.access_key(),
        keys.source()
    );
    let bucket = client.bucket();
    let hint = match request.key.as_str() {
        "" => format!(
            "allow {permission} on bucket {bucket}, if it is yours: names of other accounts' buckets are refused like this, too"
        ),
        _ => format!("allow {permission} on bucket {bucket}"),
    };
    Error::new(Kind::PermissionDenied, text).hint(hint)
}

fn network(client: &Client, broken: &Broken) -> Error {
    let place = client.endpoint().text();
    let because = &broken.message;
    match broken.kind {
        BrokenKind::NameLookup => {
            let host = client.endpoint().address(client.bucket(), &client.region()).host;
            Error::new(Kind::NameLookup, format!("no address is known for {host}: {because}"))
                .hint("check the endpoint's name, the region, and this host's name service")
        }
        BrokenKind::Refused => Error::new(Kind::ConnectionRefused, format!("nothing listens at {place}: {because}"))
            .hint("check the endpoint's host and port"),
        BrokenKind::Tls => Error::new(Kind::Tls, format!("no secure connection to {place}: {because}")).hint(
            "a private authority's certificate is given with --root-ca-pem; a server without TLS needs --disable-tls",
        ),
        BrokenKind::NotHttp => Error::new(Kind::Network, format!("what listens at {place} does not speak HTTP: {because}"))
            .hint(if client.endpoint().tls() { "check the endpoint's host and port" } else { "is it a TLS port? Then leave out --disable-tls" }),
        BrokenKind::Proxy => proxy(client, because),
        BrokenKind::NoProxy => {
            let text = format!("no connection to {because}, which is the proxy for {place}");
            Error::new(Kind::Network, text).hint(CHECK_PROXIES)
        }
        BrokenKind::Timeout | BrokenKind::Other => {
            Error::new(Kind::Network, format!("the connection to {place} failed: {because}"))
        }
    }
}
