//! From events to people and programs.

pub mod events;
pub mod json;
pub mod log;
pub mod progress;
pub mod reporter;
pub mod text;

pub use events::{Event, Observer, Progress, Silent, Stop};
pub use reporter::{Reporter, Shown};

/// Raw bytes (a file name of whatever origin) as text that is safe on a terminal: valid UTF-8 stays, control
/// characters and invalid bytes become `\xNN` or `\u{N}`, and a backslash is doubled so that the form is unambiguous.
pub fn printable(raw: &[u8]) -> String {
    let mut out = String::with_capacity(raw.len());
    for part in raw.utf8_chunks() {
        for c in part.valid().chars() {
            let bidi = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            match c {
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                c if c.is_control() || bidi => out.extend(c.escape_unicode()),
                c => out.push(c),
            }
        }
        for b in part.invalid() {
            out.push_str(&format!("\\x{b:02x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_escaped() {
        assert_eq!(printable(b"a\x1b[31m\n\xff\\"), "a\\u{1b}[31m\\n\\xff\\\\");
        assert_eq!(
            printable("gr\u{fc}n \u{202e}".as_bytes()),
            "gr\u{fc}n \\u{202e}"
        );
    }
}
