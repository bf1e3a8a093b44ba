//! Runs that nobody watches: closed streams, readers that leave, no environment, no home, terminals of all kinds.

use super::support::{
    Corso, Finished, PROGRAM, S3Options, S3Server, find_program, init_s3, random_bytes, stop,
};
use super::{connected, json};
use std::path::Path;
use std::time::Duration;

/// Runs a shell's line in the environment of `corso`; the program is `$CORSO` there.
fn shell(corso: &Corso, line: &str) -> Finished {
    let mut command = corso.command_of("sh", &["-c", line]);
    command.env("CORSO", PROGRAM);
    Corso::finish(command)
}

/// A connected program with something to back up in `source`.
fn with_source() -> Corso {
    let corso = connected();
    std::fs::create_dir(corso.home().join("source")).unwrap();
    for n in 0..20 {
        std::fs::write(corso.home().join(format!("source/{n}")), [n; 1000]).unwrap();
    }
    corso
}

fn backups(corso: &Corso) -> usize {
    corso.ok(&["backup", "list"]).stdout.lines().count()
}

#[test]
fn each_stream_may_be_closed() {
    let corso = with_source();
    let forms = ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"];
    for (n, form) in forms.iter().enumerate() {
        let done = shell(&corso, &format!("exec $CORSO backup create source {form}"));
        assert_eq!(done.code, 0, "{form}: {done:#?}");
        // A header, and one line for each.
        assert_eq!(backups(&corso), n + 2, "{form}");
        let done = shell(&corso, &format!("exec $CORSO repo bogus {form}"));
        assert_eq!(done.code, 2, "{form}: {done:#?}");
    }
    // No file of the run was taken for a stream: what was stored is whole.
    let checked = corso.ok(&["repo", "check", "--read-data"]);
    assert!(!checked.stderr.contains("damaged"), "{checked:#?}");
}

#[test]
fn a_full_output_is_a_failure() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let corso = with_source();
    for words in ["repo status", "backup list --json", "--help"] {
        let done = shell(&corso, &format!("exec $CORSO {words} >/dev/full"));
        assert_eq!(done.code, 1, "{words}: {done:#?}");
        assert!(
            done.stderr
                .starts_with("Error: writing to standard output: "),
            "{done:#?}"
        );
        assert_eq!(done.stderr.lines().count(), 1, "{done:#?}");
    }
    // The messages alone are lost.
    let done = shell(&corso, "exec $CORSO backup create source 2>/dev/full");
    assert_eq!(done.code, 0, "{done:#?}");
}

/// `corso ... | head`: no message, no failure, no signal.
#[test]
fn a_reader_that_leaves() {
    let corso = with_source();
    corso.ok(&["backup", "create", "source"]);
    for words in [
        "--help",
        "backup list",
        "backup list --json",
        "completion bash",
    ] {
        let line = format!("($CORSO {words}; echo $? >code) | true; cat code");
        let done = shell(&corso, &line);
        assert_eq!((done.stdout.trim(), &done.stderr[..]), ("0", ""), "{words}");
    }
    // A backup is not held up either, with SIGPIPE ignored as under some schedulers or not.
    for trap in ["", "trap '' PIPE; "] {
        let line =
            format!("({trap}$CORSO backup create source 2>&1; echo $? >code) | true; cat code");
        assert_eq!(shell(&corso, &line).stdout.trim(), "0");
    }
    assert_eq!(backups(&corso), 4);
}

#[test]
fn an_empty_environment() {
    let corso = with_source();
    let bare = |line: &str| shell(&corso, &format!("exec env -i {line}"));
    let done = bare("$CORSO backup list");
    assert_eq!(done.code, 2, "{done:#?}");
    assert!(done.stderr.contains("repo connect"), "{done:#?}");
    let done = bare("$CORSO backup create source --path repo </dev/null");
    assert_eq!(done.code, 12, "no passphrase, and nobody to ask: {done:#?}");
    std::fs::write(corso.home().join("passphrase"), "p\n").unwrap();
    for words in [
        "backup create source --path repo --passphrase-file passphrase",
        "backup create source --config-file .corso.toml --passphrase-file passphrase",
    ] {
        let done = bare(&format!("$CORSO {words}"));
        assert_eq!(done.code, 0, "{done:#?}");
        assert!(done.stderr.starts_with("Created backup "), "{done:#?}");
    }
}

#[test]
fn a_home_that_cannot_be_used() {
    let corso = with_source();
    for home in ["/proc", "source/1", "source/1/home"] {
        let line = format!(
            "exec env -i CORSO_PASSPHRASE=p HOME={home} $CORSO backup create source --path repo"
        );
        let done = shell(&corso, &line);
        assert_eq!(done.code, 0, "{home}: {done:#?}");
        assert!(done.stderr.contains("Created backup "), "{done:#?}");
    }
}

/// What `words` print on a terminal.
fn on_a_terminal(corso: &Corso, environment: &str, words: &str) -> String {
    let mut command = corso.command_of(
        "script",
        &[
            "-qec",
            &format!("{environment} $CORSO {words}"),
            "/dev/null",
        ],
    );
    command.env("CORSO", PROGRAM);
    let done = Corso::finish(command);
    assert_eq!(done.code, 0, "{done:#?}");
    done.stdout
}

#[test]
fn terminals() {
    if find_program("script", "CORSO_TEST_SCRIPT", "script").is_none() {
        return;
    }
    let corso = with_source();
    std::fs::write(corso.home().join("source/large"), vec![7; 120 << 20]).unwrap();
    let words = "backup create source";
    let plain = on_a_terminal(&corso, "TERM=xterm", words);
    assert!(plain.contains('\x1b'), "no progress was drawn: {plain:?}");
    // Each run reads the file again.
    let reading = || {
        std::fs::File::open(corso.home().join("source/large"))
            .and_then(|f| f.set_modified(std::time::SystemTime::now()))
            .unwrap()
    };
    reading();
    let no_color = on_a_terminal(&corso, "TERM=xterm NO_COLOR=1", words);
    for text in [&plain, &no_color] {
        let colours = text.split("\x1b[").skip(1).any(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';');
            end.is_some_and(|at| rest[at..].starts_with('m'))
        });
        assert!(!colours, "{text:?}");
    }
    reading();
    let dumb = on_a_terminal(&corso, "TERM=dumb", words);
    assert!(
        !dumb.contains('\x1b') && dumb.contains("Created backup"),
        "{dumb:?}"
    );
    reading();
    let quiet = on_a_terminal(&corso, "TERM=xterm", "backup create source --quiet");
    assert!(
        !quiet.contains('\x1b') && quiet.lines().count() == 1,
        "{quiet:?}"
    );
    // No terminal: neither, however loud.
    let done = corso.ok(&["backup", "create", "source", "--verbose"]);
    assert!(
        !done.stderr.contains('\x1b') && !done.stderr.contains('\r'),
        "{done:#?}"
    );
}

/// Requests under way are finished, what was sent counts for the next run, and the exit code is that of the signal.
#[test]
fn a_stop_keeps_what_was_sent() {
    let server = S3Server::start(S3Options {
        buckets: vec!["corso-test".into()],
        ..S3Options::default()
    });
    let corso = Corso::new()
        .env("CORSO_PASSPHRASE", "p")
        .keys(server.keys());
    let endpoint = server.endpoint();
    corso.ok(&init_s3(&endpoint, &["--pack-size", "1M"]));
    let size = 40_000_000;
    std::fs::write(corso.home().join("large"), random_bytes(size, 7)).unwrap();
    let slow = ["backup", "create", "large", "--max-upload-rate", "4M"];
    let mut child = corso.command(&slow).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(4));
    stop(&mut child, "-TERM");
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(143), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(backups(&corso), 0);
    let made = json(&corso.ok(&["backup", "create", "large", "--json"]).stdout);
    let stored = made["written"]["stored_bytes"].as_u64().unwrap();
    assert!(
        stored > 0 && stored < size as u64 - 4_000_000,
        "{stored} of {size} bytes were sent again"
    );
    corso.ok(&["repo", "check", "--read-data"]);
}
