//! STS of moto, which checks signatures and session tokens.

use super::support::{Corso, Moto, init_s3};

/// What the roles may do.
const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

fn corso(moto: &Moto) -> Corso {
    Corso::new()
        .env("CORSO_PASSPHRASE", "p")
        .env("AWS_REGION", "us-east-1")
        .env(
            "AWS_ENDPOINT_URL_STS",
            format!("http://{}", moto.endpoint()),
        )
}

/// Init with a role from flags, which the configuration file remembers; then work.
#[test]
fn a_role_from_flags() {
    let Some(moto) = Moto::start(&["corso-test"]) else {
        return;
    };
    let at = moto.endpoint();
    let arn = moto.add_role("backup", POLICY);
    let keys = moto.keys();
    let corso = corso(&moto).keys(keys);
    let mut words = init_s3(&at, &[]);
    words.extend([
        "--assume-role-arn",
        &arn,
        "--assume-role-external-id",
        "x/1",
    ]);
    words.extend([
        "--assume-role-session-name",
        "nightly",
        "--assume-role-duration",
        "1h",
    ]);
    corso.ok(&words);
    let kept = std::fs::read_to_string(corso.home().join(".corso.toml")).unwrap();
    for line in [
        format!("assume_role_arn = \"{arn}\""),
        "assume_role_external_id = \"x/1\"".into(),
        "assume_role_session_name = \"nightly\"".into(),
        "assume_role_duration = \"3600s\"".into(),
    ] {
        assert!(kept.contains(&line), "{kept}");
    }
    std::fs::write(corso.home().join("file"), "content").unwrap();
    corso.ok(&["backup", "create", "file"]);
    let said = corso.ok(&["repo", "status"]).stdout;
    let want = format!("Credentials   role {arn} assumed with environment\n");
    assert!(said.contains(&want), "{said}");
    corso.ok(&["restore", "latest", "--destination", "out"]);
}

#[test]
fn a_role_of_a_profile_and_one_on_top() {
    let Some(moto) = Moto::start(&["corso-test"]) else {
        return;
    };
    let at = moto.endpoint();
    let (first, second) = (
        moto.add_role("first", POLICY),
        moto.add_role("second", POLICY),
    );
    let keys = moto.keys();
    let corso = corso(&moto).env("AWS_PROFILE", "work");
    std::fs::create_dir(corso.home().join(".aws")).unwrap();
    let text = format!(
        "[profile work]\nrole_arn = {first}\nsource_profile = base\nrole_session_name = me\n\
         [profile base]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        keys.access, keys.secret
    );
    std::fs::write(corso.home().join(".aws/config"), text).unwrap();
    corso.ok(&init_s3(&at, &[]));
    let said = corso
        .ok(&["repo", "status", "--assume-role-arn", &second])
        .stdout;
    let want = format!("role {second} assumed with role {first} assumed with profile \"base\" in ");
    assert!(said.contains(&want), "{said}");
}

#[test]
fn a_web_identity() {
    let Some(moto) = Moto::start(&["corso-test"]) else {
        return;
    };
    let at = moto.endpoint();
    let arn = moto.add_role("pod", POLICY);
    let corso = corso(&moto);
    let token = corso.home().join("token");
    std::fs::write(&token, "a.web.identity.token\n").unwrap();
    let corso = corso
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &token)
        .env("AWS_ROLE_ARN", &arn)
        .env("AWS_ROLE_SESSION_NAME", "pod-1");
    // The call itself is not signed; whatever is done with its keys is checked.
    moto.leave_unchecked(1);
    corso.ok(&init_s3(&at, &[]));
    moto.leave_unchecked(1);
    let said = corso.ok(&["repo", "status", "--json"]).stdout;
    let want = format!(
        "\"credentials\":\"role {arn} with the web identity token in {}\"",
        token.display()
    );
    assert!(said.replace("\": \"", "\":\"").contains(&want), "{said}");
}

/// Wrong keys for STS: its answer, in words.
#[test]
fn refusals() {
    let Some(moto) = Moto::start(&["corso-test"]) else {
        return;
    };
    let at = moto.endpoint();
    let arn = moto.add_role("backup", POLICY);
    let keys = moto.keys();
    let mut words = init_s3(&at, &[]);
    words.extend(["--assume-role-arn", &arn]);
    let wrong = corso(&moto).env("AWS_ACCESS_KEY_ID", &keys.access).env(
        "AWS_SECRET_ACCESS_KEY",
        "a-wrong-secret-key-of-forty-letters-0001",
    );
    let said = wrong.fails(&words, 13).stderr;
    assert!(
        said.contains(&format!(
            "assuming role {arn} with environment: STS refused"
        )),
        "{said}"
    );
    assert!(said.contains("SignatureDoesNotMatch"), "{said}");
    let unknown = corso(&moto)
        .env("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN000000001")
        .env("AWS_SECRET_ACCESS_KEY", &keys.secret);
    let said = unknown.fails(&words, 13).stderr;
    assert!(said.contains("InvalidClientTokenId"), "{said}");
}
