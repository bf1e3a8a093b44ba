//! Signatures against those of other signers: vectors made with botocore (`sigv4-test-vectors/`, and the folder that
//! `CORSO_SIGV4_VECTORS` names), and random requests signed by the official `aws-sigv4` crate.

use corso::s3::canonical::{uri_decode, uri_encode};
use corso::s3::credentials::Credentials;
use corso::s3::sigv4::{EMPTY_SHA256, Path, Signed, Signer, ToSign, UNSIGNED_PAYLOAD};
use corso::units::Time;
use proptest::prelude::*;
use serde::Deserialize;
use std::path::{Path as FilePath, PathBuf};

/// The suite of this repository has this many folders; a run that finds fewer has not tested them.
const OWN_CASES: usize = 67;

#[derive(Deserialize)]
struct Context {
    credentials: Keys,
    #[serde(default)]
    expiration_in_seconds: Option<u32>,
    #[serde(default)]
    normalize: Option<bool>,
    region: String,
    service: String,
    #[serde(default)]
    sign_body: bool,
    #[serde(default)]
    omit_session_token: bool,
    timestamp: String,
}

#[derive(Deserialize)]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
    #[serde(default)]
    token: Option<String>,
}

/// `request.txt`, taken apart.
struct Parsed {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: String,
}

#[test]
fn own_vectors() {
    let folder = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("sigv4-test-vectors");
    let ran = run_folder(&folder);
    assert!(ran >= OWN_CASES, "only {ran} cases in {}", folder.display());
}

#[test]
fn vectors_named_by_the_environment() {
    let Some(folder) = std::env::var_os("CORSO_SIGV4_VECTORS").filter(|f| !f.is_empty()) else {
        return;
    };
    let folder = PathBuf::from(folder);
    let ran = run_folder(&folder);
    assert!(ran > 0, "no case in {}", folder.display());
    println!("{ran} cases in {}", folder.display());
}

/// Runs every folder below that holds a `context.json`; gives how many.
fn run_folder(folder: &FilePath) -> usize {
    let mut ran = 0;
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries.map(|e| e.unwrap().path()).filter(|p| p.is_dir()) {
        match entry.join("context.json").exists() {
            true => {
                run_case(&entry);
                ran += 1;
            }
            false => ran += run_folder(&entry),
        }
    }
    ran
}

fn run_case(folder: &FilePath) {
    let context: Context = serde_json::from_str(&read(folder, "context.json").unwrap())
        .unwrap_or_else(|e| panic!("{}: context.json: {e}", folder.display()));
    let request = parse_request(&read(folder, "request.txt").unwrap(), &context.service);
    let mut checked = 0;
    for kind in ["header", "query"] {
        let Some(want) = read(folder, &format!("{kind}-canonical-request.txt")) else {
            continue;
        };
        let signed = sign_case(
            &context,
            &request,
            kind == "query",
            want.ends_with(UNSIGNED_PAYLOAD),
        );
        let name = format!("{} ({kind})", folder.display());
        assert_eq!(signed.canonical_request, want, "{name}: canonical request");
        for (part, got) in [
            ("string-to-sign", &signed.string_to_sign),
            ("signature", &signed.signature),
        ] {
            let want = read(folder, &format!("{kind}-{part}.txt"))
                .unwrap_or_else(|| panic!("{name}: no {part}"));
            assert_eq!(got, want.trim_end(), "{name}: {part}");
        }
        if let Some(want) = read(folder, &format!("{kind}-signed-request.txt")) {
            check_signed_request(&name, kind, &signed, &want);
        }
        checked += 1;
    }
    assert!(checked > 0, "{}: nothing to compare with", folder.display());
}

fn sign_case(context: &Context, request: &Parsed, presign: bool, unsigned: bool) -> Signed {
    let keys = &context.credentials;
    let credentials = Credentials::new(
        &keys.access_key_id,
        &keys.secret_access_key,
        keys.token.as_deref(),
        "vectors",
    );
    let time: jiff::Timestamp = context.timestamp.parse().expect("timestamp");
    let signer = Signer {
        credentials: &credentials,
        region: &context.region,
        service: &context.service,
        time: Time(time.as_millisecond()),
        path: if context.normalize == Some(true) {
            Path::Normalized
        } else {
            Path::AsIs
        },
        sign_token: !context.omit_session_token,
    };
    // The layout does not say whether a payload is signed as unsigned: the caller takes that from the expected result.
    let hash = corso::id::Id::sha256(request.body.as_bytes()).hex();
    let payload = if unsigned { UNSIGNED_PAYLOAD } else { &hash };
    let s3 = context.service == "s3";
    let mut headers = request.headers.clone();
    let present = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("x-amz-content-sha256"));
    if !present && if s3 { !presign } else { context.sign_body } {
        headers.push(("x-amz-content-sha256".into(), payload.into()));
    }
    let to_sign = ToSign {
        method: &request.method,
        path: &request.path,
        query: &request.query,
        headers: &headers,
        payload,
    };
    match presign {
        true => signer.presign(&to_sign, context.expiration_in_seconds.unwrap_or(3600)),
        false => signer.sign(&to_sign),
    }
}

/// What was added to the request is in the signed request, name and value.
fn check_signed_request(name: &str, kind: &str, signed: &Signed, want: &str) {
    let lower = want.to_ascii_lowercase();
    for (key, value) in &signed.added {
        match kind {
            "query" => {
                let pair = format!("{}={}", uri_encode(key, false), uri_encode(value, false));
                assert!(
                    want.contains(&pair),
                    "{name}: {pair} is not in the signed request"
                );
            }
            _ => {
                let line = [":", ": "].iter().any(|sep| {
                    lower.contains(&format!("{key}{sep}{}", value.to_ascii_lowercase()))
                });
                assert!(line, "{name}: {key}: {value} is not in the signed request");
            }
        }
    }
}

fn read(folder: &FilePath, file: &str) -> Option<String> {
    std::fs::read_to_string(folder.join(file)).ok()
}

fn parse_request(text: &str, service: &str) -> Parsed {
    let (head, body) = text
        .split_once("\n\n")
        .unwrap_or((text.trim_end_matches('\n'), ""));
    let mut lines = head.lines();
    let line = lines.next().unwrap_or_default();
    let (method, rest) = line.split_once(' ').expect("request line");
    // Targets of the public suite have raw spaces in them.
    let target = rest
        .rsplit_once(" HTTP/")
        .map_or(rest, |(target, _)| target);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines {
        match line
            .split_once(':')
            .filter(|_| !line.starts_with([' ', '\t']))
        {
            Some((name, value)) => headers.push((name.into(), value.into())),
            None => {
                let last = headers.last_mut().expect("a header to continue");
                last.1 = format!("{} {}", last.1, line.trim());
            }
        }
    }
    // S3 signs the path as it is sent; other services encode what is sent once more.
    let sent = if service == "s3" {
        uri_decode(path, false)
    } else {
        None
    };
    Parsed {
        method: method.into(),
        path: sent.unwrap_or_else(|| path.into()),
        query: parse_query(query),
        headers,
        body: body.into(),
    }
}

fn parse_query(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| uri_decode(text, false).unwrap_or_else(|| text.to_string());
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(k, v)| (decode(k), decode(v)))
        .collect()
}

/// A random request on S3.
#[derive(Clone, Debug)]
struct Random {
    method: &'static str,
    key: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    token: Option<String>,
    region: String,
    seconds: i64,
    body: Vec<u8>,
    expires: u32,
}

fn random_request() -> impl Strategy<Value = Random> {
    // The dates of four-digit years; the header values that HTTP can carry.
    let key = proptest::collection::vec(
        prop_oneof![
            "[a-z0-9/._~ +%-]{0,12}",
            "\\PC{0,6}",
            "[!-/:-@\\[-`{-~]{0,6}"
        ],
        0..3,
    );
    let query =
        proptest::collection::btree_map("[a-zA-Z][a-zA-Z0-9 _.~+é-]{0,8}", "\\PC{0,8}", 0..4);
    let headers =
        proptest::collection::btree_map("x-amz-[a-z]{1,8}", "[a-zA-Z0-9][!-~ ]{0,12}", 0..3);
    let rest = (
        proptest::option::of("[A-Za-z0-9/+=]{1,40}"),
        "[a-z]{2}-[a-z]{4,9}-[1-9]",
        0i64..4_000_000_000,
        any::<Vec<u8>>(),
    );
    let method = prop_oneof![
        Just("GET"),
        Just("PUT"),
        Just("HEAD"),
        Just("DELETE"),
        Just("POST")
    ];
    (method, key, query, headers, rest, 1u32..604_800).prop_map(
        |(method, key, query, headers, rest, expires)| Random {
            method,
            key: key.concat(),
            query: query.into_iter().collect(),
            headers: headers
                .into_iter()
                .filter(|(n, _)| n != "x-amz-date")
                .collect(),
            token: rest.0,
            region: rest.1,
            seconds: rest.2,
            body: rest.3,
            expires,
        },
    )
}

/// The official crate's signature.
fn official(request: &Random, path: &str, headers: &[(String, String)], presign: bool) -> String {
    use aws_sigv4::http_request as aws;
    let identity = aws_credential_types::Credentials::new(
        "AKIDEXAMPLE",
        "SECRET/+",
        request.token.clone(),
        None,
        "test",
    )
    .into();
    let mut settings = aws::SigningSettings::default();
    settings.percent_encoding_mode = aws::PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = aws::UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = aws::PayloadChecksumKind::XAmzSha256;
    if presign {
        settings.signature_location = aws::SignatureLocation::QueryParams;
        settings.expires_in = Some(std::time::Duration::from_secs(request.expires.into()));
        settings.payload_checksum_kind = aws::PayloadChecksumKind::NoHeader;
    }
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(request.seconds as u64);
    let params = aws_sigv4::sign::v4::SigningParams::builder()
        .identity(&identity)
        .region(&request.region)
        .name("s3")
        .time(time)
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let mut uri = format!("https://bucket.s3.example.com{}", uri_encode(path, true));
    for (i, (name, value)) in request.query.iter().enumerate() {
        let separator = if i == 0 { '?' } else { '&' };
        uri.push_str(&format!(
            "{separator}{}={}",
            uri_encode(name, false),
            uri_encode(value, false)
        ));
    }
    let body = if presign {
        aws::SignableBody::UnsignedPayload
    } else {
        aws::SignableBody::Bytes(&request.body)
    };
    let pairs = headers.iter().map(|(n, v)| (n.as_str(), v.as_str()));
    let signable = aws::SignableRequest::new(request.method, uri, pairs, body).unwrap();
    aws::sign(signable, &params).unwrap().into_parts().1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn signs_like_the_official_crate(request in random_request(), presign: bool) {
        let credentials = Credentials::new("AKIDEXAMPLE", "SECRET/+", request.token.as_deref(), "test");
        let path = format!("/{}", request.key);
        let mut headers = request.headers.clone();
        headers.push(("host".into(), "bucket.s3.example.com".into()));
        let theirs = official(&request, &path, &headers, presign);
        let hash = if request.body.is_empty() { EMPTY_SHA256.to_string() } else { corso::id::Id::sha256(&request.body).hex() };
        let payload = if presign { UNSIGNED_PAYLOAD } else { &hash };
        if !presign {
            headers.push(("x-amz-content-sha256".into(), payload.into()));
        }
        let signer = Signer::s3(&credentials, &request.region, Time(request.seconds * 1000));
        let to_sign = ToSign { method: request.method, path: &path, query: &request.query, headers: &headers, payload };
        let ours = if presign { signer.presign(&to_sign, request.expires) } else { signer.sign(&to_sign) };
        prop_assert_eq!(&ours.signature, &theirs, "{}", ours.canonical_request);
    }
}
