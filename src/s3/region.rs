//! Which region a bucket is in: what signatures and AWS host names must say.

use super::credentials::{Env, env_text};
use super::response::S3Error;

/// What AWS takes where nothing is known; other servers mostly take any.
pub const DEFAULT_REGION: &str = "us-east-1";

/// From the environment: `AWS_REGION`, then `AWS_DEFAULT_REGION`.
pub fn from_env(env: Env<'_>) -> Option<String> {
    env_text(env, "AWS_REGION").or_else(|| env_text(env, "AWS_DEFAULT_REGION"))
}

/// Does this answer say that we asked the wrong region? Such an answer may name the right one.
pub fn is_wrong_region(error: &S3Error) -> bool {
    let codes = [
        "AuthorizationHeaderMalformed",
        "PermanentRedirect",
        "TemporaryRedirect",
        "IllegalLocationConstraintException",
        "IncorrectEndpoint",
    ];
    // A HEAD has no body: AWS answers 301 or 400 with x-amz-bucket-region. Redirections with neither a code nor a region
    // nor a request id are not S3's: networks that want a login do that.
    let bare = error.code.is_empty() && error.region.is_none() && error.request_id.is_empty();
    (matches!(error.status, 301 | 302 | 307 | 308) && !(bare && error.detour.location.is_some()))
        || codes.contains(&error.code.as_str())
        || (error.status == 400 && error.code.is_empty() && error.region.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::response::Detour;
    use std::ffi::OsString;

    #[test]
    fn the_environment_in_order() {
        let env = |name: &str| match name {
            "AWS_REGION" => Some(OsString::new()),
            "AWS_DEFAULT_REGION" => Some(OsString::from("eu-west-3")),
            _ => None,
        };
        assert_eq!(
            from_env(&env).as_deref(),
            Some("eu-west-3"),
            "an empty variable is none"
        );
    }

    #[test]
    fn answers_of_the_wrong_region() {
        let wrong = |status, code: &str, region: Option<&str>| {
            is_wrong_region(&S3Error {
                status,
                code: code.into(),
                region: region.map(Into::into),
                ..S3Error::default()
            })
        };
        assert!(wrong(301, "", None));
        assert!(wrong(400, "AuthorizationHeaderMalformed", None));
        assert!(wrong(400, "", Some("x")));
        assert!(!wrong(400, "", None));
        assert!(!wrong(403, "AccessDenied", Some("x")));
        let login = S3Error {
            status: 302,
            detour: Box::new(Detour {
                location: Some("http://login.example/".into()),
                ..Detour::default()
            }),
            ..S3Error::default()
        };
        assert!(!is_wrong_region(&login));
    }
}
