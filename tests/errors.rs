//! Every error that a user can run into: what produces it, what it says, how the program ends.
//!
//! `tests/errors/TABLE.md` is the table for people; `CORSO_BLESS=1` writes it anew.
// Rows need permissions, users and a shell of Unix.
#![cfg(unix)]

mod support;

#[path = "errors/host.rs"]
mod host;
#[path = "errors/odd.rs"]
mod odd;
#[path = "errors/rows.rs"]
mod rows;
#[path = "errors/world.rs"]
mod world;

use rows::{ROWS, Row, Server};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use support::Finished;
use world::World;

#[test]
fn the_table() {
    let world = World::start();
    let mut wrong = Vec::new();
    let mut lines = Vec::new();
    for row in ROWS {
        let line = world.has(row.server).then(|| {
            let (line, faults) = check(&world, row);
            wrong.extend(faults);
            line
        });
        lines.push((row.case, line));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    compare(&lines);
}

/// Runs a row. Gives its line of the table, and what is wrong.
fn check(world: &World, row: &Row) -> (String, Vec<String>) {
    let mut corso = world.home(row.server);
    for (name, value) in row.env {
        corso.set(name, world.real(value));
    }
    let config = corso.home().join(".corso.toml");
    if !row.config.is_empty() {
        std::fs::write(&config, world.real(row.config)).unwrap();
    }
    let before = world.stored();
    let words: Vec<String> = world.words(row.command);
    let home = corso.home().to_owned();
    let words: Vec<String> = words
        .iter()
        .map(|w| w.replace("{home}", home.to_str().unwrap()))
        .collect();
    let finished = corso.run(&words);
    let mut faults = faults(world, row, &finished, &home);
    if world.stored() != before {
        faults.push("something is left behind".into());
    }
    let recorded = std::fs::read_to_string(&config).unwrap_or_default();
    if recorded != world.real(row.config) {
        faults.push(format!("the configuration file has changed: {recorded}"));
    }
    let message = message(&finished).unwrap_or_default();
    let line = format!(
        "| {} | {} | `corso {}` | {} | {} |",
        row.case,
        server(row.server),
        row.command,
        row.code,
        world.steady(message, &home).replace('|', "\\|")
    );
    let named = |fault| format!("{}: {fault}\n    {finished:?}", row.case);
    (line, faults.into_iter().map(named).collect())
}

fn message(finished: &Finished) -> Option<&str> {
    let mut errors = finished
        .stderr
        .lines()
        .filter_map(|l| l.strip_prefix("Error: "));
    errors.next().filter(|_| errors.next().is_none())
}

fn faults(world: &World, row: &Row, finished: &Finished, home: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    if finished.code != row.code {
        faults.push(format!(
            "exit code {} instead of {}",
            finished.code, row.code
        ));
    }
    let says = world
        .real(row.says)
        .replace("{home}", home.to_str().unwrap());
    match message(finished) {
        None => faults.push("not exactly one line with Error:".into()),
        Some(message) if !message.contains(&says) => faults.push(format!("does not say {says}")),
        Some(_) => {}
    }
    if finished.stderr.contains("panicked") || finished.stderr.contains("defect") {
        faults.push("a panic".into());
    }
    if !finished.stdout.is_empty() {
        faults.push("something on standard output".into());
    }
    let all = format!("{}{}", finished.stdout, finished.stderr);
    if world.secrets.iter().any(|s| all.contains(s.as_str())) {
        faults.push("a secret is printed".into());
    }
    faults
}

fn server(server: Server) -> &'static str {
    match server {
        Server::S3s => "s3s",
        Server::Tls => "s3s with TLS",
        Server::Regional => "s3s that knows its region",
        Server::Skewed => "s3s with a clock of 2013",
        Server::Odd => "s3s that answers by the bucket",
        Server::Rclone => "rclone serve s3",
        Server::Moto => "moto",
        Server::Folder => "folder",
        Server::None => "none",
    }
}

const HEAD: &str = "# Errors

Made and checked by `tests/errors.rs`: each row is a command that was run against the server named. Names in braces stand
for what differs from run to run. Every message is one line on standard error, after `Error: `.

| case | server | command | exit code | message |
|---|---|---|---|---|
";

/// Against the file, row by row: those of servers that do not run here are taken from it.
fn compare(lines: &[(&str, Option<String>)]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/errors/TABLE.md");
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let of = |case: &str| {
        let begin = format!("| {case} | ");
        kept.lines()
            .find(|l| l.starts_with(&begin))
            .unwrap_or_default()
    };
    let rows = lines
        .iter()
        .map(|(case, line)| line.clone().unwrap_or_else(|| of(case).to_owned()) + "\n");
    let table = HEAD.to_owned() + &rows.collect::<String>();
    if std::env::var_os("CORSO_BLESS").is_some() {
        return std::fs::write(&path, table).unwrap();
    }
    let (now, then): (BTreeSet<&str>, BTreeSet<&str>) =
        (table.lines().collect(), kept.lines().collect());
    let new: Vec<_> = now.difference(&then).collect();
    let old: Vec<_> = then.difference(&now).collect();
    assert!(
        table == kept,
        "tests/errors/TABLE.md differs; CORSO_BLESS=1 writes it anew\nfile: {old:#?}\nfound: {new:#?}"
    );
}
