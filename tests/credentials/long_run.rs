//! Temporary keys that end many times within one backup.

use super::support::{
    Corso, HttpReply, HttpServer, S3Options, S3Server, Temporary, init_s3, ok, random_bytes,
};
use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant, SystemTime};

/// A container credentials service that hands out temporary keys, slowly, and notes how many ask at once.
struct Service {
    http: HttpServer,
    most_at_once: Arc<AtomicUsize>,
}

impl Service {
    fn start(temporary: Arc<Temporary>) -> Service {
        let (now, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
        let most_at_once = most.clone();
        let http = HttpServer::start(move |_| {
            most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            std::thread::sleep(Duration::from_millis(300));
            let (keys, end) = temporary.issue();
            now.fetch_sub(1, SeqCst);
            ok(answer(&keys.access, &keys.secret, end))
        });
        Service { http, most_at_once }
    }
}

fn answer(access: &str, secret: &str, end: SystemTime) -> String {
    let end = end
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let end = corso::units::Time(end as i64);
    let end = jiff::Timestamp::from_millisecond(end.0).unwrap();
    format!(
        r#"{{"AccessKeyId":"{access}","SecretAccessKey":"{secret}","Token":"corso-test-session-token","Expiration":"{end}"}}"#
    )
}

fn world(life: Duration) -> (S3Server, Arc<Temporary>, Service, Corso) {
    let temporary = Arc::new(Temporary::new(life));
    let server = S3Server::start(S3Options {
        temporary: Some(temporary.clone()),
        ..S3Options::default()
    });
    let service = Service::start(temporary.clone());
    let corso = Corso::new()
        .env("CORSO_PASSPHRASE", "p")
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", service.http.url());
    let at = server.endpoint();
    corso.ok(&init_s3(&at, &["--pack-size", "1M"]));
    (server, temporary, service, corso)
}

/// A source that gives a megabyte every second for more than a minute; keys last 20 seconds.
#[test]
fn a_backup_of_a_minute_with_keys_of_20_seconds() {
    let (server, temporary, service, corso) = world(Duration::from_secs(20));
    let before = temporary.issued();
    server.clear_log();
    let mut command = corso.command(&["backup", "create", "--stdin", "stream"]);
    let begin = Instant::now();
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    for second in 0..64 {
        pipe.write_all(&random_bytes(1 << 20, second)).unwrap();
        let next = Duration::from_secs(second + 1);
        std::thread::sleep(next.saturating_sub(begin.elapsed()));
    }
    drop(pipe);
    let finished = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&finished.stderr);
    assert!(finished.status.success(), "{said}");
    let took = begin.elapsed();
    assert!(took >= Duration::from_secs(60), "{took:?}");
    let renewed = temporary.issued() - before - 1;
    assert!(renewed >= 2, "renewed {renewed} times in {took:?}");
    assert_eq!(
        temporary.refused(),
        0,
        "no request came with keys that had ended"
    );
    let log = server.log();
    let refused: Vec<_> = log
        .iter()
        .filter(|r| matches!(r.status, 400 | 401 | 403))
        .collect();
    assert!(refused.is_empty(), "{refused:?}");
    assert!(log.iter().filter(|r| r.method == "PUT").count() > 30);
    assert_eq!(
        service.most_at_once.load(SeqCst),
        1,
        "one renewal at a time"
    );
    eprintln!(
        "{} requests in {took:?}; keys renewed {renewed} times",
        log.len()
    );
}

/// The keys end before their time: the first request that hears of it gets new ones, and all go on.
#[test]
fn keys_that_end_early_are_replaced() {
    let (server, temporary, service, corso) = world(Duration::from_secs(3600));
    let source = corso.home().join("source");
    std::fs::create_dir(&source).unwrap();
    for n in 0..8 {
        std::fs::write(source.join(n.to_string()), random_bytes(2 << 20, n)).unwrap();
    }
    let puts = AtomicUsize::new(0);
    let ending = temporary.clone();
    server.clear_log();
    let before = temporary.issued();
    server.intercept(move |request| {
        if request.method == "PUT" && puts.fetch_add(1, SeqCst) == 4 {
            ending.end_all();
        }
        None
    });
    corso.ok(&["backup", "create", "source"]);
    assert!(temporary.refused() >= 1);
    assert_eq!(temporary.issued() - before, 2, "renewed once for all");
    assert_eq!(service.most_at_once.load(SeqCst), 1);
}

/// No new keys to be had: the error says so, and why.
#[test]
fn keys_that_end_for_good_end_the_run() {
    let temporary = Arc::new(Temporary::new(Duration::from_secs(3600)));
    let server = S3Server::start(S3Options {
        temporary: Some(temporary.clone()),
        ..S3Options::default()
    });
    let given = Arc::new(temporary.issue());
    let asked = AtomicUsize::new(0);
    let http = HttpServer::start(move |_| match asked.fetch_add(1, SeqCst) {
        0 => ok(answer(&given.0.access, &given.0.secret, given.1)),
        _ => HttpReply::Send(404, String::new()),
    });
    temporary.end_all();
    let corso = Corso::new()
        .env("CORSO_PASSPHRASE", "p")
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", http.url());
    let at = server.endpoint();
    let said = corso.fails(&init_s3(&at, &[]), 13);
    assert!(
        said.stderr
            .contains("the storage finds the session token expired: renewing the storage credentials: asking the container"),
        "{said:?}"
    );
    assert_eq!(http.log().len(), 2, "asked for new keys once");
}
