//! The grammar of the AWS configuration files, as the AWS SDKs read it.
//!
//! Line based. Whole-line comments start with `#` or `;`. A section ends at `]`. A value ends at a `#` or `;` that follows a
//! space. The separator is the first `=` or `:`. Indented lines continue a value, or are sub-properties where it is empty.
//! Keys are lower-cased; keys before any section and lines that make no sense are passed over; sections of one name merge.

use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Section name -> key -> value. Values may be secret.
pub(super) type Sections = BTreeMap<String, BTreeMap<String, Zeroizing<String>>>;

/// Reads a whole file.
pub(super) fn parse(text: &str) -> Sections {
    let mut sections = Sections::new();
    let mut section: Option<String> = None;
    let mut key: Option<String> = None;
    for line in text.trim_start_matches('\u{feff}').lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            if let (Some(section), Some(key)) = (&section, &key) {
                continuation(&mut sections, section, key, trimmed);
            }
        } else if let Some(rest) = trimmed.strip_prefix('[') {
            section = rest.split_once(']').map(|(name, _)| squeeze(name));
            key = None;
            if let Some(name) = &section {
                sections.entry(name.clone()).or_default();
            }
        } else if let (Some(section), Some((name, value))) =
            (&section, trimmed.split_once(['=', ':']))
        {
            let name = name.trim().to_ascii_lowercase();
            let value = Zeroizing::new(unquote(uncomment(value.trim())).to_string());
            sections
                .entry(section.clone())
                .or_default()
                .insert(name.clone(), value);
            key = Some(name);
        }
    }
    sections
}

/// A line under a key: more of its value, or, where that is empty (`s3 =`), a property of its own (`s3.name`).
fn continuation(sections: &mut Sections, section: &str, key: &str, line: &str) {
    let Some(keys) = sections.get_mut(section) else {
        return;
    };
    match keys.get_mut(key) {
        Some(value) if value.is_empty() => {
            if let Some((name, value)) = line.split_once(['=', ':']) {
                let name = format!("{key}.{}", name.trim().to_ascii_lowercase());
                keys.insert(name, Zeroizing::new(uncomment(value.trim()).to_string()));
            }
        }
        Some(value) => {
            value.push('\n');
            value.push_str(line);
        }
        None => {}
    }
}

fn squeeze(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn uncomment(value: &str) -> &str {
    let marks = [" #", " ;", "\t#", "\t;"];
    let end = marks
        .iter()
        .filter_map(|mark| value.find(mark))
        .min()
        .unwrap_or(value.len());
    let value = value[..end].trim_end();
    // `key = # nothing` has no value.
    if value.starts_with(['#', ';']) {
        ""
    } else {
        value
    }
}

fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value
            .strip_prefix(quote)
            .and_then(|v| v.strip_suffix(quote))
        {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, section: &str, key: &str) -> Option<String> {
        parse(text).get(section)?.get(key).map(|v| v.to_string())
    }

    #[test]
    fn sections_keys_and_comments() {
        let text = "\u{feff}stray = 1\n# c\n[ default ] ; c\nAws_Access_Key_Id = AK # c\nsecret=a#b=c\n; c\n[profile  x]\nregion: r\nquoted = \"v\"\n";
        assert_eq!(
            value(text, "default", "aws_access_key_id").as_deref(),
            Some("AK")
        );
        assert_eq!(
            value(text, "default", "secret").as_deref(),
            Some("a#b=c"),
            "only a mark after a space comments"
        );
        assert_eq!(value(text, "profile x", "region").as_deref(), Some("r"));
        assert_eq!(value(text, "profile x", "quoted").as_deref(), Some("v"));
    }

    #[test]
    fn sub_properties_continuations_and_merging() {
        let text = "[a]\ns3 =\n  endpoint_url = http://h\nlong = x\n  y\n[b]\nk=1\n[a]\nk = 2\r\n";
        assert_eq!(
            value(text, "a", "s3.endpoint_url").as_deref(),
            Some("http://h")
        );
        assert_eq!(value(text, "a", "long").as_deref(), Some("x\ny"));
        assert_eq!(value(text, "a", "k").as_deref(), Some("2"));
    }

    #[test]
    fn rubbish_is_passed_over() {
        for text in [
            "[",
            "]",
            "[x",
            "=",
            "[a]\n=v\nnothing\n   indented first",
            "\0",
            "[a]\n : \n  x",
        ] {
            parse(text);
        }
        assert_eq!(value("[a\nk=v\n[b]\nk=w", "b", "k").as_deref(), Some("w"));
        assert_eq!(value("[a]\nk = # none", "a", "k").as_deref(), Some(""));
    }
}
