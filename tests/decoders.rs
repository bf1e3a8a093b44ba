//! Every decoder on what a repository holds, damaged: none may panic, hang, or take memory that its input does not
//! justify. `tests/fuzz/run` goes on from here, guided by coverage.
//!
//! `CORSO_DECODER_SECONDS` says how long in all (8), `CORSO_DECODER_SEED` repeats the choices.

#[path = "fuzz/decoders.rs"]
mod decoders;
#[path = "fuzz/local.rs"]
mod local;
mod support;

use std::path::Path;
use std::time::{Duration, Instant};
use support::{Dice, files_below};

/// Bytes to begin with: objects of a repository, vectors, answers of servers.
fn seeds() -> Vec<Vec<u8>> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut files = files_below(&tests.join("repository-v1"));
    files.extend(files_below(&tests.join("vectors")));
    files.sort();
    let mut seeds: Vec<Vec<u8>> = files.iter().map(|f| std::fs::read(f).unwrap()).collect();
    let texts = [
        "<ListBucketResult><Contents><Key>a</Key><Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified>\
         </Contents><IsTruncated>false</IsTruncated></ListBucketResult>",
        "<Error><Code>SlowDown</Code><Message>m</Message><Region>eu-west-1</Region></Error>",
        "<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code></Error></DeleteResult>",
        "[default]\naws_access_key_id = a\naws_secret_access_key = b\n[profile a]\nregion = r\n",
        "provider = \"s3\"\nbucket = \"b\"\n",
        "repo\ninit\ns3\n--bucket\nb\n--endpoint\nlocalhost:9000",
        "*.tmp\n!/keep/**\n\\#x\0home/a.tmp",
        "Mon, 23 Nov 2026 01:02:03 GMT",
    ];
    seeds.extend(texts.iter().map(|t| t.as_bytes().to_vec()));
    // Maps with the keys that the formats use, and what may be in them.
    seeds.push(
        [
            &[0xa3, 0x01, 0x58, 0x20][..],
            &[7; 32],
            &[2, 0x80, 3, 0x19, 1, 0],
        ]
        .concat(),
    );
    seeds.push(vec![0x82, 0xa1, 0x01, 0x41, b'a', 0xf6]);
    seeds
}

/// One of the seeds, cut, spliced and flipped.
fn damaged(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    let pick = |dice: &mut Dice| &seeds[dice.below(seeds.len() as u64) as usize];
    let mut bytes = pick(dice).clone();
    bytes.truncate(64 << 10);
    for _ in 0..dice.below(4) {
        let at = dice.below(bytes.len() as u64 + 1) as usize;
        match dice.below(5) {
            0 => bytes.truncate(at),
            1 => drop(bytes.splice(at..at, dice.next().to_be_bytes())),
            2 => {
                let other = pick(dice);
                let from = dice.below(other.len() as u64) as usize;
                bytes.truncate(at);
                bytes.extend(other[from..].iter().take(32 << 10));
            }
            3 => drop(bytes.drain(..at)),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
    }
    bytes
}

#[test]
fn damaged_input_is_refused_or_read_one_way() {
    let seconds = std::env::var("CORSO_DECODER_SECONDS").ok();
    let seconds = seconds.and_then(|s| s.parse().ok()).unwrap_or(8);
    let mut dice = Dice::from_env("CORSO_DECODER_SEED", "decoders");
    let seeds = seeds();
    let each = Duration::from_secs(seconds) / decoders::ALL.len() as u32;
    for (name, decoder) in decoders::ALL {
        seeds.iter().for_each(|seed| decoder(seed));
        let (start, mut count) = (Instant::now(), seeds.len());
        while start.elapsed() < each {
            decoder(&damaged(&mut dice, &seeds));
            count += 1;
        }
        println!("{name}: {count} inputs");
    }
}
