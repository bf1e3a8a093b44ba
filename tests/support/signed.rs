//! Single signed requests, for what the program itself never asks: making buckets, setting policies.

use super::Keys;
use corso::id::Id;
use corso::s3::credentials::Credentials;
use corso::s3::sigv4::{Signer, ToSign};
use corso::units::Time;

/// Gives status and body. `query` is one name without a value, or empty.
pub fn send(
    endpoint: &str,
    keys: &Keys,
    method: &'static str,
    path: &str,
    query: &str,
    body: &[u8],
) -> (u16, String) {
    let credentials = Credentials::new(&keys.access, &keys.secret, None, "test");
    let payload = Id::sha256(body).hex();
    let headers = vec![
        ("host".to_owned(), endpoint.to_owned()),
        ("x-amz-content-sha256".to_owned(), payload.clone()),
    ];
    let pairs: Vec<(String, String)> = match query {
        "" => Vec::new(),
        name => vec![(name.to_owned(), String::new())],
    };
    let to_sign = ToSign {
        method,
        path,
        query: &pairs,
        headers: &headers,
        payload: &payload,
    };
    let signed = Signer::s3(&credentials, "us-east-1", Time::local_now()).sign(&to_sign);
    let question = if query.is_empty() { "" } else { "?" };
    let mut request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("http://{endpoint}{path}{question}{query}"))
        .header("x-amz-content-sha256", &payload);
    for (name, value) in &signed.added {
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
