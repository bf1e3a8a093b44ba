//! Snapshots whose puts came so late that they may lack data.

use super::*;
use crate::error::Error;

/// Everything that is there is buried, and the clock is two grace periods on.
fn bury_all(world: &World) {
    world.bury(world.names("packs/"), world.names("index/"));
    world.storage.advance(2 * G);
}

/// The first snapshot arrives too late, and whatever later passes upload is buried at once; `then` sees all requests
/// from there on.
fn always_late(
    world: &Arc<World>,
    then: impl Fn(&Request<'_>) -> Result<()> + Send + Sync + 'static,
) {
    let (weak, begun) = (Arc::downgrade(world), AtomicBool::new(false));
    let hook = move |request: &Request<'_>| {
        if request.op == Op::Put
            && request.phase == Phase::Sent
            && (request.key.starts_with("snapshots/")
                || request.key.starts_with("index/") && begun.load(Ordering::SeqCst))
        {
            begun.store(true, Ordering::SeqCst);
            bury_all(&weak.upgrade().unwrap());
        }
        match begun.load(Ordering::SeqCst) {
            true => then(request),
            false => Ok(()),
        }
    };
    let hook: Arc<Hook> = Arc::new(hook);
    world.storage.set_hook(Some(hook));
}

#[test]
fn a_run_that_cannot_mend_them_removes_them() {
    let world = Arc::new(World::new());
    always_late(&world, |_| Ok(()));
    let error = world.backup("full").unwrap_err();
    assert_eq!(error.kind(), Kind::Changed);
    assert!(world.names("snapshots/").is_empty());
}

#[test]
fn a_run_that_fails_after_one_removes_it() {
    let world = Arc::new(World::new());
    always_late(&world, |request| match request.op {
        Op::Put if request.key.starts_with("packs/") => Err(Error::new(Kind::Network, "cut off")),
        _ => Ok(()),
    });
    let error = world.backup("full").unwrap_err();
    assert_eq!(error.kind(), Kind::Network);
    assert!(world.names("snapshots/").is_empty());
}

#[test]
fn what_cannot_be_removed_is_named() {
    let world = Arc::new(World::new());
    always_late(&world, |request| match request.op {
        Op::Delete => Err(Error::new(Kind::PermissionDenied, "denied")),
        _ => Ok(()),
    });
    let error = world.backup("full").unwrap_err();
    assert_eq!(error.kind(), Kind::Changed);
    let left = world.names("snapshots/");
    assert!(!left.is_empty());
    for name in left {
        assert!(error.to_string().contains(&name.hex()), "{name}: {error}");
    }
}
