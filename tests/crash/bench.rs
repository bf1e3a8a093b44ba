//! One cell's repository, source, and what is known to be in it.

use crate::place::Place;
use crate::support::{Corso, Dice, Finished, Print, fingerprint, random_bytes, temp_dir};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// When a run is killed.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// So long after its start.
    After(Duration),
    /// At its request (on a folder: change) of this number, before the storage hears of it or after it has answered.
    Request { number: u64, answered: bool },
}

impl Moment {
    /// Between the two times (ms), and a little after; or, in a third of cases, at one of `requests`.
    pub fn pick(dice: &mut Dice, (first, last): (u64, u64), requests: u64) -> Moment {
        if requests > 0 && dice.chance(34) {
            return Moment::Request {
                number: 1 + dice.below(requests),
                answered: dice.chance(50),
            };
        }
        let span = last.saturating_sub(first);
        Moment::After(Duration::from_millis(
            first + dice.below(span + span / 20 + 1),
        ))
    }
}

/// A backup that reported success.
struct Made {
    id: String,
    source: Print,
    /// Which of the places it is in.
    spot: usize,
}

pub struct Bench {
    name: String,
    pub corso: Corso,
    place: Place,
    dice: Dice,
    work: tempfile::TempDir,
    spot: usize,
    passphrase: String,
    made: Vec<Made>,
    files: u64,
    /// When opening is done and when an undisturbed run ends (ms), and its requests.
    measured: ((u64, u64), u64),
    crashes: u64,
    killed: u64,
    restores: u64,
}

impl Bench {
    pub fn new(name: &str, place: Place) -> Bench {
        let dice = Dice::from_env("CORSO_CRASH_SEED", &format!("{name} on {}", place.name()));
        let mut corso = Corso::new();
        place.equip(&mut corso);
        let mut bench = Bench {
            name: name.to_owned(),
            corso,
            place,
            dice,
            work: temp_dir(),
            spot: 0,
            passphrase: String::new(),
            made: Vec::new(),
            files: 0,
            measured: ((0, 0), 0),
            crashes: 0,
            killed: 0,
            restores: 0,
        };
        bench.use_passphrase("a passphrase");
        std::fs::create_dir(bench.source()).unwrap();
        bench.change();
        bench
    }

    /// How often a cell is hit.
    pub fn crashes(&self) -> u64 {
        let given = std::env::var("CORSO_CRASHES").ok();
        given.and_then(|n| n.parse().ok()).unwrap_or(15)
    }

    pub fn passphrase(&self) -> &str {
        &self.passphrase
    }

    pub fn use_passphrase(&mut self, passphrase: &str) {
        self.passphrase = passphrase.to_owned();
        self.corso.set("CORSO_PASSPHRASE", passphrase);
    }

    fn source(&self) -> PathBuf {
        self.work.path().join("source")
    }

    /// Another spot, in which there is no repository yet.
    pub fn next_place(&mut self) {
        self.spot += 1;
        // Of a repository that was connected to before.
        let _ = std::fs::remove_dir_all(self.corso.home().join(".config"));
    }

    pub fn init_words(&self, more: &[&str]) -> Vec<String> {
        let mut words = self.place.init_words(self.spot);
        words.extend(["--pack-size", "1M"].map(String::from));
        words.extend(more.iter().map(|w| (*w).to_owned()));
        words
    }

    pub fn init(&mut self, more: &[&str]) {
        let words = self.init_words(more);
        self.ok(&words);
    }

    pub fn run(&self, words: &[String]) -> Finished {
        self.corso.run(words)
    }

    #[track_caller]
    pub fn ok(&self, words: &[String]) -> Finished {
        self.corso.ok(words)
    }

    /// A large new file, a few small ones, and some of the old ones go.
    pub fn change(&mut self) {
        for size in [1_500_000, 300_000, 5000, 100, 0] {
            self.write(size);
        }
        let old = self.files.saturating_sub(15);
        for number in old.saturating_sub(5)..old {
            let _ = std::fs::remove_file(self.source().join(format!("file {number}")));
        }
    }

    pub fn small_change(&mut self) {
        self.write(1000);
    }

    fn write(&mut self, size: usize) {
        let path = self.source().join(format!("file {}", self.files));
        std::fs::write(path, random_bytes(size, self.dice.next())).unwrap();
        self.files += 1;
    }

    pub fn backup_words(&self) -> Vec<String> {
        let source = self.source().display().to_string();
        ["backup", "create", &source].map(String::from).to_vec()
    }

    /// A backup that must succeed.
    pub fn backup(&mut self) {
        let finished = self.ok(&self.backup_words());
        self.count_backup(&finished);
    }

    /// Remembers a backup if it reported success.
    pub fn count_backup(&mut self, finished: &Finished) {
        if finished.code == 0 {
            self.made.push(Made {
                id: finished.stdout.trim().to_owned(),
                source: fingerprint(&self.source()),
                spot: self.spot,
            });
        }
    }

    /// Two backups, and those before the last two go: something for maintenance to do.
    pub fn litter(&mut self) {
        for _ in 0..2 {
            self.change();
            self.backup();
        }
        while self.made.len() > 3 {
            let oldest = self.made.remove(0);
            self.ok(&["backup".into(), "delete".into(), oldest.id]);
        }
    }

    /// See [`Place::age`].
    pub fn age(&self, seconds: u64) {
        self.place.age(seconds);
    }

    /// Of all backups the newest `keep` are left.
    #[track_caller]
    pub fn forgot_all_but(&mut self, keep: usize) {
        self.made.drain(..self.made.len() - keep);
        let listed = self.ok(&["backup", "list", "--json"].map(String::from));
        let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
        let ids = listed["backups"].as_array().unwrap().iter();
        let ids: Vec<&str> = ids.map(|b| b["id"].as_str().unwrap()).collect();
        let expected: Vec<&str> = self.made.iter().map(|m| m.id.as_str()).collect();
        assert_eq!(ids, expected);
    }

    /// One undisturbed run: how long it takes, and how many requests.
    pub fn measure(&mut self, words: &[String]) {
        let begin = Instant::now();
        self.run(&["repo", "status"].map(String::from));
        let opened = begin.elapsed().as_millis() as u64;
        let mut counter = self.place.count(None);
        let begin = Instant::now();
        let mut child = self.corso.command(words).spawn().unwrap();
        while child.try_wait().unwrap().is_none() {
            counter.reached();
            std::thread::sleep(Duration::from_millis(1));
        }
        let all = begin.elapsed().as_millis() as u64;
        let requests = counter.number();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        self.measured = ((opened.min(all) / 2, all), requests);
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        if words.get(1).is_some_and(|w| w == "create") {
            self.count_backup(&Finished {
                code: 0,
                stdout,
                stderr: String::new(),
            });
        }
    }

    /// Runs and kills at a random moment. The code is -1 unless the run was over before that.
    pub fn crash(&mut self, words: &[String]) -> Finished {
        let moment = Moment::pick(&mut self.dice, self.measured.0, self.measured.1);
        let stop = match moment {
            Moment::Request { number, answered } => Some((number, answered)),
            Moment::After(_) => None,
        };
        let mut counter = self.place.count(stop);
        let begin = Instant::now();
        let mut child = self.corso.command(words).spawn().unwrap();
        let over = loop {
            if child.try_wait().unwrap().is_some() {
                break true;
            }
            let now = match moment {
                Moment::After(time) => begin.elapsed() >= time,
                Moment::Request { .. } => counter.reached(),
            };
            if now {
                child.kill().unwrap();
                break false;
            }
            std::thread::sleep(Duration::from_micros(500));
        };
        let output = child.wait_with_output().unwrap();
        self.place.release();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let finished = Finished {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        };
        // A run may end a moment before it is killed, and it must have ended well.
        assert!(matches!(finished.code, 0 | -1), "{moment:?}: {finished:#?}");
        self.crashes += 1;
        self.killed += u64::from(!over && finished.code == -1);
        finished
    }

    /// Everything in the repository is whole.
    #[track_caller]
    pub fn clean(&self) {
        self.ok(&["repo", "check", "--read-data"].map(String::from));
    }

    #[track_caller]
    pub fn newest_restores(&mut self) {
        if let Some(newest) = self.made.pop() {
            self.restores_as(&newest);
            self.made.push(newest);
        }
    }

    /// All backups that reported success and were not deleted, in the spot in use.
    #[track_caller]
    pub fn everything_restores(&mut self) {
        let made = std::mem::take(&mut self.made);
        let spot = self.spot;
        for one in made.iter().filter(|m| m.spot == spot) {
            self.restores_as(one);
        }
        self.made = made;
    }

    #[track_caller]
    fn restores_as(&mut self, made: &Made) {
        let out = temp_dir();
        let target = out.path().display().to_string();
        let words = ["restore", &made.id, "--destination", &target];
        self.ok(&words.map(String::from));
        let landed = out.path().join(self.source().strip_prefix("/").unwrap());
        let found = fingerprint(&landed);
        assert!(
            found == made.source,
            "backup {} restores otherwise",
            made.id
        );
        self.restores += 1;
    }

    /// Counts, for people.
    pub fn tell(&self) {
        println!(
            "crash: {} on {}: {} runs, {} killed under way, {} restores compared",
            self.name,
            self.place.name(),
            self.crashes,
            self.killed,
            self.restores
        );
    }
}
