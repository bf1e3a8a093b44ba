use super::*;

fn get(flags: PassphraseArgs, env: &[(&str, &str)], config: Option<&str>) -> Result<String> {
    let env = Env::of(env);
    let config = config.map(|c| Zeroizing::new(c.as_bytes().to_vec()));
    let sources = Sources::to_open(
        &flags,
        &env,
        config.as_ref().map(|c| (c, "corso.toml".to_owned())),
    );
    let mut warnings = 0;
    let secret = sources.get(&mut |_| warnings += 1)?;
    assert_eq!(warnings, usize::from(secret.as_slice() == b"from-config"));
    Ok(String::from_utf8(secret.to_vec()).unwrap())
}

fn plain(text: &str) -> PassphraseArgs {
    PassphraseArgs {
        passphrase: Some(OsArg(text.into())),
        ..Default::default()
    }
}

fn command(text: &str) -> PassphraseArgs {
    PassphraseArgs {
        passphrase_command: Some(OsArg(text.into())),
        ..Default::default()
    }
}

#[test]
fn flags_before_environment_before_file() {
    let env = [("CORSO_PASSPHRASE", "from-env")];
    assert_eq!(
        get(plain("from-flag"), &env, Some("from-config")).unwrap(),
        "from-flag"
    );
    assert_eq!(
        get(PassphraseArgs::default(), &env, Some("from-config")).unwrap(),
        "from-env"
    );
    assert_eq!(
        get(PassphraseArgs::default(), &[], Some("from-config")).unwrap(),
        "from-config"
    );
}

#[test]
fn two_of_one_rank_are_refused() {
    let both = PassphraseArgs {
        passphrase_file: Some(OsArg("f".into())),
        ..plain("hunter2")
    };
    let error = get(both, &[], None).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    assert!(
        error
            .to_string()
            .contains("--passphrase-file and --passphrase"),
        "{error}"
    );
    assert!(!error.to_string().contains("hunter2"));
    let env = [("CORSO_PASSPHRASE", "a"), ("CORSO_PASSPHRASE_COMMAND", "b")];
    assert_eq!(
        get(PassphraseArgs::default(), &env, None)
            .unwrap_err()
            .kind(),
        Kind::Usage
    );
}

#[test]
fn an_empty_passphrase_is_refused() {
    assert_eq!(
        get(plain(""), &[("CORSO_PASSPHRASE", "x")], None)
            .unwrap_err()
            .kind(),
        Kind::PassphraseMissing
    );
    assert_eq!(
        get(command("true"), &[], None).unwrap_err().kind(),
        Kind::PassphraseMissing
    );
}

#[test]
fn the_first_line_counts() {
    for (bytes, line) in [
        (&b"a b\r\nc"[..], "a b"),
        (b"x\n", "x"),
        (b"x", "x"),
        (b"\xef\xbb\xbfx\n", "x"),
        (b"\n", ""),
    ] {
        assert_eq!(first_line(bytes).as_slice(), line.as_bytes());
    }
}

#[test]
fn files_are_bounded_and_named_in_errors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pass");
    let flags = || PassphraseArgs {
        passphrase_file: Some(OsArg(path.clone().into())),
        ..Default::default()
    };
    let error = get(flags(), &[], None).unwrap_err();
    assert!(error.to_string().contains("pass"), "{error}");
    std::fs::write(&path, "secret\r\nmore\n").unwrap();
    assert_eq!(get(flags(), &[], None).unwrap(), "secret");
    std::fs::write(&path, vec![b'x'; LIMIT as usize + 1]).unwrap();
    assert_eq!(
        get(flags(), &[], None).unwrap_err().kind(),
        Kind::PassphraseMissing
    );
}

#[cfg(unix)]
#[test]
fn commands_run_in_a_shell_with_bounds() {
    assert_eq!(get(command("printf 'a\\nb'"), &[], None).unwrap(), "a");
    assert!(
        get(command("echo x; exit 3"), &[], None)
            .unwrap_err()
            .to_string()
            .contains('3')
    );
    assert!(
        get(command("yes"), &[], None)
            .unwrap_err()
            .to_string()
            .contains("64 KiB")
    );
    let error = from_command(
        OsStr::new("exec sleep 30"),
        "--passphrase-command",
        Duration::from_millis(200),
    );
    assert!(error.unwrap_err().to_string().contains("did not end"));
}
