//! Snapshots: the manifest of one backup, sealed so that only full keys read it.

use super::builder::seal_payloads;
use super::container::ObjectKind;
use super::entry::TreePath;
use super::pack::{Object, Sealed};
use crate::codec::cbor::{Fields, Reader, Writer, required};
use crate::crypto::{Cipher, DomainKeys, Keyring, Session};
use crate::error::{Error, Result};
use crate::id::{Id, Id16};
use crate::units::Time;
use std::sync::Arc;

/// Longest manifest, bytes.
pub const MAX_MANIFEST: usize = 16 << 20;
/// Longest object, bytes.
pub const MAX_OBJECT: u64 = 64 << 20;
const MAX_TEXT: usize = 64 << 10;
const MAX_PARTS: usize = 32 << 10;
const MAX_ITEMS: usize = 64 << 10;

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub dirs: u64,
    /// Other entries.
    pub others: u64,
    /// Bytes of regular files, holes included.
    pub bytes: u64,
    /// Raw bytes of chunks that were new.
    pub added: u64,
    /// Bytes uploaded for them, metadata included.
    pub stored: u64,
    /// Files that the parent did not have.
    pub files_new: u64,
    /// Files that differ from the parent's.
    pub files_changed: u64,
    /// Files that do not.
    pub files_unmodified: u64,
    /// Files that could not be read.
    pub errors: u64,
    /// Milliseconds.
    pub duration_ms: u64,
    /// Entries of the tree.
    pub entries: u64,
}

impl Stats {
    fn cells(&mut self) -> [&mut u64; 12] {
        [
            &mut self.files,
            &mut self.dirs,
            &mut self.others,
            &mut self.bytes,
            &mut self.added,
            &mut self.stored,
            &mut self.files_new,
            &mut self.files_changed,
            &mut self.files_unmodified,
            &mut self.errors,
            &mut self.duration_ms,
            &mut self.entries,
        ]
    }
}

/// What a snapshot says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// When the backup began, by the host's clock.
    pub time: Time,
    /// When it ended.
    pub ended: Time,
    /// Host name.
    pub host: String,
    /// User name.
    pub user: String,
    /// Absolute source paths, as the platform writes them.
    pub sources: Vec<Vec<u8>>,
    /// Tags.
    pub tags: Vec<String>,
    /// The tree's root node.
    pub root: Id,
    /// Levels of the tree.
    pub levels: u8,
    /// Counts.
    pub stats: Stats,
    /// Whose domain the tree's chunks are of.
    pub writer: Id16,
    /// The run that made it.
    pub run: Id16,
    /// One more than in the writer's snapshot before, on the same host.
    pub counter: u64,
    /// That snapshot.
    pub previous: Option<Id>,
    /// The snapshot that files were compared with.
    pub parent: Option<Id>,
    /// The program that made it.
    pub version: String,
    /// `linux`, `macos`, `windows` ...
    pub platform: String,
    /// Exclude patterns in force.
    pub excludes: Vec<String>,
    /// Files that are not in the backup because they could not be read, and why; the first thousand.
    pub unreadable: Vec<(TreePath, String)>,
    /// The epoch of the root secret that the domain's keys come from.
    pub domain_epoch: u32,
}

/// The manifest's CBOR.
pub fn encode(manifest: &Manifest) -> Result<Vec<u8>> {
    let m = manifest;
    let mut w = Writer::new();
    w.map(|f| {
        f.i64(1, m.time.0);
        f.text(2, &m.host);
        f.text(3, &m.user);
        let w = f.key(4).array(m.sources.len());
        for source in &m.sources {
            w.bytes(source);
        }
        texts(f, 5, &m.tags);
        f.bytes(6, m.root);
        f.u64(7, m.levels.into());
        let mut stats = m.stats;
        f.key(8).map(|f| {
            for (cell, key) in stats.cells().into_iter().zip(1..) {
                f.u64_nonzero(key, *cell);
            }
        });
        f.bytes(9, m.writer);
        f.bytes(10, m.run);
        f.u64(11, m.counter);
        if let Some(id) = m.previous {
            f.bytes(12, id);
        }
        if let Some(id) = m.parent {
            f.bytes(13, id);
        }
        f.text(14, &m.version);
        f.text(15, &m.platform);
        if !m.excludes.is_empty() {
            texts(f, 16, &m.excludes);
        }
        if !m.unreadable.is_empty() {
            let w = f.key(17).array(m.unreadable.len());
            for (path, why) in &m.unreadable {
                w.array(2).array(path.0.len());
                for part in &path.0 {
                    w.bytes(part);
                }
                w.text(why);
            }
        }
        f.i64(18, m.ended.0);
        f.u64(19, m.domain_epoch.into());
    });
    let bytes = w.into_vec();
    match bytes.len() <= MAX_MANIFEST {
        true => Ok(bytes),
        false => Err(Error::failed("the snapshot's manifest is too long")
            .hint("name fewer sources and patterns")),
    }
}

fn texts(f: &mut Fields<'_>, key: u64, list: &[String]) {
    let w = f.key(key).array(list.len());
    for text in list {
        w.text(text);
    }
}

fn read_texts(r: &mut Reader<'_>) -> Result<Vec<String>> {
    r.list(MAX_ITEMS, |r| Ok(r.text(MAX_TEXT)?.to_owned()))
}

fn read_stats(r: &mut Reader<'_>) -> Result<Stats> {
    let mut stats = Stats::default();
    r.map(|key, r| {
        match stats
            .cells()
            .into_iter()
            .nth((key as usize).wrapping_sub(1))
        {
            Some(cell) => {
                *cell = r.u64()?;
                Ok(true)
            }
            None => Ok(false),
        }
    })?;
    Ok(stats)
}

fn read_unreadable(r: &mut Reader<'_>) -> Result<(TreePath, String)> {
    r.array_of(2)?;
    let parts = r.list(MAX_PARTS, |r| Ok(r.bytes(MAX_TEXT)?.to_vec()))?;
    Ok((TreePath(parts), r.text(MAX_TEXT)?.to_owned()))
}

/// Reads a manifest's CBOR.
pub fn decode(bytes: &[u8]) -> Result<Manifest> {
    if bytes.len() > MAX_MANIFEST {
        return Err(Error::damaged("the manifest is too long"));
    }
    let mut m = Manifest::default();
    let (mut time, mut root, mut levels, mut writer, mut run, mut counter, mut epoch) =
        (None, None, None, None, None, None, None);
    let mut r = Reader::new(bytes);
    r.map(|key, r| {
        match key {
            1 => time = Some(Time(r.i64()?)),
            2 => m.host = r.text(MAX_TEXT)?.to_owned(),
            3 => m.user = r.text(MAX_TEXT)?.to_owned(),
            4 => m.sources = r.list(MAX_ITEMS, |r| Ok(r.bytes(MAX_TEXT)?.to_vec()))?,
            5 => m.tags = read_texts(r)?,
            6 => root = Some(r.id()?),
            7 => levels = Some(r.u8()?),
            8 => m.stats = read_stats(r)?,
            9 => writer = Some(r.id16()?),
            10 => run = Some(r.id16()?),
            11 => counter = Some(r.u64()?),
            12 => m.previous = Some(r.id()?),
            13 => m.parent = Some(r.id()?),
            14 => m.version = r.text(MAX_TEXT)?.to_owned(),
            15 => m.platform = r.text(MAX_TEXT)?.to_owned(),
            16 => m.excludes = read_texts(r)?,
            17 => m.unreadable = r.list(MAX_ITEMS, read_unreadable)?,
            18 => m.ended = Time(r.i64()?),
            19 => epoch = Some(r.u32()?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    r.finish()?;
    m.time = required(time, "time")?;
    m.root = required(root, "root")?;
    m.levels = required(levels, "levels")?;
    m.writer = required(writer, "writer")?;
    m.run = required(run, "run")?;
    m.counter = required(counter, "counter")?;
    m.domain_epoch = required(epoch, "epoch")?;
    Ok(m)
}

/// Can what this manifest says be written, and read again? Readers bound texts and lists.
///
/// # Errors
/// `Usage` where it has more or longer texts.
pub fn check(manifest: &Manifest) -> Result<()> {
    match decode(&encode(manifest)?) {
        Ok(_) => Ok(()),
        Err(e) => Err(Error::usage(format!(
            "a backup cannot say all this of itself: {}",
            e.message()
        ))
        .hint("give fewer or shorter sources, tags and patterns, or a shorter host name")),
    }
}

/// Seals a manifest of the session's run.
pub fn seal(
    manifest: &Manifest,
    session: &Session,
    cipher: Cipher,
    keys: &Arc<DomainKeys>,
) -> Result<Sealed> {
    check(manifest)?;
    seal_payloads(
        ObjectKind::Snapshot,
        &[&encode(manifest)?],
        session,
        cipher,
        keys,
    )
}

/// Opens a snapshot object, of whatever domain. Full keys only. The caller has checked the object's name.
///
/// # Errors
/// `RoleNeeded`, `Damaged`, also where the domain's MAC does not hold, or the manifest names another writer than the
/// object's trailer does.
pub fn open(bytes: &[u8], keyring: &Keyring) -> Result<Manifest> {
    let object = Object::open_kind(bytes, keyring, ObjectKind::Snapshot)?;
    let [row] = object.rows.as_slice() else {
        return Err(Error::damaged("a snapshot has not one frame"));
    };
    if row.raw as usize > MAX_MANIFEST {
        return Err(Error::damaged("the manifest is too long"));
    }
    let manifest = decode(&object.chunk(row)?)?;
    match manifest.writer == object.trailer.writer && manifest.run == object.trailer.run {
        true => Ok(manifest),
        false => Err(Error::damaged(
            "a snapshot names another writer than the object that holds it",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Manifest {
        Manifest {
            time: Time(-1),
            ended: Time(5),
            host: "h".into(),
            user: "u".into(),
            sources: vec![b"/a\xff".to_vec()],
            tags: vec!["t".into()],
            root: Id([1; 32]),
            levels: 2,
            stats: Stats {
                files: 3,
                entries: 9,
                ..Stats::default()
            },
            writer: Id16([2; 16]),
            run: Id16([3; 16]),
            counter: 7,
            previous: Some(Id([4; 32])),
            parent: None,
            version: "corso 1".into(),
            platform: "linux".into(),
            excludes: vec!["*.tmp".into()],
            unreadable: vec![(TreePath(vec![b"x".to_vec()]), "denied".into())],
            domain_epoch: 1,
        }
    }

    #[test]
    fn round_trip() {
        let bytes = encode(&sample()).unwrap();
        assert_eq!(decode(&bytes).unwrap(), sample());
        for at in 0..bytes.len() {
            assert!(decode(&bytes[..at]).is_err());
            let mut bad = bytes.clone();
            bad[at] ^= 0x41;
            let _ = decode(&bad);
        }
    }
}
