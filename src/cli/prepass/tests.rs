use super::*;

fn sort_words(words: &[&str]) -> Result<Ask> {
    sort(&words.iter().map(OsString::from).collect::<Vec<_>>())
}

fn run(words: &[&str]) -> Sorted {
    match sort_words(words).unwrap() {
        Ask::Run(sorted) => sorted,
        other => panic!("{words:?}: {other:?}"),
    }
}

fn refusal(words: &[&str]) -> String {
    let error = sort_words(words).unwrap_err();
    assert_eq!(error.kind(), crate::error::Kind::Usage);
    error.to_string()
}

#[test]
fn values_with_an_equals_sign_and_without() {
    for words in [
        &["repo", "init", "s3", "--bucket", "b"][..],
        &["repo", "init", "s3", "--bucket=b"],
        &["--bucket=b", "repo", "init", "s3"],
        &["repo", "--bucket", "b", "init", "s3"],
    ] {
        assert_eq!(run(words).group(Group::S3), ["--bucket", "b"]);
    }
    assert_eq!(
        run(&["repo", "init", "s3", "--prefix=a=b"]).group(Group::S3),
        ["--prefix", "a=b"]
    );
    assert_eq!(
        run(&["repo", "init", "s3", "--prefix="]).group(Group::S3),
        ["--prefix", ""]
    );
}

#[test]
fn a_value_may_look_like_a_flag() {
    assert_eq!(
        run(&["repo", "status", "--passphrase", "--json"]).group(Group::Passphrase),
        ["--passphrase", "--json"]
    );
    assert_eq!(
        run(&["backup", "list", "--log-file", "-"]).group(Group::Global),
        ["--log-file", "-"]
    );
}

#[test]
fn help_is_a_path_behind_backup_create() {
    let sorted = run(&["backup", "create", "help", "--", "--json", "-h"]);
    assert_eq!(
        sorted.command,
        ["backup", "create", "--", "help", "--json", "-h"]
    );
    assert!(sorted.group(Group::Global).is_empty());
}

#[test]
fn help_and_version_at_every_level() {
    for (words, path) in [
        (&["--help"][..], &[][..]),
        (&["-h"], &[]),
        (&["help"], &[]),
        (&[], &[]),
        (&["repo"], &["repo"]),
        (&["help", "repo", "init"], &["repo", "init"]),
        (&["repo", "help", "key"], &["repo", "key"]),
        (&["backup", "create", "-h"], &["backup", "create"]),
        (&["-h", "restore", "--no-such-flag"], &["restore"]),
    ] {
        assert_eq!(
            sort_words(words).unwrap(),
            Ask::Help(path.to_vec()),
            "{words:?}"
        );
    }
    for words in [&["-v"][..], &["--version"], &["repo", "-v"]] {
        assert_eq!(sort_words(words).unwrap(), Ask::Version);
    }
}

#[test]
fn every_global_flag_in_every_position() {
    for flag in Group::Global.flags() {
        let given = match flags::arity(flag) {
            Arity::Switch => vec![flag.long],
            _ if flag.long == "--log-level" => vec![flag.long, "warn"],
            _ => vec![flag.long, "v"],
        };
        let words = ["backup", "create", "/a", "/b"];
        for at in 0..=words.len() {
            let mut line = words.to_vec();
            line.splice(at..at, given.iter().copied());
            let sorted = run(&line);
            assert_eq!(sorted.group(Group::Global), given, "{line:?}");
            assert_eq!(sorted.command, ["backup", "create", "--", "/a", "/b"]);
        }
    }
}

#[test]
fn booleans_as_the_old_program_took_them() {
    let s3 = |words: &[&str]| run(words).group(Group::S3).join(" ");
    assert_eq!(
        s3(&["repo", "init", "s3", "--disable-tls"]),
        "--disable-tls true"
    );
    assert_eq!(
        s3(&["repo", "init", "s3", "--disable-tls=F"]),
        "--disable-tls false"
    );
    assert_eq!(
        s3(&["repo", "init", "s3", "--disable-tls", "--disable-tls=false"]),
        "--disable-tls false"
    );
    assert!(
        run(&["repo", "status", "--json", "--json=false"])
            .group(Group::Global)
            .is_empty()
    );
    assert!(refusal(&["repo", "status", "--json=maybe"]).contains("takes true or false"));
}

#[test]
fn repeated_flags() {
    let sorted = run(&[
        "backup",
        "create",
        "--exclude",
        "a",
        "/x",
        "--exclude=b",
        "--tag",
        "t",
        "--tag",
        "u",
    ]);
    let want = "backup create --exclude a --exclude b --tag t --tag u -- /x";
    assert_eq!(sorted.command.join(" "), want);
    assert!(
        refusal(&["repo", "init", "s3", "--bucket", "a", "--bucket", "b"]).contains("given twice")
    );
}

#[test]
fn refusals_say_what_and_where_to_look() {
    for (words, part) in [
        (
            &["repos"][..],
            "corso has no command repos; did you mean repo?",
        ),
        (
            &["repo", "init", "s3", "--bukket", "b"],
            "has no flag --bukket; did you mean --bucket?",
        ),
        (
            &["repo", "init", "s3", "--path", "b"],
            "corso repo init s3 has no flag --path",
        ),
        (
            &["repo", "init", "filesystem", "--bucket", "b"],
            "has no flag --bucket",
        ),
        (
            &["repo", "status", "extra"],
            "unexpected argument extra; see 'corso repo status --help'",
        ),
        (
            &["repo", "init", "s3", "--bucket"],
            "--bucket needs a value",
        ),
        (
            &["repo", "key", "add", "--role", "king"],
            "use one of full, writer",
        ),
        (&["restore", "--destination", "/d"], "BACKUP is missing"),
        (&["repo", "key", "remove", ""], "KEY is missing"),
        (&["backup", "create", "-x"], "unknown flag -x"),
    ] {
        assert!(
            refusal(words).contains(part),
            "{words:?}: {}",
            refusal(words)
        );
        assert!(refusal(words).contains("--help'"), "{words:?}");
    }
}

#[cfg(unix)]
#[test]
fn paths_that_are_not_utf8() {
    use std::os::unix::ffi::OsStringExt;
    let raw = OsString::from_vec(b"/a\xff".to_vec());
    let line = |words: &[&str]| {
        words
            .iter()
            .map(OsString::from)
            .chain([raw.clone()])
            .collect::<Vec<_>>()
    };
    let Ask::Run(sorted) = sort(&line(&["backup", "create"])).unwrap() else {
        panic!()
    };
    let back = <value::OsArg as argh::FromArgValue>::from_arg_value(sorted.command.last().unwrap())
        .unwrap();
    assert_eq!(back.0, raw);
    assert!(
        sort(&line(&["backup", "delete"]))
            .unwrap_err()
            .to_string()
            .contains("/a\\xff is not a BACKUP")
    );
    assert!(sort(&line(&["repo", "init", "s3", "--bucket"])).is_err());
    let mut joined = OsString::from("--path=");
    joined.push(&raw);
    let Ask::Run(sorted) = sort(&["repo".into(), "status".into(), joined]).unwrap() else {
        panic!()
    };
    assert_eq!(sorted.group(Group::Filesystem)[1], value::encode(&raw));
}
