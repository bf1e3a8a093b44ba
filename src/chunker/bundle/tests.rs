use super::*;
use crate::error::Error;
use std::collections::HashSet;

const KEY: [u8; 32] = [5; 32];

/// Lengths of 1 byte to 16 KB, most of them short.
fn file(i: u64, version: u64) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&i.to_be_bytes());
    let shape = hasher.finalize();
    let len = 1 + u16::from_be_bytes([shape.as_bytes()[0], shape.as_bytes()[1]]) as usize;
    hasher.update(&version.to_be_bytes());
    let mut out = vec![0; (len * len) >> 18 | 1];
    hasher.finalize_xof().fill(&mut out);
    out
}

fn bundles<'a>(files: impl IntoIterator<Item = &'a Vec<u8>>) -> (Vec<Bundle>, Vec<Position>) {
    let mut bundler = Bundler::new(&KEY);
    let mut out = Vec::new();
    let positions = files.into_iter().map(|f| {
        let closed = |b| {
            out.push(b);
            Ok(())
        };
        bundler.add(f, closed).unwrap()
    });
    let positions = positions.collect();
    out.extend(bundler.finish());
    (out, positions)
}

#[test]
fn every_file_is_where_its_position_says() {
    let files: Vec<_> = (0..3000).map(|i| file(i, 0)).collect();
    let (bundles, positions) = bundles(&files);
    for (file, at) in files.iter().zip(&positions) {
        let bundle = &bundles[at.bundle as usize];
        assert_eq!(bundle.number, at.bundle);
        assert_eq!(&bundle.bytes[at.offset as usize..][..at.len as usize], file);
    }
    assert_eq!(bundles.iter().map(|b| b.files).sum::<usize>(), files.len());
    let (_, full) = bundles.split_last().unwrap();
    assert!(
        full.iter()
            .all(|b| (MIN_BUNDLE..=MAX_BUNDLE).contains(&b.bytes.len()))
    );
    let mean = full.iter().map(|b| b.bytes.len()).sum::<usize>() / full.len();
    assert!((500 << 10..800 << 10).contains(&mean), "mean {mean}");
}

#[test]
fn an_edit_disturbs_its_bundle_and_few_others() {
    let mut files: Vec<_> = (0..10_000).map(|i| file(i, 0)).collect();
    let known: HashSet<_> = bundles(&files)
        .0
        .into_iter()
        .map(|b| blake3::hash(&b.bytes))
        .collect();
    let mut counts = Vec::new();
    for edit in 0..16 {
        let i = 250 + edit * 600;
        let old = files[i].clone();
        match edit % 3 {
            0 => files[i] = file(i as u64, 1),
            1 => files[i].push(b'x'),
            _ => files[i].clear(),
        }
        let after = bundles(files.iter().filter(|f| !f.is_empty())).0;
        counts.push(
            after
                .iter()
                .filter(|b| !known.contains(&blake3::hash(&b.bytes)))
                .count(),
        );
        files[i] = old;
    }
    counts.sort();
    assert!(known.len() > 60);
    assert!(
        counts[0] == 1 && counts[11] <= 2 && counts[15] <= 6,
        "{counts:?}"
    );
}

#[test]
fn limits_on_files_and_length() {
    let tiny = vec![1u8];
    let (many, _) = bundles(std::iter::repeat_n(&tiny, MAX_FILES + 1));
    assert_eq!(
        many.iter().map(|b| b.files).collect::<Vec<_>>(),
        [MAX_FILES, 1]
    );
    let huge = vec![2u8; MAX_BUNDLE + 5];
    let (three, _) = bundles([&tiny, &huge, &tiny]);
    assert!(
        three[0].files == 1 && three[1].bytes.len() == huge.len(),
        "a file too long has a bundle of its own"
    );
    assert!(bundles([]).0.is_empty());
    assert!(is_small(1) && is_small(SMALL_FILE - 1) && !is_small(0) && !is_small(SMALL_FILE));
}

#[test]
fn a_failure_to_store_is_passed_on() {
    let mut bundler = Bundler::new(&KEY);
    let half = vec![0; MAX_BUNDLE];
    let fail = |_| Err(Error::failed("full"));
    assert!(bundler.add(&half, fail).is_err() || bundler.add(&half, fail).is_err());
}

#[test]
fn sparse_bundles_are_less_than_half_alive() {
    let [a, b, c, d] = [1, 2, 3, 4].map(|n| Id([n; 32]));
    let mut live = LiveBytes::new();
    for (chunk, len) in [(a, 30), (a, 20), (b, 49), (c, 50), (d, 1)] {
        live.count(&Piece {
            chunk,
            offset: 0,
            len,
        });
    }
    let total = |id: &Id| match *id {
        x if x == c => Some(101),
        x if x == d => None,
        _ => Some(100),
    };
    assert_eq!(live.sparse(total), [b, c]);
}
