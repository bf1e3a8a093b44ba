//! moto's S3 with its signature checks on, and IAM users with policies.

use super::signed::text_of;
use super::{Keys, find_program, process, temp_dir};
use std::process::Command;

/// Everything is allowed.
pub const ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// A running `moto_server`.
pub struct Moto {
    server: process::Server,
    keys: Keys,
    _directory: tempfile::TempDir,
}

impl Moto {
    /// With these buckets and one user who may do all; None if the program is missing (suite `moto`).
    pub fn start(buckets: &[&str]) -> Option<Moto> {
        let program = find_program("moto", "CORSO_TEST_MOTO", "moto_server")?;
        let directory = temp_dir();
        let address = process::free_port();
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &address.port().to_string()]);
        let server = process::Server::start(command, address, &directory.path().join("log"));
        let mut moto = Moto {
            server,
            keys: Keys::default(),
            _directory: directory,
        };
        for bucket in buckets {
            moto.make_bucket(bucket);
        }
        moto.keys = moto.add_user("corso", ALL);
        Some(moto)
    }

    /// `127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        self.server.address.to_string()
    }

    /// The user who may do all.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// A further user with this inline policy.
    pub fn add_user(&self, name: &str, policy: &str) -> Keys {
        self.check_signatures(false);
        self.iam(&[("Action", "CreateUser"), ("UserName", name)]);
        self.iam(&[
            ("Action", "PutUserPolicy"),
            ("UserName", name),
            ("PolicyName", "test"),
            ("PolicyDocument", policy),
        ]);
        let answer = self.iam(&[("Action", "CreateAccessKey"), ("UserName", name)]);
        let keys = Keys {
            access: text_of(&answer, "AccessKeyId"),
            secret: text_of(&answer, "SecretAccessKey"),
            token: None,
        };
        self.check_signatures(true);
        keys
    }

    /// A role that anybody may take on, with an inline policy; gives its ARN.
    pub fn add_role(&self, name: &str, policy: &str) -> String {
        self.check_signatures(false);
        let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#;
        self.iam(&[
            ("Action", "CreateRole"),
            ("RoleName", name),
            ("AssumeRolePolicyDocument", trust),
        ]);
        self.iam(&[
            ("Action", "PutRolePolicy"),
            ("RoleName", name),
            ("PolicyName", "test"),
            ("PolicyDocument", policy),
        ]);
        self.check_signatures(true);
        format!("arn:aws:iam::123456789012:role/{name}")
    }

    /// A further bucket.
    pub fn make_bucket(&self, bucket: &str) {
        self.check_signatures(false);
        let request = ureq::put(format!("http://{}/{bucket}", self.endpoint()));
        request
            .header("authorization", scope("s3"))
            .send_empty()
            .unwrap();
        self.check_signatures(true);
    }

    /// moto counts unchecked requests down to zero and checks from then on.
    fn check_signatures(&self, on: bool) {
        self.leave_unchecked(if on { 0 } else { 1_000_000 });
    }

    /// The next so many requests are not checked, all after them are. (moto 5.2 cannot answer a request without a signature
    /// while it checks, and STS AssumeRoleWithWebIdentity has none.)
    pub fn leave_unchecked(&self, requests: u32) {
        let request = ureq::post(format!("http://{}/moto-api/reset-auth", self.endpoint()));
        request
            .content_type("text/plain")
            .send(requests.to_string())
            .unwrap();
    }

    fn iam(&self, fields: &[(&str, &str)]) -> String {
        let request = ureq::post(format!("http://{}/", self.endpoint()))
            .header("authorization", scope("iam"));
        let version = [("Version", "2010-05-08")];
        let mut response = request
            .send_form(fields.iter().copied().chain(version))
            .unwrap();
        response.body_mut().read_to_string().unwrap()
    }
}

/// moto finds the service in the credential's scope; the signature is not looked at while checks are off.
fn scope(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}
