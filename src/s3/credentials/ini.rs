//! The grammar of the AWS configuration files, as the AWS SDK for Go v2 reads it.
//!
//! Line based. A line that begins with `#` or `;` is a comment, after blanks too. `[name]` and `[type name]` begin a
//! section, whose name ends at the last `]`. In `key = value` the separator is the first `=` or `:`; keys are lower-cased,
//! a value ends at a `#` or `;` that follows a blank, quotes around it are dropped. An indented line with a separator is a
//! property of the key above where that has no value (`s3 =`), comments included, and else a property like any other;
//! without a separator it continues the value above. Sections of one name join, later values win. Keys before any section,
//! and lines that are none of these, are passed over.
//!
//! Differences, all in favour of a message or of keys that are found:
//! - a byte order mark is dropped (Go passes over the first line; botocore refuses the file); UTF-16 is refused in words;
//! - a section that does not end is an error, as in botocore (Go passes over the line, and reads what follows into the
//!   section before it);
//! - a `#` or `;` between a section's brackets belongs to its name, as in botocore (Go passes over the line);
//! - text after a section's `]` is passed over, as in botocore (Go passes over the whole line);
//! - quotes around a section's name are dropped, as in botocore, since the AWS CLI writes `[profile 'a b']`.

use super::Secret;
use std::collections::BTreeMap;

/// Section name (`default`, `profile x`) -> key (`region`, `s3.endpoint_url`) -> value. Values may be secret.
pub(super) type Sections = BTreeMap<String, BTreeMap<String, Secret>>;

/// Reads a whole file. The error says which line is wrong, and how.
pub(super) fn parse(text: &str) -> Result<Sections, String> {
    let mut reader = Reader::default();
    for (number, line) in text.trim_start_matches('\u{feff}').split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        reader
            .line(line)
            .map_err(|why| format!("line {}: {why}", number + 1))?;
    }
    Ok(reader.sections)
}

#[derive(Default)]
struct Reader {
    sections: Sections,
    /// The section that lines belong to.
    section: Option<String>,
    /// The key above, for indented lines.
    key: Option<String>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), &'static str> {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            return Ok(());
        }
        if trimmed.starts_with('[') && is_section(line, trimmed) {
            let name = section_name(trimmed).ok_or("a section's name does not end with ]")?;
            self.sections.entry(name.clone()).or_default();
            (self.section, self.key) = (Some(name), None);
        } else if !line.starts_with([' ', '\t']) {
            if let Some((key, value)) = split(uncomment(line)) {
                self.property(key, unquote(value));
            }
        } else if let Some((key, value)) = split(trimmed) {
            self.indented(key, value);
        } else {
            self.continuation(trimmed);
        }
        Ok(())
    }

    fn keys(&mut self) -> Option<&mut BTreeMap<String, Secret>> {
        self.sections.get_mut(self.section.as_deref()?)
    }

    fn property(&mut self, key: &str, value: &str) {
        let (name, value) = (key.to_ascii_lowercase(), Secret::new(value.to_string()));
        if let Some(keys) = self.keys() {
            keys.insert(name.clone(), value);
            self.key = Some(name).filter(|n| !n.is_empty());
        }
    }

    fn indented(&mut self, key: &str, value: &str) {
        if let Some(above) = self.key.clone()
            && let Some(keys) = self.keys()
            && keys.get(&above).is_some_and(Secret::is_empty)
        {
            let sub = format!("{above}.{}", key.to_ascii_lowercase());
            keys.insert(sub, Secret::new(unquote(value).to_string()));
        } else {
            self.property(key, uncomment(unquote(value)).trim());
        }
    }

    fn continuation(&mut self, more: &str) {
        if let Some(above) = self.key.clone()
            && let Some(value) = self.keys().and_then(|keys| keys.get_mut(&above))
            && !value.is_empty()
        {
            *value = Secret::new(format!("{}\n{more}", value.expose()));
        }
    }
}

/// An indented line that begins with a bracket is a section only if it ends like one.
fn is_section(line: &str, trimmed: &str) -> bool {
    !line.starts_with([' ', '\t']) || before_comment(trimmed).ends_with(']')
}

/// From `[ type  name ] ; comment` to `type name`.
fn section_name(line: &str) -> Option<String> {
    let head = before_comment(line);
    let end = head.rfind(']').or_else(|| line.rfind(']'))?;
    let inner = line.get(1..end)?.trim();
    Some(match inner.split_once([' ', '\t']) {
        Some((kind, name)) => format!("{kind} {}", unquote(name.trim())),
        None => unquote(inner).to_string(),
    })
}

fn before_comment(line: &str) -> &str {
    line.split(['#', ';']).next().unwrap_or(line).trim_end()
}

fn split(line: &str) -> Option<(&str, &str)> {
    line.split_once(['=', ':'])
        .map(|(key, value)| (key.trim(), value.trim()))
}

fn uncomment(value: &str) -> &str {
    let marks = [" #", " ;", "\t#", "\t;"];
    let end = marks.iter().filter_map(|mark| value.find(mark)).min();
    &value[..end.unwrap_or(value.len())]
}

fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = value.strip_prefix(quote);
        if let Some(inner) = inner.and_then(|v| v.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests;
