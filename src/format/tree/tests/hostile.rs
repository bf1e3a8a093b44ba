//! Nodes that no builder writes: every one must be refused, without loops and large allocations.

use super::*;
use crate::codec::cbor::Writer;
use crate::error::Kind;
use crate::format::tree::node::{Child, frame, put_child, put_path};
use proptest::prelude::*;

fn leaf(groups: &[(&str, &[&str])]) -> Vec<u8> {
    let mut body = Writer::new();
    for (parent, names) in groups {
        put_path(body.array(2), &path(parent).0);
        body.array(names.len());
        for name in *names {
            body.raw(&encode_entry(name.as_bytes(), &Entry::new(FileKind::Dir)).unwrap());
        }
    }
    frame(0, groups.len(), &body.into_vec())
}

fn inner(level: u8, children: &[(&str, Id)]) -> Vec<u8> {
    let mut body = Writer::new();
    for (first, id) in children {
        put_child(
            &mut body,
            &Child {
                first: path(first),
                id: *id,
                files: 0,
                bytes: 0,
            },
        );
    }
    frame(level, children.len(), &body.into_vec())
}

/// Reads everything in both ways; both must fail with [`Kind::Damaged`].
fn refused(store: &Store, id: Id, levels: u64) {
    struct All;
    impl NodeVisitor for All {
        fn enter(&mut self, _: &Id, _: u8) -> Result<bool> {
            Ok(true)
        }
        fn entry(&mut self, _: TreePath, _: Entry) -> Result<()> {
            Ok(())
        }
    }
    let scan = TreeReader::new(store, id, levels)
        .and_then(|r| r.entries().try_for_each(|item| item.map(|_| ())));
    assert_eq!(scan.unwrap_err().kind(), Kind::Damaged);
    assert_eq!(
        walk_nodes(store, &id, levels, &mut All).unwrap_err().kind(),
        Kind::Damaged
    );
}

#[test]
fn disorder_within_a_leaf() {
    let leaves: [&[(&str, &[&str])]; 5] = [
        &[("", &["b", "a"])],
        &[("", &["a", "a"])],
        &[("b", &["x"]), ("a", &["x"])],
        &[("b", &["x"]), ("b", &["x"])],
        &[("b", &[])],
    ];
    for groups in leaves {
        let mut store = Store::default();
        let id = store.put(leaf(groups));
        refused(&store, id, 1);
    }
}

#[test]
fn children_that_disagree_with_their_parent() {
    let mut store = Store::default();
    let (a, b) = (
        store.put(leaf(&[("", &["a", "c"])])),
        store.put(leaf(&[("", &["b"])])),
    );
    let empty = store.put(leaf(&[]));
    let sums = {
        let mut body = Writer::new();
        put_child(
            &mut body,
            &Child {
                first: path("a"),
                id: a,
                files: 1,
                bytes: 0,
            },
        );
        frame(1, 1, &body.into_vec())
    };
    let roots = [
        inner(1, &[("a", a), ("b", b)]),
        inner(1, &[("0", a)]),
        inner(1, &[("b", b), ("a", a)]),
        inner(1, &[("a", a), ("a", a)]),
        inner(1, &[("a", a), ("z", a)]),
        inner(1, &[("a", a), ("z", empty)]),
        inner(1, &[("", a)]),
        inner(1, &[]),
        inner(1, &[("a", Id::ZERO)]),
        sums,
    ];
    for root in roots {
        let id = store.put(root);
        refused(&store, id, 2);
    }
    let fine = store.put(inner(1, &[("a", a)]));
    assert_eq!(
        TreeReader::new(&store, fine, 2).unwrap().entries().count(),
        2
    );
    for levels in [0, 1, 3, 17, u64::MAX] {
        refused(&store, fine, levels);
    }
}

#[test]
fn a_node_that_contains_itself() {
    // A real hash makes this impossible; a source that does not check ids must still not loop.
    let mut store = Store::default();
    store
        .nodes
        .insert(Id([1; 32]), inner(1, &[("a", Id([1; 32]))]));
    for levels in 1..=16 {
        refused(&store, Id([1; 32]), levels);
    }
    // The same leaf, over and over, at every level.
    let mut id = store.put(leaf(&[("", &["a"])]));
    for level in 1..16 {
        let names: Vec<String> = (0..200).map(|i| format!("a{i:03}")).collect();
        let mut children = vec![("a", id)];
        children.extend(names.iter().map(|n| (n.as_str(), id)));
        id = store.put(inner(level, &children));
    }
    *store.reads.borrow_mut() = 0;
    refused(&store, id, 16);
    assert!(*store.reads.borrow() < 100);
}

#[test]
fn lengths_beyond_the_node() {
    let heads: [&[u8]; 6] = [
        &[
            0xa2, 0x01, 0x00, 0x02, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ],
        &[
            0xa2, 0x01, 0x00, 0x02, 0x81, 0x82, 0x9a, 0x7f, 0xff, 0xff, 0xff,
        ],
        &[0xbb, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xa2, 0x01, 0x00, 0x02, 0x9f, 0xff],
        &[0xa1, 0x01, 0x00],
        &[0xa2, 0x01, 0x18, 0x00, 0x02, 0x80],
    ];
    for raw in heads {
        let mut store = Store::default();
        let id = store.put(raw.to_vec());
        refused(&store, id, 1);
    }
    let mut store = Store::default();
    let nested = store.put([&[0xa2, 0x01, 0x00, 0x02][..], &vec![0x81; 1 << 19], &[0x80]].concat());
    refused(&store, nested, 1);
    let huge = store.put(vec![0; NODE_LIMIT + 1]);
    refused(&store, huge, 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn flipped_bytes_never_panic(at in any::<prop::sample::Index>(), which in any::<prop::sample::Index>(), flip in 1u8..) {
        let mut store = Store::default();
        let root = store.build(&many(600));
        let mut ids: Vec<Id> = store.nodes.keys().copied().collect();
        ids.sort();
        let raw = store.nodes.get_mut(&ids[which.index(ids.len())]).unwrap();
        let at = at.index(raw.len());
        raw[at] ^= flip;
        let reader = store.reader(&root);
        let _ = reader.entries().count();
        let _ = reader.subtree(&path("home/d0/e3")).count();
        let _ = reader.totals();
    }
}

#[test]
fn content_lists_that_lie() {
    let mut store = Store::default();
    let chunk = store.put(vec![0x80]);
    let id = Id([9; 32]);
    store.nodes.insert(
        id,
        [&[0x81, 0x83, 0x58, 0x20][..], &[9; 32], &[0x00, 0x05]].concat(),
    );
    for (depth, chunk, len) in [(1, chunk, 5), (1, id, 6), (1, Id::ZERO, 1)] {
        let content = Content {
            depth,
            pieces: vec![Piece {
                chunk,
                offset: 0,
                len,
            }],
        };
        assert!(
            Pieces::new(&store, &content).any(|p| p.is_err()),
            "{depth} {len}"
        );
    }
    // A list that names itself ends when its depth does.
    let content = Content {
        depth: 15,
        pieces: vec![Piece {
            chunk: id,
            offset: 0,
            len: 5,
        }],
    };
    assert_eq!(Pieces::new(&store, &content).count(), 1);
}
