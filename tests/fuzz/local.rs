//! Files on the host's own disk: the index in the cache folder, and AWS's settings.

use corso::format::index::IndexPack;
use corso::format::pack::PackRow;
use corso::id::{Id, Id16};
use corso::index::{Index, sync};
use corso::s3::credentials::Profiles;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

const CHUNKS: u32 = 300;

/// A cache folder as `sync` leaves it; its files, by name.
static CACHE: LazyLock<Vec<(PathBuf, Vec<u8>)>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    bring_in_line(folder.path());
    let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        (
            path.file_name().unwrap().into(),
            std::fs::read(&path).unwrap(),
        )
    });
    files.filter(|(_, bytes)| !bytes.is_empty()).collect()
});

fn id(number: u32) -> Id {
    Id::sha256(&number.to_be_bytes())
}

fn bring_in_line(folder: &Path) -> Index {
    let object = Id([1; 32]);
    let row = |n: u32| PackRow {
        id: id(n),
        offset: 1152 + n * 100,
        stored: 100,
        raw: 84,
    };
    let pack = IndexPack {
        pack: Id([2; 32]),
        size: 1 << 20,
        kind: 1,
        rows: (0..CHUNKS).map(row).collect(),
    };
    let synced = sync(Some(folder), None, &[object], &mut |missing, sink| {
        for name in missing {
            sink.pack(name, &Id16::ZERO, &pack)?;
            sink.done(name);
        }
        Ok(())
    });
    let index = Index::new(&synced.unwrap());
    index.set_view(&|_| true, &|_| true);
    index
}

/// Damages one file of the cache: its number, where, and with what. Whatever is there, every chunk is found where it
/// is, or the damage is.
pub fn local(data: &[u8]) {
    let Some(([which, at @ ..], bytes)) = data.split_first_chunk::<4>() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for (number, (name, whole)) in CACHE.iter().enumerate() {
        let mut whole = whole.clone();
        if number == usize::from(*which) % CACHE.len() {
            let at = u32::from_be_bytes([0, at[0], at[1], at[2]]) as usize % whole.len();
            let end = whole.len().min(at + bytes.len());
            whole[at..end].copy_from_slice(&bytes[..end - at]);
        }
        std::fs::write(folder.path().join(name), whole).unwrap();
    }
    let index = bring_in_line(folder.path());
    for number in (0..CHUNKS + 20).step_by(7) {
        if let Ok(found) = index.contains(&Id16::ZERO, &id(number)) {
            assert_eq!(found, number < CHUNKS, "chunk {number}");
        }
    }
}

/// Both of AWS's files, with the same content.
pub fn profiles(file: &Path) {
    let env = |name: &str| match name {
        "AWS_SHARED_CREDENTIALS_FILE" | "AWS_CONFIG_FILE" => Some(OsString::from(file)),
        _ => None,
    };
    if let Ok(profiles) = Profiles::load(&env) {
        let _ = profiles.setting("default", "region");
        let _ = profiles.setting("a", "s3.endpoint_url");
    }
}
