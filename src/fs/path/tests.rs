use super::Platform::{Unix, Windows};
use super::*;
use proptest::prelude::*;

fn tree(parts: &[&str]) -> TreePath {
    TreePath(parts.iter().map(|p| p.as_bytes().to_vec()).collect())
}

fn unix(path: &str, directory: &str) -> TreePath {
    to_tree(path.as_bytes(), directory.as_bytes(), Unix).unwrap()
}

fn windows(path: &str, directory: &str) -> Result<TreePath> {
    to_tree(path.as_bytes(), directory.as_bytes(), Windows)
}

#[test]
fn unix_paths() {
    assert_eq!(unix("/a/b", ""), tree(&["a", "b"]));
    assert_eq!(unix("//a/./b//", ""), tree(&["a", "b"]));
    assert_eq!(unix("/", ""), tree(&[]));
    assert_eq!(unix("c", "/a/b"), tree(&["a", "b", "c"]));
    assert_eq!(unix("./c/", "/a"), tree(&["a", "c"]));
    assert_eq!(unix(".", "/a"), tree(&["a"]));
    assert_eq!(unix("../c", "/a/b"), tree(&["a", "c"]));
    assert_eq!(unix("/../../c", ""), tree(&["c"]));
    assert_eq!(unix("/C:\\x", ""), tree(&["C:\\x"]));
    assert_eq!(
        to_tree(b"/\xff\n", b"", Unix).unwrap().0,
        vec![b"\xff\n".to_vec()]
    );
    assert!(to_tree(b"", b"/", Unix).is_err());
    assert!(to_tree(b"/a\0b", b"", Unix).is_err());
}

#[test]
fn windows_paths() {
    let cases: [(&str, &str, &[&str]); 20] = [
        (r"C:\a", "", &["C:", "a"]),
        (r"c:/a/b\", "", &["C:", "a", "b"]),
        (r"C:\", "", &["C:"]),
        (r"C:", "", &["C:"]),
        (r"C:\a\..\..\b\.\c", "", &["C:", "b", "c"]),
        (r"\\srv\share\a", "", &["UNC", "srv", "share", "a"]),
        (r"//srv/share/a/../../..", "", &["UNC", "srv", "share"]),
        (r"\\srv\share", "", &["UNC", "srv", "share"]),
        (r"\\?\C:\a", "", &["C:", "a"]),
        (r"\\?\c:\", "", &["C:"]),
        (r"\\?\UNC\srv\share\a", "", &["UNC", "srv", "share", "a"]),
        (r"\\?\unc\srv\share", "", &["UNC", "srv", "share"]),
        (r"\\?\C:\a/b", "", &["C:", "a/b"]),
        (r"\\.\D:\a", "", &["D:", "a"]),
        (r"a\b", r"C:\x", &["C:", "x", "a", "b"]),
        (r"..\b", r"C:\x\y", &["C:", "x", "b"]),
        (r"\b", r"C:\x\y", &["C:", "b"]),
        (r"\b", r"\\s\h\y", &["UNC", "s", "h", "b"]),
        (r"c:b", r"C:\x", &["C:", "x", "b"]),
        ("\u{e9}\\\u{1f600}", r"C:\", &["C:", "\u{e9}", "\u{1f600}"]),
    ];
    for (path, directory, parts) in cases {
        assert_eq!(windows(path, directory).unwrap(), tree(parts), "{path}");
    }
    for bad in [
        r"\\srv",
        r"\\",
        r"\\?\",
        r"\\?\Volume{x}\a",
        r"\\?\C:\..\a",
        r"C:\a:s",
        r"D:b",
        r"\\.\x",
        r"\\?\UNC\s",
    ] {
        assert!(windows(bad, r"C:\x").is_err(), "{bad}");
    }
}

#[test]
fn native_form_is_the_inverse() {
    for path in [r"C:\", r"C:\a\b", r"\\srv\share", r"\\srv\share\a"] {
        assert_eq!(
            to_native(&windows(path, "").unwrap(), Windows),
            path.as_bytes()
        );
    }
    for path in ["/", "/a/b"] {
        assert_eq!(to_native(&unix(path, ""), Unix), path.as_bytes());
    }
}

#[test]
fn typed_paths() {
    let ok = |text: &str, platform| parse_inside(text.as_bytes(), platform).unwrap();
    assert_eq!(ok("/a//b/./", Unix), tree(&["a", "b"]));
    assert_eq!(ok("/", Unix), tree(&[]));
    assert_eq!(ok(r"/a\b", Unix), tree(&[r"a\b"]));
    assert_eq!(ok(r"c:\a", Windows), tree(&["C:", "a"]));
    assert_eq!(ok("/c:/a", Windows), tree(&["C:", "a"]));
    assert_eq!(ok("C:/a", Windows), tree(&["C:", "a"]));
    assert_eq!(ok(r"\\s\h\a", Windows), tree(&["UNC", "s", "h", "a"]));
    assert_eq!(ok("/UNC/s/h", Windows), tree(&["UNC", "s", "h"]));
    for (bad, platform) in [
        ("a", Unix),
        ("", Unix),
        ("/a/../b", Unix),
        (r"C:\a", Unix),
        ("a", Windows),
        ("/a\0", Unix),
    ] {
        assert!(parse_inside(bad.as_bytes(), platform).is_err(), "{bad}");
    }
}

#[test]
fn places_under_a_destination() {
    let place = |parts: &[&str], from, to| relative(&tree(parts), from, to).map(|p| p.join(&b'/'));
    assert_eq!(place(&["a", "b"], Unix, Unix).unwrap(), b"a/b");
    assert_eq!(place(&["C:", "a"], Windows, Unix).unwrap(), b"C/a");
    assert_eq!(place(&["C:", "a"], Windows, Windows).unwrap(), b"C/a");
    assert_eq!(place(&["C:", "a"], Unix, Unix).unwrap(), b"C:/a");
    assert_eq!(
        place(&["UNC", "s", "h"], Windows, Unix).unwrap(),
        b"UNC/s/h"
    );
    for bad in ["", ".", "..", "a/b", "a\0"] {
        assert!(place(&["x", bad], Unix, Unix).is_err(), "{bad:?}");
        assert!(place(&["x", bad], Unix, Windows).is_err(), "{bad:?}");
    }
    for bad in [
        "C:",
        "a\\b",
        "nul",
        "NUL.txt",
        "com1",
        "COM\u{b9}.x",
        "a.",
        "a ",
        "a\x1f",
        "x:y",
        "aux .c",
        "con",
    ] {
        assert!(place(&[bad], Unix, Windows).is_err(), "{bad:?}");
        assert!(place(&[bad], Unix, Unix).is_ok(), "{bad:?}");
    }
    for good in ["com", "com10", "console", ".a", "a..b", "\u{e9}"] {
        assert!(place(&[good], Unix, Windows).is_ok(), "{good:?}");
    }
    let wtf = TreePath(vec![b"a\xed\xa0\x80b".to_vec()]);
    assert!(relative(&wtf, Windows, Windows).is_ok());
    assert!(relative(&TreePath(vec![b"\xff".to_vec()]), Unix, Windows).is_err());
}

#[test]
fn a_trailing_slash_names_a_directory() {
    for (path, expected) in [
        ("/a/", true),
        ("a", false),
        ("a/.", true),
        (".", true),
        ("a.", false),
        ("/", true),
    ] {
        assert_eq!(names_directory(path.as_bytes(), Unix), expected, "{path}");
    }
    assert!(names_directory(b"C:\\", Windows) && !names_directory(b"a\\", Unix));
}

#[cfg(unix)]
#[test]
fn parents_are_resolved_in_the_file_system() {
    let dir = tempfile::tempdir().unwrap();
    let base = std::fs::canonicalize(dir.path()).unwrap();
    std::fs::create_dir_all(base.join("real/sub")).unwrap();
    std::os::unix::fs::symlink("real/sub", base.join("link")).unwrap();
    // Lexically this would be base/x; the symlink makes it base/real/x.
    let source = Source::new(base.join("link/../x/").as_os_str()).unwrap();
    assert_eq!(
        source.absolute(),
        super::super::os_bytes(base.join("real/x").as_os_str())
    );
    assert!(source.follow);
    assert!(Source::new(base.join("missing/../x").as_os_str()).is_err());
    assert!(Source::new(OsStr::new("")).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn any_bytes_are_safe(path in prop::collection::vec(prop::sample::select(b"aC:\\/.?\xff UN".to_vec()), 0..20)) {
        for platform in [Unix, Windows] {
            for tree in [to_tree(&path, b"/d", platform), to_tree(&path, b"D:\\e", platform), parse_inside(&path, platform)] {
                let Ok(tree) = tree else { continue };
                prop_assert!(tree.0.iter().all(|part| !matches!(part.as_slice(), b"" | b"." | b"..")));
                if let Ok(parts) = relative(&tree, platform, Unix) {
                    prop_assert!(parts.iter().all(|part| !part.contains(&b'/')));
                }
            }
        }
    }
}
