//! What must end a run, instead of keeping it going for ever.

use super::*;
use std::sync::mpsc;

/// The outcome of a backup that must end by itself.
fn ends(world: Arc<World>) -> Result<BackupReport> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || drop(sender.send(world.backup("full"))));
    let outcome = receiver.recv_timeout(Duration::from_secs(120));
    outcome.expect("the backup hangs")
}

fn hooked(hook: impl Fn(&World, &Request<'_>) + Send + Sync + 'static) -> Arc<World> {
    let world = Arc::new(World::new());
    let weak = Arc::downgrade(&world);
    let hook: Arc<Hook> = Arc::new(move |request: &Request<'_>| {
        hook(&weak.upgrade().unwrap(), request);
        Ok(())
    });
    world.storage.set_hook(Some(hook));
    world
}

#[test]
fn an_uploader_that_panics_ends_the_run() {
    let world = hooked(|_, request| {
        let pack = request.op == Op::Put && request.key.starts_with("packs/");
        assert!(!pack, "on purpose: a panic in an upload");
    });
    let error = ends(world.clone()).unwrap_err();
    assert_eq!(error.kind(), Kind::Failed);
    assert!(error.to_string().contains("uploading a pack"), "{error}");
    assert!(world.names("snapshots/").is_empty());
}

#[test]
fn servers_that_disagree_on_the_time_end_the_run() {
    let looks = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counter = looks.clone();
    // However new a view is, it is a month old by the server that is written to.
    let world = hooked(move |world, request| {
        counter.fetch_add(u64::from(request.op == Op::List), Ordering::SeqCst);
        if request.op == Op::Put && request.phase == Phase::Ready {
            world.storage.advance(Duration::from_secs(30 * 86400));
        }
    });
    let error = ends(world.clone()).unwrap_err();
    assert_eq!(error.kind(), Kind::ClockSkew, "{error}");
    assert!(error.to_string().contains("do not agree"), "{error}");
    let looks = looks.load(Ordering::SeqCst);
    assert!(looks < 300, "{looks} listings");
}
