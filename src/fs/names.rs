//! The names in one directory, packed: about the bytes of the names themselves, also for millions of them.

use std::io;

/// File names of one directory. Names hold no zero byte (no platform allows one).
#[derive(Default)]
pub struct Names {
    /// Each name followed by a zero byte.
    bytes: Vec<u8>,
    /// Where each name starts.
    starts: Vec<u32>,
}

impl Names {
    /// Adds a name; fails when all names together pass 4 GiB.
    pub fn push(&mut self, name: &[u8]) -> io::Result<()> {
        let start = u32::try_from(self.bytes.len())
            .map_err(|_| io::Error::other("the directory has too many names"))?;
        self.starts.push(start);
        self.bytes.extend_from_slice(name);
        self.bytes.push(0);
        Ok(())
    }

    /// Sorts the names as bytes and drops doubles (a directory that changes while listed may give a name twice).
    pub fn sort(&mut self) {
        let bytes = &self.bytes;
        self.starts
            .sort_unstable_by(|a, b| name_at(bytes, *a).cmp(name_at(bytes, *b)));
        self.starts
            .dedup_by(|a, b| name_at(bytes, *a) == name_at(bytes, *b));
    }

    /// The name number `index`, in sorted order after [`Names::sort`].
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.starts
            .get(index)
            .map(|start| name_at(&self.bytes, *start))
    }

    /// Is `name` among them? Only after [`Names::sort`].
    pub fn contains(&self, name: &[u8]) -> bool {
        self.starts
            .binary_search_by(|start| name_at(&self.bytes, *start).cmp(name))
            .is_ok()
    }
}

fn name_at(bytes: &[u8], start: u32) -> &[u8] {
    let rest = bytes.get(start as usize..).unwrap_or_default();
    let end = rest.iter().position(|b| *b == 0).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_as_bytes_without_doubles() {
        let mut names = Names::default();
        for name in [&b"b"[..], b"a\xff", b"a", b"b", b"A"] {
            names.push(name).unwrap();
        }
        names.sort();
        let all: Vec<_> = (0..9).filter_map(|i| names.get(i)).collect();
        assert_eq!(all, [&b"A"[..], b"a", b"a\xff", b"b"]);
        assert!(names.contains(b"a\xff") && !names.contains(b"c"));
        assert!(names.get(4).is_none());
    }
}
