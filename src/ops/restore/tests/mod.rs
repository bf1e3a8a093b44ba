//! Restores into real directories.
// Some helpers serve only the tests that need Unix.
#![cfg_attr(not(unix), allow(dead_code))]

// Links, modes, owners and devices.
#[cfg(unix)]
mod collide;
mod fail;
#[cfg(unix)]
mod hostile;
#[cfg(unix)]
mod kinds;

use super::*;
use crate::codec::cbor::Writer;
use crate::error::Error;
use crate::format::{Blob, Content, Extent, FileKind, FileTime, Piece};
use crate::repo::chunks::MemoryChunks;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// A snapshot in memory.
#[derive(Default)]
pub struct Snapshot {
    entries: BTreeMap<TreePath, Entry>,
    chunks: MemoryChunks,
}

pub fn path(text: impl AsRef<[u8]>) -> TreePath {
    let parts = text.as_ref().split(|&b| b == b'/');
    TreePath(
        parts
            .filter(|p| !p.is_empty())
            .map(<[u8]>::to_vec)
            .collect(),
    )
}

/// Bytes that do not compress or repeat.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_be_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

impl TreeSource for Snapshot {
    fn entries(&self, _: &[TreePath]) -> Result<EntryIter<'_>> {
        Ok(Box::new(
            self.entries.iter().map(|(p, e)| Ok((p.clone(), e.clone()))),
        ))
    }
}

impl Snapshot {
    /// Adds an entry, with the directories above it.
    pub fn add(&mut self, at: impl AsRef<[u8]>, mut entry: Entry) -> &mut Entry {
        let at = path(at);
        for depth in 1..at.0.len() {
            let above = TreePath(at.0[..depth].to_vec());
            self.entries
                .entry(above)
                .or_insert_with(|| dated(Entry::new(FileKind::Dir), 0o755));
        }
        if entry.mode == 0 {
            entry = dated(entry, 0o644);
        }
        self.entries.insert(at.clone(), entry);
        self.entries.get_mut(&at).unwrap()
    }

    pub fn dir(&mut self, at: impl AsRef<[u8]>, mode: u32) -> &mut Entry {
        self.add(at, dated(Entry::new(FileKind::Dir), mode))
    }

    /// A file in chunks of `cut` bytes.
    pub fn file_cut(&mut self, at: impl AsRef<[u8]>, bytes: &[u8], cut: usize) -> &mut Entry {
        let mut entry = Entry::new(FileKind::File);
        entry.size = bytes.len() as u64;
        entry.content = self.content(bytes, cut);
        self.add(at, entry)
    }

    pub fn file(&mut self, at: impl AsRef<[u8]>, bytes: &[u8]) -> &mut Entry {
        self.file_cut(at, bytes, 1 << 20)
    }

    pub fn content(&self, bytes: &[u8], cut: usize) -> Content {
        let piece = |raw: &[u8]| Piece {
            chunk: self.chunks.put(raw),
            offset: 0,
            len: raw.len() as u64,
        };
        Content {
            depth: 0,
            pieces: bytes.chunks(cut).map(piece).collect(),
        }
    }

    /// Several files in one chunk.
    pub fn bundle(&mut self, files: &[(&str, &[u8])]) {
        let raw: Vec<u8> = files
            .iter()
            .flat_map(|(_, bytes)| bytes.iter().copied())
            .collect();
        let chunk = self.chunks.put(&raw);
        let mut offset = 0;
        for (at, bytes) in files {
            let len = bytes.len() as u64;
            let mut entry = Entry::new(FileKind::File);
            entry.size = len;
            entry.content.pieces = vec![Piece { chunk, offset, len }];
            offset += len;
            self.add(at, entry);
        }
    }

    pub fn symlink(&mut self, at: impl AsRef<[u8]>, target: &str) -> &mut Entry {
        let mut entry = dated(Entry::new(FileKind::Symlink), 0o777);
        entry.link = target.as_bytes().to_vec();
        self.add(at, entry)
    }

    pub fn entry(&mut self, at: &str) -> &mut Entry {
        self.entries.get_mut(&path(at)).unwrap()
    }

    pub fn source(&self) -> Source<'_> {
        Source {
            tree: self,
            chunks: &self.chunks,
            chunk_id: &MemoryChunks::id_of,
        }
    }

    pub fn restore(&self, options: &RestoreOptions) -> (Result<RestoreReport>, Log) {
        self.restore_as(options, crate::fs::is_root(), &Stop::default())
    }

    pub fn restore_as(
        &self,
        options: &RestoreOptions,
        root: bool,
        stop: &Stop,
    ) -> (Result<RestoreReport>, Log) {
        let log = Log::default();
        let source = self.source();
        let report = super::restore_as(&source, options, &log, stop, root);
        (report, log)
    }

    /// Restores without a single error.
    pub fn restore_well(&self, options: &RestoreOptions) -> (RestoreReport, Log) {
        let (report, log) = self.restore(options);
        let report = report.unwrap();
        assert_eq!(report.errors, 0, "{log:?}");
        (report, log)
    }
}

/// 2001-09-09T01:46:40.123456789Z, owned by root.
fn dated(mut entry: Entry, mode: u32) -> Entry {
    entry.mode = mode;
    entry.mtime = FileTime {
        secs: 1_000_000_000,
        nanos: 123_456_789,
    };
    entry
}

pub fn extents(list: &[Extent]) -> Blob {
    let mut writer = Writer::new();
    writer.array(list.len());
    for extent in list {
        writer.array(2).u64(extent.offset).u64(extent.len);
    }
    Blob::Inline(writer.into_vec())
}

pub fn xattrs(list: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.array(list.len());
    for (name, value) in list {
        writer.array(2).bytes(name).bytes(value);
    }
    writer.into_vec()
}

/// Errors and notes, as text.
#[derive(Debug, Default)]
pub struct Log {
    pub errors: Mutex<Vec<(String, String)>>,
    pub notes: Mutex<Vec<(String, String)>>,
}

impl Log {
    pub fn error(&self, at: &str) -> String {
        find(&self.errors.lock().unwrap(), at)
    }

    pub fn note(&self, at: &str) -> String {
        find(&self.notes.lock().unwrap(), at)
    }
}

fn find(list: &[(String, String)], at: &str) -> String {
    let found = list.iter().find(|(p, _)| p == at);
    found
        .unwrap_or_else(|| panic!("nothing about {at} in {list:?}"))
        .1
        .clone()
}

impl Observer for Log {
    fn event(&self, event: Event<'_>) {
        let shown = crate::report::printable;
        match event {
            Event::FileError { path, error } => {
                self.errors
                    .lock()
                    .unwrap()
                    .push((shown(path), error.to_string()));
            }
            Event::FileNote { path, note } => {
                self.notes.lock().unwrap().push((shown(path), note.into()))
            }
            _ => {}
        }
    }
}

pub struct Place {
    pub dir: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Place {
        Place {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.at(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let at = self.at(name);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, bytes).unwrap();
    }

    pub fn options(&self) -> RestoreOptions {
        RestoreOptions {
            destination: self.dir.path().to_path_buf(),
            verify: true,
            ..Default::default()
        }
    }

    /// No temporary file is left anywhere.
    pub fn assert_clean(&self) {
        fn walk(dir: &Path) {
            for item in std::fs::read_dir(dir).unwrap() {
                let item = item.unwrap();
                let name = item.file_name().to_string_lossy().into_owned();
                assert!(!name.starts_with(".corso"), "left behind: {name}");
                if item.file_type().unwrap().is_dir() {
                    walk(&item.path());
                }
            }
        }
        walk(self.dir.path());
    }
}

/// Fails every chunk request, as a storage that is gone.
pub struct Gone;

impl crate::repo::chunks::Chunks for Gone {
    fn get(&self, _: &Id) -> Result<Vec<u8>> {
        Err(Error::new(
            crate::error::Kind::Network,
            "the network is gone",
        ))
    }

    fn get_many(
        &self,
        ids: &[Id],
        _: &(dyn Fn(&Id, &[u8]) -> Result<()> + Sync),
    ) -> Vec<(Id, Error)> {
        ids.iter()
            .filter_map(|id| self.get(id).err().map(|e| (*id, e)))
            .collect()
    }
}
