//! PowerShell, 5.1 and later.

use super::{Node, Value, choices, flags_with, head, paths};
use std::fmt::Write;

const WALK: &str = r#"Register-ArgumentCompleter -Native -CommandName 'corso', 'corso.exe' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $valued = @(@VALUED@)
    $files = @(@FILES@)
    $paths = @(@PATHS@)
    $choices = @{
@CHOICES@    }
    $at = 'corso'
    $value = ''
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition })
    foreach ($element in ($words | Select-Object -Skip 1)) {
        $word = $element.ToString()
        if ($value) { $value = ''; continue }
        if ($valued -contains $word) { $value = $word; continue }
        if ($word.StartsWith('-')) { continue }
        if ($paths -contains "$at $word") { $at = "$at $word" }
    }
    $offers = @()
    if ($value) {
        if ($files -contains $value) { return }
        foreach ($choice in $choices[$value]) { $offers += , @($choice, $choice) }
    } else {
        switch ($at) {
@NODES@        }
    }
    $offers | Where-Object { $_[0] -like "$wordToComplete*" } | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_[0], $_[0], 'ParameterValue', $_[1])
    }
}
"#;

pub fn script(nodes: &[Node]) -> String {
    let list = |words: Vec<&str>| {
        let all: Vec<String> = words.into_iter().map(quote).collect();
        all.join(", ")
    };
    let mut values = String::new();
    for (flag, choices) in choices(nodes) {
        let _ = writeln!(
            values,
            "        {} = @({})",
            quote(flag),
            list(choices.to_vec())
        );
    }
    let mut cases = String::new();
    for node in nodes {
        let _ = writeln!(cases, "            {} {{", quote(&node.path));
        let mut offer = |name: &str, description: &str| {
            let _ = writeln!(
                cases,
                "                $offers += , @({}, {})",
                quote(name),
                quote(description)
            );
        };
        node.commands
            .iter()
            .for_each(|(name, what)| offer(name, what));
        if let Value::OneOf(words) = node.words {
            words.iter().for_each(|word| offer(word, word));
        }
        node.flags.iter().for_each(|f| offer(f.name, f.description));
        cases.push_str("            }\n");
    }
    let script = WALK
        .replace("@VALUED@", &list(flags_with(nodes, |v| v != Value::None)))
        .replace("@FILES@", &list(flags_with(nodes, |v| v == Value::File)))
        .replace("@PATHS@", &list(paths(nodes)))
        .replace("@CHOICES@", &values)
        .replace("@NODES@", &cases);
    format!("# {}\n{script}", head("powershell"))
}

/// A literal string. One that PowerShell would take for nothing must not be empty.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
