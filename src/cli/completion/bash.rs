//! bash.

use super::{Node, Value, choices, flags_with, head, paths};
use std::fmt::Write;

/// Without the bash-completion package; `=` splits words in bash.
const WALK: &str = r#"_corso() {
    local cur=${COMP_WORDS[COMP_CWORD]} at=corso value= word i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [ "$word" = = ]; then continue; fi
        if [ -n "$value" ]; then value=; continue; fi
        case $word in
            @VALUED@) value=$word ;;
            -*) ;;
            *) case "$at $word" in @PATHS@) at="$at $word" ;; esac ;;
        esac
    done
    if [ "$cur" = = ]; then cur=; fi
    if [ -n "$value" ]; then
        case $value in
@CHOICES@            @FILES@) _corso_files ;;
        esac
        return
    fi
    local words= flags= files=
    case $at in
@NODES@    esac
    case $cur in
        -*) words=$flags ;;
        *) if [ -n "$files" ]; then _corso_files; return; fi ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}

_corso_files() {
    local IFS=$'\n'
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "$cur"))
}

complete -F _corso corso
"#;

pub fn script(nodes: &[Node]) -> String {
    let quoted = |paths: Vec<&str>| {
        let all: Vec<String> = paths.iter().map(|p| format!("\"{p}\"")).collect();
        all.join("|")
    };
    let mut values = String::new();
    for (flag, choices) in choices(nodes) {
        let choices = choices.join(" ");
        let _ = writeln!(
            values,
            "            {flag}) COMPREPLY=($(compgen -W \"{choices}\" -- \"$cur\")) ;;"
        );
    }
    let mut cases = String::new();
    for node in nodes {
        let mut words: Vec<&str> = node.commands.iter().map(|(name, _)| *name).collect();
        let files = match node.words {
            Value::File => " files=1",
            Value::OneOf(more) => {
                words.extend(more);
                ""
            }
            _ => "",
        };
        let flags: Vec<&str> = node.flags.iter().map(|f| f.name).collect();
        let (path, words, flags) = (&node.path, words.join(" "), flags.join(" "));
        let _ = writeln!(
            cases,
            "        \"{path}\") words=\"{words}\" flags=\"{flags}\"{files} ;;"
        );
    }
    let valued = flags_with(nodes, |v| v != Value::None).join("|");
    let files = flags_with(nodes, |v| v == Value::File).join("|");
    let script = WALK
        .replace("@VALUED@", &valued)
        .replace("@PATHS@", &quoted(paths(nodes)))
        .replace("@CHOICES@", &values)
        .replace("@FILES@", &files)
        .replace("@NODES@", &cases);
    format!("# {}\n{script}", head("bash"))
}
