//! Building and scanning whole trees.

use super::*;

fn collect(entries: Entries<'_, Store>) -> Vec<(TreePath, Entry)> {
    entries.map(|item| item.unwrap()).collect()
}

#[test]
fn an_empty_tree_is_one_leaf() {
    let mut store = Store::default();
    let root = store.build([]);
    assert_eq!((root.levels, root.entries, store.nodes.len()), (1, 0, 1));
    let reader = store.reader(&root);
    assert_eq!(reader.entries().count(), 0);
    assert_eq!(reader.subtree(&path("/a")).count(), 0);
    assert_eq!(reader.children(&path("")).count(), 0);
    assert!(reader.find(&path("/a")).unwrap().is_none());
    assert_eq!(reader.totals().unwrap(), (0, 0));
}

#[test]
fn scans_agree_with_a_sorted_map() {
    let map = many(6000);
    let mut store = Store::default();
    let root = store.build(&map);
    let reader = store.reader(&root);
    let all: Vec<_> = map.clone().into_iter().collect();
    assert_eq!(collect(reader.entries()), all);
    let files = map.values().filter(|e| e.kind == FileKind::File).count() as u64;
    let bytes = map.values().map(|e| e.size).sum::<u64>();
    assert_eq!(
        (root.entries, root.files, root.bytes),
        (map.len() as u64, files, bytes)
    );
    assert_eq!(reader.totals().unwrap(), (files, bytes));

    let places = [
        "",
        "home",
        "home/d0",
        "home/d0/e0",
        "home/d0/e37",
        "home/d0/e5/file-500.txt",
        "home/d0/e",
        "z",
        "a",
    ];
    for place in places.map(path) {
        let below: Vec<_> = all
            .iter()
            .filter(|(p, _)| p.starts_with(&place))
            .cloned()
            .collect();
        assert_eq!(collect(reader.subtree(&place)), below, "{place:?}");
        let children: Vec<_> = all
            .iter()
            .filter(|(p, _)| p.split().is_some_and(|s| s.0 == place.0))
            .cloned()
            .collect();
        assert_eq!(collect(reader.children(&place)), children, "{place:?}");
        assert_eq!(reader.find(&place).unwrap().as_ref(), map.get(&place));
        let from: Vec<_> = map
            .range(place.clone()..)
            .map(|(p, e)| (p.clone(), e.clone()))
            .collect();
        assert_eq!(collect(reader.entries_from(&place)), from);
    }
}

#[test]
fn scans_read_only_what_they_need() {
    let map = many(20_000);
    let mut store = Store::default();
    let root = store.build(&map);
    assert!(
        store.nodes.len() > 20 && root.levels >= 2,
        "{} nodes",
        store.nodes.len()
    );
    let reader = store.reader(&root);
    let depth = usize::from(root.levels);
    let reads = |run: &dyn Fn()| {
        *store.reads.borrow_mut() = 0;
        run();
        *store.reads.borrow()
    };
    assert_eq!(
        reads(&|| assert!(
            reader
                .find(&path("home/d1/e50/file-15000.txt"))
                .unwrap()
                .is_some()
        )),
        depth
    );
    assert!(reads(&|| assert_eq!(reader.children(&path("home/d1/e50")).count(), 100)) <= depth + 1);
    assert!(
        reads(&|| assert_eq!(reader.subtree(&path("home/d1/e50")).count(), 101)) <= 2 * depth + 1
    );
    assert_eq!(reads(&|| assert_eq!(reader.totals().unwrap().0, 20_000)), 1);
}

#[test]
fn a_change_touches_one_node_a_level() {
    let mut map = many(100_000);
    let mut store = Store::default();
    let root = store.build(&map);
    let nodes = store.nodes.len();
    assert_eq!(
        store.build(&map),
        root,
        "the same entries give the same tree"
    );
    assert_eq!(store.nodes.len(), nodes);

    let place = path("home/d4/e44/file-44400.txt");
    map.get_mut(&place).unwrap().mtime.secs += 1;
    let changed = store.build(&map);
    assert_ne!(changed.id, root.id);
    assert_eq!(
        store.nodes.len() - nodes,
        usize::from(root.levels),
        "same length: exactly the way to the root"
    );

    let nodes = store.nodes.len();
    map.insert(path("home/d4/e44/file-44400.txt.new"), file(1));
    map.remove(&path("home/d8/e8/file-80801.txt"));
    store.build(&map);
    let fresh = store.nodes.len() - nodes;
    assert!(
        fresh <= 4 * usize::from(root.levels),
        "{fresh} new nodes for two changes"
    );
}

#[test]
fn nodes_keep_to_their_sizes() {
    let map = many(50_000);
    let mut sizes = vec![Vec::new(); 16];
    let mut n = 0u64;
    let mut builder = TreeBuilder::new(&KEY, |level, raw: Vec<u8>| {
        sizes[usize::from(level)].push(raw.len());
        n += 1;
        Ok(Id(*blake3::hash(&raw).as_bytes()))
    });
    map.iter()
        .for_each(|(path, entry)| builder.push(path, entry).unwrap());
    builder.finish().unwrap();
    let (last, leaves) = sizes[0].split_last().unwrap();
    assert!(
        *last <= MAX_NODE + 1024
            && leaves
                .iter()
                .all(|n| (MIN_NODE..MAX_NODE + 1024).contains(n))
    );
    let mean = leaves.iter().sum::<usize>() / leaves.len();
    assert!((40 << 10..96 << 10).contains(&mean), "mean {mean}");
}

#[test]
fn long_paths_still_make_wide_inner_nodes() {
    let deep: Vec<Vec<u8>> = (0..60).map(|_| vec![b'x'; 1000]).collect();
    let mut map = BTreeMap::new();
    for i in 0..3000u32 {
        let mut parts = deep.clone();
        parts.push(format!("{i:05}").into_bytes());
        parts.push(b"f".to_vec());
        map.insert(TreePath(parts), file(i.into()));
    }
    let mut store = Store::default();
    let root = store.build(&map);
    assert!(store.nodes.values().all(|raw| raw.len() <= NODE_LIMIT));
    assert!(root.levels <= 6, "{} levels", root.levels);
    assert_eq!(
        store.reader(&root).entries().filter(|e| e.is_ok()).count(),
        3000
    );
}

#[test]
fn order_is_enforced() {
    let mut builder = TreeBuilder::new(&KEY, |_, _| Ok(Id::ZERO));
    let dir = Entry::new(FileKind::Dir);
    builder.push(&path("b"), &dir).unwrap();
    for bad in ["", "a", "b"] {
        assert!(builder.push(&path(bad), &dir).is_err(), "{bad:?}");
    }
    builder.push(&path("c"), &dir).unwrap();
    builder.push(&path("b/x"), &dir).unwrap();
    assert!(
        builder.push(&path("bb"), &dir).is_err(),
        "a directory comes before its parent's next name"
    );
    assert_eq!(builder.finish().unwrap().entries, 3);
    for bad in ["..", ".", "a\0"] {
        let bad = TreePath(vec![b"d".to_vec(), bad.as_bytes().to_vec()]);
        assert!(Prepared::new(bad, &dir).is_err());
    }
    assert!(Prepared::new(TreePath(vec![b"a/b".to_vec()]), &dir).is_err());
    assert!(Prepared::new(TreePath(vec![vec![b'x'; MAX_NAME + 1]]), &dir).is_err());
    assert!(Prepared::new(TreePath(vec![vec![b'x'; MAX_NAME]; 64]), &dir).is_err());
}

#[test]
fn a_failing_sink_ends_the_build() {
    let mut builder = TreeBuilder::new(&KEY, |_, _| Err(crate::error::Error::failed("full")));
    builder.push(&path("a"), &file(1)).unwrap();
    assert!(builder.finish().is_err());
}

#[derive(Default)]
struct Count {
    nodes: Vec<(Id, u8)>,
    entries: usize,
    skip: Option<Id>,
    damage: usize,
}

impl NodeVisitor for Count {
    fn enter(&mut self, id: &Id, level: u8) -> Result<bool> {
        self.nodes.push((*id, level));
        Ok(self.skip != Some(*id))
    }

    fn entry(&mut self, _: TreePath, _: Entry) -> Result<()> {
        self.entries += 1;
        Ok(())
    }

    fn damaged(&mut self, _: &Id, _: u8, _: &TreePath, _: crate::error::Error) -> Result<()> {
        self.damage += 1;
        Ok(())
    }
}

#[test]
fn walking_visits_every_node_once() {
    let map = many(20_000);
    let mut store = Store::default();
    let root = store.build(&map);
    let mut seen = Count::default();
    walk_nodes(&store, &root.id, root.levels.into(), &mut seen).unwrap();
    assert_eq!(
        (seen.nodes.len(), seen.entries, seen.damage),
        (store.nodes.len(), map.len(), 0)
    );

    let leaf = seen.nodes.iter().find(|(_, level)| *level == 0).unwrap().0;
    let mut skipping = Count {
        skip: Some(leaf),
        ..Count::default()
    };
    walk_nodes(&store, &root.id, root.levels.into(), &mut skipping).unwrap();
    assert_eq!(skipping.nodes.len(), store.nodes.len());
    assert!(skipping.entries < map.len());

    store.nodes.remove(&leaf);
    let mut damaged = Count::default();
    walk_nodes(&store, &root.id, root.levels.into(), &mut damaged).unwrap();
    assert_eq!((damaged.damage, damaged.entries), (1, skipping.entries));
}
