//! fish.

use super::{Flag, Node, Value, flags_with, head, paths};
use std::fmt::Write;

const WALK: &str = r#"function __corso_at
    set -l at corso
    set -l value
    for word in (commandline -opc)[2..-1]
        if set -q value[1]
            set -e value
            continue
        end
        switch $word
            case @VALUED@
                set value $word
            case '-*'
            case '*'
                contains -- "$at $word" @PATHS@; and set at "$at $word"
        end
    end
    test "$at" = "$argv[1]"
end

complete -c corso -f
"#;

pub fn script(nodes: &[Node]) -> String {
    let quoted: Vec<String> = paths(nodes).into_iter().map(quote).collect();
    let mut out = format!("# {}\n", head("fish"));
    out.push_str(
        &WALK
            .replace(
                "@VALUED@",
                &flags_with(nodes, |v| v != Value::None).join(" "),
            )
            .replace("@PATHS@", &quoted.join(" ")),
    );
    for node in nodes {
        let here = format!("complete -c corso -n \"__corso_at '{}'\"", node.path);
        for (name, description) in &node.commands {
            let _ = writeln!(out, "{here} -a {name} -d {}", quote(description));
        }
        match node.words {
            Value::File => drop(writeln!(out, "{here} -F")),
            Value::OneOf(words) => drop(writeln!(out, "{here} -a {}", quote(&words.join(" ")))),
            _ => {}
        }
        for flag in &node.flags {
            let _ = writeln!(out, "{here} {}", described(flag));
        }
    }
    out
}

fn described(flag: &Flag) -> String {
    let value = match flag.value {
        Value::None => String::new(),
        Value::Any => " -x".to_owned(),
        Value::File => " -r -F".to_owned(),
        Value::OneOf(choices) => format!(" -x -a {}", quote(&choices.join(" "))),
    };
    let name = flag.name.trim_start_matches('-');
    format!("-l {name}{value} -d {}", quote(flag.description))
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}
