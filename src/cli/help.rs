//! Help on every level, from argh's descriptions and the tables of [`super::flags`].

use super::flags::{self, Arity, Group};
use argh::{FlagInfo, FlagInfoKind, Optionality};

const WIDTH: usize = 80;
const COLUMN: usize = 26;

/// The help text of the command reached by `path` (empty: `corso` itself).
pub fn text(path: &[&str]) -> String {
    let Some(info) = flags::info(path) else {
        return String::new();
    };
    let name = path
        .iter()
        .fold("corso".to_owned(), |text, word| format!("{text} {word}"));
    let mut out = String::new();
    wrap(&mut out, String::new(), info.description, 0);
    out.push('\n');
    match flags::command(path) {
        Some(command) => {
            out.push_str(&format!("Usage:\n  {name} {}\n", command.usage));
            section(
                &mut out,
                "Arguments",
                info.positionals
                    .iter()
                    .map(|p| (p.name.to_owned(), p.description.into())),
            );
            section(&mut out, "Flags", rows(info.flags));
            for group in command.groups {
                section(&mut out, group.title(), rows(group.flags()));
            }
            examples(&mut out, command.examples);
        }
        None => {
            out.push_str(&format!("Usage:\n  {name} COMMAND [flags]\n"));
            let commands = info
                .commands
                .iter()
                .map(|c| (c.name.to_owned(), c.command.description.to_owned()));
            section(&mut out, "Commands", commands);
            let below = flags::COMMANDS.iter().filter(|c| c.path.starts_with(path));
            examples(
                &mut out,
                &below
                    .filter_map(|c| c.examples.first().copied())
                    .take(3)
                    .collect::<Vec<_>>(),
            );
        }
    }
    let help = ("-h, --help".to_owned(), "show this help".to_owned());
    let version = ("-v, --version".to_owned(), "show the version".to_owned());
    section(
        &mut out,
        Group::Global.title(),
        rows(Group::Global.flags())
            .into_iter()
            .chain([help, version]),
    );
    let environment = flags::ENVIRONMENT
        .iter()
        .map(|(name, what)| ((*name).to_owned(), (*what).to_owned()));
    section(
        &mut out,
        "Environment, beside the variables named above",
        environment,
    );
    out.push_str("\nThe manual: corso(1), corso-repo(1), corso-backup(1), corso-restore(1),\ncorso-completion(1).\n");
    out
}

fn examples(out: &mut String, lines: &[&str]) {
    if let Some((first, more)) = lines.split_first() {
        out.push_str(if more.is_empty() {
            "\nExample:\n"
        } else {
            "\nExamples:\n"
        });
        for line in [first].into_iter().chain(more) {
            out.push_str(&format!("  {line}\n"));
        }
    }
}

fn rows(flags: &[FlagInfo<'_>]) -> Vec<(String, String)> {
    flags
        .iter()
        .filter(|f| !f.hidden)
        .map(|f| (usage(f), description(f)))
        .collect()
}

fn usage(flag: &FlagInfo<'_>) -> String {
    match (flags::arity(flag), &flag.kind) {
        (Arity::One | Arity::Many, FlagInfoKind::Option { arg_name }) => {
            format!("{} {arg_name}", flag.long)
        }
        _ => flag.long.to_owned(),
    }
}

/// The description, then what the side table knows.
fn description(flag: &FlagInfo<'_>) -> String {
    let extra = flags::extra(flag.long);
    let mut text = flag.description.to_owned();
    let mut note = |label: &str, value: String| {
        if !value.is_empty() {
            text.push_str(&format!(" [{label}: {value}]"));
        }
    };
    note("one of", extra.choices.join(", "));
    note("default", extra.default.to_owned());
    note("environment", extra.env.join(", "));
    note("configuration", extra.key.to_owned());
    if flag.optionality == Optionality::Required {
        text.push_str(" (required)");
    }
    text
}

fn section(out: &mut String, title: &str, rows: impl IntoIterator<Item = (String, String)>) {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_none() {
        return;
    }
    out.push_str(&format!("\n{title}:\n"));
    for (left, right) in rows {
        let mut line = format!("  {left}");
        if line.len() + 2 > COLUMN {
            out.push_str(&line);
            out.push('\n');
            line.clear();
        }
        wrap(out, line, &right, COLUMN);
    }
}

/// Appends `text` behind `line`, in lines of at most [`WIDTH`], each indented to `column`.
fn wrap(out: &mut String, mut line: String, text: &str, column: usize) {
    let mut fresh = true;
    for word in text.split_whitespace() {
        if !fresh && line.len() + 1 + word.len() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line.clear();
            fresh = true;
        }
        match fresh {
            true => line.extend(std::iter::repeat_n(' ', column.saturating_sub(line.len()))),
            false => line.push(' '),
        }
        line.push_str(word);
        fresh = false;
    }
    out.push_str(&line);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_shows_its_flags_environment_and_an_example() {
        for command in flags::COMMANDS {
            for depth in 0..=command.path.len() {
                let text = text(&command.path[..depth]);
                for word in ["Usage:", "--config-file", "CORSO_CONFIG_DIR", "Example"] {
                    assert!(text.contains(word), "{:?}: {word}", &command.path[..depth]);
                }
                assert!(
                    text.lines()
                        .all(|l| l.len() <= WIDTH || l.starts_with("  corso ")),
                    "{text}"
                );
                assert!(!text.contains("--no-stats"), "hidden flags stay hidden");
            }
            let text = text(command.path);
            for group in command.groups {
                assert!(
                    group
                        .flags()
                        .iter()
                        .all(|f| f.hidden || text.contains(f.long)),
                    "{:?}",
                    command.path
                );
            }
        }
        assert!(text(&["repo", "init", "s3"]).contains("AWS_ACCESS_KEY_ID"));
    }
}
