use super::*;

#[test]
fn private_files_replace_the_old_one_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/file");
    create_private_dir(path.parent().unwrap()).unwrap();
    create_private_dir(path.parent().unwrap()).unwrap();
    write_private(&path, b"one").unwrap();
    write_private(&path, b"two").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"two");
    assert_eq!(
        std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1
    );
    assert!(write_private(&dir.path().join("missing/x"), b"").is_err());
}

#[cfg(unix)]
#[test]
fn private_means_for_the_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d/file");
    create_private_dir(path.parent().unwrap()).unwrap();
    write_private(&path, b"x").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let link = dir.path().join("link");
    std::os::unix::fs::symlink("d/file", &link).unwrap();
    write_private(&link, b"y").unwrap();
    assert!(link.is_symlink());
    assert_eq!(std::fs::read(&path).unwrap(), b"y");
}

#[test]
fn this_host_has_names() {
    assert!(!host_name().is_empty());
    assert!(!user_name().is_empty());
    assert!(!platform().is_empty());
    raise_open_files_limit();
}

#[cfg(unix)]
#[test]
fn a_signal_asks_for_a_stop() {
    let stop = crate::report::Stop::default();
    install_stop_signals(&stop).unwrap();
    signal_hook::low_level::raise(signal_hook::consts::SIGTERM).unwrap();
    for _ in 0..500 {
        if stop.requested() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(
        stop.check().unwrap_err().kind(),
        crate::error::Kind::Terminated
    );
}
