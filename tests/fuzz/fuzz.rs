//! One decoder under libFuzzer: the one that `CORSO_FUZZ` names.
#![no_main]

mod decoders;
mod local;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static DECODER: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("CORSO_FUZZ").unwrap_or_default();
    match decoders::ALL.iter().find(|(other, _)| *other == name) {
        Some((_, decoder)) => *decoder,
        None => {
            let names: Vec<&str> = decoders::ALL.iter().map(|(name, _)| *name).collect();
            panic!("CORSO_FUZZ is to be one of: {}", names.join(" "));
        }
    }
});

fuzz_target!(|data: &[u8]| DECODER(data));
