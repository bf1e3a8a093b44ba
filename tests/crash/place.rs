//! Where the repository of a cell is.

use crate::support::{Corso, Fault, Proxy, Rclone, Seen, files_below, temp_dir};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A storage that can say how far a run has come.
pub enum Place {
    Folder(tempfile::TempDir),
    S3(Box<(Rclone, Proxy)>),
}

impl Place {
    pub fn folder() -> Place {
        Place::Folder(temp_dir())
    }

    /// None without rclone (suite `rclone`).
    pub fn s3() -> Option<Place> {
        let rclone = Rclone::start(&["corso-test"])?;
        let proxy = Proxy::start(&rclone.endpoint());
        Some(Place::S3(Box::new((rclone, proxy))))
    }

    pub fn name(&self) -> &'static str {
        match self {
            Place::Folder(_) => "folder",
            Place::S3(_) => "S3",
        }
    }

    /// Sets the environment that the program needs.
    pub fn equip(&self, corso: &mut Corso) {
        if let Place::S3(s3) = self {
            corso.set("AWS_ACCESS_KEY_ID", &s3.0.keys().access);
            corso.set("AWS_SECRET_ACCESS_KEY", &s3.0.keys().secret);
        }
    }

    /// `repo init` in the place's spot `number`.
    pub fn init_words(&self, number: usize) -> Vec<String> {
        let line = match self {
            Place::Folder(dir) => {
                let path = dir.path().join(format!("repo{number}"));
                std::fs::create_dir_all(&path).unwrap();
                format!("repo init filesystem --path {}", path.display())
            }
            Place::S3(s3) => format!(
                "repo init s3 --bucket corso-test --prefix spot{number} --disable-tls --endpoint {}",
                s3.1.endpoint()
            ),
        };
        line.split(' ').map(String::from).collect()
    }

    /// Begins to count requests (on a folder: changes), and to hold the one with number `stop`.
    pub fn count(&self, stop: Option<(u64, bool)>) -> Counter<'_> {
        if let Place::S3(s3) = self {
            let plan = move |number: u64, _: &Seen| {
                let (at, answered) = stop?;
                (number == at).then_some(Fault::Hold { answered })
            };
            s3.1.set_plan(Some(Arc::new(plan)));
        }
        Counter {
            place: self,
            stop: stop.map(|(at, _)| at),
            changes: 0,
            before: self.files().len(),
        }
    }

    /// Nothing is held any more.
    pub fn release(&self) {
        if let Place::S3(s3) = self {
            s3.1.set_plan(None);
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        match self {
            Place::Folder(dir) => files_below(dir.path()),
            Place::S3(_) => Vec::new(),
        }
    }

    /// Everything stored was stored `seconds` earlier. On a folder alone: its files' times are the storage's clock.
    pub fn age(&self, seconds: u64) {
        for path in self.files() {
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            let time: SystemTime = file.metadata().unwrap().modified().unwrap();
            file.set_modified(time - Duration::from_secs(seconds))
                .unwrap();
        }
    }
}

/// How far a run has come.
pub struct Counter<'a> {
    place: &'a Place,
    stop: Option<u64>,
    changes: u64,
    before: usize,
}

impl Counter<'_> {
    /// Asked often. True when the run is where it is to be killed.
    pub fn reached(&mut self) -> bool {
        match self.place {
            Place::S3(s3) => s3.1.held(),
            Place::Folder(_) => {
                let now = self.place.files().len();
                self.changes += u64::from(now != self.before);
                self.before = now;
                self.stop.is_some_and(|at| self.changes >= at)
            }
        }
    }

    /// Requests, or changes seen, so far.
    pub fn number(&self) -> u64 {
        match self.place {
            Place::S3(s3) => s3.1.requests(),
            Place::Folder(_) => self.changes,
        }
    }
}
