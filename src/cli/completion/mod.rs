//! Completion scripts for shells, from the one description of every command and flag.
//!
//! The scripts are whole: they hold all words, and complete without starting `corso`. Each walks the words before the
//! cursor in the same way: a flag that takes a value takes the next word too, and a word that is a command below the
//! present one leads there.

mod bash;
mod fish;
mod nushell;
mod powershell;
#[cfg(test)]
mod tests;
mod zsh;

use super::args::Root;
use super::flags::{self, Arity, Group};
use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfo, FlagInfoKind};

/// A shell that there is a script for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// bash, 3.2 and later.
    Bash,
    /// fish.
    Fish,
    /// Nushell.
    Nushell,
    /// PowerShell, 5.1 and later.
    PowerShell,
    /// zsh.
    Zsh,
}

impl Shell {
    /// All of them, by name.
    pub const ALL: [(&'static str, Shell); 5] = [
        ("bash", Shell::Bash),
        ("fish", Shell::Fish),
        ("nushell", Shell::Nushell),
        ("powershell", Shell::PowerShell),
        ("zsh", Shell::Zsh),
    ];

    /// The shell of that name.
    pub fn parse(name: &str) -> Option<Shell> {
        let mut all = Shell::ALL.into_iter();
        all.find_map(|(known, shell)| (known == name).then_some(shell))
    }
}

/// The script for `shell`.
pub fn script(shell: Shell) -> String {
    let nodes = nodes();
    match shell {
        Shell::Bash => bash::script(&nodes),
        Shell::Fish => fish::script(&nodes),
        Shell::Nushell => nushell::script(&nodes),
        Shell::PowerShell => powershell::script(&nodes),
        Shell::Zsh => zsh::script(&nodes),
    }
}

/// `corso`, or a command below it.
struct Node {
    /// The words that lead here, `corso` first.
    path: String,
    /// What it does.
    description: &'static str,
    /// Commands below, with what they do.
    commands: Vec<(&'static str, &'static str)>,
    /// All flags that it takes.
    flags: Vec<Flag>,
    /// What its positionals are.
    words: Value,
    /// Can it run? Else it only leads to commands.
    runs: bool,
}

/// A flag.
struct Flag {
    /// With its dashes.
    name: &'static str,
    description: &'static str,
    value: Value,
}

/// What a flag's value, or a positional, is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    /// There is none.
    None,
    /// Only the user knows.
    Any,
    /// A file or folder.
    File,
    /// One of these.
    OneOf(&'static [&'static str]),
}

/// Every command on every level, `corso` first.
fn nodes() -> Vec<Node> {
    let mut all = Vec::new();
    add(&mut all, &mut Vec::new(), Root::get_args_info());
    all
}

fn add(all: &mut Vec<Node>, path: &mut Vec<&'static str>, info: CommandInfoWithArgs) {
    let extra = flags::command(path);
    let own = flags::info(path).map_or(&[][..], |i| i.flags);
    let groups = extra.map_or(&[][..], |c| c.groups);
    let shared = groups
        .iter()
        .chain(&[Group::Global])
        .flat_map(|g| g.flags());
    let mut flags: Vec<Flag> = own
        .iter()
        .chain(shared)
        .filter(|f| !f.hidden)
        .map(flag)
        .collect();
    flags.push(Flag {
        name: "--help",
        description: "show help",
        value: Value::None,
    });
    all.push(Node {
        path: path
            .iter()
            .fold("corso".to_owned(), |text, word| format!("{text} {word}")),
        description: info.description,
        commands: info
            .commands
            .iter()
            .map(|c| (c.name, c.command.description))
            .collect(),
        flags,
        words: match info.positionals.last() {
            Some(p) if p.name == "PATH" => Value::File,
            Some(p) if p.name == "SHELL" => Value::OneOf(SHELLS),
            Some(_) => Value::Any,
            None => Value::None,
        },
        runs: extra.is_some(),
    });
    for below in info.commands {
        path.push(below.name);
        add(all, path, below.command);
        path.pop();
    }
}

/// The names of [`Shell::ALL`].
pub const SHELLS: &[&str] = &{
    let mut names = [""; Shell::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = Shell::ALL[at].0;
        at += 1;
    }
    names
};

fn flag(info: &FlagInfo<'static>) -> Flag {
    let extra = flags::extra(info.long);
    Flag {
        name: info.long,
        description: info.description,
        value: match (flags::arity(info), &info.kind) {
            (Arity::Switch | Arity::Toggle, _) => Value::None,
            _ if !extra.choices.is_empty() => Value::OneOf(extra.choices),
            (_, FlagInfoKind::Option { arg_name })
                if matches!(*arg_name, "FILE" | "DIR" | "PATH") =>
            {
                Value::File
            }
            _ => Value::Any,
        },
    }
}

/// The names of all flags whose value is `wanted`, each once, sorted.
fn flags_with(nodes: &[Node], wanted: impl Fn(Value) -> bool) -> Vec<&'static str> {
    let all = nodes.iter().flat_map(|n| &n.flags);
    let mut names: Vec<&str> = all.filter(|f| wanted(f.value)).map(|f| f.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Flags that have choices, each once, sorted.
fn choices(nodes: &[Node]) -> Vec<(&'static str, &'static [&'static str])> {
    let all = nodes.iter().flat_map(|n| &n.flags);
    let mut found: Vec<_> = all
        .filter_map(|f| match f.value {
            Value::OneOf(choices) => Some((f.name, choices)),
            _ => None,
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The words of everything but `corso` itself: what a word may lead to.
fn paths(nodes: &[Node]) -> Vec<&str> {
    nodes.iter().skip(1).map(|n| n.path.as_str()).collect()
}

/// The first line of each script, behind its comment sign.
fn head(shell: &str) -> String {
    format!("completion of corso for {shell}, written by `corso completion {shell}`")
}
