//! The worked examples that the S3 documentation publishes ("Examples: Signature Calculations").

use super::*;

const HOST: &str = "examplebucket.s3.amazonaws.com";

fn credentials() -> Credentials {
    Credentials::new(
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        None,
        "test",
    )
}

fn time() -> Time {
    Time(1_369_353_600_000)
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect()
}

fn signature(
    method: &str,
    path: &str,
    query: &[(&str, &str)],
    headers: &[(&str, &str)],
    payload: &str,
) -> String {
    let mut all = pairs(headers);
    all.extend(pairs(&[("host", HOST), ("x-amz-content-sha256", payload)]));
    let query = pairs(query);
    let request = ToSign {
        method,
        path,
        query: &query,
        headers: &all,
        payload,
    };
    Signer::s3(&credentials(), "us-east-1", time())
        .sign(&request)
        .signature
}

#[test]
fn get_object() {
    assert_eq!(
        signature(
            "GET",
            "/test.txt",
            &[],
            &[("Range", "bytes=0-9")],
            EMPTY_SHA256
        ),
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    );
}

#[test]
fn put_object() {
    let payload = hex::encode(Sha256::digest(b"Welcome to Amazon S3."));
    let headers = [
        ("date", "Fri, 24 May 2013 00:00:00 GMT"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    ];
    assert_eq!(
        signature("PUT", "/test$file.text", &[], &headers, &payload),
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    );
}

#[test]
fn get_bucket_lifecycle() {
    assert_eq!(
        signature("GET", "/", &[("lifecycle", "")], &[], EMPTY_SHA256),
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    );
}

#[test]
fn list_objects() {
    assert_eq!(
        signature(
            "GET",
            "/",
            &[("max-keys", "2"), ("prefix", "J")],
            &[],
            EMPTY_SHA256
        ),
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    );
}

#[test]
fn presigned_get() {
    let headers = pairs(&[("host", HOST)]);
    let request = ToSign {
        method: "GET",
        path: "/test.txt",
        query: &[],
        headers: &headers,
        payload: UNSIGNED_PAYLOAD,
    };
    let credentials = credentials();
    let signed = Signer::s3(&credentials, "us-east-1", time()).presign(&request, 86_400);
    assert_eq!(
        signed.signature,
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
}

#[test]
fn signing_key_of_the_examples() {
    let credentials = credentials();
    let signer = Signer::s3(&credentials, "us-east-1", time());
    let key = signer.signing_key(&timestamp(time()));
    assert_eq!(
        hex::encode(*key),
        "dbb893acc010964918f1fd433add87c70e8b0db6be30c1fbeafefa5ec6ba8378"
    );
}

#[test]
fn the_token_is_signed_or_added_after() {
    let credentials = Credentials::new("AK", "SK", Some("TOKEN"), "test");
    let headers = pairs(&[("host", HOST)]);
    let request = ToSign {
        method: "GET",
        path: "/",
        query: &[],
        headers: &headers,
        payload: EMPTY_SHA256,
    };
    let mut signer = Signer::s3(&credentials, "us-east-1", time());
    assert!(
        signer
            .sign(&request)
            .canonical_request
            .contains("x-amz-security-token:TOKEN\n")
    );
    signer.sign_token = false;
    let signed = signer.sign(&request);
    assert!(!signed.canonical_request.contains("token"));
    assert!(
        signed
            .added
            .iter()
            .any(|(name, value)| name == "x-amz-security-token" && value == "TOKEN")
    );
}
