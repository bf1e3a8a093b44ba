use super::*;
use crate::ops::testing::noise;
use proptest::prelude::*;

const KEY: [u8; 32] = [3; 32];
const SMALL: Params = Params {
    min: 256,
    avg: 1024,
    max: 8192,
};

fn lengths(cdc: &Cdc, mut data: &[u8]) -> Vec<usize> {
    let mut out = Vec::new();
    while let Some(n) = cdc.cut(data, true) {
        out.push(n);
        data = &data[n..];
    }
    out
}

/// Straight from the definition, 64 bytes anew at every position.
fn by_definition(cdc: &Cdc, data: &[u8]) -> usize {
    let Params { min, avg, max } = cdc.params;
    for n in min..=data.len().min(max) {
        let window = data[n - 64..n].iter().rev().enumerate();
        let hash = window.fold(0u64, |h, (age, b)| {
            h.wrapping_add(cdc.gear[usize::from(*b)] << age)
        });
        let bits = if n < avg {
            avg.ilog2() + 2
        } else {
            avg.ilog2() - 2
        };
        if hash >> (64 - bits) == 0 {
            return n;
        }
    }
    data.len().min(max)
}

/// Gives at most `step` bytes a call, then an error if told so.
struct Drip<'a> {
    data: &'a [u8],
    steps: Vec<usize>,
    fails: bool,
}

impl Read for Drip<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.data.is_empty() && self.fails {
            return Err(io::Error::other("disk on fire"));
        }
        let step = self.steps.pop().unwrap_or(usize::MAX);
        let n = step.min(buf.len()).min(self.data.len());
        buf[..n].copy_from_slice(&self.data[..n]);
        self.data = &self.data[n..];
        Ok(n)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn cuts_do_not_depend_on_reads(
        seed in any::<u8>(), len in 0usize..60_000, steps in proptest::collection::vec(1usize..9000, 0..50),
    ) {
        let cdc = Cdc::new(SMALL, &KEY).unwrap();
        let data = noise(len, seed);
        let mut chunker = Chunker::new(&cdc, Drip { data: &data, steps, fails: false });
        let mut out = Vec::new();
        let mut got = Vec::new();
        while let Some(chunk) = chunker.next_chunk().unwrap() {
            out.push(chunk.len());
            got.extend_from_slice(&chunk);
            spare::give(chunk);
        }
        prop_assert_eq!(chunker.bytes_read(), len as u64);
        prop_assert_eq!(got, &data[..]);
        prop_assert_eq!(out, lengths(&cdc, &data));
    }

    #[test]
    fn the_fast_search_follows_the_definition(seed in any::<u8>(), len in 0usize..9000, repeat in 1usize..300) {
        let cdc = Cdc::new(SMALL, &KEY).unwrap();
        let random = noise(len, seed);
        prop_assert_eq!(cdc.cut(&random, true).unwrap_or(0), by_definition(&cdc, &random));
        let periodic: Vec<u8> = noise(repeat, seed).into_iter().cycle().take(9000).collect();
        prop_assert_eq!(cdc.cut(&periodic, true).unwrap_or(0), by_definition(&cdc, &periodic));
    }
}

#[test]
fn sizes_are_kept_and_an_insertion_is_local() {
    let cdc = Cdc::new(SMALL, &KEY).unwrap();
    let mut bytes = noise(2 << 20, 9);
    let cuts = |bytes: &[u8]| {
        let mut at = 0;
        lengths(&cdc, bytes)
            .iter()
            .map(|n| {
                at += n;
                bytes[at - n..at].to_vec()
            })
            .collect::<Vec<_>>()
    };
    let before = cuts(&bytes);
    let (_, all_but_last) = before.split_last().unwrap();
    assert!(
        all_but_last
            .iter()
            .all(|c| (SMALL.min..=SMALL.max).contains(&c.len()))
    );
    let mean = bytes.len() / before.len();
    assert!((800..1600).contains(&mean), "mean {mean}");
    bytes.splice(1_000_000..1_000_000, *b"inserted");
    let known: std::collections::HashSet<_> = before.into_iter().collect();
    let fresh = cuts(&bytes).iter().filter(|c| !known.contains(*c)).count();
    assert!((1..=6).contains(&fresh), "{fresh} new chunks");
}

#[test]
fn another_key_cuts_elsewhere() {
    let bytes = noise(100_000, 1);
    let [a, b] = [KEY, [4; 32]].map(|key| lengths(&Cdc::new(SMALL, &key).unwrap(), &bytes));
    assert_ne!(a, b);
}

#[test]
fn more_data_is_asked_for_only_when_needed() {
    let cdc = Cdc::new(SMALL, &KEY).unwrap();
    assert_eq!(cdc.cut(&[], true), None);
    assert_eq!(cdc.cut(&[1; 100], false), None);
    assert_eq!(cdc.cut(&[1; 100], true), Some(100));
    assert!(cdc.cut(&[1; 9000], false).is_some());
}

#[test]
fn an_error_of_the_reader_ends_the_chunks() {
    let cdc = Cdc::new(SMALL, &KEY).unwrap();
    let data = noise(40_000, 5);
    let mut chunker = Chunker::new(
        &cdc,
        Drip {
            data: &data,
            steps: vec![],
            fails: true,
        },
    );
    let expected = lengths(&cdc, &data);
    let mut seen = Vec::new();
    let error = loop {
        match chunker.next_chunk() {
            Ok(chunk) => seen.push(chunk.unwrap().len()),
            Err(e) => break e,
        }
    };
    assert_eq!(error.to_string(), "disk on fire");
    assert_eq!(chunker.bytes_read(), 40_000);
    assert!(chunker.next_chunk().unwrap().is_none());
    assert!(expected.starts_with(&seen) && seen.len() + 1 >= expected.len() / 2);
}

#[test]
fn bad_sizes_are_refused() {
    for (min, avg, max) in [
        (63, 1024, 8192),
        (64, 64, 128),
        (64, 128, 128),
        (64, 128, MAX_CHUNK + 1),
        (0, 0, 0),
    ] {
        assert!(Cdc::new(Params { min, avg, max }, &KEY).is_err());
    }
    assert!(
        Cdc::new(
            Params {
                min: 64,
                avg: 65,
                max: 66
            },
            &KEY
        )
        .is_ok()
    );
    assert!(Params::default().check().is_ok());
}

/// `tests/vectors/cdc.json`: data is the first `length` bytes of unkeyed BLAKE3 output over `seed`.
#[test]
fn vectors() {
    let text = include_str!("../../../tests/vectors/cdc.json");
    let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() >= 4);
    for case in cases {
        let (cdc, bytes) = read_case(case);
        assert_eq!(
            serde_json::json!(lengths(&cdc, &bytes)),
            case["lengths"],
            "{}",
            case["seed"]
        );
    }
}

fn read_case(case: &serde_json::Value) -> (Cdc, Vec<u8>) {
    let number = |v: &serde_json::Value| v.as_u64().unwrap() as usize;
    let key: [u8; 32] = hex::decode(case["key"].as_str().unwrap())
        .unwrap()
        .try_into()
        .unwrap();
    let sizes = &case["sizes"];
    let params = Params {
        min: number(&sizes[0]),
        avg: number(&sizes[1]),
        max: number(&sizes[2]),
    };
    let mut bytes = vec![0; number(&case["length"])];
    blake3::Hasher::new()
        .update(case["seed"].as_str().unwrap().as_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    (Cdc::new(params, &key).unwrap(), bytes)
}

/// Prints the vectors: `cargo test --lib print_cdc_vectors -- --ignored --nocapture`.
#[test]
#[ignore = "makes nothing sure: prints the content of tests/vectors/cdc.json"]
fn print_cdc_vectors() {
    let inputs = [
        ("empty", 0, [256, 1024, 8192]),
        ("one", 255, [256, 1024, 8192]),
        ("small", 20_000, [256, 1024, 8192]),
        ("odd", 20_000, [100, 1500, 3001]),
        ("default", 12 << 20, [512 << 10, 1 << 20, 8 << 20]),
    ];
    let mut cases = Vec::new();
    for (i, (seed, length, sizes)) in inputs.into_iter().enumerate() {
        let key = hex::encode([i as u8 + 1; 32]);
        let mut case =
            serde_json::json!({"seed": seed, "length": length, "sizes": sizes, "key": key});
        let (cdc, bytes) = read_case(&case);
        case["lengths"] = serde_json::json!(lengths(&cdc, &bytes));
        cases.push(format!("  {case}"));
    }
    println!("{{\"cases\": [\n{}\n]}}", cases.join(",\n"));
}
