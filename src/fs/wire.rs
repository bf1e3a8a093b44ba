//! The two structures that Windows passes as bytes: lists of streams, and the data of a junction. Pure functions,
//! tested on every platform.

/// The names of a file's alternate streams, UTF-16 without colons, from a chain of `FILE_STREAM_INFO`. The unnamed
/// stream, which is the file's content, is not among them. `None` if the chain is broken.
pub fn stream_names(info: &[u8]) -> Option<Vec<Vec<u16>>> {
    let mut names = Vec::new();
    let mut rest = info;
    while !rest.is_empty() {
        let next = u32_at(rest, 0)? as usize;
        let len = u32_at(rest, 4)? as usize;
        let name = rest.get(24..24usize.checked_add(len)?)?;
        let name: Vec<u16> = name
            .chunks_exact(2)
            .map(|b| u16::from_le_bytes([b[0], b[1]]))
            .collect();
        names.extend(bare(&name));
        if next == 0 {
            break;
        }
        rest = rest.get(next..)?;
    }
    names.sort();
    Some(names)
}

/// `:name:$DATA` without colons and type; nothing for `::$DATA` and for streams that hold no data.
fn bare(name: &[u16]) -> Option<Vec<u16>> {
    let data: Vec<u16> = ":$DATA".encode_utf16().collect();
    let name = name.strip_suffix(data.as_slice())?;
    let name = name.strip_prefix(&[u16::from(b':')])?;
    (!name.is_empty()).then(|| name.to_vec())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

/// `IO_REPARSE_TAG_MOUNT_POINT`.
pub const MOUNT_POINT: u32 = 0xa000_0003;

/// The `REPARSE_DATA_BUFFER` of a junction to `target`, an absolute path as people write it (`C:\a`); `None` if it is
/// no such path or too long.
pub fn junction(target: &[u16]) -> Option<Vec<u8>> {
    let [letter, colon, slash, ..] = target else {
        return None;
    };
    let drive = u8::try_from(*letter).is_ok_and(|l| l.is_ascii_alphabetic());
    if !drive || *colon != u16::from(b':') || *slash != u16::from(b'\\') {
        return None;
    }
    let mut paths: Vec<u16> = r"\??\".encode_utf16().collect();
    paths.extend(target);
    let substitute = u16::try_from(paths.len() * 2).ok()?;
    paths.push(0);
    let print = u16::try_from(target.len() * 2).ok()?;
    let print_at = u16::try_from(paths.len() * 2).ok()?;
    paths.extend(target);
    paths.push(0);
    let len = u16::try_from(8 + paths.len() * 2).ok()?;
    let mut out = MOUNT_POINT.to_le_bytes().to_vec();
    for field in [len, 0, 0, substitute, print_at, print]
        .iter()
        .chain(&paths)
    {
        out.extend(field.to_le_bytes());
    }
    // MAXIMUM_REPARSE_DATA_BUFFER_SIZE.
    (out.len() <= 16 << 10).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    fn chain(names: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for (i, name) in names.iter().enumerate() {
            let name: Vec<u8> = wide(name).iter().flat_map(|u| u.to_le_bytes()).collect();
            let len = (24 + name.len()).next_multiple_of(8);
            let next = if i + 1 == names.len() { 0 } else { len };
            let start = out.len();
            out.extend((next as u32).to_le_bytes());
            out.extend((name.len() as u32).to_le_bytes());
            out.extend([0; 16]);
            out.extend(&name);
            out.resize(start + len, 0);
        }
        out
    }

    #[test]
    fn streams_are_listed_without_the_content_itself() {
        let info = chain(&["::$DATA", ":Zone.Identifier:$DATA", ":a:$DATA", ":x:$OTHER"]);
        assert_eq!(
            stream_names(&info),
            Some(vec![wide("Zone.Identifier"), wide("a")])
        );
        assert_eq!(stream_names(&[]), Some(vec![]));
    }

    #[test]
    fn a_broken_chain_is_noticed() {
        let good = chain(&[":a:$DATA", ":b:$DATA"]);
        for len in 1..30 {
            assert_eq!(stream_names(&good[..len]), None, "{len}");
        }
        let mut far = good.clone();
        far[0..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(stream_names(&far), None);
        let mut long = good;
        long[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(stream_names(&long), None);
    }

    #[test]
    fn a_junction_has_the_published_layout() {
        // Microsoft, REPARSE_DATA_BUFFER: tag, length, reserved, four offsets and lengths, both paths.
        let data = junction(&wide(r"C:\a")).unwrap();
        let mut expected = vec![
            3,
            0,
            0,
            0xa0,
            8 + 18 + 10,
            0,
            0,
            0,
            0,
            0,
            16,
            0,
            18,
            0,
            8,
            0,
        ];
        for unit in wide("\\??\\C:\\a\0C:\\a\0") {
            expected.extend(unit.to_le_bytes());
        }
        assert_eq!(data, expected);
        for bad in ["", "C:", "a\\b", r"\\srv\share", r"1:\"] {
            assert_eq!(junction(&wide(bad)), None, "{bad}");
        }
        assert_eq!(junction(&wide(&format!(r"C:\{}", "x".repeat(9000)))), None);
    }
}
