//! Every malformed input, and what is said about it.

use super::super::testing::Host;
use super::sources::Sources;
use crate::s3::credentials::Source;
use crate::s3::credentials::process::Process;
use std::time::{Duration, Instant};

/// A profile's lines (the profile is `default`), and what is said about them.
const MALFORMED_PROFILES: &[(&str, &str)] = &[
    (
        "aws_access_key_id=AK",
        "profile \"default\" in HOME/.aws/config has no aws_secret_access_key",
    ),
    (
        "aws_secret_access_key=SK",
        "profile \"default\" in HOME/.aws/config has no aws_access_key_id",
    ),
    (
        "source_profile=x",
        "profile \"default\" has source_profile without role_arn",
    ),
    (
        "credential_source=Environment",
        "profile \"default\" has credential_source without role_arn",
    ),
    (
        "web_identity_token_file=/t",
        "profile \"default\" has web_identity_token_file without role_arn",
    ),
    (
        "role_arn=r\nsource_profile=x",
        "has source_profile \"x\", and there is no such profile",
    ),
    (
        "role_arn=r\nsource_profile=x\n[profile x]\nregion=y",
        "has source_profile \"x\", which has no keys",
    ),
    (
        "role_arn=r\nsource_profile=x\n[profile x]\nrole_arn=s",
        "has source_profile \"x\", which has no keys",
    ),
    (
        "role_arn=r\nsource_profile=default",
        "is part of a loop of source_profile: default -> default",
    ),
    (
        "role_arn=r\nsource_profile=a\n[profile a]\nrole_arn=r\nsource_profile=b\n[profile b]\nrole_arn=r\nsource_profile=default",
        "profile \"b\" is part of a loop of source_profile: default -> a -> b -> default",
    ),
    (
        "role_arn=r\ncredential_source=Nowhere",
        "has credential_source \"Nowhere\", which is unknown",
    ),
    (
        "role_arn=r\ncredential_source=Environment",
        "credential_source Environment, and AWS_ACCESS_KEY_ID is not set",
    ),
    (
        "role_arn=r\ncredential_source=EcsContainer",
        "credential_source EcsContainer, and neither AWS_CONTAINER",
    ),
    (
        "role_arn=r\ncredential_source=Ec2InstanceMetadata",
        "and AWS_EC2_METADATA_DISABLED is set",
    ),
    (
        "role_arn=r\nsource_profile=x\ncredential_process=y",
        "has source_profile and credential_process, which exclude each other",
    ),
    (
        "role_arn=r\ncredential_source=Environment\nweb_identity_token_file=y",
        "has credential_source and web_identity_token_file, which exclude",
    ),
    (
        "role_arn=r",
        "profile \"default\" has role_arn, and there are no keys to assume it with; tried container",
    ),
    (
        "credential_process=exit 7",
        "credential_process of profile \"default\" failed (exit status: 7)",
    ),
    (
        "credential_process=echo VERYSECRET",
        "printed no keys in JSON (column 1)",
    ),
    (
        "credential_process=true",
        "printed no keys in JSON (column 0)",
    ),
    (
        "credential_process=echo '{\"AccessKeyId\":\"A\"}'",
        "printed version 0 of the keys' format",
    ),
    (
        "credential_process=echo '{\"Version\":1,\"SecretAccessKey\":\"S\"}'",
        "printed no AccessKeyId",
    ),
    (
        "credential_process=echo '{\"Version\":1,\"AccessKeyId\":\"A\"}'",
        "printed no SecretAccessKey",
    ),
    (
        "credential_process=echo '{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Expiration\":\"soon\"}'",
        "printed an Expiration that is no time",
    ),
    (
        "credential_process=yes VERYSECRET",
        "printed more than 64 KiB",
    ),
    ("sso_session=s", "uses SSO, but there is no [sso-session s]"),
    (
        "sso_session=s\n[sso-session s]\nsso_start_url=u",
        "uses SSO, but [sso-session s] has no sso_region",
    ),
    (
        "sso_session=s\nsso_region=a\n[sso-session s]\nsso_region=b\nsso_start_url=u",
        "its sso_region is not that of [sso-session s]",
    ),
    (
        "sso_region=us-east-1",
        "uses SSO, but it has no sso_start_url",
    ),
    (
        "sso_region=us-east-1\nsso_start_url=u\nsso_account_id=1",
        "uses SSO, but it has no sso_role_name",
    ),
    (
        "sso_region=a.b/c\nsso_start_url=u\nsso_account_id=1\nsso_role_name=r",
        "\"a.b/c\" is not a region",
    ),
    (
        "sso_region=us-east-1\nsso_start_url=u\nsso_account_id=1\nsso_role_name=r",
        ".json does not exist; run 'aws sso login' with this profile",
    ),
    (
        "login_session=x",
        "has login_session, which is not supported",
    ),
    (
        "[x",
        "the credentials file HOME/.aws/config line 3: a section's name does not end with ]",
    ),
];

#[test]
fn every_malformed_profile_has_its_message() {
    for (lines, want) in MALFORMED_PROFILES {
        let sources = Sources::new().profile("default", lines);
        let error = sources.host.resolve(&sources.chain).err();
        let said = error.unwrap_or_else(|| panic!("{lines}")).to_string();
        let want = want.replace("HOME", &sources.host.home.path().display().to_string());
        assert!(said.contains(&want), "{lines}: {said}");
        assert!(
            !said.contains("VERYSECRET") && !said.contains('\n'),
            "{said}"
        );
    }
}

/// Variables, and what is said about them.
const MALFORMED_VARIABLES: &[(&[(&str, &str)], &str)] = &[
    (
        &[("AWS_ACCESS_KEY_ID", "AK")],
        "AWS_ACCESS_KEY_ID is set in the environment, and AWS_SECRET_ACCESS_KEY is not",
    ),
    (
        &[("AWS_SECRET_KEY", "VERYSECRET")],
        "AWS_SECRET_ACCESS_KEY is set in the environment, and AWS_ACCESS_KEY_ID is not",
    ),
    (
        &[("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")],
        "AWS_WEB_IDENTITY_TOKEN_FILE is set, and AWS_ROLE_ARN is not",
    ),
    (
        &[
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/where"),
            ("AWS_ROLE_ARN", "r"),
        ],
        "the web identity token file /no/where cannot be read",
    ),
    (
        &[
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/dev/null"),
            ("AWS_ROLE_ARN", "r"),
        ],
        "the web identity token file /dev/null is empty",
    ),
    (
        &[
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/dev/zero"),
            ("AWS_ROLE_ARN", "r"),
        ],
        "/dev/zero cannot be read: it is longer than 64 KiB",
    ),
    (
        &[
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/dev/null"),
            ("AWS_ROLE_ARN", "r"),
            ("AWS_ENDPOINT_URL_STS", "sts.local"),
        ],
        "\"sts.local\" is not an endpoint URL for STS",
    ),
    (
        &[
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/dev/null"),
            ("AWS_ROLE_ARN", "r"),
            ("AWS_REGION", "evil.com/"),
        ],
        "\"evil.com/\" is not a region",
    ),
    (
        &[("AWS_PROFILE", "absent")],
        "profile \"absent\" (no credentials file found: not there)",
    ),
    (
        &[("AWS_CONFIG_FILE", "/no/where")],
        "/no/where, which AWS_CONFIG_FILE names, cannot be read",
    ),
    (
        &[("AWS_SHARED_CREDENTIALS_FILE", "/dev/zero")],
        "cannot be read: it is longer than 4 MiB",
    ),
    (
        &[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@evil.com/")],
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with a slash",
    ),
    (
        &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "ftp://x")],
        "AWS_CONTAINER_CREDENTIALS_FULL_URI is not a URL",
    ),
    (
        &[(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "http://127.0.0.1@evil.com/",
        )],
        "AWS_CONTAINER_CREDENTIALS_FULL_URI is not a URL",
    ),
    (
        &[
            ("AWS_EC2_METADATA_DISABLED", ""),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "x"),
        ],
        "\"x\" is not a URL of an instance metadata service",
    ),
    (
        &[
            ("AWS_EC2_METADATA_DISABLED", ""),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv5"),
        ],
        "\"ipv5\" is no mode of the instance metadata endpoint",
    ),
];

#[test]
fn every_malformed_variable_has_its_message() {
    for (vars, want) in MALFORMED_VARIABLES {
        let said = Host::new(vars).fails().to_string();
        assert!(said.contains(want), "{vars:?}: {said}");
        assert!(
            !said.contains("VERYSECRET") && !said.contains('\n'),
            "{said}"
        );
    }
}

#[test]
fn odd_files() {
    let utf16 = Host::new(&[]).file(".aws/credentials", "");
    std::fs::write(
        utf16.home.path().join(".aws/credentials"),
        b"\xff\xfe[\0d\0]\0",
    )
    .unwrap();
    assert!(utf16.fails().to_string().contains("UTF-16"));
    // Empty files are no files.
    let empty = Host::new(&[])
        .file(".aws/credentials", "")
        .file(".aws/config", "");
    assert!(empty.fails().to_string().contains(".aws/config: not there"));
    // In the credentials file `[profile x]` is no profile.
    let wrong = Host::new(&[("AWS_PROFILE", "x")]).file(
        ".aws/credentials",
        "[profile x]\naws_access_key_id=A\naws_secret_access_key=S\n",
    );
    assert!(wrong.fails().to_string().contains("\"x\""));
}

/// A command that never ends, also one whose child keeps the pipe open.
#[test]
fn a_process_without_end_is_ended() {
    for command in ["sleep 60", "sleep 60 & sleep 60", "while :; do :; done"] {
        let mut process = Process::new("p", command);
        process.time = Duration::from_millis(300);
        let begin = Instant::now();
        let said = process.fetch().err().unwrap().to_string();
        assert!(said.contains("did not end within"), "{said}");
        assert!(begin.elapsed() < Duration::from_secs(20), "{command}");
    }
}
