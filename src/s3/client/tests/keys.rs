//! Keys that end while the client works.

use super::*;
use crate::s3::credentials::Source;
use std::sync::atomic::AtomicUsize;

/// Gives `AK1`, `AK2`, ..., which end at this time.
struct Numbered(AtomicUsize, Time);

impl Source for Numbered {
    fn fetch(&self) -> crate::error::Result<Credentials> {
        let number = self.0.fetch_add(1, Relaxed) + 1;
        let keys = Credentials::new(&format!("AK{number}"), "SK", Some("T"), "test");
        Ok(keys.until(Some(self.1)))
    }
}

fn renewing(end: Time, replies: Vec<Reply>) -> (Client, Script) {
    let keys = CredentialProvider::fetch(Box::new(Numbered(AtomicUsize::new(0), end))).unwrap();
    let (client, script) = client(replies);
    let client = Client {
        credentials: keys,
        ..client
    };
    (client, script)
}

fn key_of(sent: &Sent) -> &str {
    let value = header(sent, "authorization").unwrap_or_default();
    let (_, key) = value.split_once("Credential=").unwrap_or_default();
    key.split('/').next().unwrap_or_default()
}

#[test]
fn expired_keys_are_renewed_once_and_the_request_signed_anew() {
    let far = Time(4_102_444_800_000);
    for code in [
        "ExpiredToken",
        "ExpiredTokenException",
        "TokenRefreshRequired",
    ] {
        let (client, script) = renewing(far, vec![error(400, code), ok(b"x")]);
        assert_eq!(get(&client).unwrap().attempts, 2);
        let sent = script.sent.lock().unwrap();
        assert_eq!([key_of(&sent[0]), key_of(&sent[1])], ["AK1", "AK2"]);
    }
    let (client, _) = renewing(
        far,
        vec![error(400, "ExpiredToken"), error(400, "ExpiredToken")],
    );
    let failure = get(&client).unwrap_err();
    assert_eq!((failure.attempts, client.credentials.fetches()), (2, 2));
    // Keys that never change are not worth another try.
    let (fixed, _) = client_at("localhost:9000", None, vec![error(400, "ExpiredToken")]);
    assert_eq!(get(&fixed).unwrap_err().attempts, 1);
}

/// A HEAD's refusal has no code: it is about the keys if these have ended.
#[test]
fn a_head_is_refused_without_a_word() {
    let head = |client: &Client| client.send(&request::head_object("k"), Limits::default());
    let (client, script) = renewing(Time(0), vec![Reply::Answer(400, vec![], vec![]), ok(b"")]);
    head(&client).unwrap();
    assert_eq!(key_of(&script.sent.lock().unwrap()[1]), "AK2");
    let far = Time(4_102_444_800_000);
    let (client, _) = renewing(far, vec![Reply::Answer(403, vec![], vec![])]);
    assert!(head(&client).is_err());
    assert_eq!(client.credentials.fetches(), 1);
}
