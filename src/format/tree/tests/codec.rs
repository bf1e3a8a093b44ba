//! Entries, lists and what goes with them: encode, decode, compare.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

fn piece() -> impl Strategy<Value = Piece> {
    (any::<[u8; 32]>(), 0u64..1 << 40, 1u64..1 << 40).prop_map(|(id, offset, len)| Piece {
        chunk: Id(id),
        offset,
        len,
    })
}

fn content() -> impl Strategy<Value = Content> {
    (0u8..3, vec(piece(), 0..20)).prop_map(|(depth, mut pieces)| {
        if depth > 0 {
            pieces.iter_mut().for_each(|p| p.offset = 0);
        }
        Content { depth, pieces }
    })
}

fn blob() -> impl Strategy<Value = Option<Blob>> {
    prop_oneof![
        Just(None),
        vec(any::<u8>(), 0..300).prop_map(|b| Some(Blob::Inline(b))),
        content().prop_map(|c| Some(Blob::Stored(c))),
    ]
}

fn time() -> impl Strategy<Value = FileTime> {
    (any::<i64>(), 0u32..1_000_000_000).prop_map(|(secs, nanos)| FileTime { secs, nanos })
}

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..max)
}

fn entry() -> impl Strategy<Value = Entry> {
    let owner = (
        1u64..8,
        any::<u32>(),
        any::<u32>(),
        any::<u32>(),
        bytes(20),
        bytes(20),
    );
    let times = (
        time(),
        time(),
        proptest::option::of(time()),
        any::<(u64, u64, u64)>(),
    );
    let more = (
        any::<Option<(u64, u64)>>(),
        bytes(200),
        any::<(u32, u32)>(),
        content(),
        blob(),
        blob(),
    );
    let windows = (
        any::<Option<u32>>(),
        vec((bytes(30), content()), 0..3),
        blob(),
        any::<bool>(),
    );
    (owner, times, more, windows).prop_map(|(owner, times, more, windows)| {
        let mut e = Entry::new(crate::format::tree::encode::kind_from(owner.0).unwrap());
        (e.mode, e.uid, e.gid, e.user, e.group) = (owner.1, owner.2, owner.3, owner.4, owner.5);
        (e.mtime, e.ctime, e.created, (e.size, e.inode, e.device)) = times;
        (e.hardlink, e.link, e.rdev, e.content, e.extents, e.xattrs) = more;
        (e.win_attributes, _, e.security, e.unstable) = windows.clone();
        e.streams = windows
            .1
            .into_iter()
            .map(|(name, content)| Stream { name, content })
            .collect();
        e
    })
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![1u8..0x2e, 0x30u8..=255], 1..100)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn entries_round_trip(name in name(), entry in entry()) {
        let raw = encode_entry(&name, &entry).unwrap();
        prop_assert_eq!(decode_entry(&raw).unwrap(), (name, entry));
        for cut in 0..raw.len() {
            prop_assert!(decode_entry(&raw[..cut]).is_err());
        }
    }

    #[test]
    fn damaged_entries_never_panic(name in name(), entry in entry(), at in any::<prop::sample::Index>(), flip in 1u8..) {
        let mut raw = encode_entry(&name, &entry).unwrap();
        let at = at.index(raw.len());
        raw[at] ^= flip;
        let _ = decode_entry(&raw);
    }

    #[test]
    fn arbitrary_bytes_never_panic(raw in bytes(400)) {
        let _ = decode_entry(&raw);
        let _ = decode_extents(&raw);
        let _ = decode_xattrs(&raw);
    }

    #[test]
    fn xattrs_round_trip(map in proptest::collection::btree_map(vec(any::<u8>(), 1..50), bytes(100), 0..10)) {
        let list: XattrList = map.into_iter().collect();
        let shuffled = list.iter().rev().cloned().collect();
        prop_assert_eq!(decode_xattrs(&encode_xattrs(shuffled).unwrap()).unwrap(), list);
    }

    #[test]
    fn extents_round_trip(steps in vec((1u64..1 << 30, 1u64..1 << 30), 0..40)) {
        let mut end = 0;
        let extents: Vec<_> = steps.into_iter().map(|(hole, len)| {
            let extent = Extent { offset: end + hole, len };
            end = extent.offset + len;
            extent
        }).collect();
        prop_assert_eq!(decode_extents(&encode_extents(&extents).unwrap()).unwrap(), extents);
    }
}

#[test]
fn an_entry_of_a_later_version_is_read() {
    let mut raw = encode_entry(b"n", &Entry::new(FileKind::Dir)).unwrap();
    raw[0] += 2;
    // 23: [{1: [true, null]}, -5], 24: "text"
    raw.extend_from_slice(&[0x17, 0x82, 0xa1, 0x01, 0x82, 0xf5, 0xf6, 0x24]);
    raw.extend_from_slice(b"\x18\x18\x64text");
    let (name, entry) = decode_entry(&raw).unwrap();
    assert_eq!((name, entry.kind), (b"n".to_vec(), FileKind::Dir));
}

#[test]
fn touching_extents_and_double_names_are_refused() {
    let touching = [Extent { offset: 0, len: 5 }, Extent { offset: 5, len: 1 }];
    assert!(encode_extents(&touching).is_err());
    assert!(
        encode_extents(&[Extent {
            offset: u64::MAX,
            len: 1
        }])
        .is_err()
    );
    assert!(encode_xattrs(vec![(b"a".to_vec(), vec![]), (b"a".to_vec(), vec![1])]).is_err());
}

fn chunk_no(i: u64) -> Piece {
    Piece {
        chunk: Id(*blake3::hash(&i.to_be_bytes()).as_bytes()),
        offset: 0,
        len: 1 << 20,
    }
}

fn list(store: &mut Store, pieces: impl IntoIterator<Item = Piece>) -> Content {
    let mut builder = ListBuilder::new();
    let mut sink = |raw: Vec<u8>| Ok(store.put(raw));
    pieces
        .into_iter()
        .for_each(|p| builder.push(p, &mut sink).unwrap());
    builder.finish(&mut sink).unwrap()
}

#[test]
fn long_lists_go_to_chunks_and_come_back() {
    for n in [0, 1, 90, 200, 5000, 60_000] {
        let mut store = Store::default();
        let content = list(&mut store, (0..n).map(chunk_no));
        assert_eq!(content.depth > 0, n > 100, "{n}: depth {}", content.depth);
        assert_eq!(content.len(), n << 20);
        let mut read = Pieces::new(&store, &content);
        for i in 0..n {
            assert_eq!(read.next().unwrap().unwrap(), chunk_no(i));
        }
        assert!(read.next().is_none());
        assert_eq!(read.take_list_chunks().len(), store.nodes.len());
    }
}

#[test]
fn an_insertion_leaves_most_list_chunks_alone() {
    let mut store = Store::default();
    list(&mut store, (0..50_000).map(chunk_no));
    let before = store.nodes.len();
    list(
        &mut store,
        [chunk_no(1 << 40)]
            .into_iter()
            .chain((0..50_000).map(chunk_no)),
    );
    let fresh = store.nodes.len() - before;
    assert!(before > 20 && fresh <= 4, "{fresh} of {before}");
}

#[test]
fn equal_pieces_make_lists_too() {
    let mut store = Store::default();
    for first in [0, 255] {
        let piece = Piece {
            chunk: Id([first; 32]),
            offset: 0,
            len: 5,
        };
        let content = list(&mut store, std::iter::repeat_n(piece, 100_000));
        assert_eq!(
            Pieces::new(&store, &content).filter(|p| p.is_ok()).count(),
            100_000
        );
    }
    assert!(store.nodes.values().all(|raw| raw.len() <= NODE_LIMIT));
}

#[test]
fn blobs_are_stored_and_read_within_a_limit() {
    let mut store = Store::default();
    for n in [0, INLINE, INLINE + 1, 3 << 20] {
        let bytes: Vec<u8> = (0..n).map(|i| (i % 251) as u8).collect();
        let blob = store_blob(bytes.clone(), &mut |raw| Ok(store.put(raw))).unwrap();
        assert_eq!(matches!(blob, Blob::Inline(_)), n <= INLINE);
        assert_eq!(read_blob(&store, &blob, n).unwrap(), bytes);
        assert!(n == 0 || read_blob(&store, &blob, n - 1).is_err());
    }
}

#[test]
fn fat_entries_are_made_to_fit() {
    let mut store = Store::default();
    let mut entry = file(3);
    entry.xattrs = Some(Blob::Inline(vec![1; 4000]));
    entry.security = Some(Blob::Inline(vec![2; 60_000]));
    entry.extents = Some(Blob::Inline(vec![3; 4096]));
    entry.link = vec![b'l'; 4000];
    entry.content.pieces = (0..80).map(chunk_no).collect();
    let stream = Stream {
        name: b"s".to_vec(),
        content: entry.content.clone(),
    };
    entry.streams = vec![stream; 5];
    fit_entry(b"n", &mut entry, &mut |raw| Ok(store.put(raw))).unwrap();
    let raw = encode_entry(b"n", &entry).unwrap();
    assert!(raw.len() <= MAX_ENTRY);
    assert_eq!(
        read_blob(&store, entry.security.as_ref().unwrap(), 1 << 20).unwrap(),
        vec![2; 60_000]
    );
    assert_eq!(Pieces::new(&store, &entry.content).count(), 80);
    entry.link = vec![b'l'; MAX_ENTRY];
    assert!(fit_entry(b"n", &mut entry, &mut |raw| Ok(store.put(raw))).is_err());
}
