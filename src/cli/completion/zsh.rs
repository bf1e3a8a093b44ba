//! zsh.

use super::{Node, Value, choices, flags_with, head, paths};
use std::fmt::Write;

const WALK: &str = r#"_corso() {
    local at=corso value= word i files=
    local -a commands flags
    for ((i = 2; i < CURRENT; i++)); do
        word=${words[i]}
        if [[ -n $value ]]; then value=; continue; fi
        case $word in
            (@VALUED@) value=$word ;;
            (-*) ;;
            (*) case "$at $word" in (@PATHS@) at="$at $word" ;; esac ;;
        esac
    done
    if [[ -z $value && ${words[CURRENT]} == --*=* ]]; then
        value=${words[CURRENT]%%=*}
        compset -P '*='
    fi
    if [[ -n $value ]]; then
        case $value in
@CHOICES@            (@FILES@) _files ;;
            (*) _message "value of $value" ;;
        esac
        return
    fi
    case $at in
@NODES@    esac
    if [[ ${words[CURRENT]} == -* ]]; then
        _describe -o flag flags
    elif [[ -n $files ]]; then
        _files
    else
        _describe command commands
    fi
}

if [[ ${funcstack[1]} == _corso ]]; then
    _corso "$@"
else
    compdef _corso corso
fi
"#;

pub fn script(nodes: &[Node]) -> String {
    let quoted: Vec<String> = paths(nodes).iter().map(|p| format!("\"{p}\"")).collect();
    let mut values = String::new();
    for (flag, choices) in choices(nodes) {
        let _ = writeln!(
            values,
            "            ({flag}) compadd -- {} ;;",
            choices.join(" ")
        );
    }
    let mut cases = String::new();
    for node in nodes {
        let _ = writeln!(cases, "        (\"{}\")", node.path);
        let mut list = |name: &str, items: Vec<String>| {
            if !items.is_empty() {
                let _ = writeln!(
                    cases,
                    "            {name}=(\n                {}\n            )",
                    items.join("\n                ")
                );
            }
        };
        let mut commands: Vec<String> =
            node.commands.iter().map(|(n, d)| described(n, d)).collect();
        if let Value::OneOf(more) = node.words {
            commands.extend(more.iter().map(|w| format!("'{w}'")));
        }
        list("commands", commands);
        list(
            "flags",
            node.flags
                .iter()
                .map(|f| described(f.name, f.description))
                .collect(),
        );
        if node.words == Value::File {
            cases.push_str("            files=1\n");
        }
        cases.push_str("            ;;\n");
    }
    let script = WALK
        .replace(
            "@VALUED@",
            &flags_with(nodes, |v| v != Value::None).join("|"),
        )
        .replace("@PATHS@", &quoted.join("|"))
        .replace("@CHOICES@", &values)
        .replace(
            "@FILES@",
            &flags_with(nodes, |v| v == Value::File).join("|"),
        )
        .replace("@NODES@", &cases);
    format!("#compdef corso\n# {}\n{script}", head("zsh"))
}

/// `name:description` as one word of the shell; only a colon in the name would need an escape.
fn described(name: &str, description: &str) -> String {
    format!("'{name}:{}'", description.replace('\'', r"'\''"))
}
