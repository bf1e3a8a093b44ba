//! The order of sources, and what is said when one is malformed or none has anything.

use super::testing::Host;
use super::*;
use crate::error::Kind;

mod malformed;
mod sources;

fn access(found: Result<Found>) -> String {
    found
        .map(|f| f.credentials.current().access_key().to_string())
        .unwrap_or_else(|e| panic!("{e}"))
}

const FILE: &str = "[default]\naws_access_key_id = AKFILE\naws_secret_access_key = SKFILE\n\
    [work]\naws_access_key_id=AKWORK\naws_secret_access_key=SKWORK\naws_session_token=TOKWORK\nregion=eu-west-1\n";
const ENV: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKENV"),
    ("AWS_SECRET_ACCESS_KEY", "SKENV"),
];

#[test]
fn flags_then_environment_then_profile() {
    let host = Host::new(&ENV).file(".aws/credentials", FILE);
    let flags = Chain {
        access_key: Some("AKFLAG".into()),
        secret_key: Some(Secret::new("SKFLAG".into())),
        ..Chain::default()
    };
    assert_eq!(access(host.resolve(&flags)), "AKFLAG");
    let found = host.resolve(&Chain::default()).unwrap();
    assert_eq!(
        (
            found.credentials.current().access_key(),
            found.credentials.current().source()
        ),
        ("AKENV", "environment")
    );
    assert_eq!(
        access(
            Host::new(&[])
                .file(".aws/credentials", FILE)
                .resolve(&Chain::default())
        ),
        "AKFILE"
    );
}

#[test]
fn a_token_never_joins_other_keys() {
    let host = Host::new(&[("AWS_SESSION_TOKEN", "STALE")]).file(".aws/credentials", FILE);
    assert_eq!(
        host.resolve(&Chain::default())
            .unwrap()
            .credentials
            .current()
            .session_token(),
        None
    );
    let host = Host::new(&[("AWS_PROFILE", "work"), ("AWS_SESSION_TOKEN", "STALE")])
        .file(".aws/credentials", FILE);
    assert_eq!(
        host.resolve(&Chain::default())
            .unwrap()
            .credentials
            .current()
            .session_token(),
        Some("TOKWORK")
    );
    let flag = Chain {
        session_token: Some(Secret::new("T".into())),
        ..Chain::default()
    };
    assert_eq!(
        host.resolve(&flag).err().map(|e| e.kind()),
        Some(Kind::Usage)
    );
}

#[test]
fn the_environment_outranks_a_profile_that_it_names_but_not_one_from_a_flag() {
    let vars = [ENV[0], ENV[1], ("AWS_PROFILE", "work")];
    let host = Host::new(&vars).file(".aws/credentials", FILE);
    let found = host.resolve(&Chain::default()).unwrap();
    assert_eq!(
        (
            found.credentials.current().access_key(),
            found.region.as_deref()
        ),
        ("AKENV", Some("eu-west-1"))
    );
    let flag = Chain {
        profile: Some("default".into()),
        ..Chain::default()
    };
    assert_eq!(access(host.resolve(&flag)), "AKFILE");
}

#[test]
fn old_names_of_variables_and_empty_ones() {
    let host = Host::new(&[
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_ACCESS_KEY", "AKOLD"),
        ("AWS_SECRET_KEY", "SKOLD"),
    ]);
    assert_eq!(access(host.resolve(&Chain::default())), "AKOLD");
}

#[test]
fn half_a_pair_is_an_error_everywhere() {
    let error = Host::new(&[ENV[0]]).file(".aws/credentials", FILE).fails();
    assert_eq!(error.kind(), Kind::CredentialsMissing);
    assert!(
        error.to_string().contains("AWS_SECRET_ACCESS_KEY"),
        "{error}"
    );
    let error = Host::new(&[])
        .file(".aws/credentials", "[default]\naws_access_key_id=AK\n")
        .fails();
    assert!(
        error.to_string().contains("has no aws_secret_access_key"),
        "{error}"
    );
    let chain = Chain {
        access_key: Some("AK".into()),
        ..Chain::default()
    };
    assert_eq!(
        Host::new(&ENV).resolve(&chain).err().map(|e| e.kind()),
        Some(Kind::Usage)
    );
}

#[test]
fn the_config_file_has_profiles_regions_and_endpoints() {
    let config = "[default]\nregion=r0\n[profile work]\naws_access_key_id=AKC\naws_secret_access_key=SKC\nregion=r1\n\
        services = local\nendpoint_url = http://general\n[services local]\ns3 =\n  endpoint_url = http://s3.local:9000\n";
    let host = Host::new(&[("AWS_PROFILE", "work")]).file(".aws/config", config);
    let found = host.resolve(&Chain::default()).unwrap();
    assert_eq!(
        (
            found.credentials.current().access_key(),
            found.region.as_deref()
        ),
        ("AKC", Some("r1"))
    );
    assert_eq!(found.endpoint_url.as_deref(), Some("http://s3.local:9000"));
    // Keys of the credentials file win, settings of the two join.
    let both = Host::new(&[("AWS_PROFILE", "work")])
        .file(".aws/config", config)
        .file(
            ".aws/credentials",
            "[work]\naws_access_key_id=AKS\naws_secret_access_key=SKS\n",
        );
    let found = both.resolve(&Chain::default()).unwrap();
    assert_eq!(
        (
            found.credentials.current().access_key(),
            found.region.as_deref()
        ),
        ("AKS", Some("r1"))
    );
}

#[test]
fn files_named_by_the_environment() {
    let host = Host::new(&[]).file("elsewhere", FILE);
    let path = host.home.path().join("elsewhere");
    let named = Host::new(&[("AWS_SHARED_CREDENTIALS_FILE", path.to_str().unwrap())]);
    assert_eq!(access(named.resolve(&Chain::default())), "AKFILE");
    let gone = Host::new(&[("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/at/all")]).fails();
    assert!(gone.to_string().contains("/nowhere/at/all"), "{gone}");
}

#[test]
fn an_unreadable_file_is_named() {
    let host = Host::new(&[]).file(".aws/credentials/is-a-folder", "");
    let error = host.fails();
    assert_eq!(error.kind(), Kind::CredentialsMissing);
    assert!(
        error
            .to_string()
            .contains(".aws/credentials cannot be read"),
        "{error}"
    );
    // Its keys would not be used: it does not matter.
    let mut host = host;
    host.vars
        .extend(ENV.map(|(k, v)| (k.to_string(), v.into())));
    assert_eq!(access(host.resolve(&Chain::default())), "AKENV");
}

#[test]
fn a_failure_lists_every_source_and_what_it_lacked() {
    let error = Host::new(&[]).fails().to_string();
    for part in [
        "flags",
        "environment (no AWS_ACCESS_KEY_ID)",
        "profile \"default\" (no credentials file found",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let sso = Host::new(&[("AWS_PROFILE", "x")])
        .file(".aws/config", "[profile x]\nsso_session = y\n")
        .fails()
        .to_string();
    assert!(sso.contains("[sso-session y]"), "{sso}");
    let absent = Host::new(&[("AWS_PROFILE", "zz")])
        .file(".aws/credentials", FILE)
        .fails()
        .to_string();
    assert!(
        absent.contains("profile \"zz\"") && absent.contains("not there"),
        "{absent}"
    );
}

#[test]
fn secrets_are_in_no_error() {
    let host = Host::new(&[]).file(
        ".aws/credentials",
        "[default]\naws_secret_access_key = VERYSECRET\n",
    );
    assert!(!format!("{:?} {}", host.fails(), host.fails()).contains("VERYSECRET"));
}
