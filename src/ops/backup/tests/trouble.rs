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
