//! JSON for programs: one document (`--json`), or one object a line (`--json-events`).

use super::text::output_failed;
use super::{Event, printable};
use crate::error::{Error, Result};
use crate::units::Time;
use base64::Engine;
use serde_json::{Map, Value, json};
use std::io::Write;

/// Writes one document and a line feed to standard output.
pub fn document(value: &Value) -> Result<()> {
    write_line(&format!("{value:#}")).map_err(output_failed)
}

/// Writes one event on a line of its own.
pub fn event_line(value: &Value) -> Result<()> {
    write_line(&value.to_string()).map_err(output_failed)
}

/// Writes `text` and a line feed to standard output, at once.
pub fn write_line(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush())
}

/// `{"error": {"kind", "message", "hint", "exit_code"}}`; `hint` is null where there is none.
pub fn error(error: &Error) -> Value {
    json!({ "error": error_fields(error) })
}

/// The four fields of an error.
pub fn error_fields(error: &Error) -> Value {
    json!({
        "kind": error.kind().name(),
        "message": error.message(),
        "hint": error.hint_text(),
        "exit_code": error.kind().exit_code(),
    })
}

/// Adds a path under `key`: as text where it is UTF-8; else escaped under `key` and exactly, in base64, under
/// `<key>_base64`.
pub fn put_path(map: &mut Map<String, Value>, key: &str, raw: &[u8]) {
    match std::str::from_utf8(raw) {
        Ok(text) => {
            map.insert(key.to_owned(), text.into());
        }
        Err(_) => {
            map.insert(key.to_owned(), printable(raw).into());
            map.insert(
                format!("{key}_base64"),
                base64::engine::general_purpose::STANDARD.encode(raw).into(),
            );
        }
    }
}

/// An event as `--json-events` prints it: `event` (its name) and `time`, and what belongs to it.
pub fn event(event: &Event<'_>) -> Value {
    let mut map = Map::new();
    let name = match event {
        Event::Phase(name) => {
            map.insert("phase".into(), (*name).into());
            "phase"
        }
        Event::Progress(p) => {
            if let Ok(Value::Object(fields)) = serde_json::to_value(p) {
                map.extend(fields);
            }
            "progress"
        }
        Event::FileError { path, error } => {
            put_path(&mut map, "path", path);
            map.insert("error".into(), error_fields(error));
            "file-error"
        }
        Event::FileNote { path, note } => {
            put_path(&mut map, "path", path);
            map.insert("note".into(), (*note).into());
            "file-note"
        }
        Event::Warning(text) => {
            map.insert("message".into(), (*text).into());
            "warning"
        }
        Event::Debug(text) => {
            map.insert("message".into(), (*text).into());
            "debug"
        }
    };
    named(name, map)
}

/// The last event of a run that failed.
pub fn error_event(error: &Error) -> Value {
    named(
        "error",
        Map::from_iter([("error".to_owned(), error_fields(error))]),
    )
}

/// The last event of a run that did not fail.
pub fn result_event(result: Value) -> Value {
    named("result", Map::from_iter([("result".to_owned(), result)]))
}

/// An event called `name` with these fields.
pub fn named(name: &str, fields: Map<String, Value>) -> Value {
    let mut map = Map::new();
    map.insert("event".into(), name.into());
    map.insert("time".into(), Time::local_now().rfc3339().into());
    map.extend(fields);
    Value::Object(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_four_fields() {
        let e = Error::usage("no bucket").hint("give --bucket");
        assert_eq!(
            error(&e),
            json!({"error": {"kind": "usage", "message": "no bucket", "hint": "give --bucket", "exit_code": 2}})
        );
    }

    #[test]
    fn paths_are_exact() {
        let text = event(&Event::FileNote {
            path: b"/a\n\xff",
            note: "socket",
        });
        assert_eq!(
            (text["path"].as_str(), text["path_base64"].as_str()),
            (Some("/a\\n\\xff"), Some("L2EK/w=="))
        );
        let text = event(&Event::FileNote {
            path: b"/a\nb",
            note: "socket",
        });
        assert_eq!(
            (text["path"].as_str(), text.get("path_base64")),
            (Some("/a\nb"), None)
        );
        assert!(!text.to_string().contains('\n'));
    }
}
