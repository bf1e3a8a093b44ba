//! Single signed requests, for what the program itself never asks: making buckets, setting policies.

use super::Keys;
use corso::id::Id;
use corso::s3::credentials::Credentials;
use corso::s3::sigv4::{Signer, ToSign};
use corso::units::Time;
use std::time::{Duration, Instant};

/// A request. Paths, names and values are not encoded.
#[derive(Clone, Copy, Default)]
pub struct Asked<'a> {
    pub method: &'static str,
    pub path: &'a str,
    pub query: &'a [(&'a str, &'a str)],
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
    /// Empty: `s3`.
    pub service: &'a str,
}

/// Gives status and body. `query` is one name without a value, or empty.
pub fn send(
    endpoint: &str,
    keys: &Keys,
    method: &'static str,
    path: &str,
    query: &str,
    body: &[u8],
) -> (u16, String) {
    let pair = [(query, "")];
    let asked = Asked {
        method,
        path,
        query: if query.is_empty() { &[] } else { &pair },
        body,
        ..Asked::default()
    };
    ask(endpoint, keys, asked)
}

/// Gives status and body.
pub fn ask(endpoint: &str, keys: &Keys, asked: Asked<'_>) -> (u16, String) {
    let Asked {
        method, path, body, ..
    } = asked;
    let token = keys.token.as_deref();
    let credentials = Credentials::new(&keys.access, &keys.secret, token, "test");
    let payload = Id::sha256(body).hex();
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut headers: Vec<(String, String)> = asked.headers.iter().map(own).collect();
    headers.push(("x-amz-content-sha256".to_owned(), payload.clone()));
    let sent = headers.clone();
    headers.push(("host".to_owned(), endpoint.to_owned()));
    let pairs: Vec<(String, String)> = asked.query.iter().map(own).collect();
    let to_sign = ToSign {
        method,
        path,
        query: &pairs,
        headers: &headers,
        payload: &payload,
    };
    let mut signer = Signer::s3(&credentials, "us-east-1", Time::local_now());
    if !asked.service.is_empty() {
        signer.service = asked.service;
    }
    let signed = signer.sign(&to_sign);
    let encoded = |text: &str| corso::s3::canonical::uri_encode(text, false);
    let words: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    let path = corso::s3::canonical::uri_encode(path, true);
    let question = if words.is_empty() { "" } else { "?" };
    let mut request = ureq::http::Request::builder().method(method).uri(format!(
        "http://{endpoint}{path}{question}{}",
        words.join("&")
    ));
    for (name, value) in sent.iter().chain(&signed.added) {
        request = request.header(name, value);
    }
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let mut answer = agent.run(request.body(body).unwrap()).unwrap();
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    (answer.status().as_u16(), text)
}

/// Asks until the answer is 200, and gives its body: a server that has only just come up refuses for a while, with 500 or
/// 503, or (MinIO's users) with a 400 that says so.
pub fn until_up(endpoint: &str, keys: &Keys, asked: Asked<'_>) -> String {
    let begin = Instant::now();
    loop {
        let (status, said) = ask(endpoint, keys, asked);
        if status == 200 {
            return said;
        }
        let early = matches!(status, 500 | 503) || said.contains("Server not initialized");
        let waits = early && begin.elapsed() < Duration::from_secs(60);
        assert!(waits, "{}: {status} {said}", asked.path);
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What is in the first element of this name.
pub fn text_of(answer: &str, tag: &str) -> String {
    let (_, rest) = answer
        .split_once(&format!("<{tag}>"))
        .unwrap_or_else(|| panic!("no {tag} in {answer}"));
    rest.split('<').next().unwrap_or_default().to_owned()
}
