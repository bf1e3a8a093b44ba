//! The storage under all hosts, its faults and its clock.

use crate::support::{Corso, Dice, Fault, Proxy, Rclone, Seen, files_below, temp_dir};
use std::sync::Arc;
use std::time::Duration;

/// Of a hundred requests so many go wrong.
const FAULTS: u64 = 6;

pub enum Storage {
    Folder(tempfile::TempDir),
    S3(Box<(Rclone, Proxy)>),
}

impl Storage {
    pub fn folder() -> Storage {
        Storage::Folder(temp_dir())
    }

    /// None without rclone (suite `rclone`).
    pub fn s3() -> Option<Storage> {
        let rclone = Rclone::start(&["corso-test"])?;
        let proxy = Proxy::start(&rclone.endpoint());
        Some(Storage::S3(Box::new((rclone, proxy))))
    }

    pub fn name(&self) -> &'static str {
        match self {
            Storage::Folder(_) => "folder",
            Storage::S3(_) => "S3",
        }
    }

    pub fn equip(&self, corso: &mut Corso) {
        if let Storage::S3(s3) = self {
            corso.set("AWS_ACCESS_KEY_ID", &s3.0.keys().access);
            corso.set("AWS_SECRET_ACCESS_KEY", &s3.0.keys().secret);
        }
    }

    /// The words after `repo init` and `repo connect`.
    pub fn words(&self) -> Vec<String> {
        let line = match self {
            Storage::Folder(dir) => format!("filesystem --path {}", dir.path().display()),
            Storage::S3(s3) => format!(
                "s3 --bucket corso-test --disable-tls --endpoint {}",
                s3.1.endpoint()
            ),
        };
        line.split(' ').map(String::from).collect()
    }

    /// May a run fail because of the storage?
    pub fn is_faulty(&self) -> bool {
        matches!(self, Storage::S3(_))
    }

    /// Faults injected so far.
    pub fn faults(&self) -> u64 {
        match self {
            Storage::Folder(_) => 0,
            Storage::S3(s3) => s3.1.faults(),
        }
    }

    /// From now on requests go wrong, by this seed.
    pub fn make_faulty(&self, seed: u64) {
        if let Storage::S3(s3) = self {
            s3.1.set_plan(Some(Arc::new(move |number: u64, _: &Seen| {
                fault(seed, number)
            })));
        }
    }

    pub fn make_sound(&self) {
        if let Storage::S3(s3) = self {
            s3.1.set_plan(None);
        }
    }

    /// The storage's clock jumps: all that is stored was stored `by` earlier. Nothing may run meanwhile.
    pub fn jump(&mut self, by: Duration) {
        let root = match self {
            Storage::Folder(dir) => dir.path().to_owned(),
            Storage::S3(s3) => s3.0.root(),
        };
        for path in files_below(&root) {
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            let time = file.metadata().unwrap().modified().unwrap();
            file.set_modified(time - by).unwrap();
        }
        if let Storage::S3(s3) = self {
            s3.0.restart();
            s3.1.set_upstream(&s3.0.endpoint());
        }
    }
}

fn fault(seed: u64, number: u64) -> Option<Fault> {
    let mut dice = Dice::new(seed ^ number.wrapping_mul(0x9e37_79b9));
    if !dice.chance(FAULTS) {
        return None;
    }
    Some(match dice.below(7) {
        0 => Fault::Reset,
        1 => Fault::Status(500),
        2 => Fault::Status(503),
        3 => Fault::Delay(Duration::from_millis(dice.below(1500))),
        4 => Fault::CutRequest(dice.below(200_000)),
        5 => Fault::CutAnswer(dice.below(5000)),
        // All of it happens, and nobody is told.
        _ => Fault::CutAnswer(0),
    })
}
