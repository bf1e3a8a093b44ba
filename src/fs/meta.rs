//! Metadata that is not in an inode: names of owners, and the state of an open file.

use crate::format::{Entry, FileTime};
use std::collections::HashMap;

/// A file's extended attributes: (name, value), sorted by name as bytes. POSIX ACLs are among them
/// (`system.posix_acl_access`, `system.posix_acl_default`).
pub type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// More extended attributes on one file than this, in bytes of names and values, are an error.
pub const MAX_XATTRS: usize = 16 << 20;

/// Names of users and groups by number.
#[derive(Debug, Default)]
pub struct Owners {
    users: HashMap<u32, Vec<u8>>,
    groups: HashMap<u32, Vec<u8>>,
}

impl Owners {
    /// From the text of `passwd(5)` and `group(5)` files. The first line for a number wins, as in the C library;
    /// lines that do not parse are passed over.
    pub fn parse(passwd: &[u8], group: &[u8]) -> Self {
        Owners {
            users: by_number(passwd),
            groups: by_number(group),
        }
    }

    /// The user's name; empty if unknown.
    pub fn user(&self, uid: u32) -> &[u8] {
        self.users.get(&uid).map_or(&[], Vec::as_slice)
    }

    /// The group's name; empty if unknown.
    pub fn group(&self, gid: u32) -> &[u8] {
        self.groups.get(&gid).map_or(&[], Vec::as_slice)
    }

    /// The number of the user with this name.
    pub fn uid(&self, user: &[u8]) -> Option<u32> {
        number_of(&self.users, user)
    }

    /// The number of the group with this name.
    pub fn gid(&self, group: &[u8]) -> Option<u32> {
        number_of(&self.groups, group)
    }
}

/// `name:password:number:...` lines to a map from number to name.
fn by_number(text: &[u8]) -> HashMap<u32, Vec<u8>> {
    let mut map = HashMap::new();
    for line in text.split(|b| *b == b'\n') {
        let mut fields = line.split(|b| *b == b':');
        let (Some(name), Some(_), Some(number)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let number = std::str::from_utf8(number)
            .ok()
            .and_then(|n| n.parse().ok());
        if let (Some(number), false) = (number, name.is_empty() || name.starts_with(b"#")) {
            map.entry(number).or_insert_with(|| name.to_vec());
        }
    }
    map
}

/// The lowest number with this name.
fn number_of(map: &HashMap<u32, Vec<u8>>, name: &[u8]) -> Option<u32> {
    map.iter()
        .filter(|(_, n)| !name.is_empty() && n.as_slice() == name)
        .map(|(number, _)| *number)
        .min()
}

/// What an open file's inode said at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileState {
    /// Length in bytes.
    pub size: u64,
    /// Bytes that the file system says it uses for the content; less than `size` where there are holes.
    pub allocated: u64,
    /// Modification time.
    pub mtime: FileTime,
    /// Inode change time (zero where the platform has none).
    pub ctime: FileTime,
    /// Device and inode.
    pub identity: (u64, u64),
    /// Is it a regular file?
    pub regular: bool,
}

impl FileState {
    /// Could the content have changed between the two moments? `allocated` does not count: file systems settle it late.
    pub fn same_content(&self, later: &FileState) -> bool {
        (self.size, self.mtime, self.ctime, self.identity)
            == (later.size, later.mtime, later.ctime, later.identity)
    }

    /// Puts what the open file says into an entry that was made from an earlier look.
    pub fn update(&self, entry: &mut Entry) {
        entry.size = self.size;
        entry.mtime = self.mtime;
        entry.ctime = self.ctime;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_parsed_and_odd_lines_passed_over() {
        let owners = Owners::parse(
            b"root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\n\n# c:x:7\nbad\nj\xf6rg:x:1000:1000::/:\nx:y:notanumber:1\n",
            b"root:x:0:\nstaff:x:50:a,b",
        );
        assert_eq!(owners.user(0), b"root");
        assert_eq!(owners.user(1000), b"j\xf6rg");
        assert_eq!(owners.user(7), b"");
        assert_eq!(owners.group(50), b"staff");
        assert_eq!(owners.uid(b"j\xf6rg"), Some(1000));
        assert_eq!(
            (owners.gid(b"staff"), owners.gid(b""), owners.gid(b"none")),
            (Some(50), None, None)
        );
    }
}
