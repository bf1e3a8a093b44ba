//! A source of two parts: one that stands still during a backup, and one that never does.

use crate::support::{Dice, Print, fingerprint, random_bytes};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// `still/` changes between backups; files of `moving/` are replaced, added and removed all the time, each as a whole,
/// and each ends with the hash of what comes before.
pub struct Tree {
    root: PathBuf,
    /// Where new files are written, to be moved into place.
    scratch: PathBuf,
}

impl Tree {
    pub fn new(at: &Path) -> Tree {
        let tree = Tree {
            root: at.join("source"),
            scratch: at.join("scratch"),
        };
        for folder in [
            tree.root.join("still"),
            tree.root.join("moving"),
            tree.scratch.clone(),
        ] {
            std::fs::create_dir_all(folder).unwrap();
        }
        tree
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A few random changes of the part that stands still.
    pub fn change(&self, dice: &mut Dice) {
        let still = self.root.join("still");
        for _ in 0..1 + dice.below(6) {
            let folder = still.join(format!("folder {}", dice.below(4)));
            std::fs::create_dir_all(&folder).unwrap();
            let path = folder.join(format!("file {}", dice.below(12)));
            match dice.below(6) {
                0 => drop(std::fs::remove_file(&path)),
                1 => drop(std::fs::rename(
                    &path,
                    folder.join(format!("other {}", dice.below(5))),
                )),
                2 => drop(std::fs::remove_dir_all(&folder)),
                // One that was there at some time, perhaps in a backup that has been forgotten since.
                3 => std::fs::write(&path, random_bytes(250_000, dice.below(20))).unwrap(),
                _ => {
                    let size = 600_000 >> dice.below(16);
                    std::fs::write(&path, random_bytes(size, dice.next())).unwrap();
                }
            }
        }
    }

    /// Changes the other part until `over`.
    pub fn keep_moving(&self, mut dice: Dice, over: &AtomicBool) {
        let moving = self.root.join("moving");
        while !over.load(Ordering::SeqCst) {
            let path = moving.join(format!("file {}", dice.below(30)));
            if dice.chance(20) {
                let _ = std::fs::remove_file(&path);
            } else {
                let mut bytes = random_bytes(300_000 >> dice.below(14), dice.next());
                let hash = *blake3::hash(&bytes).as_bytes();
                bytes.extend_from_slice(&hash);
                let new = self.scratch.join("new");
                std::fs::write(&new, bytes).unwrap();
                std::fs::rename(&new, &path).unwrap();
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    /// What a backup made now must restore to.
    pub fn print(&self) -> Print {
        fingerprint(&self.root.join("still"))
    }
}

/// Panics unless what was restored to `root` is what the source was.
#[track_caller]
pub fn compare(root: &Path, print: &Print, what: &str) {
    let found = fingerprint(&root.join("still"));
    assert!(
        found == *print,
        "{what} restores otherwise: {found:#?} is not {print:#?}"
    );
    for entry in std::fs::read_dir(root.join("moving")).into_iter().flatten() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let whole = bytes
            .split_last_chunk::<32>()
            .is_some_and(|(body, hash)| blake3::hash(body).as_bytes() == hash);
        assert!(whole, "{what}: {} mixes two files", path.display());
    }
}
