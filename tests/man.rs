//! The manual pages: complete, and well-formed.

use corso::cli::flags::{self, Group};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("man")
}

fn page(name: &str) -> String {
    let path = folder().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Long flags that a page shows, as `.Fl -name`.
fn flags_of(text: &str) -> BTreeSet<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let after = |pair: &[&str]| match pair {
        [".Fl" | "Fl", name] => name.strip_prefix('-').map(|n| format!("--{n}")),
        _ => None,
    };
    words.windows(2).filter_map(after).collect()
}

#[test]
fn every_flag_is_in_the_page_of_its_command() {
    for command in flags::COMMANDS {
        let name = format!("corso-{}.1", command.path[0]);
        let shown = flags_of(&page(&name));
        let own = flags::info(command.path).unwrap();
        let groups = command
            .groups
            .iter()
            .chain(&[Group::Global])
            .flat_map(|g| g.flags());
        for flag in own.flags.iter().chain(groups).filter(|f| !f.hidden) {
            assert!(
                shown.contains(flag.long),
                "{name}: {} of corso {:?}",
                flag.long,
                command.path
            );
        }
    }
    let shown = flags_of(&page("corso.1"));
    for flag in Group::Global.flags() {
        assert!(shown.contains(flag.long), "corso.1: {}", flag.long);
    }
}

#[test]
fn no_page_shows_a_flag_that_does_not_exist() {
    let mut known: BTreeSet<&str> = ["--help", "--version", "--flag"].into();
    known.extend(Group::ALL.iter().flat_map(|g| g.flags()).map(|f| f.long));
    known.extend(
        flags::COMMANDS
            .iter()
            .flat_map(|c| flags::info(c.path).unwrap().flags)
            .map(|f| f.long),
    );
    for name in [
        "corso.1",
        "corso-repo.1",
        "corso-backup.1",
        "corso-restore.1",
        "corso-completion.1",
    ] {
        for flag in flags_of(&page(name)) {
            assert!(known.contains(flag.as_str()), "{name}: {flag}");
        }
    }
}

#[test]
fn environment_variables_and_configuration_keys_are_described() {
    let all = page("corso.1") + &page("corso-repo.1");
    for extra in flags::EXTRAS {
        for name in extra.env.iter().chain(&[extra.key]) {
            assert!(all.contains(name), "{name} of {}", extra.flag);
        }
    }
    for (names, _) in flags::ENVIRONMENT {
        for name in names
            .split([',', ' ', '='])
            .filter(|n| n.len() > 3 && n.contains('_'))
        {
            assert!(all.contains(name), "{name}");
        }
    }
}

#[test]
fn every_exit_code_is_described() {
    let text = page("corso.1");
    for code in [0, 1, 2, 3, 10, 11, 12, 13, 14, 15, 130, 143] {
        assert!(text.contains(&format!(".It {code}\n")), "{code}");
    }
}

#[test]
fn pages_are_well_formed() {
    if Command::new("mandoc")
        .arg("-Tlint")
        .arg("/dev/null")
        .output()
        .is_err()
    {
        eprintln!("SKIPPED: mandoc is not installed, the manual pages were not checked");
        assert!(
            !std::env::var("CORSO_TEST_REQUIRE").is_ok_and(|r| r.contains("mandoc")),
            "mandoc is required"
        );
        return;
    }
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let output = Command::new("mandoc")
            .arg("-Tlint")
            .arg(&path)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // Pages refer to each other; whether they are installed is another question.
        let bad: Vec<&str> = text
            .lines()
            .filter(|l| !l.contains("referenced manual not found") && !l.contains("mandoc.db"))
            .collect();
        assert!(bad.is_empty(), "{}", bad.join("\n"));
    }
}
