use super::*;
use crate::error::Kind;

const FILE: &str = r#"provider = "S3"
bucket = "a"
prefix = "old/"
endpoint = "old.example:9000"
disable_tls = true
region = "r1"
aws_access_key_id = "FILEKEY"
aws_secret_access_key = "FILESECRET"
"#;

fn file(text: &str) -> ConfigFile {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("corso.toml");
    std::fs::write(&path, text).unwrap();
    ConfigFile::load(Some(path)).unwrap()
}

fn flags(pairs: &[(&str, &str)]) -> S3Args {
    let words: Vec<&str> = pairs.iter().flat_map(|(k, v)| [*k, *v]).collect();
    <S3Args as argh::FromArgs>::from_args(&["corso"], &words)
        .map_err(|e| e.output)
        .unwrap()
}

fn place(resolved: Resolved) -> S3Place {
    match resolved.choice {
        StorageChoice::S3(place) => place,
        StorageChoice::Filesystem(_) => panic!("not S3"),
    }
}

fn error(result: Result<Resolved>) -> String {
    let error = result.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    error.to_string()
}

#[test]
fn init_takes_nothing_from_the_file() {
    let file = file(FILE);
    let resolved = init_s3(&flags(&[("--bucket", "s3://b")]), &Env::default(), &file).unwrap();
    assert_eq!(
        resolved.replaces.as_deref(),
        Some("S3 bucket a, prefix old/ at old.example:9000")
    );
    let s3 = place(resolved);
    assert_eq!(
        (
            s3.bucket.as_str(),
            s3.prefix.as_str(),
            s3.endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT)
        ),
        ("b", "", DEFAULT_ENDPOINT)
    );
    assert!(!s3.disable_tls && s3.file_keys.is_none() && s3.region.is_none());
    // The same bucket: still no prefix or endpoint from the file, but its old keys are this bucket's.
    let s3 = place(init_s3(&flags(&[("--bucket", "a")]), &Env::default(), &file).unwrap());
    assert_eq!(
        (
            s3.prefix.as_str(),
            s3.endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT)
        ),
        ("", DEFAULT_ENDPOINT)
    );
    assert!(s3.file_keys.is_some());
    assert!(error(init_s3(&flags(&[]), &Env::default(), &file)).contains("--bucket"));
}

#[test]
fn connect_fills_gaps_only_for_the_same_bucket() {
    let file = file(FILE);
    let s3 = place(connect_s3(&flags(&[("--bucket", "a")]), &Env::default(), &file).unwrap());
    assert_eq!(
        (
            s3.prefix.as_str(),
            s3.endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT)
        ),
        ("old/", "old.example:9000")
    );
    assert!(s3.disable_tls && s3.region.as_deref() == Some("r1"));
    let s3 = place(
        connect_s3(
            &flags(&[("--bucket", "a"), ("--prefix", "")]),
            &Env::default(),
            &file,
        )
        .unwrap(),
    );
    assert_eq!(s3.prefix, "", "an empty prefix is an answer");
    let resolved = connect_s3(&flags(&[("--bucket", "b")]), &Env::default(), &file).unwrap();
    assert!(!resolved.same_as_file && resolved.replaces.is_some());
    let s3 = place(resolved);
    assert_eq!(
        (
            s3.prefix.as_str(),
            s3.endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT),
            s3.disable_tls
        ),
        ("", DEFAULT_ENDPOINT, false)
    );
    assert!(
        s3.file_keys.is_none(),
        "keys of one repository are never tried on another"
    );
}

#[test]
fn flag_before_environment_before_file() {
    let file = file(FILE);
    let env = Env::of(&[
        ("AWS_ENDPOINT_URL", "https://env.example"),
        ("AWS_ENDPOINT_URL_S3", "http://s3.example:1"),
    ]);
    let s3 = place(connect_s3(&flags(&[("--bucket", "a")]), &env, &file).unwrap());
    assert_eq!(
        (
            s3.endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT),
            s3.disable_tls
        ),
        ("s3.example:1", true)
    );
    let given = [
        ("--bucket", "a"),
        ("--endpoint", "flag.example"),
        ("--disable-tls", "false"),
    ];
    let s3 = place(connect_s3(&flags(&given), &env, &file).unwrap());
    assert_eq!(
        (
            s3.endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT),
            s3.disable_tls
        ),
        ("flag.example", false)
    );
    let clash = flags(&[("--bucket", "a"), ("--disable-tls", "false")]);
    assert!(error(connect_s3(&clash, &env, &file)).contains("AWS_ENDPOINT_URL_S3"));
}

#[test]
fn an_endpoint_scheme_must_agree_with_the_flag() {
    let empty = ConfigFile::load(None).unwrap();
    let try_it = |endpoint: &str, tls: Option<&str>| {
        let mut given = vec![("--bucket", "b"), ("--endpoint", endpoint)];
        given.extend(tls.map(|t| ("--disable-tls", t)));
        init_s3(&flags(&given), &Env::default(), &empty)
    };
    assert!(error(try_it("http://h:9000", None)).contains("--disable-tls"));
    assert!(error(try_it("https://h", Some("true"))).contains("--disable-tls"));
    assert_eq!(
        place(try_it("http://h:9000", Some("true")).unwrap())
            .endpoint
            .unwrap(),
        "h:9000"
    );
    assert!(!place(try_it("https://h", None).unwrap()).disable_tls);
}

#[test]
fn other_commands_refuse_flags_unlike_the_file() {
    let file = file(FILE);
    let none = FilesystemArgs::default();
    let run = |pairs: &[(&str, &str)]| other(&flags(pairs), &none, &Env::default(), &file);
    assert_eq!(
        place(run(&[]).unwrap()).endpoint.unwrap(),
        "old.example:9000"
    );
    assert_eq!(
        place(run(&[("--bucket", "s3://a/"), ("--prefix", "old")]).unwrap()).prefix,
        "old/"
    );
    for (flag, given, kept) in [
        ("--bucket", "b", "a"),
        ("--prefix", "new", "old/"),
        ("--endpoint", "x:1", "old.example:9000"),
        ("--region", "r2", "r1"),
        ("--disable-tls", "false", "true"),
    ] {
        let text = error(run(&[(flag, given)]));
        assert!(
            text.contains(flag) && text.contains(given) && text.contains(kept),
            "{text}"
        );
        assert!(text.contains("corso.toml"), "{text}");
    }
    let path = FilesystemArgs {
        path: Some(OsArg("/r".into())),
    };
    let text = error(other(&flags(&[]), &path, &Env::default(), &file));
    assert!(text.contains("/r") && text.contains("\"a\""), "{text}");
    let both = other(&flags(&[("--bucket", "a")]), &path, &Env::default(), &file);
    assert!(error(both).contains("exclude each other"));
}

#[test]
fn other_commands_work_from_flags_alone() {
    let empty = ConfigFile::load(None).unwrap();
    let none = FilesystemArgs::default();
    let s3 = place(other(&flags(&[("--bucket", "b")]), &none, &Env::default(), &empty).unwrap());
    assert_eq!(s3.endpoint, None);
    assert!(
        error(other(&flags(&[]), &none, &Env::default(), &empty)).contains("corso repo connect")
    );
}

#[test]
fn keys_from_flags_are_whole_or_refused() {
    let empty = ConfigFile::load(None).unwrap();
    let run = |more: &[(&str, &str)]| {
        init_s3(
            &flags(&[&[("--bucket", "b")], more].concat()),
            &Env::default(),
            &empty,
        )
    };
    let pair = [
        ("--aws-access-key", "AK"),
        ("--aws-secret-access-key", "hunter2"),
    ];
    let keys = place(run(&pair).unwrap()).flag_keys.unwrap();
    assert!(keys.id == "AK" && keys.token.is_none());
    for part in [
        &pair[..1],
        &pair[1..],
        &[("--aws-session-token", "hunter2")],
    ] {
        let text = error(run(part));
        assert!(
            text.contains("--aws-") && !text.contains("hunter2"),
            "{text}"
        );
    }
}

#[cfg(unix)]
#[test]
fn folders_are_absolute_and_compared_so() {
    let env = Env::of(&[("HOME", "/home/u")]);
    assert_eq!(
        absolute(Path::new("~/r"), &env).unwrap(),
        PathBuf::from("/home/u/r")
    );
    assert_eq!(
        absolute(Path::new("/a/./b//c/"), &env).unwrap(),
        PathBuf::from("/a/b/c")
    );
    let file = file("provider = \"Filesystem\"\npath = \"/r\"\n");
    let flag = |p: &str| FilesystemArgs {
        path: Some(OsArg(p.into())),
    };
    assert!(other(&flags(&[]), &flag("/r/"), &env, &file).is_ok());
    assert!(error(other(&flags(&[]), &flag("/q"), &env, &file)).contains("/r"));
    assert!(connect_filesystem(&FilesystemArgs::default(), &env, &file).is_ok());
    assert!(error(init_filesystem(&FilesystemArgs::default(), &env, &file)).contains("--path"));
}

#[test]
fn the_manner_of_speaking_follows_the_same_rules() {
    let text = format!("{FILE}s3_provider = \"minio\"\naddressing = \"path\"\ntimeout = \"30s\"\n");
    let file = file(&text);
    let env = Env::default();
    let said = |resolved: Resolved| place(resolved).manner;
    let new = said(init_s3(&flags(&[("--bucket", "a")]), &env, &file).unwrap());
    assert_eq!(new, Manner::default());
    let kept = said(
        other(
            &flags(&[("--sse", "AES256")]),
            &FilesystemArgs::default(),
            &env,
            &file,
        )
        .unwrap(),
    );
    assert_eq!(kept.recorded[0].as_deref(), Some("minio"));
    assert_eq!(kept.recorded[3].as_deref(), Some("AES256"));
    assert_eq!(kept.read[3].as_deref(), Some("30s"));
    let differs = error(other(
        &flags(&[("--provider", "aws")]),
        &FilesystemArgs::default(),
        &env,
        &file,
    ));
    assert!(
        differs.contains("--provider \"aws\" does not match s3_provider \"minio\""),
        "{differs}"
    );
    let wrong = error(init_s3(
        &flags(&[("--bucket", "a"), ("--connections", "many")]),
        &env,
        &file,
    ));
    assert!(wrong.contains("--connections"), "{wrong}");
}
