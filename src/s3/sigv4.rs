//! AWS Signature Version 4, without I/O: header signing and presigned queries, for any service and region.
//!
//! For S3 the path is encoded once and not normalised; other services want `.` and `..` removed ([`Path::Normalized`]).
//! Source: AWS, "Authenticating Requests (AWS Signature Version 4)", and its worked examples (see the tests).

use super::canonical;
use super::credentials::Credentials;
use crate::units::Time;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// SHA-256 of nothing.
pub const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// Payload hash of a body that is not signed (presigned URLs).
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// How the path becomes canonical; both encode each byte of it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// As it is: S3, where `a//b` and `..` are ordinary keys.
    AsIs,
    /// Without `.`, `..` and empty segments.
    Normalized,
}

/// What is signed.
#[derive(Clone, Debug)]
pub struct ToSign<'a> {
    /// `GET`, `PUT`, ...
    pub method: &'a str,
    /// Starts with `/`, not yet encoded.
    pub path: &'a str,
    /// Names and values, not yet encoded, in any order.
    pub query: &'a [(String, String)],
    /// With `host`, in any order and case. `x-amz-date`, `x-amz-security-token` and `authorization` are the signer's.
    pub headers: &'a [(String, String)],
    /// Hexadecimal SHA-256 of the body, or [`UNSIGNED_PAYLOAD`].
    pub payload: &'a str,
}

/// Who signs, for where, and when.
pub struct Signer<'a> {
    /// The keys; a session token becomes part of the request.
    pub credentials: &'a Credentials,
    /// `us-east-1`, ...
    pub region: &'a str,
    /// `s3`, ...
    pub service: &'a str,
    /// Goes into the request, in whole seconds.
    pub time: Time,
    /// The service's path rule.
    pub path: Path,
    /// Some services want the session token added after signing; S3 wants it signed.
    pub sign_token: bool,
}

/// A signature, what to add to the request, and the steps between (for tests and logs; none of them is secret).
#[derive(Clone, Debug)]
pub struct Signed {
    /// Header signing: headers to add. Presigning: query pairs to add.
    pub added: Vec<(String, String)>,
    /// First step.
    pub canonical_request: String,
    /// Second step.
    pub string_to_sign: String,
    /// Lower-case hexadecimal.
    pub signature: String,
}

impl<'a> Signer<'a> {
    /// A signer with the rules of S3.
    pub fn s3(credentials: &'a Credentials, region: &'a str, time: Time) -> Self {
        Signer {
            credentials,
            region,
            service: "s3",
            time,
            path: Path::AsIs,
            sign_token: true,
        }
    }

    /// Signs with an `authorization` header.
    pub fn sign(&self, request: &ToSign<'_>) -> Signed {
        let stamp = timestamp(self.time);
        let mut headers = own_headers_removed(request.headers);
        let mut added = vec![("x-amz-date".to_string(), stamp.clone())];
        let token = self
            .credentials
            .session_token()
            .map(|t| ("x-amz-security-token".to_string(), t.to_string()));
        if let (Some(token), true) = (&token, self.sign_token) {
            added.push(token.clone());
        }
        // `date` may stand for `x-amz-date` in old requests; both are signed here, which every server takes.
        headers.extend(added.iter().cloned());
        if let (Some(token), false) = (token, self.sign_token) {
            added.push(token);
        }
        let (canonical_request, names) =
            self.canonical_request(request, &canonical::query_string(request.query), &headers);
        let (string_to_sign, signature) = self.finish(&stamp, &canonical_request);
        let credential = format!("{}/{}", self.credentials.access_key(), self.scope(&stamp));
        let value = format!(
            "{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        );
        added.push(("authorization".to_string(), value));
        Signed {
            added,
            canonical_request,
            string_to_sign,
            signature,
        }
    }

    /// Signs with query parameters; good for `expires` seconds (S3 allows up to 604,800).
    pub fn presign(&self, request: &ToSign<'_>, expires: u32) -> Signed {
        let stamp = timestamp(self.time);
        let headers = own_headers_removed(request.headers);
        let names = join_names(&canonical::headers(&headers));
        let credential = format!("{}/{}", self.credentials.access_key(), self.scope(&stamp));
        let mut added: Vec<(String, String)> = [
            ("X-Amz-Algorithm", ALGORITHM.to_string()),
            ("X-Amz-Credential", credential),
            ("X-Amz-Date", stamp.clone()),
            ("X-Amz-Expires", expires.to_string()),
            ("X-Amz-SignedHeaders", names),
        ]
        .map(|(name, value)| (name.to_string(), value))
        .into();
        let token = self
            .credentials
            .session_token()
            .map(|t| ("X-Amz-Security-Token".to_string(), t.to_string()));
        if let (Some(token), true) = (&token, self.sign_token) {
            added.push(token.clone());
        }
        let query: Vec<_> = request.query.iter().chain(&added).cloned().collect();
        let (canonical_request, _) =
            self.canonical_request(request, &canonical::query_string(&query), &headers);
        let (string_to_sign, signature) = self.finish(&stamp, &canonical_request);
        if let (Some(token), false) = (token, self.sign_token) {
            added.push(token);
        }
        added.push(("X-Amz-Signature".to_string(), signature.clone()));
        Signed {
            added,
            canonical_request,
            string_to_sign,
            signature,
        }
    }

    /// The canonical request and the list of signed headers.
    fn canonical_request(
        &self,
        request: &ToSign<'_>,
        query: &str,
        headers: &[(String, String)],
    ) -> (String, String) {
        let path = match self.path {
            Path::AsIs => canonical::uri_encode(request.path, true),
            Path::Normalized => {
                canonical::uri_encode(&canonical::normalize_path(request.path), true)
            }
        };
        let headers = canonical::headers(headers);
        let names = join_names(&headers);
        let lines: String = headers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let text = format!(
            "{}\n{path}\n{query}\n{lines}\n{names}\n{}",
            request.method, request.payload
        );
        (text, names)
    }

    /// The string to sign and the signature.
    fn finish(&self, stamp: &str, canonical_request: &str) -> (String, String) {
        let hash = hex::encode(Sha256::digest(canonical_request.as_bytes()));
        let text = format!("{ALGORITHM}\n{stamp}\n{}\n{hash}", self.scope(stamp));
        let signature = hex::encode(hmac(&*self.signing_key(stamp), text.as_bytes()));
        (text, signature)
    }

    fn scope(&self, stamp: &str) -> String {
        format!(
            "{}/{}/{}/aws4_request",
            day(stamp),
            self.region,
            self.service
        )
    }

    fn signing_key(&self, stamp: &str) -> Zeroizing<[u8; 32]> {
        let first = Zeroizing::new(format!("AWS4{}", self.credentials.secret_key()));
        let mut key = Zeroizing::new(hmac(first.as_bytes(), day(stamp).as_bytes()));
        for part in [self.region, self.service, "aws4_request"] {
            key = Zeroizing::new(hmac(&*key, part.as_bytes()));
        }
        key
    }
}

/// `20130524T000000Z`. A time outside the calendar (nobody's clock) becomes the epoch, which every server refuses.
pub fn timestamp(time: Time) -> String {
    let stamp = jiff::Timestamp::from_millisecond(time.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    stamp.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn day(stamp: &str) -> &str {
    stamp.split('T').next().unwrap_or(stamp)
}

fn own_headers_removed(headers: &[(String, String)]) -> Vec<(String, String)> {
    let own = ["x-amz-date", "x-amz-security-token", "authorization"];
    headers
        .iter()
        .filter(|(name, _)| !own.iter().any(|o| name.eq_ignore_ascii_case(o)))
        .cloned()
        .collect()
}

fn join_names(headers: &[(String, String)]) -> String {
    headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect::<Vec<_>>()
        .join(";")
}

fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    // HMAC takes keys of every length, so this branch has no other.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    mac.update(data);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests;
