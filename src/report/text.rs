//! Text for people: tables, counts, lines.

use crate::error::{Error, Result, one_line};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

/// How a column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table with a heading line: columns as wide as their widest cell, two spaces between, the last one ragged.
/// Cells are made safe for a terminal. No rows give the empty text.
pub fn table(columns: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let safe: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| one_line(cell)).collect())
        .collect();
    let width = |at: usize| {
        safe.iter()
            .filter_map(|r| r.get(at))
            .map(|c| c.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, (name, _))| width(at).max(name.chars().count()))
        .collect();
    let mut out = String::new();
    let heading: Vec<String> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    for row in std::iter::once(&heading).chain(&safe) {
        let mut line = String::new();
        for ((cell, (_, align)), width) in row.iter().zip(columns).zip(&widths) {
            if !line.is_empty() {
                line.push_str("  ");
            }
            match align {
                Align::Left => line.push_str(&format!("{cell:<width$}")),
                Align::Right => line.push_str(&format!("{cell:>width$}")),
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 file`, `2 files`.
pub fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// Writes `text` to standard output as it is.
pub fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(output_failed)
}

/// Set when a command ended because the reader of standard output went away.
static READER_GONE: AtomicBool = AtomicBool::new(false);

/// The error of a write to standard output. It must be returned to the top, not dropped.
pub fn output_failed(error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        READER_GONE.store(true, Ordering::SeqCst);
    }
    Error::io("writing to standard output", error)
}

/// Did the run end for no other reason than a reader that had seen enough (`corso backup list | head -1`)?
pub fn reader_gone() -> bool {
    READER_GONE.load(Ordering::SeqCst)
}

/// `drwxr-sr-t`: type and mode as `ls` shows them; `kind` is its first letter.
pub fn mode(kind: char, mode: u32) -> String {
    let mut out = String::from(kind);
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        out.push(if bits & 4 != 0 { 'r' } else { '-' });
        out.push(if bits & 2 != 0 { 'w' } else { '-' });
        out.push(match (mode & special != 0, bits & 1 != 0) {
            (true, true) => letter,
            (true, false) => letter.to_ascii_uppercase(),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up_and_hold_no_escapes() {
        let rows = vec![
            vec!["a\x1b[31m".into(), "5".into(), "x".into()],
            vec!["b".into(), "1234".into(), "".into()],
        ];
        let text = table(
            &[
                ("ID", Align::Left),
                ("Size", Align::Right),
                ("Tag", Align::Left),
            ],
            &rows,
        );
        assert_eq!(
            text,
            "ID           Size  Tag\na\\u{1b}[31m     5  x\nb            1234\n"
        );
        assert_eq!(table(&[("ID", Align::Left)], &[]), "");
    }

    #[test]
    fn counts() {
        assert_eq!(
            (
                count(0).as_str(),
                count(999).as_str(),
                count(1_234_567).as_str()
            ),
            ("0", "999", "1,234,567")
        );
        assert_eq!(
            (plural(1, "file", "files"), plural(0, "file", "files")),
            ("1 file".into(), "0 files".into())
        );
    }

    #[test]
    fn modes() {
        assert_eq!(mode('d', 0o1755), "drwxr-xr-t");
        assert_eq!(mode('-', 0o6640), "-rwSr-S---");
    }
}
