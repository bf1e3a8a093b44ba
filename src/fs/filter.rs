//! What to leave out: exclude patterns and cache directories.
//!
//! A pattern without a slash matches any file or directory of that name; with a leading slash it matches from the
//! root; with a slash elsewhere it matches anywhere between whole components. `*`, `?` and `[...]` do not cross a
//! slash, `**` as a component does. What lies below an excluded directory is excluded. A pattern that starts with `!`
//! takes back what an earlier one excludes; the last pattern that matches decides. A trailing slash is ignored.
//! `\` makes the next character plain (on Windows it is a separator instead).
//!
//! Paths and patterns are bytes; `?` and `[...]` take one UTF-8 character, or one byte where there is none.

mod glob;
#[cfg(test)]
mod tests;

use super::names::Names;
use super::path::Platform;
use super::sys;
use crate::error::{Context, Error, Result};
use crate::report::printable;
use glob::Pattern;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// The file that marks a directory as a cache; see <https://bford.info/cachedir/>.
pub(super) const CACHE_TAG: &[u8] = b"CACHEDIR.TAG";
/// What the tag must start with.
const CACHE_SIGNATURE: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// A larger file of patterns is refused.
const MAX_PATTERN_FILE: u64 = 64 << 20;

/// A list of exclude patterns, in the order given.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    rules: Vec<Rule>,
    texts: Vec<Vec<u8>>,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: Pattern,
    exclude: bool,
}

impl Filter {
    /// No patterns: nothing is excluded.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one pattern, `!` and all.
    pub fn add(&mut self, text: &[u8]) -> Result<()> {
        self.add_for(text, Platform::HERE)
    }

    fn add_for(&mut self, text: &[u8], platform: Platform) -> Result<()> {
        let (exclude, pattern) = match text {
            [b'!', rest @ ..] => (false, rest),
            // On Windows a backslash is no escape, except here: a name may start with `!` or `#`.
            [b'\\', rest @ ..] if platform == Platform::Windows && rest.starts_with(b"!") => {
                (true, rest)
            }
            [b'\\', rest @ ..] if platform == Platform::Windows && rest.starts_with(b"#") => {
                (true, rest)
            }
            text => (true, text),
        };
        let pattern = Pattern::parse(pattern, platform).map_err(|why| {
            Error::usage(format!("the exclude pattern \"{}\" {why}", printable(text)))
        })?;
        self.rules.push(Rule { pattern, exclude });
        self.texts.push(text.to_vec());
        Ok(())
    }

    /// Adds the patterns in a file's text: one a line; blank lines and lines that start with `#` are passed over;
    /// white space around a pattern is dropped.
    pub fn add_lines(&mut self, text: &[u8]) -> Result<()> {
        for (number, line) in text.split(|b| *b == b'\n').enumerate() {
            let line = line.trim_ascii();
            if !line.is_empty() && !line.starts_with(b"#") {
                self.add(line).context(|| format!("line {}", number + 1))?;
            }
        }
        Ok(())
    }

    /// Adds the patterns in a file; see [`Filter::add_lines`].
    pub fn add_file(&mut self, path: &Path) -> Result<()> {
        let what = || format!("reading exclude patterns from {}", path.display());
        let file = std::fs::File::open(path).context(what)?;
        let mut text = Vec::new();
        file.take(MAX_PATTERN_FILE + 1)
            .read_to_end(&mut text)
            .context(what)?;
        if text.len() as u64 > MAX_PATTERN_FILE {
            return Err(Error::usage("the file is too large").context(what()));
        }
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        self.add_lines(text).context(what)
    }

    /// Is this very path excluded? Its parents are not looked at: a walk that leaves them out never asks.
    pub fn excludes(&self, path: &[Vec<u8>]) -> bool {
        let last = self
            .rules
            .iter()
            .rev()
            .find(|rule| rule.pattern.matches(path));
        last.is_some_and(|rule| rule.exclude)
    }

    /// The patterns as text, for the snapshot's manifest.
    pub fn texts(&self) -> impl Iterator<Item = String> {
        self.texts
            .iter()
            .map(|text| String::from_utf8_lossy(text).into_owned())
    }

    /// No patterns?
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

/// Does the directory, whose names are given, hold a valid cache tag?
pub(super) fn is_cache(dir: &Arc<sys::Dir>, names: &Names) -> bool {
    if !names.contains(CACHE_TAG) {
        return false;
    }
    let mut start = Vec::new();
    let read = dir.open_file(CACHE_TAG).and_then(|file| {
        // The tag must be a regular file: reading a device could have an effect.
        match sys::file_state(&file)?.regular {
            true => file
                .take(CACHE_SIGNATURE.len() as u64)
                .read_to_end(&mut start),
            false => Ok(0),
        }
    });
    read.is_ok() && start == CACHE_SIGNATURE
}
