mod hostile;

use super::super::container::{MAX_OBJECT, SEALED_HEADER_LEN};
use super::*;
use crate::codec::{compress::pack_chunk, pad::padme};
use crate::crypto::{Cipher, Session};
use crate::error::Kind;
use crate::id::Id16;
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};

static KEYS: LazyLock<Keyring> = LazyLock::new(|| Keyring::generate(Id16([1; 16])).unwrap());
static SESSION: LazyLock<Session> = LazyLock::new(|| KEYS.session().unwrap());

fn builder(kind: ObjectKind, cipher: Cipher) -> PackBuilder {
    PackBuilder::new(kind, &SESSION, cipher, KEYS.own_domain().unwrap()).unwrap()
}

fn sealed(kind: ObjectKind, cipher: Cipher, chunks: &[Vec<u8>]) -> Sealed {
    let mut pack = builder(kind, cipher);
    for raw in chunks {
        let id = if kind.is_pack() {
            pack.domain().chunk_id(raw)
        } else {
            Id::ZERO
        };
        pack.add(id, raw.len(), &pack_chunk(raw, 1).unwrap())
            .unwrap();
    }
    let sealed = pack.finish().unwrap();
    verify_sealed(&sealed, &KEYS).unwrap();
    sealed
}

fn small() -> Vec<Vec<u8>> {
    vec![
        b"a".repeat(300),
        b"incompressible?".to_vec(),
        Vec::new(),
        b"b".to_vec(),
    ]
}

#[test]
fn every_kind_and_cipher_round_trips() {
    for kind in [
        ObjectKind::Data,
        ObjectKind::Metadata,
        ObjectKind::Index,
        ObjectKind::Snapshot,
    ] {
        for cipher in [Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305] {
            let sealed = sealed(kind, cipher, &small());
            let object = Object::open(&sealed.bytes, &KEYS).unwrap();
            assert_eq!((object.kind(), object.trailer.run), (kind, SESSION.run));
            for (row, raw) in object.rows.iter().zip(small()) {
                assert_eq!(object.chunk(row).unwrap(), raw);
            }
            assert_eq!(padme(sealed.bytes.len() as u64), sealed.bytes.len() as u64);
        }
    }
}

#[test]
fn an_empty_object_is_possible_and_a_full_one_too() {
    assert!(
        sealed(ObjectKind::Data, Cipher::Aes256Gcm, &[])
            .rows
            .is_empty()
    );
    let mut pack = builder(ObjectKind::Snapshot, Cipher::Aes256Gcm);
    while !pack.is_full() {
        pack.add(Id::ZERO, 0, b"").unwrap();
    }
    assert!(pack.add(Id::ZERO, 0, b"").is_err());
    let object = pack.finish().unwrap();
    assert_eq!(
        Object::open(&object.bytes, &KEYS).unwrap().rows.len(),
        MAX_ROWS
    );
}

#[test]
fn one_chunk_can_be_read_by_ranges_alone() {
    let sealed = sealed(ObjectKind::Data, Cipher::Aes256Gcm, &small());
    let bytes = &sealed.bytes;
    let key = ObjectKey::from_header(&bytes[..SEALED_HEADER_LEN], &KEYS).unwrap();
    let trailer = key
        .open_trailer(&bytes[bytes.len() - TRAILER_LEN..], bytes.len() as u64)
        .unwrap();
    let at = trailer.directory_offset as usize;
    let rows = open_directory(
        &key,
        &trailer,
        &bytes[at..at + trailer.directory_stored as usize],
    )
    .unwrap();
    assert_eq!(rows, sealed.rows);
    let domain = KEYS.domain(trailer.writer, key.epoch()).unwrap();
    let frame = &bytes[rows[1].offset as usize..rows[1].end() as usize];
    assert_eq!(
        open_chunk(&key, &domain, &rows[1], frame).unwrap(),
        small()[1]
    );
    let moved = PackRow {
        offset: rows[0].offset,
        ..rows[1]
    };
    assert!(open_chunk(&key, &domain, &moved, frame).is_err());
    let renamed = PackRow {
        id: rows[0].id,
        ..rows[1]
    };
    assert_eq!(
        open_chunk(&key, &domain, &renamed, frame)
            .unwrap_err()
            .kind(),
        Kind::Damaged
    );
    let longer = PackRow {
        raw: rows[1].raw + 1,
        ..rows[1]
    };
    assert!(open_chunk(&key, &domain, &longer, frame).is_err());
}

#[test]
fn a_writer_reads_its_own_session_and_its_index_only() {
    let writer = KEYS.for_writer(Id16([5; 16]), 1).unwrap();
    let session = writer.session().unwrap();
    let later = KEYS.for_writer(Id16([5; 16]), 1).unwrap();
    for kind in [ObjectKind::Data, ObjectKind::Index, ObjectKind::Snapshot] {
        let own = writer.own_domain().unwrap();
        let object = PackBuilder::new(kind, &session, Cipher::Aes256Gcm, own)
            .unwrap()
            .finish()
            .unwrap();
        verify_sealed(&object, &writer).unwrap();
        verify_sealed(&object, &KEYS).unwrap();
        let again = Object::open(&object.bytes, &later);
        assert_eq!(again.is_ok(), kind == ObjectKind::Index);
        let foreign = sealed(kind, Cipher::Aes256Gcm, &[]);
        assert_eq!(
            Object::open(&foreign.bytes, &writer).err().unwrap().kind(),
            Kind::RoleNeeded
        );
    }
}

#[test]
fn a_writer_cannot_write_in_anothers_name() {
    let writer = KEYS.for_writer(Id16([5; 16]), 1).unwrap();
    // It knows the public key, so it can seal anything; without domain 0's MAC key the trailer gives it away.
    let own = writer.own_domain().unwrap();
    let forged = Arc::new(DomainKeys {
        writer: Id16::ZERO,
        epoch: own.epoch,
        chunk_id: own.chunk_id.clone(),
        chunker: own.chunker.clone(),
        index: own.index.clone(),
        mac: own.mac.clone(),
        tree: own.tree.clone(),
    });
    let session = writer.session().unwrap();
    let pack = PackBuilder::new(ObjectKind::Data, &session, Cipher::Aes256Gcm, forged).unwrap();
    let object = pack.finish().unwrap();
    let error = Object::open(&object.bytes, &KEYS).err().unwrap();
    assert_eq!(error.kind(), Kind::Damaged);
    assert!(error.to_string().contains("MAC"), "{error}");
}

#[test]
fn epochs_must_agree() {
    let keys = KEYS.with_new_epoch().unwrap();
    let old = keys.session_at(1).unwrap();
    let new = keys.own_domain().unwrap();
    assert!(PackBuilder::new(ObjectKind::Data, &old, Cipher::Aes256Gcm, new).is_err());
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut pack = builder(ObjectKind::Data, Cipher::Aes256Gcm);
    assert!(pack.add(Id::ZERO, 1, b"22").is_err());
    assert!(pack.add(Id::ZERO, MAX_CHUNK + 1, b"").is_err());
    assert!(pack.len_estimate() < MAX_OBJECT);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn chunks_round_trip(chunks in proptest::collection::vec(proptest::collection::vec(0u8..3, 0..200), 0..20)) {
        let sealed = sealed(ObjectKind::Metadata, Cipher::Aes256Gcm, &chunks);
        let object = Object::open(&sealed.bytes, &KEYS).unwrap();
        for (row, raw) in object.rows.iter().zip(&chunks) {
            prop_assert_eq!(&object.chunk(row).unwrap(), raw);
        }
    }

    #[test]
    fn any_change_is_noticed(at: usize, bit in 0u8..8, cut: usize, tail: Vec<u8>) {
        let good = sealed(ObjectKind::Data, Cipher::Aes256Gcm, &small()).bytes;
        let mut bad = good.clone();
        bad[at % good.len()] ^= 1 << bit;
        prop_assert!(Object::open(&bad, &KEYS).is_err());
        let cut = &good[..cut % good.len()];
        prop_assert!(Object::open(cut, &KEYS).is_err());
        prop_assert!(tail.is_empty() || Object::open(&[&good[..], &tail].concat(), &KEYS).is_err());
        prop_assert!(Object::open(&[&good[..SEALED_HEADER_LEN], &tail].concat(), &KEYS).is_err());
    }

    #[test]
    fn hostile_directories_never_panic(plain in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_directory(&plain);
        let _ = decode_rows(&plain);
    }
}
