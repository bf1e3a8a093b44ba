//! `tests/vectors/tree.json`: entries and nodes byte for byte, and where the nodes of a larger tree end.
//! The ids in it are BLAKE3 without a key.

use super::*;
use serde_json::{Value, json};

fn full_entry() -> Entry {
    let content = |n: u8, depth| Content {
        depth,
        pieces: vec![Piece {
            chunk: Id([n; 32]),
            offset: if depth > 0 { 0 } else { 70_000 },
            len: 300,
        }],
    };
    let mut e = Entry::new(FileKind::File);
    (e.mode, e.uid, e.gid) = (0o4755, 1000, 100);
    (e.user, e.group) = (b"ann".to_vec(), b"users".to_vec());
    e.mtime = FileTime {
        secs: 1_700_000_000,
        nanos: 5,
    };
    e.ctime = FileTime {
        secs: -1,
        nanos: 999_999_999,
    };
    e.created = Some(FileTime { secs: 0, nanos: 0 });
    (e.size, e.inode, e.device) = (5000, 24, 1 << 32);
    e.hardlink = Some((1 << 32, 24));
    e.link = b"target".to_vec();
    e.rdev = (8, 1);
    e.content = content(1, 0);
    e.extents = Some(Blob::Inline(
        encode_extents(&[Extent {
            offset: 4700,
            len: 300,
        }])
        .unwrap(),
    ));
    e.xattrs = Some(Blob::Inline(
        encode_xattrs(vec![
            (b"user.b".to_vec(), b"2".to_vec()),
            (b"user.a".to_vec(), vec![]),
        ])
        .unwrap(),
    ));
    e.win_attributes = Some(0x20);
    e.streams = vec![Stream {
        name: b"s".to_vec(),
        content: content(2, 1),
    }];
    e.security = Some(Blob::Stored(content(3, 0)));
    e.unstable = true;
    e
}

/// 30 directories `d00`.. of 100 files each, `f0000`.. in all; chunk ids are hashes of the number (8 bytes).
fn numbered() -> BTreeMap<TreePath, Entry> {
    let mut map = BTreeMap::new();
    for i in 0..3000u64 {
        let dir = path(&format!("d{:02}", i / 100));
        map.entry(dir.clone())
            .or_insert_with(|| Entry::new(FileKind::Dir));
        let mut e = Entry::new(FileKind::File);
        e.mtime.secs = i as i64;
        e.size = i + 1;
        let chunk = Id(*blake3::hash(&i.to_be_bytes()).as_bytes());
        e.content.pieces = vec![Piece {
            chunk,
            offset: 0,
            len: i + 1,
        }];
        map.insert(dir.join(format!("f{i:04}").as_bytes()), e);
    }
    map
}

fn nodes(map: &BTreeMap<TreePath, Entry>) -> (Vec<(u8, Vec<u8>)>, Root) {
    let mut nodes = Vec::new();
    let mut builder = TreeBuilder::new(&KEY, |level, raw: Vec<u8>| {
        let id = Id(*blake3::hash(&raw).as_bytes());
        nodes.push((level, raw));
        Ok(id)
    });
    map.iter()
        .for_each(|(path, entry)| builder.push(path, entry).unwrap());
    let root = builder.finish().unwrap();
    (nodes, root)
}

fn computed() -> Value {
    let small: BTreeMap<_, _> = numbered()
        .into_iter()
        .filter(|(p, _)| p.0[0] == b"d07" || p.0.len() == 1)
        .take(35)
        .collect();
    let (leaf, _) = nodes(&small);
    let (all, root) = nodes(&numbered());
    let list = |(level, raw): &(u8, Vec<u8>)| {
        json!([level, raw.len(), Id(*blake3::hash(raw).as_bytes()).hex()])
    };
    json!({
        "key": hex::encode(KEY),
        "entry": hex::encode(encode_entry(b"name", &full_entry()).unwrap()),
        "empty_tree": hex::encode(&nodes(&BTreeMap::new()).0[0].1),
        "leaf": hex::encode(&leaf[0].1),
        "tree": all.iter().map(list).collect::<Vec<_>>(),
        "root": root.id.hex(),
        "levels": root.levels,
    })
}

#[test]
fn vectors() {
    let expected: Value =
        serde_json::from_str(include_str!("../../../../tests/vectors/tree.json")).unwrap();
    let computed = computed();
    for (key, value) in computed.as_object().unwrap() {
        assert_eq!(value, &expected[key], "{key}");
    }
    let raw = hex::decode(expected["entry"].as_str().unwrap()).unwrap();
    assert_eq!(
        decode_entry(&raw).unwrap(),
        (b"name".to_vec(), full_entry())
    );
}

/// `cargo test --lib print_tree_vectors -- --ignored --nocapture`
#[test]
#[ignore = "makes nothing sure: prints the content of tests/vectors/tree.json"]
fn print_tree_vectors() {
    println!("{:#}", computed());
}
