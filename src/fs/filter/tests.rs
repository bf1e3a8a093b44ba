use super::*;
use proptest::prelude::*;

fn parts(path: &str) -> Vec<Vec<u8>> {
    path.split('/')
        .filter(|p| !p.is_empty())
        .map(|p| p.as_bytes().to_vec())
        .collect()
}

fn filter(patterns: &[&str]) -> Filter {
    let mut filter = Filter::new();
    for pattern in patterns {
        filter.add_for(pattern.as_bytes(), Platform::Unix).unwrap();
    }
    filter
}

#[test]
fn patterns_match_as_documented() {
    let table: [(&str, &[&str], &[&str]); 21] = [
        ("foo", &["/foo", "/a/foo"], &["/foo2", "/foo/b", "/a/xfoo"]),
        ("*.o", &["/a.o", "/x/y/a.o", "/.o"], &["/a.oo", "/a.o/b"]),
        ("/foo", &["/foo"], &["/a/foo", "/foo/b"]),
        (
            "/home/*/cache",
            &["/home/u/cache"],
            &["/home/cache", "/home/u/v/cache", "/x/home/u/cache"],
        ),
        ("a/b", &["/a/b", "/x/a/b"], &["/xa/b", "/a/x/b", "/a/b/c"]),
        ("foo/", &["/foo", "/x/foo"], &["/foo/a"]),
        ("./foo", &["/foo", "/x/foo"], &["/foo/a"]),
        (
            "/a/**/z",
            &["/a/z", "/a/b/z", "/a/b/c/z"],
            &["/a", "/a/zz", "/b/a/z"],
        ),
        ("/a/**", &["/a", "/a/b", "/a/b/c"], &["/ab", "/b/a"]),
        ("**/x/**/y", &["/x/y", "/a/x/b/y"], &["/x", "/y"]),
        ("a**b", &["/ab", "/axxb"], &["/a/b"]),
        ("?", &["/a", "/\u{fc}", "/x/\u{1f600}"], &["/ab"]),
        ("[a-c]x", &["/ax", "/cx"], &["/dx", "/x"]),
        ("[!a-c]x", &["/dx", "/\u{e9}x"], &["/ax"]),
        ("[^a-c]x", &["/dx"], &["/ax"]),
        ("[]a]", &["/]", "/a"], &["/b"]),
        ("[a-]", &["/a", "/-"], &["/b"]),
        ("a\\*b", &["/a*b"], &["/axb", "/a\\*b"]),
        ("\\!x", &["/!x"], &["/x"]),
        ("{a,b}", &["/{a,b}"], &["/a"]),
        ("*a*b*c*", &["/xaxbxcx", "/abc"], &["/acb"]),
    ];
    for (pattern, yes, no) in table {
        let filter = filter(&[pattern]);
        for path in yes {
            assert!(
                filter.excludes(&parts(path)),
                "{pattern} should match {path}"
            );
        }
        for path in no {
            assert!(
                !filter.excludes(&parts(path)),
                "{pattern} should not match {path}"
            );
        }
    }
}

#[test]
fn the_last_match_decides() {
    let filter = filter(&["*.log", "!keep.log", "/tmp/keep.log"]);
    assert!(filter.excludes(&parts("/a.log")));
    assert!(!filter.excludes(&parts("/x/keep.log")));
    assert!(filter.excludes(&parts("/tmp/keep.log")));
    assert_eq!(
        filter.texts().collect::<Vec<_>>(),
        ["*.log", "!keep.log", "/tmp/keep.log"]
    );
}

#[test]
fn bad_patterns_are_refused() {
    for bad in ["", "/", "!", "[a", "a/../b", "x\\", "[b-a]", "**", "/**/**"] {
        assert!(
            Filter::new()
                .add_for(bad.as_bytes(), Platform::Unix)
                .is_err(),
            "{bad:?}"
        );
    }
    let error = Filter::new().add(b"a[\x1b").unwrap_err();
    assert_eq!(error.kind(), crate::error::Kind::Usage);
    assert!(!error.to_string().contains('\x1b'));
}

#[test]
fn bytes_that_are_no_text() {
    let mut filter = Filter::new();
    filter
        .add_lines(b"# comment\n\n  \xff*\xfe \r\n\\#x\n[\xf0-\xf8]z\n")
        .unwrap();
    assert!(filter.excludes(&[b"\xffabc\xfe".to_vec()]));
    assert!(filter.excludes(&[b"\xff\xfe".to_vec()]));
    assert!(!filter.excludes(&[b"\xfeabc\xfe".to_vec()]));
    assert!(filter.excludes(&[b"#x".to_vec()]));
    assert!(filter.excludes(&[b"\xf1z".to_vec()]));
    assert!(
        filter
            .add_lines(b"ok\n[")
            .unwrap_err()
            .to_string()
            .contains("line 2")
    );
}

#[test]
fn windows_patterns() {
    let excludes = |pattern: &str, path: &str| {
        let mut filter = Filter::new();
        filter
            .add_for(pattern.as_bytes(), Platform::Windows)
            .unwrap();
        filter.excludes(&parts(path))
    };
    assert!(excludes(r"c:\Users\*\Temp", "/C:/Users/x/Temp"));
    assert!(!excludes(r"c:\Users\*\Temp", "/D:/Users/x/Temp"));
    assert!(excludes(r"\\srv\share\a", "/UNC/srv/share/a"));
    assert!(excludes(r"a\b", "/C:/x/a/b"));
    assert!(excludes("*.tmp", "/C:/x/a.tmp"));
    assert!(excludes(r"\!x", "/C:/!x"));
}

#[test]
fn many_stars_take_no_exponential_time() {
    let pattern = "a*".repeat(40) + "b";
    let filter = filter(&[&pattern, &("**/a/".repeat(30) + "b")]);
    assert!(!filter.excludes(&[b"a".repeat(250)]));
    assert!(!filter.excludes(&vec![b"a".to_vec(); 400]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn any_pattern_on_any_path(pattern in prop::collection::vec(any::<u8>(), 0..12), path in prop::collection::vec(prop::collection::vec(1u8.., 1..6), 0..5)) {
        for platform in [Platform::Unix, Platform::Windows] {
            let mut filter = Filter::new();
            if filter.add_for(&pattern, platform).is_ok() {
                filter.excludes(&path);
            }
        }
    }

    #[test]
    fn an_escaped_name_matches_itself(name in prop::collection::vec(any::<u8>().prop_filter("name", |b| *b != b'/' && *b != 0), 1..10)) {
        prop_assume!(name != b"." && name != b"..");
        let escaped: Vec<u8> = name.iter().flat_map(|b| if b.is_ascii_punctuation() { vec![b'\\', *b] } else { vec![*b] }).collect();
        let mut filter = Filter::new();
        filter.add_for(&escaped, Platform::Unix).unwrap();
        prop_assert!(filter.excludes(std::slice::from_ref(&name)));
    }
}
