//! Windows paths as bytes of WTF-8: `C:\a` is `C:`, `a`; `\\srv\share\a` is `UNC`, `srv`, `share`, `a`.

use crate::error::{Error, Result};
use crate::format::TreePath;

/// A path's beginning.
enum Prefix<'a> {
    /// `C:\`, with the drive letter.
    Drive(u8),
    /// `C:` without a separator: relative to that drive's current directory.
    DriveRelative(u8),
    /// `\\srv\share`.
    Share(&'a [u8], &'a [u8]),
    /// `\`: relative to the current drive or share.
    Rooted,
    /// None of these.
    Relative,
}

fn separator(b: &u8) -> bool {
    matches!(b, b'\\' | b'/')
}

/// Is this component a drive, `C:`?
pub fn is_drive(part: &[u8]) -> bool {
    matches!(part, [letter, b':'] if letter.is_ascii_alphabetic())
}

/// Does the path need no current directory?
pub fn is_absolute(path: &[u8]) -> bool {
    match path {
        [a, b, ..] if separator(a) && separator(b) => true,
        [letter, b':'] => letter.is_ascii_alphabetic(),
        [letter, b':', next, ..] => letter.is_ascii_alphabetic() && separator(next),
        _ => false,
    }
}

/// See [`super::to_tree`].
pub fn to_tree(path: &[u8], directory: &[u8]) -> Result<TreePath> {
    let (mut parts, root_len, rest, verbatim) = start(path, directory)?;
    for part in rest.split(|b| *b == b'\\' || (!verbatim && *b == b'/')) {
        match part {
            [] => {}
            // Behind `\\?\` dots are names like others, and no file can have them.
            [b'.'] | [b'.', b'.'] if verbatim => {
                return Err(Error::usage(
                    "\".\" and \"..\" are not possible in a path that starts with \\\\?\\",
                ));
            }
            [b'.'] => {}
            [b'.', b'.'] => {
                if parts.len() > root_len {
                    parts.pop();
                }
            }
            part if part.contains(&b':') => {
                return Err(Error::usage("the path has a colon in a name")
                    .hint("streams are part of their file"));
            }
            part => parts.push(part.to_vec()),
        }
    }
    Ok(TreePath(parts))
}

/// The components that the path starts from, how many of them are its root (drive or share), what is left of the
/// path, and whether that is to be taken verbatim.
#[allow(clippy::type_complexity)]
fn start<'a>(path: &'a [u8], directory: &[u8]) -> Result<(Vec<Vec<u8>>, usize, &'a [u8], bool)> {
    let (path, verbatim, unc) = strip_verbatim(path);
    let (prefix, rest) = if unc {
        share(path, verbatim)?
    } else {
        prefix(path)?
    };
    let drive = |letter: u8| vec![vec![letter.to_ascii_uppercase(), b':']];
    let current = || -> Result<(Vec<Vec<u8>>, usize)> {
        if !is_absolute(directory) {
            return Err(Error::failed(
                "the current directory is not an absolute path",
            ));
        }
        let parts = to_tree(directory, b"")?.0;
        let root_len = if parts.first().is_some_and(|first| is_drive(first)) {
            1
        } else {
            3
        };
        Ok((parts, root_len))
    };
    let (parts, root_len) = match prefix {
        Prefix::Drive(letter) => (drive(letter), 1),
        Prefix::Share(server, share) => (vec![b"UNC".to_vec(), server.to_vec(), share.to_vec()], 3),
        _ if verbatim => {
            return Err(Error::usage(
                "only drives and shares can be backed up, not other devices",
            ));
        }
        Prefix::Relative => current()?,
        Prefix::Rooted => {
            let (mut parts, root_len) = current()?;
            parts.truncate(root_len);
            (parts, root_len)
        }
        // Each drive has a current directory of its own; only that of the current drive is known.
        Prefix::DriveRelative(letter) => match current()? {
            (parts, root_len) if parts.first() == drive(letter).first() => (parts, root_len),
            _ => {
                return Err(Error::usage(
                    "the path is relative to another drive's current directory",
                )
                .hint("write it in full"));
            }
        },
    };
    Ok((parts, root_len, rest, verbatim))
}

/// Removes `\\?\` or `\\.\` and says whether it was there, and whether `UNC\` followed it.
fn strip_verbatim(path: &[u8]) -> (&[u8], bool, bool) {
    let rest = match path
        .strip_prefix(br"\\?\")
        .or_else(|| path.strip_prefix(br"\\.\"))
    {
        Some(rest) => rest,
        None => {
            return (
                path,
                false,
                matches!(path, [a, b, ..] if separator(a) && separator(b)),
            );
        }
    };
    match rest.split_at_checked(4) {
        Some((unc, rest)) if unc.eq_ignore_ascii_case(br"UNC\") => (rest, true, true),
        _ => (rest, true, false),
    }
}

/// The beginning of a path that is no share's.
fn prefix(path: &[u8]) -> Result<(Prefix<'_>, &[u8])> {
    Ok(match path {
        [letter, b':'] if letter.is_ascii_alphabetic() => (Prefix::Drive(*letter), &[]),
        [letter, b':', next, rest @ ..] if letter.is_ascii_alphabetic() && separator(next) => {
            (Prefix::Drive(*letter), rest)
        }
        [letter, b':', rest @ ..] if letter.is_ascii_alphabetic() => {
            (Prefix::DriveRelative(*letter), rest)
        }
        [first, rest @ ..] if separator(first) => (Prefix::Rooted, rest),
        _ => (Prefix::Relative, path),
    })
}

/// `srv\share\rest`, with or without separators before it.
fn share(path: &[u8], verbatim: bool) -> Result<(Prefix<'_>, &[u8])> {
    let separator = |b: &u8| *b == b'\\' || (!verbatim && *b == b'/');
    let start = path
        .iter()
        .position(|b| !separator(b))
        .unwrap_or(path.len());
    let mut parts = path.get(start..).unwrap_or_default().splitn(3, separator);
    match (parts.next(), parts.next()) {
        (Some(server), Some(share)) if good_share_part(server) && good_share_part(share) => Ok((
            Prefix::Share(server, share),
            parts.next().unwrap_or_default(),
        )),
        _ => Err(Error::usage("a network path needs a server and a share")
            .hint("write it as \\\\server\\share\\dir")),
    }
}

fn good_share_part(part: &[u8]) -> bool {
    !matches!(part, [] | [b'.'] | [b'.', b'.'] | [b'?']) && !part.contains(&b':')
}

/// See [`super::to_native`].
pub fn to_native(path: &TreePath) -> Vec<u8> {
    let (mut out, rest) = match path.0.as_slice() {
        [] => return b"\\".to_vec(),
        [unc, rest @ ..] if unc == b"UNC" && rest.len() >= 2 => (b"\\".to_vec(), rest),
        [drive] if is_drive(drive) => return [drive, b"\\".as_slice()].concat(),
        [drive, rest @ ..] if is_drive(drive) => (drive.clone(), rest),
        rest => (Vec::new(), rest),
    };
    for part in rest {
        out.push(b'\\');
        out.extend_from_slice(part);
    }
    out
}
