//! Shell patterns over the bytes of paths, matched in time proportional to pattern times path at worst.

use crate::fs::path::Platform;

/// A pattern, component by component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// `**`: any number of components, none included.
    Any,
    /// One component.
    One(Vec<Token>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// Just this character.
    Plain(u32),
    /// `?`: one character.
    One,
    /// `*`: any characters, none included.
    Many,
    /// `[a-z]`, `[!a-z]` or `[^a-z]`: one character in, or not in, inclusive ranges.
    Class {
        inside: bool,
        ranges: Vec<(u32, u32)>,
    },
}

/// A byte that is not part of valid UTF-8 counts as a character of its own, beyond all of Unicode.
const RAW: u32 = 0x11_0000;

/// The first character of `text` and its length in bytes; `None` at the end.
fn character(text: &[u8]) -> Option<(u32, usize)> {
    let first = *text.first()?;
    let len = match first {
        0..=0x7f => return Some((first.into(), 1)),
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Some((RAW + u32::from(first), 1)),
    };
    let valid = text
        .get(..len)
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .and_then(|s| s.chars().next());
    Some(valid.map_or((RAW + u32::from(first), 1), |c| (c.into(), len)))
}

impl Pattern {
    /// Parses a pattern (without `!`); an error says what is wrong, to follow the pattern in a sentence.
    pub fn parse(text: &[u8], platform: Platform) -> Result<Pattern, &'static str> {
        let windows = platform == Platform::Windows;
        let (root, rest) = if windows {
            windows_root(text)
        } else {
            unix_root(text)
        };
        let anchored = root.is_some();
        let mut parts: Vec<Part> = root.into_iter().flatten().collect();
        if !anchored {
            parts.push(Part::Any);
        }
        for piece in split(rest, windows) {
            match piece {
                b"" | b"." => {}
                b".." => return Err("contains \"..\""),
                b"**" if parts.last() == Some(&Part::Any) => {}
                b"**" => parts.push(Part::Any),
                piece => parts.push(Part::One(tokens(piece, !windows)?)),
            }
        }
        if parts.iter().all(|part| *part == Part::Any) {
            return Err(if text.contains(&b'*') {
                "would exclude everything"
            } else {
                "is empty"
            });
        }
        Ok(Pattern(parts))
    }

    /// Does the pattern match the whole path?
    pub fn matches(&self, path: &[Vec<u8>]) -> bool {
        match (self.0.as_slice(), path) {
            // The common case, `*.o` or `name`: only the last component counts.
            ([Part::Any, Part::One(tokens)], [.., name]) => matches_name(tokens, name),
            (parts, path) => matches_parts(parts, path),
        }
    }
}

/// An anchored pattern starts with a slash.
fn unix_root(text: &[u8]) -> (Option<Vec<Part>>, &[u8]) {
    match text {
        [b'/', rest @ ..] => (Some(Vec::new()), rest),
        rest => (None, rest),
    }
}

/// An anchored pattern starts with a drive, `\\server\share` or a separator.
fn windows_root(text: &[u8]) -> (Option<Vec<Part>>, &[u8]) {
    let plain = |text: &[u8]| Part::One(text.iter().map(|b| Token::Plain((*b).into())).collect());
    match text {
        [letter, b':', rest @ ..] if letter.is_ascii_alphabetic() => (
            Some(vec![plain(&[letter.to_ascii_uppercase(), b':'])]),
            rest,
        ),
        [b'\\' | b'/', b'\\' | b'/', rest @ ..] => (Some(vec![plain(b"UNC")]), rest),
        [b'\\' | b'/', rest @ ..] => (Some(Vec::new()), rest),
        rest => (None, rest),
    }
}

/// Splits at slashes, on Windows at backslashes too. A slash inside `[...]` separates as well, as in the shell.
fn split(text: &[u8], windows: bool) -> impl Iterator<Item = &[u8]> {
    text.split(move |b| *b == b'/' || (windows && *b == b'\\'))
}

fn tokens(mut text: &[u8], escapes: bool) -> Result<Vec<Token>, &'static str> {
    let mut out = Vec::new();
    while let Some((c, len)) = character(text) {
        text = text.get(len..).unwrap_or_default();
        out.push(match u8::try_from(c).unwrap_or(0) {
            b'?' => Token::One,
            b'*' if out.last() == Some(&Token::Many) => continue,
            b'*' => Token::Many,
            b'[' => class(&mut text, escapes)?,
            b'\\' if escapes => Token::Plain(take(&mut text).ok_or("ends in a backslash")?),
            _ => Token::Plain(c),
        });
    }
    Ok(out)
}

fn take(text: &mut &[u8]) -> Option<u32> {
    let (c, len) = character(text)?;
    *text = text.get(len..).unwrap_or_default();
    Some(c)
}

/// What follows `[`. A `]` right at the start is plain.
fn class(text: &mut &[u8], escapes: bool) -> Result<Token, &'static str> {
    const OPEN: &str = "has a \"[\" without its \"]\"";
    let inside = !matches!(text.first(), Some(b'!' | b'^'));
    if !inside {
        take(text);
    }
    let mut ranges = Vec::new();
    let one = |text: &mut &[u8]| -> Result<u32, &'static str> {
        match take(text).ok_or(OPEN)? {
            c if escapes && c == u32::from(b'\\') => take(text).ok_or(OPEN),
            c => Ok(c),
        }
    };
    while ranges.is_empty() || text.first() != Some(&b']') {
        let low = one(text)?;
        let mut high = low;
        if let [b'-', next, ..] = text
            && *next != b']'
        {
            take(text);
            high = one(text)?;
        }
        if high < low {
            return Err("has a range whose end comes before its start");
        }
        ranges.push((low, high));
    }
    take(text);
    Ok(Token::Class { inside, ranges })
}

/// Matching with one place to go back to: when a later `**` is reached, no earlier one needs to take more.
fn matches_parts(parts: &[Part], path: &[Vec<u8>]) -> bool {
    let (mut p, mut s) = (0, 0);
    let mut back = None;
    loop {
        let step = match (parts.get(p), path.get(s)) {
            (None, None) => return true,
            (Some(Part::Any), _) => {
                back = Some((p + 1, s));
                p += 1;
                continue;
            }
            (Some(Part::One(tokens)), Some(name)) => matches_name(tokens, name),
            // The path ended: taking more of it with `**` cannot help.
            (Some(Part::One(_)), None) => return false,
            (None, Some(_)) => false,
        };
        if step {
            (p, s) = (p + 1, s + 1);
        } else if let Some((after, from)) = back {
            (p, s) = (after, from + 1);
            back = Some((after, from + 1));
        } else {
            return false;
        }
    }
}

/// The same for one component, with `*` in the place of `**`.
fn matches_name(tokens: &[Token], name: &[u8]) -> bool {
    let (mut t, mut at) = (0, 0);
    let mut back = None;
    loop {
        let next = name.get(at..).and_then(character);
        let step = match (tokens.get(t), next) {
            (None, None) => return true,
            (Some(Token::Many), _) => {
                back = Some((t + 1, at));
                t += 1;
                continue;
            }
            (Some(token), Some((c, _))) => token.takes(c),
            (Some(_), None) => return false,
            (None, Some(_)) => false,
        };
        if step {
            (t, at) = (t + 1, at + next.map_or(0, |(_, len)| len));
        } else if let Some((after, from)) = back {
            let skip = name
                .get(from..)
                .and_then(character)
                .map_or(1, |(_, len)| len);
            (t, at) = (after, from + skip);
            back = Some((after, from + skip));
        } else {
            return false;
        }
    }
}

impl Token {
    fn takes(&self, c: u32) -> bool {
        match self {
            Token::Plain(plain) => *plain == c,
            Token::One | Token::Many => true,
            Token::Class { inside, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) == *inside
            }
        }
    }
}
