//! From raw arguments to what argh can parse.
//!
//! argh alone stops short of what people type: `--x=v`, `-h`, `-v`, flags anywhere, paths that are not UTF-8, and a
//! path called `help`. This pass reads the arguments once, with the flag tables at hand, and sorts them: each flag
//! group gets an argument list of its own, in the one form that argh reads without surprises.

use super::flags::{self, Arity, Group};
use super::value;
use crate::error::{Error, Result};
use crate::report::printable;
use argh::{ArgsInfo, CommandInfoWithArgs, Optionality};
use std::ffi::{OsStr, OsString};

/// What the arguments ask for.
#[derive(Debug, PartialEq, Eq)]
pub enum Ask {
    /// Help on the command reached by these words.
    Help(Vec<&'static str>),
    /// The version.
    Version,
    /// To run a command.
    Run(Sorted),
}

/// Arguments by who parses them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sorted {
    /// The command's words, its own flags, `--`, its positionals.
    pub command: Vec<String>,
    /// The shared groups' flags.
    pub groups: Vec<(Group, Vec<String>)>,
    /// The command's words alone.
    pub path: Vec<&'static str>,
}

impl Sorted {
    /// The arguments of one group.
    pub fn group(&self, group: Group) -> Vec<&str> {
        let found = self.groups.iter().find(|(g, _)| *g == group);
        found
            .map(|(_, args)| args.iter().map(String::as_str).collect())
            .unwrap_or_default()
    }
}

/// Sorts `args` (without the program's name).
pub fn sort(args: &[OsString]) -> Result<Ask> {
    let mut reader = Reader {
        node: super::args::Root::get_args_info(),
        path: Vec::new(),
        flags: Vec::new(),
        words: Vec::new(),
        help: false,
        version: false,
    };
    match reader.read(args) {
        Err(e) if !reader.help => return Err(e.hint(pointer(&reader.path))),
        _ => {}
    }
    if reader.version {
        return Ok(Ask::Version);
    }
    if reader.help || !reader.node.commands.is_empty() {
        return Ok(Ask::Help(reader.path));
    }
    let path = reader.path.clone();
    reader
        .finish()
        .map(Ask::Run)
        .map_err(|e| e.hint(pointer(&path)))
}

/// The hint of every usage error.
pub fn pointer(path: &[&str]) -> String {
    let words: String = path.iter().map(|w| format!(" {w}")).collect();
    format!("see 'corso{words} --help'")
}

struct Reader {
    node: CommandInfoWithArgs,
    path: Vec<&'static str>,
    flags: Vec<Given>,
    words: Vec<OsString>,
    help: bool,
    version: bool,
}

struct Given {
    name: String,
    arity: Arity,
    value: OsString,
}

impl Reader {
    fn read(&mut self, args: &[OsString]) -> Result<()> {
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let bytes = arg.as_encoded_bytes();
            match bytes {
                b"--" => {
                    args.by_ref().try_for_each(|word| self.word(word))?;
                }
                b"-h" | b"--help" => self.help = true,
                b"-v" | b"--version" => self.version = true,
                [b'-', _, ..] => self.flag(arg, &mut args)?,
                _ => self.word(arg)?,
            }
        }
        Ok(())
    }

    /// A word is a command while there are commands below, then a positional.
    fn word(&mut self, word: &OsStr) -> Result<()> {
        if self.node.commands.is_empty() {
            self.words.push(word.to_owned());
            return Ok(());
        }
        if word == "help" {
            self.help = true;
            return Ok(());
        }
        match self.node.commands.iter().position(|c| word == c.name) {
            Some(at) => {
                let sub = self.node.commands.swap_remove(at);
                self.path.push(sub.name);
                self.node = sub.command;
                Ok(())
            }
            None => {
                let word = printable(word.as_encoded_bytes());
                let names = self.node.commands.iter().map(|c| c.name);
                let what = self
                    .path
                    .iter()
                    .fold("corso".to_owned(), |text, w| format!("{text} {w}"));
                Err(Error::usage(format!(
                    "{what} has no command {word}{}",
                    suggestion(&word, names)
                )))
            }
        }
    }

    fn flag<'a>(
        &mut self,
        arg: &OsStr,
        rest: &mut impl Iterator<Item = &'a OsString>,
    ) -> Result<()> {
        let (name, inline) = split(arg)?;
        let arity = flags::arity_of(&name).ok_or_else(|| self.unknown(&name))?;
        let value = match (arity, inline) {
            (Arity::Switch | Arity::Toggle, None) => "true".into(),
            (Arity::Switch | Arity::Toggle, Some(text)) => {
                boolean(&name, &text)?.to_string().into()
            }
            (_, Some(value)) => value,
            (_, None) => rest
                .next()
                .ok_or_else(|| Error::usage(format!("{name} needs a value")))?
                .clone(),
        };
        self.flags.push(Given { name, arity, value });
        Ok(())
    }

    fn unknown(&self, name: &str) -> Error {
        let names: Vec<_> = match flags::command(&self.path) {
            Some(command) => {
                let groups = command
                    .groups
                    .iter()
                    .chain(&[Group::Global])
                    .flat_map(|g| g.flags());
                groups
                    .chain(self.node.flags)
                    .filter(|f| !f.hidden)
                    .map(|f| f.long)
                    .collect()
            }
            None => Group::Global
                .flags()
                .iter()
                .filter(|f| !f.hidden)
                .map(|f| f.long)
                .collect(),
        };
        let what = self
            .path
            .iter()
            .fold("corso".to_owned(), |text, w| format!("{text} {w}"));
        Error::usage(format!(
            "{what} has no flag {name}{}",
            suggestion(name, names.into_iter())
        ))
    }

    fn finish(mut self) -> Result<Sorted> {
        let command = flags::command(&self.path).ok_or_else(|| Error::usage("no such command"))?;
        let mut sorted = Sorted {
            path: self.path.clone(),
            ..Sorted::default()
        };
        sorted.command = self.path.iter().map(|w| (*w).to_owned()).collect();
        sorted.groups = command
            .groups
            .iter()
            .chain(&[Group::Global])
            .map(|g| (*g, Vec::new()))
            .collect();
        self.settle_repeats()?;
        for given in &self.flags {
            let own = self.node.flags.iter().any(|f| f.long == given.name);
            let group = sorted
                .groups
                .iter_mut()
                .find(|(g, _)| g.flags().iter().any(|f| f.long == given.name));
            let to = match (own, group) {
                (true, _) => &mut sorted.command,
                (false, Some((_, to))) => to,
                (false, None) => return Err(self.unknown(&given.name)),
            };
            emit(given, to)?;
        }
        sorted.command.push("--".to_owned());
        for (at, word) in self.words.iter().enumerate() {
            sorted.command.push(self.positional(at, word)?);
        }
        let empty = |at: usize| self.words.get(at).is_none_or(|w| w.is_empty());
        let required = |p: &argh::PositionalInfo<'_>| p.optionality == Optionality::Required;
        match self
            .node
            .positionals
            .iter()
            .enumerate()
            .find(|(at, p)| required(p) && empty(*at))
        {
            Some((_, slot)) => Err(Error::usage(format!("{} is missing", slot.name))),
            None => Ok(sorted),
        }
    }

    /// Of switches the last one counts; a value given twice is a mistake unless the flag may be repeated here.
    fn settle_repeats(&mut self) -> Result<()> {
        let mut kept: Vec<Given> = Vec::new();
        for given in self.flags.drain(..) {
            match given.arity {
                Arity::Switch | Arity::Toggle => kept.retain(|k| k.name != given.name),
                Arity::One if kept.iter().any(|k| k.name == given.name) => {
                    return Err(Error::usage(format!("{} is given twice", given.name)));
                }
                Arity::One | Arity::Many => {}
            }
            kept.push(given);
        }
        self.flags = kept;
        Ok(())
    }

    fn positional(&self, at: usize, word: &OsStr) -> Result<String> {
        let slots = self.node.positionals;
        let last_repeats = slots
            .last()
            .is_some_and(|p| p.optionality == Optionality::Repeating);
        let slot = slots
            .get(at)
            .or(if last_repeats { slots.last() } else { None });
        let shown = printable(word.as_encoded_bytes());
        match slot {
            None => Err(Error::usage(format!("unexpected argument {shown}"))),
            Some(slot) if slot.name != "PATH" && word.to_str().is_none() => {
                Err(Error::usage(format!("{shown} is not a {}", slot.name)))
            }
            Some(_) => Ok(value::encode(word)),
        }
    }
}

/// `--name=value` or `--name`. A flag's name is ASCII; anything else is not a flag.
fn split(arg: &OsStr) -> Result<(String, Option<OsString>)> {
    let bytes = arg.as_encoded_bytes();
    let end = bytes.iter().position(|b| *b == b'=').unwrap_or(bytes.len());
    let name = String::from_utf8_lossy(&bytes[..end]).into_owned();
    if !name.starts_with("--") || !name.is_ascii() {
        let shown = printable(name.as_bytes());
        return Err(Error::usage(format!("unknown flag {shown}")));
    }
    if end == bytes.len() {
        return Ok((name, None));
    }
    Ok((name, Some(tail(arg, end + 1))))
}

/// What follows the first `at` bytes of `arg`, all of them ASCII.
#[cfg(unix)]
fn tail(arg: &OsStr, at: usize) -> OsString {
    use std::os::unix::ffi::OsStrExt;
    OsStr::from_bytes(arg.as_bytes().get(at..).unwrap_or_default()).to_owned()
}

/// What follows the first `at` bytes of `arg`, all of them ASCII.
#[cfg(windows)]
fn tail(arg: &OsStr, at: usize) -> OsString {
    use std::os::windows::ffi::{OsStrExt, OsStringExt};
    OsString::from_wide(&arg.encode_wide().skip(at).collect::<Vec<_>>())
}

/// The spellings of the old program.
fn boolean(name: &str, text: &OsStr) -> Result<bool> {
    match text.to_str() {
        Some("1" | "t" | "T" | "true" | "True" | "TRUE") => Ok(true),
        Some("0" | "f" | "F" | "false" | "False" | "FALSE") => Ok(false),
        _ => Err(Error::usage(format!("{name} takes true or false"))),
    }
}

/// Appends one flag in the form that argh reads. Values of text flags and of flags with choices are checked here, so
/// that no message ever repeats a value that might be a secret.
fn emit(given: &Given, to: &mut Vec<String>) -> Result<()> {
    let extra = flags::extra(&given.name);
    if given.arity == Arity::Switch {
        if given.value == "true" {
            to.push(given.name.clone());
        }
        return Ok(());
    }
    match given.value.to_str() {
        None if !extra.raw => {
            return Err(Error::usage(format!(
                "the value of {} is not valid UTF-8",
                given.name
            )));
        }
        Some(text) if !extra.choices.is_empty() && !extra.choices.contains(&text) => {
            let choices = extra.choices.join(", ");
            return Err(Error::usage(format!(
                "{} is not a value of {}; use one of {choices}",
                text, given.name
            )));
        }
        _ => {}
    }
    to.push(given.name.clone());
    to.push(value::encode(&given.value));
    Ok(())
}

/// `; did you mean X?` where something near exists.
fn suggestion<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> String {
    let near = names
        .map(|n| (distance(typed, n), n))
        .min()
        .filter(|(d, n)| *d <= 2 && *d < n.len() / 2);
    near.map(|(_, n)| format!("; did you mean {n}?"))
        .unwrap_or_default()
}

/// Levenshtein distance in bytes; over-long input is far from everything.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let cost = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;
