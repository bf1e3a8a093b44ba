//! One host: its home, its key, its source, and what it does.

use crate::storage::Storage;
use crate::support::{Corso, Dice, Finished};
use crate::tree::{Tree, compare};
use crate::world::{Made, World};
use std::sync::Mutex;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Full,
    /// All writer hosts share one key.
    Writer,
}

impl Key {
    pub fn passphrase(self) -> &'static str {
        match self {
            Key::Full => "a full key",
            Key::Writer => "a writer key",
        }
    }
}

pub struct Host {
    pub number: usize,
    key: Key,
    name: String,
    corso: Corso,
    pub tree: Tree,
    dice: Mutex<Dice>,
}

impl Host {
    pub fn new(number: usize, key: Key, storage: &Storage, dice: Dice) -> Host {
        let mut corso = Corso::new().env("CORSO_PASSPHRASE", key.passphrase());
        storage.equip(&mut corso);
        Host {
            number,
            key,
            name: format!("host{number}"),
            tree: Tree::new(&corso.home().join("data")),
            corso,
            dice: Mutex::new(dice),
        }
    }

    #[track_caller]
    pub fn ok(&self, words: &[&str]) -> Finished {
        self.corso.ok(words)
    }

    fn below(&self, n: u64) -> u64 {
        self.dice.lock().unwrap().below(n)
    }

    /// One random thing.
    pub fn act(&self, world: &World) {
        match (self.key, self.below(100)) {
            (Key::Writer, _) | (_, 0..30) => self.backup(world),
            (_, 30..55) => {
                let made = world.made.lock().unwrap().clone();
                if let Some(one) = made.get(self.below(made.len() as u64) as usize) {
                    self.restore(world, one);
                }
            }
            (_, 55..75) => self.forget(world),
            _ => self.maintain(world),
        }
    }

    /// Runs, and kills one in ten at a random moment. None if it was killed or failed as it may.
    fn run(&self, world: &World, words: &[&str]) -> Option<Finished> {
        let kill = self.below(10) == 0;
        let life = Duration::from_millis(self.below(1500));
        let begin = Instant::now();
        let mut child = self.corso.command(words).spawn().unwrap();
        while kill && child.try_wait().unwrap().is_none() {
            if begin.elapsed() > life {
                child.kill().unwrap();
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let finished = Finished {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        };
        match finished.code {
            0 | 3 => return Some(finished),
            -1 if kill => world.count("runs killed"),
            // The storage failed for longer than a run is patient.
            14 if world.storage.is_faulty() => self.note(world, words, &finished),
            _ => panic!("{}: {words:?}: {finished:#?}", self.name),
        }
        None
    }

    fn note(&self, world: &World, words: &[&str], finished: &Finished) {
        world.count("runs failed");
        let last = finished.stderr.lines().last().unwrap_or_default();
        let words = words.iter().take(2).copied().collect::<Vec<_>>().join(" ");
        let what = format!("{words}: exit {}: {}", finished.code, steady(last));
        *world.failures.lock().unwrap().entry(what).or_default() += 1;
    }

    fn backup(&self, world: &World) {
        self.tree.change(&mut self.dice.lock().unwrap());
        let print = self.tree.print();
        let root = self.tree.root().display().to_string();
        let words = ["backup", "create", &root, "--host", &self.name];
        let Some(finished) = self.run(world, &words) else {
            return;
        };
        world.count(match self.key {
            Key::Full => "backups with a full key",
            Key::Writer => "backups with a writer key",
        });
        world.made.lock().unwrap().push(Made {
            id: finished.stdout.trim().to_owned(),
            host: self.number,
            back: false,
            print,
        });
    }

    /// Restores and compares. False if it may have failed, since the storage did or the backup was forgotten meanwhile.
    pub fn restore(&self, world: &World, made: &Made) -> bool {
        let forgets = &world.forgets[made.host];
        let before = forgets.1.load(SeqCst);
        let out = tempfile::tempdir().unwrap();
        let target = out.path().display().to_string();
        let words = ["restore", &made.id, "--destination", &target];
        let finished = self.corso.run(&words);
        // A forget that was over before, and none begun since: nobody touched it.
        let known = || world.made.lock().unwrap().iter().any(|m| m.id == made.id);
        let overtaken = forgets.0.load(SeqCst) != before || !known();
        match finished.code {
            0 => {
                let source = self.tree_of(world, made);
                let landed = out.path().join(source.trim_start_matches('/'));
                compare(&landed, &made.print, &format!("backup {}", made.id));
                world.count("restores compared");
                return true;
            }
            _ if overtaken => world.count("restores overtaken by a forget"),
            14 if world.storage.is_faulty() => self.note(world, &words, &finished),
            // Some files could not be had, and each says why.
            1 if world.storage.is_faulty() && is_network(&finished) => {
                self.note(world, &words, &finished)
            }
            _ => panic!("{}: {words:?}: {finished:#?}", self.name),
        }
        false
    }

    fn tree_of(&self, world: &World, made: &Made) -> String {
        world.roots.lock().unwrap()[made.host].clone()
    }

    /// Forgets all but the newest backups of one host; sometimes brings one back.
    fn forget(&self, world: &World) {
        let host = self.below(world.forgets.len() as u64) as usize;
        let forgets = &world.forgets[host];
        // One at a time for each host, or nobody could tell what must be left.
        let Ok(_turn) = world.turns[host].try_lock() else {
            return;
        };
        forgets.0.fetch_add(1, SeqCst);
        let name = format!("host{host}");
        let done = self.run(
            world,
            &["backup", "forget", "--host", &name, "--keep-last", "3"],
        );
        if done.is_some() {
            world.count("forgets");
        }
        let before: Vec<Made> = world
            .made
            .lock()
            .unwrap()
            .iter()
            .filter(|m| m.host == host)
            .cloned()
            .collect();
        let listed = self.list(&name);
        let gone: Vec<Made> = before
            .iter()
            .filter(|m| !listed.contains(&m.id))
            .cloned()
            .collect();
        assert!(gone.is_empty() || listed.len() >= 3, "{name}: {listed:?}");
        // Those made since the list are newer than all of these, those brought back are older.
        if let Some(newest) = before.iter().rfind(|m| !m.back) {
            assert!(
                listed.contains(&newest.id),
                "{name}: {} is gone: {listed:?}",
                newest.id
            );
        }
        world
            .made
            .lock()
            .unwrap()
            .retain(|m| !gone.iter().any(|g| g.id == m.id));
        if let Some(one) = gone.last()
            && self.below(2) == 0
        {
            self.undelete(world, one);
        }
        forgets.1.store(forgets.0.load(SeqCst), SeqCst);
    }

    fn undelete(&self, world: &World, gone: &Made) {
        if let Some(finished) = self.run(world, &["backup", "undelete", &gone.id]) {
            world.count("undeletes");
            let back = Made {
                id: finished.stdout.trim().to_owned(),
                back: true,
                ..gone.clone()
            };
            world.made.lock().unwrap().push(back);
        }
    }

    /// The ids of a host's backups, whatever it takes.
    fn list(&self, name: &str) -> Vec<String> {
        for _ in 0..20 {
            let finished = self
                .corso
                .run(&["backup", "list", "--host", name, "--json"]);
            if finished.code == 0 {
                let listed: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
                let backups = listed["backups"].as_array().unwrap().iter();
                return backups
                    .map(|b| b["id"].as_str().unwrap().to_owned())
                    .collect();
            }
            assert_eq!(finished.code, 14, "{finished:#?}");
        }
        panic!("{name}: cannot list its backups");
    }

    pub fn maintain(&self, world: &World) {
        if let Some(finished) = self.run(world, &["repo", "maintenance", "--json"]) {
            world.count("maintenances");
            let report: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
            if report["packs_deleted"].as_u64().is_some_and(|n| n > 0) {
                world.count("maintenances that deleted packs");
            }
            if report["chunks_rescued"].as_u64().is_some_and(|n| n > 0) {
                world.count("maintenances that rescued chunks");
            }
        }
    }
}

/// Does every failure named come from the storage's faults?
fn is_network(finished: &Finished) -> bool {
    ["injected", "connection", "timed out", "status 50"]
        .iter()
        .any(|word| finished.stderr.contains(word))
}

/// Without what differs each time.
fn steady(text: &str) -> String {
    let mut out = String::new();
    for word in text.split(' ') {
        let hex = |w: &str| w.len() >= 8 && w.bytes().filter(u8::is_ascii_hexdigit).count() > 7;
        out.push_str(if word.split(['/', ':', ',']).any(hex) {
            "*"
        } else {
            word
        });
        out.push(' ');
    }
    out.trim_end().to_owned()
}
