//! Nushell: declarations of commands that are not its own.

use super::{Node, Value, choices, head};
use std::fmt::Write;

pub fn script(nodes: &[Node]) -> String {
    let mut out = format!("# {}\n", head("nushell"));
    for (flag, choices) in choices(nodes) {
        let all: Vec<String> = choices.iter().map(|c| format!("\"{c}\"")).collect();
        let _ = writeln!(
            out,
            "def \"nu-complete corso {flag}\" [] {{ [{}] }}",
            all.join(" ")
        );
    }
    for node in nodes {
        let _ = writeln!(out, "\n# {}", node.description);
        let _ = writeln!(out, "export extern \"{}\" [", node.path);
        for flag in &node.flags {
            let shape = match flag.value {
                Value::None => String::new(),
                Value::Any => ": string".to_owned(),
                Value::File => ": path".to_owned(),
                Value::OneOf(_) => format!(": string@\"nu-complete corso {}\"", flag.name),
            };
            let _ = writeln!(out, "    {}{shape} # {}", flag.name, flag.description);
        }
        match (node.runs, node.words) {
            (true, Value::File) => out.push_str("    ...words: path\n"),
            (true, Value::Any | Value::OneOf(_)) => out.push_str("    ...words: string\n"),
            _ => {}
        }
        out.push_str("]\n");
    }
    out
}
