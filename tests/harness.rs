//! The test harness keeps what it promises.

mod support;

use support::{Answer, Keys, Moto, Rclone, S3Options, S3Server};
use support::{assert_same_tree, make_tree, temp_dir};

/// Else the suites would prove nothing about signing.
#[test]
fn servers_refuse_wrong_signatures() {
    let s3s = S3Server::start(S3Options::default());
    assert_eq!(status_of_wrong_signature(&s3s.endpoint(), s3s.keys()), 403);
    assert_eq!(s3s.count("GET", "corso-test"), 1);
    if let Some(rclone) = Rclone::start(&["corso-test"]) {
        let status = status_of_wrong_signature(&rclone.endpoint(), rclone.keys());
        assert_eq!(status, 403);
    }
    if let Some(moto) = Moto::start(&["corso-test"]) {
        let status = status_of_wrong_signature(&moto.endpoint(), moto.keys());
        assert_eq!(status, 403);
    }
}

/// Sends a listing that is right in all but its signature.
fn status_of_wrong_signature(endpoint: &str, keys: &Keys) -> u16 {
    let now = corso::units::Time::local_now()
        .rfc3339()
        .replace(['-', ':'], "");
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{}/us-east-1/s3/aws4_request, \
         SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={}",
        keys.access,
        &now[..8],
        "0".repeat(64)
    );
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent: ureq::Agent = config.build().into();
    let request = agent
        .get(format!("http://{endpoint}/corso-test?list-type=2"))
        .header("authorization", authorization)
        .header("x-amz-content-sha256", corso::id::Id::sha256(b"").hex())
        .header("x-amz-date", now);
    request.call().unwrap().status().as_u16()
}

#[test]
fn an_interceptor_answers_instead_of_the_server() {
    let server = S3Server::start(S3Options::default());
    server.intercept(|request| {
        let headers = vec![("retry-after", "1".to_owned())];
        (request.path == "/busy").then(|| Answer::Respond(503, headers, "<Error/>".into()))
    });
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent: ureq::Agent = config.build().into();
    let busy = agent.get(format!("http://{}/busy", server.endpoint()));
    let response = busy.call().unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("date"));
    server.intercept(|_| Some(Answer::Close));
    let closed = agent.get(format!("http://{}/", server.endpoint()));
    assert!(closed.call().is_err());
    let statuses: Vec<u16> = server.log().iter().map(|r| r.status).collect();
    assert_eq!(statuses[0], 503);
    assert!(statuses[1..].iter().all(|s| *s == 0) && statuses.len() > 1);
}

#[test]
fn one_seed_makes_one_tree() {
    let (a, b, c) = (temp_dir(), temp_dir(), temp_dir());
    let paths = make_tree(a.path(), 1, 100, 100_000);
    assert_eq!(paths.len(), 100);
    make_tree(b.path(), 1, 100, 100_000);
    assert_same_tree(a.path(), b.path());
    make_tree(c.path(), 2, 100, 100_000);
    assert!(std::panic::catch_unwind(|| assert_same_tree(a.path(), c.path())).is_err());
}
