//! Renewal by a scripted source and a clock that the test moves.

use super::*;
use crate::error::Kind;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

const SECOND: Duration = Duration::from_secs(1);

/// Gives `AK1`, `AK2`, ..., each for so long; fails while `broken`.
#[derive(Default)]
struct Script {
    life: Duration,
    given: AtomicUsize,
    asked: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    broken: AtomicUsize,
    takes: Duration,
    tolerant: bool,
}

struct Shared(Arc<Script>);

impl Source for Shared {
    fn fetch(&self) -> Result<Credentials> {
        let script = &self.0;
        script.asked.fetch_add(1, SeqCst);
        let at_once = script.at_once.fetch_add(1, SeqCst) + 1;
        script.most_at_once.fetch_max(at_once, SeqCst);
        std::thread::sleep(script.takes);
        script.at_once.fetch_sub(1, SeqCst);
        if script.broken.load(SeqCst) > 0 {
            return Err(Error::new(Kind::Network, "the source is away"));
        }
        let number = script.given.fetch_add(1, SeqCst) + 1;
        let end = Time(Time::local_now().0 + script.life.as_millis() as i64);
        Ok(Credentials::new(&format!("AK{number}"), "SK", Some("T"), "script").until(Some(end)))
    }

    fn outlives_failures(&self) -> bool {
        self.0.tolerant
    }
}

fn provider(script: Script) -> (CredentialProvider, Arc<Script>) {
    let script = Arc::new(script);
    let provider = CredentialProvider::fetch(Box::new(Shared(script.clone()))).unwrap();
    (provider, script)
}

fn lasting(life: Duration) -> Script {
    Script {
        life,
        ..Script::default()
    }
}

fn key(provider: &CredentialProvider, after: Duration) -> Result<String> {
    let keys = provider.get(Time::local_now().plus(after))?;
    Ok(keys.access_key().to_string())
}

#[test]
fn keys_without_an_end_are_never_renewed() {
    let provider = CredentialProvider::from(Credentials::new("AK", "SK", None, "test"));
    assert_eq!(key(&provider, SECOND * 1_000_000_000).unwrap(), "AK");
    assert_eq!(provider.fetches(), 0);
    assert!(!provider.renew(&provider.current()).unwrap());
}

/// Life in seconds, time since the keys came, and which keys are used then.
#[test]
fn renewal_begins_in_the_window() {
    for (life, after, want) in [
        (3600, 0, "AK1"),
        (3600, 3290, "AK1"),
        (3600, 3310, "AK2"),
        (3600, 3700, "AK2"),
        (20, 14, "AK1"),
        (20, 16, "AK2"),
        (20, 30, "AK2"),
    ] {
        let (provider, _) = provider(lasting(SECOND * life));
        assert_eq!(
            key(&provider, SECOND * after).unwrap(),
            want,
            "{life} {after}"
        );
    }
}

#[test]
fn one_thread_renews_and_the_others_go_on() {
    let (provider, script) = provider(Script {
        takes: SECOND,
        ..lasting(SECOND * 3600)
    });
    let all = Barrier::new(8);
    let keys: Vec<String> = std::thread::scope(|scope| {
        let one = || {
            all.wait();
            key(&provider, SECOND * 3310).unwrap()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(keys.iter().filter(|k| *k == "AK1").count(), 7, "{keys:?}");
    assert_eq!(
        (provider.fetches(), script.most_at_once.load(SeqCst)),
        (2, 1)
    );
}

#[test]
fn when_the_old_keys_are_over_all_wait_for_the_one() {
    let (provider, script) = provider(Script {
        takes: Duration::from_millis(100),
        ..lasting(SECOND * 3600)
    });
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(key(&provider, SECOND * 3600).unwrap(), "AK2"));
        }
    });
    assert_eq!(
        (provider.fetches(), script.most_at_once.load(SeqCst)),
        (2, 1)
    );
}

#[test]
fn a_failure_in_the_window_leaves_the_old_keys_for_a_while() {
    let (provider, script) = provider(lasting(SECOND * 3600));
    script.broken.store(1, SeqCst);
    for after in [3310, 3311, 3312] {
        assert_eq!(key(&provider, SECOND * after).unwrap(), "AK1");
    }
    assert_eq!(provider.fetches(), 2, "not asked again at once");
    script.broken.store(0, SeqCst);
    std::thread::sleep(SECOND + SECOND / 10);
    assert_eq!(key(&provider, SECOND * 3400).unwrap(), "AK2");
}

#[test]
fn a_failure_after_the_end_is_an_error_and_asked_for_once() {
    let (provider, script) = provider(Script {
        takes: Duration::from_millis(50),
        ..lasting(SECOND * 3600)
    });
    script.broken.store(1, SeqCst);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let error = key(&provider, SECOND * 3601).unwrap_err();
                let text = error.to_string();
                assert_eq!(text, "renewing the storage credentials: the source is away");
                assert_eq!(error.kind(), Kind::Network);
            });
        }
    });
    assert_eq!(provider.fetches(), 2, "those who waited got the same error");
}

#[test]
fn keys_of_the_metadata_service_outlive_its_failure() {
    let (provider, script) = provider(Script {
        tolerant: true,
        ..lasting(SECOND * 3600)
    });
    script.broken.store(1, SeqCst);
    assert_eq!(key(&provider, SECOND * 3700).unwrap(), "AK1");
    assert_eq!(key(&provider, SECOND * 3900).unwrap(), "AK1");
    assert_eq!(provider.fetches(), 2);
}

#[test]
fn keys_that_arrive_expired_are_used_for_a_minute() {
    let (provider, _) = provider(lasting(Duration::ZERO));
    assert_eq!(key(&provider, SECOND * 30).unwrap(), "AK1");
    assert_eq!(key(&provider, SECOND * 61).unwrap(), "AK2");
}

#[test]
fn a_refusal_renews_once_for_all() {
    let (provider, _) = provider(lasting(SECOND * 3600));
    let refused = provider.current();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!(provider.renew(&refused).unwrap()));
        }
    });
    assert_eq!(provider.fetches(), 2);
}

#[test]
fn debug_shows_no_secret() {
    let keys = Credentials::new("AK", "VERYSECRET", Some("TOPSECRET"), "test");
    let shown = format!("{:?} {:?}", CredentialProvider::from(keys.clone()), keys);
    assert!(shown.contains("AK") && !shown.contains("SECRET"), "{shown}");
}
