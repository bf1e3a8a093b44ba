//! All hosts, what they have made, and the rounds.

use crate::host::{Host, Key};
use crate::storage::Storage;
use crate::support::{Dice, Print};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// One round of work.
const ROUND: Duration = Duration::from_secs(15);

/// A backup that reported success and was not forgotten.
#[derive(Clone)]
pub struct Made {
    pub id: String,
    pub host: usize,
    /// It had been forgotten, and was brought back.
    pub back: bool,
    pub print: Print,
}

pub struct World {
    pub storage: Storage,
    pub made: Mutex<Vec<Made>>,
    /// By host: how often its backups were begun to be forgotten, and how often that was over.
    pub forgets: Vec<(AtomicU64, AtomicU64)>,
    /// Whoever forgets backups of a host has its turn.
    pub turns: Vec<Mutex<()>>,
    /// The hosts' sources.
    pub roots: Mutex<Vec<String>>,
    pub counts: Mutex<BTreeMap<&'static str, u64>>,
    /// What runs failed with, and how often.
    pub failures: Mutex<BTreeMap<String, u64>>,
}

impl World {
    pub fn new(storage: Storage) -> World {
        World {
            storage,
            made: Mutex::default(),
            forgets: (0..HOSTS.len()).map(|_| Default::default()).collect(),
            turns: HOSTS.iter().map(|_| Mutex::default()).collect(),
            roots: Mutex::default(),
            counts: Mutex::default(),
            failures: Mutex::default(),
        }
    }

    pub fn count(&self, what: &'static str) {
        *self.counts.lock().unwrap().entry(what).or_default() += 1;
    }

    pub fn soak(mut self) {
        let name = self.storage.name();
        let mut dice = Dice::from_env("CORSO_SOAK_SEED", &format!("soak on {name}"));
        let given = std::env::var("CORSO_SOAK_SECONDS").ok();
        let seconds = given.and_then(|s| s.parse().ok()).unwrap_or(45);
        let begin = Instant::now();
        let mut hosts = self.hosts(&mut dice);
        let mut rounds = 0;
        while begin.elapsed() < Duration::from_secs(seconds) {
            let left = Duration::from_secs(seconds).saturating_sub(begin.elapsed());
            self.round(&mut hosts, dice.next(), left.min(ROUND));
            // Sometimes less than the grace period of an hour.
            self.storage
                .jump(Duration::from_secs(60 * (20 + dice.below(80))));
            rounds += 1;
        }
        // What was marked last is deleted, too.
        for _ in 0..2 {
            hosts[0].maintain(&self);
            self.storage.jump(Duration::from_secs(7200));
        }
        hosts[0].maintain(&self);
        let inspector = &hosts[0];
        inspector.ok(&["repo", "check", "--read-data"]);
        let made = self.made.lock().unwrap().clone();
        for one in &made {
            assert!(
                inspector.restore(&self, one),
                "backup {} does not restore",
                one.id
            );
        }
        println!(
            "soak: on {name}: {rounds} rounds in {} s; {:?}; {} faults injected; at the end {} backups restored and right",
            begin.elapsed().as_secs(),
            self.counts.lock().unwrap(),
            self.storage.faults(),
            made.len()
        );
        for (what, times) in &*self.failures.lock().unwrap() {
            println!("soak: on {name}: {times} times: {what}");
        }
    }

    fn hosts(&self, dice: &mut Dice) -> Vec<Host> {
        let keys = HOSTS.iter().enumerate();
        let hosts: Vec<Host> = keys
            .map(|(number, key)| Host::new(number, *key, &self.storage, Dice::new(dice.next())))
            .collect();
        let roots = hosts.iter().map(|h| h.tree.root().display().to_string());
        *self.roots.lock().unwrap() = roots.collect();
        let mut init = vec!["repo".to_owned(), "init".to_owned()];
        init.extend(self.storage.words());
        init.extend(["--grace", "1h", "--pack-size", "1M"].map(String::from));
        hosts[0].ok(&init.iter().map(String::as_str).collect::<Vec<_>>());
        let add = [
            "repo",
            "key",
            "add",
            "--role",
            "writer",
            "--new-passphrase",
            Key::Writer.passphrase(),
        ];
        hosts[0].ok(&add);
        for host in &hosts[1..] {
            let mut connect = vec!["repo".to_owned(), "connect".to_owned()];
            connect.extend(self.storage.words());
            host.ok(&connect.iter().map(String::as_str).collect::<Vec<_>>());
        }
        hosts
    }

    fn round(&self, hosts: &mut [Host], seed: u64, time: Duration) {
        self.storage.make_faulty(seed);
        let (over, end) = (AtomicBool::new(false), Instant::now() + time);
        std::thread::scope(|scope| {
            for host in &*hosts {
                let dice = Dice::new(seed ^ host.number as u64);
                scope.spawn(|| host.tree.keep_moving(dice, &over));
            }
            let workers: Vec<_> = hosts
                .iter()
                .map(|host| {
                    scope.spawn(|| {
                        while Instant::now() < end {
                            host.act(self);
                        }
                    })
                })
                .collect();
            let ended: Vec<_> = workers.into_iter().map(|w| w.join()).collect();
            over.store(true, SeqCst);
            // The first one that failed has said why.
            ended.into_iter().for_each(|e| e.expect("a host failed"));
        });
        self.storage.make_sound();
    }
}

/// Hosts, by their keys. Full keys forget, undelete, maintain and restore, too.
const HOSTS: [Key; 4] = [Key::Full, Key::Full, Key::Writer, Key::Writer];
