//! The objects of `corso-format(5)`, byte for byte: made from fixed randomness, compared with the files in
//! `tests/vectors`, and read back from them.
//!
//! With `CORSO_WRITE_VECTORS=1` the files are written instead of compared. They change with the format only.

use corso::crypto::kdf::KdfParams;
use corso::crypto::{Cipher, Keyring, Passphrase, Session};
use corso::error::Kind;
use corso::format::TreePath;
use corso::format::config::{Config, Retention};
use corso::format::container::ObjectKind;
use corso::format::index::{self, IndexPack};
use corso::format::keyslot::{self, Slot};
use corso::format::pack::{Object, PackBuilder, PackRow, Sealed};
use corso::format::record::{self, Change, Record};
use corso::format::snapshot::{self, Manifest, Stats};
use corso::format::tombstone::{self, Tombstone};
use corso::id::{Id, Id16};
use corso::units::Time;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

const REPO: Id16 = Id16(*b"corso test repo!");
const WRITER: Id16 = Id16(*b"the laptop's key");
const RUN: Id16 = Id16(*b"a run of vectors");
const SALT: [u8; 16] = *b"salt of objects.";
const PASSPHRASE: &str = "correct horse battery staple";

/// 100 times `a`: one zstd frame of a single run-length block.
const ZSTD_FRAME: &str = "28b52ffd206423030061";

fn root(epoch: u8) -> corso::crypto::Key {
    corso::crypto::Key::new([epoch; 32])
}

fn keys() -> Keyring {
    Keyring::full(REPO, vec![(1, root(1)), (2, root(2))]).unwrap()
}

fn session(keys: &Keyring) -> Session {
    keys.session_deterministic(2, RUN, [0x5e; 64]).unwrap()
}

fn config() -> Config {
    let mut config = Config::new(REPO, Time(1_700_000_000_000));
    config.retention = Retention {
        last: 3,
        daily: 7,
        within_secs: 86_400,
        ..Retention::default()
    };
    config
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(format!("{name}.json"))
}

fn read(name: &str) -> Value {
    let text = std::fs::read_to_string(file(name)).expect("a vector file");
    serde_json::from_str(&text).expect("JSON")
}

/// Compares with the file, or writes it.
fn check(name: &str, made: Value) {
    if std::env::var_os("CORSO_WRITE_VECTORS").is_some() {
        let text = serde_json::to_string_pretty(&made).unwrap();
        std::fs::write(file(name), text + "\n").unwrap();
    }
    let stored = read(name);
    for (field, value) in made.as_object().unwrap() {
        assert_eq!(&stored[field], value, "{name}: {field}");
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().expect("a hexadecimal string")).expect("hexadecimal")
}

/// What every vector of a sealed object says beside its content.
fn sealed_json(keys: &Keyring, session: &Session, sealed: &Sealed) -> Value {
    json!({
        "repository": REPO.hex(),
        "root": hex::encode(root(2).bytes()),
        "epoch": 2,
        "shared_secret": hex::encode(session.secret().bytes()),
        "run": RUN.hex(),
        "writer": keys.writer_id().hex(),
        "name": sealed.name.hex(),
        "object": hex::encode(&sealed.bytes),
    })
}

fn with(mut base: Value, more: Value) -> Value {
    let fields = more.as_object().unwrap().clone();
    base.as_object_mut().unwrap().extend(fields);
    base
}

#[test]
fn derived_keys() {
    let keys = keys();
    let domain = |writer| {
        let d = keys.domain(writer, 1).unwrap();
        json!({
            "writer": d.writer.hex(),
            "chunk_id": hex::encode(d.chunk_id.bytes()),
            "chunker": hex::encode(d.chunker.bytes()),
            "index": hex::encode(d.index.bytes()),
            "mac": hex::encode(d.mac.bytes()),
            "tree": hex::encode(d.tree.bytes()),
            "id_of_hello": d.chunk_id(b"hello").hex(),
        })
    };
    let session = session(&keys);
    check(
        "format-keys",
        json!({
            "repository": REPO.hex(),
            "root": hex::encode(root(1).bytes()),
            "control": hex::encode(keys.control_key(1).unwrap().bytes()),
            "domains": [domain(Id16::ZERO), domain(WRITER)],
            "xwing_public_sha256": Id::sha256(keys.public(1).unwrap().bytes()).hex(),
            "epoch_2_root": hex::encode(root(2).bytes()),
            "epoch_2_eseed": hex::encode([0x5e; 64]),
            "epoch_2_ciphertext": hex::encode(&session.ciphertext),
            "epoch_2_shared_secret": hex::encode(session.secret().bytes()),
        }),
    );
    let stored = read("format-keys");
    let secret = self::keys()
        .open_session(2, &bytes(&stored["epoch_2_ciphertext"]))
        .unwrap();
    assert_eq!(
        secret.bytes().as_slice(),
        bytes(&stored["epoch_2_shared_secret"])
    );
}

#[test]
fn config_object() {
    let object = config().encode().unwrap();
    check(
        "format-config",
        json!({ "repository": REPO.hex(), "object": hex::encode(&object) }),
    );
    assert_eq!(
        Config::decode(&bytes(&read("format-config")["object"])).unwrap(),
        config()
    );
}

fn slot(keys: &Keyring) -> Slot {
    Slot {
        id: Id16(*b"slot of vectors."),
        kdf: KdfParams {
            memory_kib: 64,
            passes: 2,
            lanes: 1,
            salt: *b"salt of a slot..",
        },
        role: keys.role(),
        label: "laptop".into(),
        writer: keys.writer_id(),
        created: Time(1_700_000_000_001),
    }
}

#[test]
fn key_slots() {
    let config = config().encode().unwrap();
    let full = keys();
    let writer = full.for_writer(WRITER, 2).unwrap();
    for (name, keys) in [
        ("format-keyslot-full", &full),
        ("format-keyslot-writer", &writer),
    ] {
        let passphrase = Passphrase::new(PASSPHRASE);
        let object =
            keyslot::seal_deterministic(&slot(keys), keys, &config, &passphrase, [0x24; 24])
                .unwrap();
        check(
            name,
            json!({
                "passphrase": PASSPHRASE,
                "config": hex::encode(&config),
                "object": hex::encode(&object),
            }),
        );
        let stored = bytes(&read(name)["object"]);
        let (read, opened) = keyslot::open(&stored, &config, &passphrase).unwrap();
        assert_eq!(read, slot(keys));
        assert_eq!((opened.role(), opened.epochs()), (keys.role(), vec![1, 2]));
        assert_eq!(
            opened.own_domain().unwrap().chunk_id(b"hello"),
            keys.own_domain().unwrap().chunk_id(b"hello")
        );
        let wrong = keyslot::open(&stored, &config, &Passphrase::new("wrong"))
            .err()
            .unwrap();
        assert_eq!(wrong.kind(), Kind::PassphraseWrong);
    }
}

/// An object with these (raw, payload) chunks.
fn object(keys: &Keyring, kind: ObjectKind, cipher: Cipher, chunks: &[(&[u8], &[u8])]) -> Sealed {
    let domain = keys.domain(keys.writer_id(), 2).unwrap();
    let mut builder =
        PackBuilder::with_salt(kind, &session(keys), cipher, domain.clone(), SALT).unwrap();
    for (raw, payload) in chunks {
        let id = if kind.is_pack() {
            domain.chunk_id(raw)
        } else {
            Id::ZERO
        };
        builder.add(id, raw.len(), payload).unwrap();
    }
    builder.finish().unwrap()
}

#[test]
fn packs() {
    let compressed = hex::decode(ZSTD_FRAME).unwrap();
    let raw = [b'a'; 100];
    let chunks: [(&[u8], &[u8]); 3] = [(b"hello", b"hello"), (&raw, &compressed), (b"", b"")];
    let full = keys();
    let writer = full.for_writer(WRITER, 2).unwrap();
    for (name, keys, kind, cipher) in [
        (
            "format-pack-data-aes",
            &full,
            ObjectKind::Data,
            Cipher::Aes256Gcm,
        ),
        (
            "format-pack-data-chacha",
            &full,
            ObjectKind::Data,
            Cipher::ChaCha20Poly1305,
        ),
        (
            "format-pack-metadata-writer",
            &writer,
            ObjectKind::Metadata,
            Cipher::Aes256Gcm,
        ),
    ] {
        let sealed = object(keys, kind, cipher, &chunks);
        let list: Vec<_> = chunks
            .iter()
            .map(|c| json!([hex::encode(c.0), hex::encode(c.1)]))
            .collect();
        let made = with(
            sealed_json(keys, &session(keys), &sealed),
            json!({ "chunks_raw_and_payload": list }),
        );
        check(name, made);
        let stored = bytes(&read(name)["object"]);
        assert_eq!(Id::sha256(&stored), sealed.name);
        let fresh = self::keys();
        let opened = Object::open(&stored, &fresh).unwrap();
        assert_eq!(
            (opened.kind(), opened.trailer.run, opened.trailer.writer),
            (kind, RUN, keys.writer_id())
        );
        for (row, (raw, _)) in opened.rows.iter().zip(chunks) {
            assert_eq!(opened.chunk(row).unwrap(), raw);
        }
    }
}

/// A sealed object of one frame, stored as it is: zstd's output may differ between its versions.
fn single(name: &str, kind: ObjectKind, raw: &[u8]) -> Vec<u8> {
    let keys = keys();
    let sealed = object(&keys, kind, Cipher::Aes256Gcm, &[(raw, raw)]);
    let base = sealed_json(&keys, &session(&keys), &sealed);
    check(name, with(base, json!({ "raw": hex::encode(raw) })));
    bytes(&read(name)["object"])
}

#[test]
fn index_object() {
    let row = |n: u8, offset| PackRow {
        id: Id([n; 32]),
        offset,
        stored: 21,
        raw: 5,
    };
    let pack = |n: u8, kind, rows| IndexPack {
        pack: Id([n; 32]),
        size: 1536,
        kind,
        rows,
    };
    let packs = [
        pack(0xd1, 1, vec![row(1, 1152), row(2, 1173)]),
        pack(0xe2, 2, vec![row(3, 1152)]),
    ];
    let frames = index::encode_frames(&packs).unwrap();
    let [(raw, 2)] = frames.as_slice() else {
        panic!("one frame")
    };
    let stored = single("format-index", ObjectKind::Index, raw);
    let mut got = Vec::new();
    index::open(&stored, &keys(), &mut |writer, pack| {
        assert_eq!(*writer, Id16::ZERO);
        got.push(pack);
        Ok(())
    })
    .unwrap();
    assert_eq!(got, packs);
}

#[test]
fn snapshot_object() {
    let manifest = Manifest {
        time: Time(1_700_000_000_002),
        ended: Time(1_700_000_060_002),
        host: "laptop".into(),
        user: "alice".into(),
        sources: vec![b"/home/alice".to_vec()],
        tags: vec!["daily".into()],
        root: Id([0x70; 32]),
        levels: 2,
        stats: Stats {
            files: 3,
            dirs: 2,
            bytes: 1 << 33,
            errors: 1,
            entries: 5,
            ..Stats::default()
        },
        writer: Id16::ZERO,
        run: RUN,
        counter: 42,
        previous: Some(Id([0x71; 32])),
        parent: None,
        version: "corso 1.0".into(),
        platform: "linux".into(),
        excludes: vec!["*.tmp".into()],
        unreadable: vec![(
            TreePath(vec![b"home".to_vec(), b"\xff".to_vec()]),
            "denied".into(),
        )],
        domain_epoch: 2,
    };
    let stored = single(
        "format-snapshot",
        ObjectKind::Snapshot,
        &snapshot::encode(&manifest).unwrap(),
    );
    assert_eq!(snapshot::open(&stored, &keys()).unwrap(), manifest);
}

#[test]
fn records() {
    let keys = keys();
    let deleted = b"a snapshot object, still sealed".to_vec();
    let retention = Retention {
        last: 3,
        yearly: 2,
        ..Retention::default()
    };
    let changes = [
        Change::Deletion {
            snapshot: Id::sha256(&deleted),
            object: deleted,
        },
        Change::Pin(Id([1; 32])),
        Change::Unpin(Id([1; 32])),
        Change::Revocation(WRITER),
        Change::Settings {
            retention,
            grace: Some(Duration::from_secs(7200)),
        },
    ];
    let records = changes.map(|change| Record {
        change,
        number: 0,
        time: Time(1_700_000_000_003),
        nonce: RUN,
    });
    let objects: Vec<_> = records
        .iter()
        .map(|r| hex::encode(record::encode(r, &keys).unwrap()))
        .collect();
    check("format-record", control_json(json!(objects)));
    for (stored, record) in read("format-record")["objects"]
        .as_array()
        .unwrap()
        .iter()
        .zip(&records)
    {
        assert_eq!(record::decode(&bytes(stored)).unwrap(), *record);
        assert_eq!(record::verify(&bytes(stored), &keys), Some(true));
    }
}

#[test]
fn tombstones() {
    let keys = keys();
    let stone = Tombstone {
        packs: vec![Id([1; 32]), Id([2; 32])],
        index: vec![Id([3; 32])],
        nonce: RUN,
    };
    let object = hex::encode(tombstone::encode(&stone, &keys).unwrap());
    check("format-tombstone", control_json(json!([object])));
    let stored = bytes(&read("format-tombstone")["objects"][0]);
    assert_eq!(tombstone::decode(&stored).unwrap(), stone);
    assert_eq!(tombstone::verify(&stored, &keys), Some(true));
    assert_eq!(
        tombstone::verify(&stored, &keys.for_writer(WRITER, 1).unwrap()),
        None
    );
}

fn control_json(objects: Value) -> Value {
    json!({
        "repository": REPO.hex(),
        "root": hex::encode(root(2).bytes()),
        "epoch": 2,
        "objects": objects,
    })
}
