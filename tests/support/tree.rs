//! Trees of files: made from a seed, read back, compared.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// Bytes that no compressor shrinks, the same for the same seed.
pub fn random_bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new()
        .update(&seed.to_be_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

/// All files below a folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    // Files come and go while the program runs.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files_below(&entry.path())),
            Ok(_) => found.push(entry.path()),
            Err(_) => {}
        }
    }
    found
}

/// Makes `count` files of up to `largest` bytes in nested folders under `root`: most of them small, every third of
/// compressible text, some empty, some equal to others; times are set. The same for the same seed. Gives their paths.
pub fn make_tree(root: &Path, seed: u64, count: usize, largest: usize) -> Vec<PathBuf> {
    fs::create_dir_all(root).unwrap();
    let mut paths = Vec::new();
    for i in 0..count as u64 {
        let dice = random_bytes(8, seed ^ (i << 20));
        let directory = root
            .join(format!("d{}", dice[0] % 7))
            .join(format!("e{}", dice[1] % 5));
        fs::create_dir_all(&directory).unwrap();
        // Sizes spread over orders of magnitude, from 0 up.
        let size = (largest >> (dice[2] % 12)) * usize::from(dice[3]) / 255;
        let body = match i % 3 {
            0 => format!("line {i} of seed {seed}\n")
                .into_bytes()
                .into_iter()
                .cycle()
                .take(size)
                .collect(),
            // Every tenth kind of content repeats.
            _ => random_bytes(size, seed ^ if i % 10 == 1 { 1 } else { i }),
        };
        let path = directory.join(format!("file {i}.dat"));
        fs::write(&path, body).unwrap();
        let time = UNIX_EPOCH + Duration::new(1_600_000_000 + i, u32::from(dice[4]) * 1_000_003);
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(time)
            .unwrap();
        paths.push(path);
    }
    paths
}

/// Every regular file under `root` by its path relative to it, and every directory with no content.
pub fn read_tree(root: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut tree = BTreeMap::new();
    let mut todo = vec![root.to_owned()];
    while let Some(directory) = todo.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_owned();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            if kind.is_dir() {
                tree.insert(name, None);
                todo.push(path);
            } else if kind.is_file() {
                tree.insert(name, Some(fs::read(&path).unwrap()));
            }
        }
    }
    tree
}

/// Panics with the first path that differs, not with megabytes of contents.
#[track_caller]
pub fn assert_same_tree(expected: &Path, found: &Path) {
    let (expected, found) = (read_tree(expected), read_tree(found));
    for (path, body) in &expected {
        match found.get(path) {
            None => panic!("{} is missing", path.display()),
            Some(other) => assert!(other == body, "{} differs", path.display()),
        }
    }
    let extra = found.keys().find(|path| !expected.contains_key(*path));
    assert!(extra.is_none(), "{extra:?} should not be there");
}

/// What is under a folder: the hash of each regular file's content, where links lead, and which folders there are.
pub type Print = BTreeMap<PathBuf, String>;

/// The print of what is under `root`.
pub fn fingerprint(root: &Path) -> Print {
    let mut found = Print::new();
    let mut todo = vec![root.to_owned()];
    while let Some(directory) = todo.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_owned();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            let print = if kind.is_dir() {
                todo.push(path);
                "folder".to_owned()
            } else if kind.is_symlink() {
                format!("link to {}", fs::read_link(&path).unwrap().display())
            } else {
                blake3::hash(&fs::read(&path).unwrap()).to_string()
            };
            found.insert(name, print);
        }
    }
    found
}
