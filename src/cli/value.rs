//! A command-line value that need not be UTF-8.
//!
//! argh works on `&str`. The pre-pass replaces what is not UTF-8 by a stand-in that starts with NUL (no argument
//! from outside can) followed by the value's code units in hexadecimal; [`OsArg`] turns it back.

use std::ffi::{OsStr, OsString};

/// First character of a stand-in.
const MARK: char = '\0';

/// A value as the operating system gave it: a path, a pattern, a passphrase.
#[derive(Clone, PartialEq, Eq)]
pub struct OsArg(pub OsString);

impl OsArg {
    /// The value's raw bytes (Windows: WTF-8).
    pub fn bytes(&self) -> &[u8] {
        self.0.as_encoded_bytes()
    }

    /// The value as a path.
    pub fn path(&self) -> &std::path::Path {
        std::path::Path::new(&self.0)
    }

    /// No bytes at all? Empty values count as not given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl argh::FromArgValue for OsArg {
    fn from_arg_value(value: &str) -> Result<Self, String> {
        match value.strip_prefix(MARK) {
            None => Ok(OsArg(value.into())),
            Some(hex) => decode(hex).map(OsArg).ok_or_else(|| "not a value".into()),
        }
    }
}

/// `value` as argh can carry it.
pub fn encode(value: &OsStr) -> String {
    match value.to_str() {
        Some(text) if !text.starts_with(MARK) => text.to_owned(),
        _ => format!("{MARK}{}", hex::encode(units(value))),
    }
}

#[cfg(unix)]
fn units(value: &OsStr) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(value).to_vec()
}

#[cfg(unix)]
fn decode(text: &str) -> Option<OsString> {
    hex::decode(text)
        .ok()
        .map(std::os::unix::ffi::OsStringExt::from_vec)
}

#[cfg(windows)]
fn units(value: &OsStr) -> Vec<u8> {
    std::os::windows::ffi::OsStrExt::encode_wide(value)
        .flat_map(u16::to_be_bytes)
        .collect()
}

#[cfg(windows)]
fn decode(text: &str) -> Option<OsString> {
    let bytes = hex::decode(text).ok()?;
    let wide: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|b| u16::from_be_bytes([b[0], b[1]]))
        .collect();
    Some(std::os::windows::ffi::OsStringExt::from_wide(&wide))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use argh::FromArgValue;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn any_bytes_survive() {
        for raw in [&b"plain"[..], b"", b"\xff/\xfe", b"gr\xc3\xbcn", b"--x"] {
            let value = OsString::from_vec(raw.to_vec());
            assert_eq!(OsArg::from_arg_value(&encode(&value)).unwrap().0, value);
        }
        assert!(OsArg::from_arg_value("\0zz").is_err());
    }
}
