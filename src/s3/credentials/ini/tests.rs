use super::*;
use proptest::prelude::*;

fn value(text: &str, section: &str, key: &str) -> Option<String> {
    let sections = parse(text).unwrap();
    Some(sections.get(section)?.get(key)?.expose().to_string())
}

/// Text, section, key, value: what the SDK for Go reads.
const CASES: &[(&str, &str, &str, Option<&str>)] = &[
    ("[default]\nk = v\n", "default", "k", Some("v")),
    ("[default]\r\nk = v\r\n", "default", "k", Some("v")),
    ("[ default ] ; c\nk=v", "default", "k", Some("v")),
    ("[default]# c\nk=v", "default", "k", Some("v")),
    ("  [default]\nk=v", "default", "k", Some("v")),
    ("[profile  x]\nk: v", "profile x", "k", Some("v")),
    ("[profile\tx y]\nk=v", "profile x y", "k", Some("v")),
    ("[profile 'x y']\nk=v", "profile x y", "k", Some("v")),
    ("[profile \"x\"]\nk=v", "profile x", "k", Some("v")),
    ("[a]b]\nk=v", "a]b", "k", Some("v")),
    ("[a#b]\nk=v", "a#b", "k", Some("v")),
    ("[a] rest\nk=v", "a", "k", Some("v")),
    ("\u{feff}[a]\nk=v", "a", "k", Some("v")),
    ("k=v\n[a]\n", "a", "k", None),
    ("[a]\nKey_Of = V\n", "a", "key_of", Some("V")),
    ("[a]\nk = a=b:c\n", "a", "k", Some("a=b:c")),
    ("[a]\nk : a=b\n", "a", "k", Some("a=b")),
    ("[a]\nk = v # c\n", "a", "k", Some("v")),
    ("[a]\nk = v\t; c\n", "a", "k", Some("v")),
    ("[a]\nk = v#c;d\n", "a", "k", Some("v#c;d")),
    ("[a]\nk = # c\n", "a", "k", Some("")),
    ("[a]\nk =\n", "a", "k", Some("")),
    ("[a]\n# k = v\n ; k = v\n", "a", "k", None),
    ("[a]\nk = \"v w\"\n", "a", "k", Some("v w")),
    ("[a]\nk = 'v'\n", "a", "k", Some("v")),
    ("[a]\nk = 'v\"\n", "a", "k", Some("'v\"")),
    ("[a]\nk = \"\n", "a", "k", Some("\"")),
    ("[a]\nnonsense\nk = v\n", "a", "k", Some("v")),
    ("[a]\nk = 1\nk = 2\n", "a", "k", Some("2")),
    ("[a]\nk = 1\n[b]\nk = 3\n[a]\nl = 2\n", "a", "k", Some("1")),
    ("[a]\nk = 1\n[b]\n[a]\nk = 2\n", "a", "k", Some("2")),
    ("[a]\nk = x\n  y\n\n  z\n", "a", "k", Some("x\ny\nz")),
    ("[a]\nk = x\n  # c\n  y\n", "a", "k", Some("x\ny")),
    (
        "[a]\ns3 =\n  Endpoint_URL = u # c\n",
        "a",
        "s3.endpoint_url",
        Some("u # c"),
    ),
    ("[a]\ns3 =\n  x = 1\nk = v\n", "a", "k", Some("v")),
    ("[a]\nk = x\n  l = y # c\n", "a", "l", Some("y")),
    ("[a]\n  k = v\n", "a", "k", Some("v")),
    ("[a]\nk =\n  more\n", "a", "k", Some("")),
    ("[a]\nk = \u{fc}\n", "a", "k", Some("\u{fc}")),
];

#[test]
fn the_grammar() {
    for (text, section, key, want) in CASES {
        let got = value(text, section, key);
        assert_eq!(got.as_deref(), *want, "{text:?} {section} {key}");
    }
}

#[test]
fn a_section_that_does_not_end_is_an_error_with_its_line() {
    for (text, line) in [("[a\nk=v", 1), ("[a]\nk=v\n[b # c\n", 3), ("[", 1)] {
        let why = parse(text).unwrap_err();
        assert_eq!(
            why,
            format!("line {line}: a section's name does not end with ]")
        );
    }
}

#[test]
fn rubbish_is_passed_over() {
    for text in [
        "",
        "\n\n",
        "]",
        "=",
        "[a]\n=v\n:\n   first",
        "\0",
        "[a]\n : \n  x",
        "[]\n=\n = ",
        "[ ]",
    ] {
        parse(text).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn no_text_is_too_much(text in "([\\[\\]=:#; \t\"'a-c\n\r]{0,8}\n?){0,12}") {
        let _ = parse(&text);
    }
}
