//! From a path in a snapshot to a place under a destination. The names come from storage: nothing may lead out.

use super::{Platform, windows};
use crate::error::{Error, Result};
use crate::format::TreePath;
use crate::report::printable;
use std::path::{Path, PathBuf};

/// Names that Windows keeps for devices, also with an extension.
const RESERVED: [&[u8]; 6] = [b"CON", b"PRN", b"AUX", b"NUL", b"CONIN$", b"CONOUT$"];

/// The components below the destination of `path`, from a snapshot of `from` restored on `to`: the same names, and
/// for a snapshot of Windows `C` for the drive `C:`. Fails for a name that cannot be a file's there; a restore notes
/// that and goes on.
pub fn relative(path: &TreePath, from: Platform, to: Platform) -> Result<Vec<Vec<u8>>> {
    let mut parts = Vec::with_capacity(path.0.len());
    for (depth, part) in path.0.iter().enumerate() {
        parts.push(component(depth, part, from, to)?.to_vec());
    }
    Ok(parts)
}

/// One component of [`relative`]: the name below the destination of `part`, which has `depth` components before it.
pub fn component(depth: usize, part: &[u8], from: Platform, to: Platform) -> Result<&[u8]> {
    let name = match part {
        [letter, b':'] if depth == 0 && from == Platform::Windows && windows::is_drive(part) => {
            std::slice::from_ref(letter)
        }
        part => part,
    };
    check(name, to)?;
    Ok(name)
}

/// The place of `path` under `destination` on this platform; see [`relative`].
pub fn under(destination: &Path, path: &TreePath, from: Platform) -> Result<PathBuf> {
    let mut place = destination.to_path_buf();
    for part in relative(path, from, Platform::HERE)? {
        place.push(crate::fs::path_from_bytes(&part));
    }
    Ok(place)
}

/// The form in which two names are equal that `platform` takes for the same; `None` where only equal bytes are.
/// Windows compares upper case, character by character.
pub fn fold(name: &[u8], platform: Platform) -> Option<Vec<u8>> {
    if platform == Platform::Unix {
        return None;
    }
    let mut folded = Vec::with_capacity(name.len());
    for part in name.utf8_chunks() {
        for c in part.valid().chars() {
            let mut upper = c.to_uppercase();
            // What becomes several letters, as \u{df}, is left alone there too.
            let one = upper.next().filter(|_| upper.next().is_none());
            let c = one.unwrap_or(c);
            folded.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        folded.extend_from_slice(part.invalid());
    }
    Some(folded)
}

/// Can a file have this name on `platform`?
fn check(name: &[u8], platform: Platform) -> Result<()> {
    let why = match name {
        [] => "is empty",
        [b'.'] | [b'.', b'.'] => "means a directory",
        name if name.contains(&b'/') || name.contains(&0) => "contains \"/\" or a zero byte",
        name if platform == Platform::Windows => match windows_fault(name) {
            None => return Ok(()),
            Some(why) => why,
        },
        _ => return Ok(()),
    };
    Err(Error::failed(format!(
        "the name \"{}\" is not possible here: it {why}",
        printable(name)
    )))
}

fn windows_fault(name: &[u8]) -> Option<&'static str> {
    if name.iter().any(|b| *b < 32 || br#"<>:"|?*\"#.contains(b)) {
        return Some("contains a character that Windows does not allow");
    }
    if name.ends_with(b".") || name.ends_with(b" ") {
        return Some("ends in a dot or a space");
    }
    if !is_wtf8(name) {
        return Some("is not Unicode");
    }
    let stem = name.split(|b| *b == b'.').next().unwrap_or_default();
    let stem = stem.trim_ascii_end().to_ascii_uppercase();
    let numbered = stem.strip_prefix(b"COM").or(stem.strip_prefix(b"LPT"));
    // Superscript digits count as digits for these devices.
    let port = |rest: &[u8]| {
        matches!(rest, [b'0'..=b'9']) || ["¹", "²", "³"].iter().any(|s| s.as_bytes() == rest)
    };
    if RESERVED.contains(&stem.as_slice()) || numbered.is_some_and(port) {
        return Some("is the name of a device on Windows");
    }
    None
}

/// UTF-8, with lone surrogates allowed (three bytes from `ED A0 80` to `ED BF BF`).
fn is_wtf8(name: &[u8]) -> bool {
    let mut rest = name;
    loop {
        let Err(error) = std::str::from_utf8(rest) else {
            return true;
        };
        rest = rest.get(error.valid_up_to()..).unwrap_or_default();
        match rest {
            [0xed, 0xa0..=0xbf, 0x80..=0xbf, more @ ..] => rest = more,
            _ => return false,
        }
    }
}
