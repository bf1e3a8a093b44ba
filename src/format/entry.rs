//! What a snapshot holds about one file: the types. Their encoding is in [`super::tree`].

use crate::id::Id;
use std::cmp::Ordering;

/// A path inside a snapshot: raw components, root first; empty is the root. See `corso-format(5)`, PATHS.
///
/// Order is the tree's: by parent path (component by component, shorter first), then by name. The root sorts first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TreePath(pub Vec<Vec<u8>>);

impl TreePath {
    /// The containing directory's components and the last component; `None` for the root.
    pub fn split(&self) -> Option<(&[Vec<u8>], &[u8])> {
        self.0
            .split_last()
            .map(|(name, parent)| (parent, name.as_slice()))
    }

    /// `self` with one more component.
    pub fn join(&self, name: &[u8]) -> TreePath {
        let mut parts = Vec::with_capacity(self.0.len() + 1);
        parts.extend_from_slice(&self.0);
        parts.push(name.to_vec());
        TreePath(parts)
    }

    /// Is `self` equal to `ancestor` or below it?
    pub fn starts_with(&self, ancestor: &TreePath) -> bool {
        self.0.starts_with(&ancestor.0)
    }

    /// Components joined by `/` with a leading `/`, as raw bytes (for display use [`crate::report::printable`]).
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for part in &self.0 {
            out.push(b'/');
            out.extend_from_slice(part);
        }
        if out.is_empty() {
            out.push(b'/');
        }
        out
    }
}

impl Ord for TreePath {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.split(), other.split()) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some((pa, na)), Some((pb, nb))) => pa.cmp(pb).then_with(|| na.cmp(nb)),
        }
    }
}

impl PartialOrd for TreePath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A file's time: seconds since the epoch (may be negative) and nanoseconds below one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileTime {
    /// Seconds.
    pub secs: i64,
    /// 0..=999_999_999.
    pub nanos: u32,
}

/// What kind of file an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FileKind {
    /// Regular file.
    File = 1,
    /// Directory.
    Dir = 2,
    /// Symbolic link.
    Symlink = 3,
    /// Named pipe.
    Fifo = 4,
    /// Character device.
    CharDevice = 5,
    /// Block device.
    BlockDevice = 6,
    /// Windows junction (mount-point reparse point); `link` holds its target.
    Junction = 7,
}

/// A run of content bytes: `len` bytes at `offset` of the raw bytes of chunk `id`.
/// In a list of depth > 0 the chunk holds a list of depth - 1 that covers `len` content bytes, and `offset` is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Piece {
    /// The chunk.
    pub chunk: Id,
    /// Where in the chunk's raw bytes this run starts.
    pub offset: u64,
    /// Length in bytes.
    pub len: u64,
}

/// A file's content as a list of pieces; `depth` > 0 means that the pieces are chunks which hold the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// 0: pieces are data. n: each piece's chunk holds an encoded list of depth n - 1.
    pub depth: u8,
    /// In order.
    pub pieces: Vec<Piece>,
}

impl Content {
    /// Bytes of content described.
    pub fn len(&self) -> u64 {
        self.pieces.iter().fold(0, |n, p| n.saturating_add(p.len))
    }

    /// No bytes at all?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A part of a file that is not a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Offset in the file.
    pub offset: u64,
    /// Length in bytes, > 0.
    pub len: u64,
}

/// Bytes that are inline, or too long for the entry and kept as content of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blob {
    /// In the entry.
    Inline(Vec<u8>),
    /// In chunks.
    Stored(Content),
}

/// A Windows alternate data stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// WTF-8, without the colons.
    pub name: Vec<u8>,
    /// Its bytes.
    pub content: Content,
}

/// The identity that hardlinked names of one file share: device and inode of the source.
pub type LinkId = (u64, u64);

/// One file in a snapshot. Fields that do not apply are empty, zero or `None`; they are not encoded then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: FileKind,
    /// Permission, set-id and sticky bits (`07777`).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Owner's name, raw bytes; empty if unknown.
    pub user: Vec<u8>,
    /// Group's name.
    pub group: Vec<u8>,
    /// Modification time.
    pub mtime: FileTime,
    /// Inode change time of the source; used only to see changes.
    pub ctime: FileTime,
    /// Creation time where the platform has one that can be set (Windows).
    pub created: Option<FileTime>,
    /// Length in bytes of a regular file (holes included).
    pub size: u64,
    /// Source device and inode; used to see changes.
    pub inode: u64,
    /// Source device number.
    pub device: u64,
    /// Set when the source has more than one name.
    pub hardlink: Option<LinkId>,
    /// Target of a symlink or junction.
    pub link: Vec<u8>,
    /// Major and minor of a device node.
    pub rdev: (u32, u32),
    /// A regular file's bytes: all of them, or with `extents` those of its extents, one after another.
    pub content: Content,
    /// `Some` for a sparse file: an encoded list of [`Extent`] (see `tree::encode_extents`), ascending, not touching.
    pub extents: Option<Blob>,
    /// Extended attributes, ACLs included (`system.posix_acl_access`): an encoded, sorted list of (name, value).
    pub xattrs: Option<Blob>,
    /// Windows file attributes.
    pub win_attributes: Option<u32>,
    /// Windows alternate streams.
    pub streams: Vec<Stream>,
    /// Windows security descriptor, self-relative.
    pub security: Option<Blob>,
    /// The file changed while it was read, twice: the content may mix two versions.
    pub unstable: bool,
}

impl Entry {
    /// An entry of `kind` with every other field empty.
    pub fn new(kind: FileKind) -> Self {
        Entry {
            kind,
            mode: 0,
            uid: 0,
            gid: 0,
            user: Vec::new(),
            group: Vec::new(),
            mtime: FileTime::default(),
            ctime: FileTime::default(),
            created: None,
            size: 0,
            inode: 0,
            device: 0,
            hardlink: None,
            link: Vec::new(),
            rdev: (0, 0),
            content: Content::default(),
            extents: None,
            xattrs: None,
            win_attributes: None,
            streams: Vec::new(),
            security: None,
            unstable: false,
        }
    }
}
