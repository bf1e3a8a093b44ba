//! The completion scripts in the shells that they are for: bash, and where they are installed zsh and fish.

mod support;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use support::Corso;

/// The script of `shell` in a file.
fn script(corso: &Corso, shell: &str) -> PathBuf {
    let path = corso.home().join(format!("corso.{shell}"));
    let text = corso.ok(&["completion", shell]).stdout;
    std::fs::write(&path, text).unwrap();
    path
}

/// Is `shell` there? If not, and it may not be missing, the test fails.
fn have(shell: &str) -> bool {
    support::find_program(shell, &format!("CORSO_TEST_{shell}"), shell).is_some()
}

/// What `program` prints, sorted words.
fn words(mut program: Command) -> Vec<String> {
    let output = program.stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut words: Vec<String> = text
        .lines()
        .map(|l| l.split('\t').next().unwrap().to_owned())
        .collect();
    words.sort();
    words
}

/// The line, what must be offered, and what must not.
const CASES: &[(&str, &[&str], &[&str])] = &[
    (
        "corso ",
        &["repo", "backup", "restore", "completion"],
        &["s3", "--bucket"],
    ),
    ("corso rep", &["repo"], &["backup"]),
    (
        "corso repo ",
        &["init", "connect", "maintenance"],
        &["s3", "create"],
    ),
    (
        "corso --log-level debug repo init ",
        &["s3", "filesystem"],
        &["repo"],
    ),
    ("corso repo init s3 --bu", &["--bucket"], &["--path"]),
    (
        "corso repo init s3 --bucket s3 --addressing ",
        &["path", "virtual"],
        &["--bucket"],
    ),
    (
        "corso repo init filesystem --pat",
        &["--path"],
        &["--bucket"],
    ),
    (
        "corso restore latest --collisions ",
        &["skip", "copy", "replace"],
        &["latest"],
    ),
    (
        "corso completion ",
        &["bash", "zsh", "powershell"],
        &["repo"],
    ),
    (
        "corso repo init s3 --root-ca-pem here/ca",
        &["here/ca file.pem"],
        &["--bucket"],
    ),
    ("corso backup create here/da", &["here/data"], &["--tag"]),
];

fn check(offered: impl Fn(&str) -> Vec<String>) {
    for (line, wanted, unwanted) in CASES {
        let offered = offered(line);
        let clean: Vec<&str> = offered.iter().map(|w| w.trim_end_matches('/')).collect();
        assert!(
            wanted.iter().all(|w| clean.contains(w)),
            "{line:?}: {offered:?}"
        );
        assert!(
            !unwanted.iter().any(|w| clean.contains(w)),
            "{line:?}: {offered:?}"
        );
    }
}

fn prepared() -> Corso {
    let corso = Corso::new();
    std::fs::create_dir_all(corso.home().join("here/data")).unwrap();
    std::fs::write(corso.home().join("here/ca file.pem"), "").unwrap();
    corso
}

#[test]
fn bash() {
    if !have("bash") {
        return;
    }
    let corso = prepared();
    let script = script(&corso, "bash");
    // Words as bash splits a line; here no word holds a blank.
    let driver = r#"
        source "$1" || exit 1
        IFS=' ' read -ra COMP_WORDS <<<"$2"
        [[ $2 == *' ' ]] && COMP_WORDS+=('')
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _corso
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let offered = |line: &str| {
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", driver, "driver"])
            .arg(&script)
            .arg(line);
        bash.current_dir(corso.home());
        words(bash)
    };
    check(offered);
    // `=` stands alone among the words.
    let after = offered("corso repo init s3 --addressing = ");
    assert_eq!(after, ["path", "virtual"]);
}

#[test]
fn fish() {
    if !have("fish") {
        return;
    }
    let corso = prepared();
    let script = script(&corso, "fish");
    check(|line| {
        let mut fish = Command::new("fish");
        fish.args(["--no-config", "-c", "source $argv[1]; complete -C $argv[2]"]);
        fish.arg(&script).arg(line);
        fish.current_dir(corso.home()).env("HOME", corso.home());
        words(fish)
    });
}

#[test]
fn zsh() {
    if !have("zsh") {
        return;
    }
    let corso = prepared();
    let script = script(&corso, "zsh");
    // The functions that offer words print them here: what they do with them is zsh's.
    let driver = r#"
        compdef() { :; }
        compset() { PREFIX=${words[CURRENT]#*=}; words[CURRENT]=$PREFIX; }
        _describe() {
            [[ $1 == -o ]] && shift
            local it
            for it in "${(@P)2}"; do [[ ${it%%:*} == ${words[CURRENT]}* ]] && print -r -- "${it%%:*}"; done
            return 0
        }
        compadd() { shift; print -rl -- "$@"; }
        _files() { print -rl -- ${words[CURRENT]}*(N); }
        _message() { :; }
        source "$1" || exit 1
        words=(${(s: :)2})
        [[ $2 == *' ' ]] && words+=('')
        CURRENT=${#words}
        _corso
        exit 0
    "#;
    let offered = |line: &str| {
        let mut zsh = Command::new("zsh");
        zsh.args(["-f", "-c", driver, "driver"])
            .arg(&script)
            .arg(line);
        zsh.current_dir(corso.home());
        words(zsh)
    };
    check(offered);
    assert_eq!(
        offered("corso repo init s3 --addressing="),
        ["path", "virtual"]
    );
}

#[test]
fn a_shell_that_is_not_known() {
    let corso = Corso::new();
    let refused = corso.fails(&["completion", "tcsh"], 2).stderr;
    assert!(
        refused.contains("bash, fish, nushell, powershell, zsh"),
        "{refused}"
    );
    assert_eq!(refused.lines().count(), 1);
}
