//! The grammar of the AWS files: what this program reads, beside what botocore reads from the very same files.
//!
//! The program follows the AWS SDK for Go v2 (`config/internal/ini`), whose rules differ from botocore's (Python's
//! configparser) in corners. Every difference below has its reason:
//!
//! | case | here | botocore | why |
//! |---|---|---|---|
//! | a section, or a key, that comes twice | later values win, sections join | the file is refused | Go joins |
//! | a key before any section, a line without separator | passed over | the file is refused | Go passes over |
//! | ` #` or ` ;` behind a value | a comment | part of the value | Go cuts |
//! | quotes around a value | dropped | kept | Go drops them |
//! | an indented `key = value` below a key with a value | a setting of its own | more of that value | Go promotes |
//! | `k = # c` | no value | the value `# c` | Go cuts |
//! | a byte order mark | dropped | the file is refused | friendlier; Go loses the first section |
//! | quotes around a bare section name | dropped | kept | as in `[profile "x"]`, where both drop them |
//! | keys in capitals | lower case | lower case | no difference |

use super::support::{find_program, skip, temp_dir};
use corso::s3::credentials::Profiles;
use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, Stdio};

/// What botocore reads.
enum Botocore {
    /// The same.
    Same,
    /// Another value, or none.
    Differs(Option<&'static str>),
    /// It refuses the file.
    Refuses,
}
use Botocore::{Differs, Refuses, Same};

struct Case {
    config: &'static str,
    credentials: &'static str,
    profile: &'static str,
    key: &'static str,
    here: Option<&'static str>,
    botocore: Botocore,
}

const fn config(
    config: &'static str,
    profile: &'static str,
    here: Option<&'static str>,
    botocore: Botocore,
) -> Case {
    Case {
        config,
        credentials: "",
        profile,
        key: "region",
        here,
        botocore,
    }
}

const fn key(case: Case, key: &'static str) -> Case {
    Case { key, ..case }
}

const fn both(case: Case, credentials: &'static str) -> Case {
    Case {
        credentials,
        ..case
    }
}

const CASES: &[Case] = &[
    config("[default]\nregion = r\n", "default", Some("r"), Same),
    config("[default]\r\nregion = r\r\n", "default", Some("r"), Same),
    config("[default]\nregion=r", "default", Some("r"), Same),
    config("[default]\nregion : r\n", "default", Some("r"), Same),
    config("[default]\nREGION = r\n", "default", Some("r"), Same),
    config(
        "[default]\n# c\n; c\nregion = r\n",
        "default",
        Some("r"),
        Same,
    ),
    config("[default] # c\nregion = r\n", "default", Some("r"), Same),
    config(
        "[default]\nregion = a=b:c\n",
        "default",
        Some("a=b:c"),
        Same,
    ),
    config("[default]\nregion = r#c\n", "default", Some("r#c"), Same),
    config("[default]\nregion =\n", "default", None, Differs(Some(""))),
    config("[profile x]\nregion = r\n", "x", Some("r"), Same),
    config("[profile   x]\nregion = r\n", "x", Some("r"), Same),
    config("[profile\tx]\nregion = r\n", "x", Some("r"), Same),
    config("[profile 'x y']\nregion = r\n", "x y", Some("r"), Same),
    config("[profile \"x y\"]\nregion = r\n", "x y", Some("r"), Same),
    config("[profile x#y]\nregion = r\n", "x#y", Some("r"), Same),
    config(
        "[profile \u{fc}ml\u{e4}ut]\nregion = r\n",
        "\u{fc}ml\u{e4}ut",
        Some("r"),
        Same,
    ),
    config(
        "[profile x/y@z+1]\nregion = r\n",
        "x/y@z+1",
        Some("r"),
        Same,
    ),
    config(
        "[profile default]\nregion = r\n",
        "default",
        Some("r"),
        Same,
    ),
    config("[x]\nregion = r\n", "x", None, Same),
    config("[default]\nregion = a\n b\n", "default", Some("a\nb"), Same),
    config(
        "[default]\nregion = a\n  # c\n b\n",
        "default",
        Some("a\nb"),
        Same,
    ),
    key(
        config(
            "[default]\ns3 =\n  addressing_style = path\n",
            "default",
            Some("path"),
            Same,
        ),
        "s3.addressing_style",
    ),
    key(
        config(
            "[default]\ns3 =\n  endpoint_url = u # c\n",
            "default",
            Some("u # c"),
            Same,
        ),
        "s3.endpoint_url",
    ),
    both(
        config("[default]\nregion = a\n", "default", Some("b"), Same),
        "[default]\nregion = b\n",
    ),
    both(
        config("[default]\nregion = a\n", "default", Some("a"), Same),
        "[default]\nother = b\n",
    ),
    both(config("", "x", Some("b"), Same), "[x]\nregion = b\n"),
    both(config("", "x y", Some("b"), Same), "[x y]\nregion = b\n"),
    // Where the two differ: see the table above.
    config(
        "[default]\nregion = a\n[default]\nregion = b\n",
        "default",
        Some("b"),
        Refuses,
    ),
    config(
        "[default]\nregion = a\nregion = b\n",
        "default",
        Some("b"),
        Refuses,
    ),
    config(
        "region = a\n[default]\nregion = b\n",
        "default",
        Some("b"),
        Refuses,
    ),
    config(
        "[default]\nnonsense\nregion = b\n",
        "default",
        Some("b"),
        Refuses,
    ),
    config(
        "[default]\nregion = r # c\n",
        "default",
        Some("r"),
        Differs(Some("r # c")),
    ),
    config(
        "[default]\nregion = r ; c\n",
        "default",
        Some("r"),
        Differs(Some("r ; c")),
    ),
    config(
        "[default]\nregion = # c\n",
        "default",
        None,
        Differs(Some("# c")),
    ),
    config(
        "[default]\nregion = \"r\"\n",
        "default",
        Some("r"),
        Differs(Some("\"r\"")),
    ),
    config(
        "[default]\nregion = 'r'\n",
        "default",
        Some("r"),
        Differs(Some("'r'")),
    ),
    config(
        "[default]\nother = a\n  region = r\n",
        "default",
        Some("r"),
        Differs(None),
    ),
    config(
        "\u{feff}[default]\nregion = r\n",
        "default",
        Some("r"),
        Refuses,
    ),
    both(
        config("", "x", Some("b"), Differs(None)),
        "['x']\nregion = b\n",
    ),
];

/// Prints, for each folder and profile and key of its input, what botocore reads there.
const PROGRAM: &str = r#"
import json, sys, os
import botocore.session
from botocore.exceptions import ConfigParseError
answers = []
for case in json.load(sys.stdin):
    session = botocore.session.Session()
    session.set_config_variable("config_file", os.path.join(case["folder"], "config"))
    session.set_config_variable("credentials_file", os.path.join(case["folder"], "credentials"))
    try:
        value = session.full_config["profiles"].get(case["profile"], {})
        for part in case["key"].split("."):
            value = value.get(part) if isinstance(value, dict) else None
        answers.append({"value": value})
    except ConfigParseError:
        answers.append({"refused": True})
json.dump(answers, sys.stdout)
"#;

#[test]
fn the_same_files_as_botocore() {
    let folder = temp_dir();
    let mut asked = Vec::new();
    for (at, case) in CASES.iter().enumerate() {
        let folder = folder.path().join(at.to_string());
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("config"), case.config).unwrap();
        std::fs::write(folder.join("credentials"), case.credentials).unwrap();
        let env = |name: &str| -> Option<OsString> {
            match name {
                "AWS_CONFIG_FILE" => Some(folder.join("config").into()),
                "AWS_SHARED_CREDENTIALS_FILE" => Some(folder.join("credentials").into()),
                _ => None,
            }
        };
        let files = Profiles::load(&env).unwrap_or_else(|e| panic!("{:?}: {e}", case.config));
        let here = files.setting(case.profile, case.key);
        assert_eq!(
            here.as_deref(),
            case.here,
            "{:?} {:?}",
            case.config,
            case.credentials
        );
        asked.push(serde_json::json!({
            "folder": folder, "profile": case.profile, "key": case.key,
        }));
    }
    let Some(answers) = botocore(&serde_json::Value::from(asked)) else {
        return;
    };
    for (case, answer) in CASES.iter().zip(answers) {
        let what = format!("{:?} {:?}: {answer}", case.config, case.credentials);
        let value = answer["value"].as_str();
        match case.botocore {
            Same => assert_eq!(
                value.map(|v| v.trim_start_matches('\n')),
                case.here,
                "{what}"
            ),
            Differs(other) => assert_eq!(value, other, "{what}"),
            Refuses => assert_eq!(answer["refused"], true, "{what}"),
        }
    }
}

/// Suite `botocore`: a Python with that module.
fn botocore(asked: &serde_json::Value) -> Option<Vec<serde_json::Value>> {
    let python = find_program("botocore", "CORSO_TEST_PYTHON", "python3")?;
    let has = Command::new(&python)
        .args(["-c", "import botocore"])
        .output();
    if !has.is_ok_and(|o| o.status.success()) {
        skip(
            "botocore",
            &format!("{} has no module botocore", python.display()),
        );
        return None;
    }
    let mut child = Command::new(python)
        .args(["-c", PROGRAM])
        .env("PYTHONUTF8", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(asked.to_string().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}
