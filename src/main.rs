//! `corso`: see the library.
#![forbid(unsafe_code)]

use corso::cli::{self, env::Env, exit};
use std::process::ExitCode;

fn main() -> ExitCode {
    exit::set_panic_hook();
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    ExitCode::from(cli::run(&args, Env::of_process()))
}
