//! Chains of profiles against an STS that notes who asked for what.

use super::super::testing::{Host, HttpServer, ok};
use super::super::{Chain, Secret};
use super::*;
use std::sync::Arc;

/// Gives `AK1`, `AK2`, ...
fn sts() -> HttpServer {
    let count = std::sync::atomic::AtomicUsize::new(0);
    HttpServer::start(move |_| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
        ok(format!(
            "<AssumeRoleResponse xmlns='u'><AssumeRoleResult><Credentials><AccessKeyId>AK{number}</AccessKeyId>\
             <SecretAccessKey>SK</SecretAccessKey><SessionToken>T</SessionToken>\
             <Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
        ))
    })
}

/// Which keys asked for which role, in order, and the parameters of the last request.
fn asked(server: &HttpServer) -> (Vec<(String, String)>, String) {
    let log = server.log();
    let pairs = log.iter().map(|r| {
        let signed = r.header("authorization").unwrap_or_default();
        let key = signed.split_once("Credential=").map_or("", |(_, k)| k);
        let key = key.split('/').next().unwrap_or_default();
        let body = String::from_utf8_lossy(&r.body).into_owned();
        let role = body.split('&').find_map(|p| p.strip_prefix("RoleArn="));
        (key.to_string(), role.unwrap_or_default().to_string())
    });
    let last = log
        .last()
        .map(|r| String::from_utf8_lossy(&r.body).into_owned());
    (pairs.collect(), last.unwrap_or_default())
}

const KEYS: &str = "aws_access_key_id=AK0\naws_secret_access_key=SK\n";

/// The configuration file, and who asks for which role.
#[test]
fn chains() {
    let cases: [(&str, &[(&str, &str)]); 7] = [
        (
            "[default]\nrole_arn=r1\nsource_profile=b\n[profile b]\nKEYS",
            &[("AK0", "r1")],
        ),
        (
            "[default]\nrole_arn=r1\nsource_profile=b\n[profile b]\nrole_arn=r2\nsource_profile=c\n[profile c]\nKEYS",
            &[("AK0", "r2"), ("AK1", "r1")],
        ),
        // Keys of its own, named as its own source.
        (
            "[default]\nrole_arn=r1\nsource_profile=default\nKEYS",
            &[("AK0", "r1")],
        ),
        // Keys of its own, without any source: the role is assumed with them.
        ("[default]\nrole_arn=r1\nKEYS", &[("AK0", "r1")]),
        // A source's own keys go before its source.
        (
            "[default]\nrole_arn=r1\nsource_profile=b\n[profile b]\nrole_arn=r2\nsource_profile=c\nKEYS\n[profile c]\nKEYS",
            &[("AK0", "r2"), ("AK1", "r1")],
        ),
        // Back to where it began, for the keys there.
        (
            "[default]\nrole_arn=r1\nsource_profile=b\nKEYS\n[profile b]\nrole_arn=r2\nsource_profile=default",
            &[("AK0", "r2"), ("AK1", "r1")],
        ),
        (
            "[default]\nrole_arn=r1\ncredential_process=echo '{\"Version\":1,\"AccessKeyId\":\"AKP\",\"SecretAccessKey\":\"S\"}'",
            &[("AKP", "r1")],
        ),
    ];
    for (config, want) in cases {
        let server = sts();
        Host::new(&[("AWS_ENDPOINT_URL_STS", &server.url())])
            .file(".aws/config", &config.replace("KEYS", KEYS))
            .finds();
        let want: Vec<_> = want
            .iter()
            .map(|(a, b)| (a.to_string(), b.to_string()))
            .collect();
        assert_eq!(asked(&server).0, want, "{config}");
    }
}

#[test]
fn what_the_profile_says_about_the_role_is_sent() {
    let server = sts();
    let config = "[default]\nrole_arn=arn:x\nsource_profile=b\nexternal_id=e/1\nrole_session_name=s\nduration_seconds=7200\n\
        region=eu-west-2\nmfa_serial=arn:mfa\n[profile b]\nKEYS";
    let host = Host::new(&[]).file(".aws/config", &config.replace("KEYS", KEYS));
    let host = host.var("AWS_ENDPOINT_URL_STS", &format!("{}/sub/", server.url()));
    let said = host.fails().to_string();
    assert!(
        said.contains("wants a code of MFA device arn:mfa, and there is no terminal"),
        "{said}"
    );
    let prompt: MfaPrompt = Arc::new(|serial| {
        assert_eq!(serial, "arn:mfa");
        Ok(Secret::new("123456".into()))
    });
    let chain = Chain {
        mfa: Some(prompt),
        ..Chain::default()
    };
    host.resolve(&chain).unwrap();
    let (_, body) = asked(&server);
    for part in [
        "ExternalId=e%2F1",
        "RoleSessionName=s",
        "DurationSeconds=7200",
        "SerialNumber=arn%3Amfa",
        "TokenCode=123456",
    ] {
        assert!(body.contains(part), "{body}");
    }
    let log = server.log();
    assert_eq!(log[0].line(), "POST /sub/");
    let signed = log[0].header("authorization").unwrap();
    assert!(signed.contains("/eu-west-2/sts/aws4_request"), "{signed}");
}

/// `duration_seconds`, and what is sent.
#[test]
fn durations() {
    for (given, want) in [
        ("", "900"),
        ("60", "900"),
        ("901", "901"),
        ("43200", "43200"),
        ("soon", "900"),
        ("-1", "900"),
    ] {
        let server = sts();
        let config = format!("[default]\nrole_arn=r\nduration_seconds={given}\n{KEYS}");
        let host =
            Host::new(&[("AWS_ENDPOINT_URL_STS", &server.url())]).file(".aws/config", &config);
        host.finds();
        let (_, body) = asked(&server);
        assert!(
            body.contains(&format!("DurationSeconds={want}")),
            "{given}: {body}"
        );
        assert!(body.contains("RoleSessionName=corso-"), "{body}");
    }
}

#[test]
fn a_chain_without_end_is_refused() {
    let mut config = String::from("[default]\nrole_arn=r\nsource_profile=p0\n");
    for n in 0..10_000 {
        config.push_str(&format!(
            "[profile p{n}]\nrole_arn=r\nsource_profile=p{}\n",
            n + 1
        ));
    }
    let said = Host::new(&[])
        .file(".aws/config", &config)
        .fails()
        .to_string();
    assert!(said.contains("is one of a chain of more than 16"), "{said}");
}

/// Variables and profile lines, and the URL of STS in eu-west-1.
#[test]
fn endpoints() {
    const OWN: (&str, &str) = ("AWS_ENDPOINT_URL_STS", "http://own");
    const ALL: (&str, &str) = ("AWS_ENDPOINT_URL", "http://all");
    const IGNORE: (&str, &str) = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    type Case = (
        &'static [(&'static str, &'static str)],
        &'static str,
        &'static str,
    );
    let cases: [Case; 8] = [
        (&[], "", "https://sts.eu-west-1.amazonaws.com"),
        (&[ALL], "", "http://all"),
        (&[ALL, OWN], "", "http://own"),
        (
            &[ALL, OWN, IGNORE],
            "",
            "https://sts.eu-west-1.amazonaws.com",
        ),
        (&[], "endpoint_url=http://profile", "http://profile"),
        (
            &[],
            "endpoint_url=http://profile\nservices=s\n[services s]\nsts =\n  endpoint_url = http://service",
            "http://service",
        ),
        (
            &[],
            "endpoint_url=http://profile\nignore_configured_endpoint_urls=true",
            "https://sts.eu-west-1.amazonaws.com",
        ),
        (&[OWN], "endpoint_url=http://profile", "http://own"),
    ];
    for (vars, lines, want) in cases {
        let host = Host::new(vars).file(".aws/config", &format!("[default]\n{lines}\n"));
        let env = |name: &str| host.vars.get(name).cloned();
        let files = Profiles::load(&env).unwrap();
        let top = files.profile("default");
        let planner = Planner {
            env: &env,
            files: &files,
            top: top.as_ref(),
            region: None,
            reach: Reach::default(),
            mfa: None,
        };
        assert_eq!(
            planner.url("STS", "sts", "sts", "eu-west-1"),
            want,
            "{vars:?} {lines}"
        );
    }
    for (region, want) in [
        ("cn-north-1", "amazonaws.com.cn"),
        ("us-iso-east-1", "c2s.ic.gov"),
        ("us-isob-east-1", "sc2s.sgov.gov"),
        ("us-gov-west-1", "amazonaws.com"),
    ] {
        assert_eq!(suffix(region), want);
    }
}
