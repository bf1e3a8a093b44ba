//! Objects from someone who can seal, and lies: well-formed frames around impossible positions and lengths.

use super::super::*;
use super::{KEYS, SESSION};
use crate::codec::cbor::Writer;
use crate::crypto::Cipher;
use crate::format::container::{Header, Secret, mac_of};
use crate::id::Id16;
use proptest::prelude::*;

/// An object with one good chunk frame of `hello`, and whatever directory and trailer are given.
fn object(directory: &[u8], change: impl FnOnce(&mut Trailer)) -> Vec<u8> {
    let domain = KEYS.own_domain().unwrap();
    let header = Header {
        kind: ObjectKind::Data,
        cipher: Cipher::Aes256Gcm,
        epoch: 1,
        salt: [7; 16],
        secret: Secret::Session(SESSION.ciphertext.clone()),
    };
    let key = ObjectKey::for_writing(&header, &SESSION, &domain).unwrap();
    let mut bytes = header.encode();
    let append = |frame, plain: &[u8], bytes: &mut Vec<u8>| {
        let at = bytes.len();
        bytes.extend_from_slice(plain);
        bytes.extend_from_slice(&[0; TAG_LEN]);
        key.seal(frame, at as u64, &mut bytes[at..]).unwrap();
    };
    append(FrameKind::Chunk, b"hello", &mut bytes);
    let directory_offset = bytes.len() as u64;
    append(FrameKind::Directory, directory, &mut bytes);
    let mut trailer = Trailer {
        directory_offset,
        directory_stored: (directory.len() + TAG_LEN) as u32,
        frames: 1,
        run: SESSION.run,
        writer: domain.writer,
        mac: mac_of(
            ObjectKind::Data,
            &KEYS.repo(),
            &domain,
            &SESSION.run,
            &Id::sha256(&bytes),
        ),
    };
    change(&mut trailer);
    append(FrameKind::Trailer, &trailer.encode(), &mut bytes);
    bytes
}

fn good_row() -> PackRow {
    let id = KEYS.own_domain().unwrap().chunk_id(b"hello");
    PackRow {
        id,
        offset: ObjectKind::Data.header_len() as u32,
        stored: 21,
        raw: 5,
    }
}

fn directory(rows: &[PackRow]) -> Vec<u8> {
    let rows: Vec<u8> = rows.iter().flat_map(PackRow::encode).collect();
    let mut w = Writer::new();
    w.map(|m| m.bytes(1, &rows));
    w.into_vec()
}

fn is_refused(directory: &[u8], change: impl FnOnce(&mut Trailer)) -> bool {
    Object::open(&object(directory, change), &KEYS).is_err()
}

#[test]
fn the_same_object_without_lies_opens() {
    let bytes = object(&directory(&[good_row()]), |_| ());
    let object = Object::open(&bytes, &KEYS).unwrap();
    assert_eq!(object.chunk(&object.rows[0]).unwrap(), b"hello");
}

#[test]
fn lies_in_the_trailer_are_refused() {
    let dir = directory(&[good_row()]);
    assert!(is_refused(&dir, |t| t.directory_offset = u64::MAX));
    assert!(is_refused(&dir, |t| t.directory_offset = 0));
    assert!(is_refused(&dir, |t| t.directory_offset -= 1));
    assert!(is_refused(&dir, |t| t.directory_stored = u32::MAX));
    assert!(is_refused(&dir, |t| t.frames = 0));
    assert!(is_refused(&dir, |t| t.frames = u32::MAX));
    assert!(is_refused(&dir, |t| t.run = Id16([9; 16])));
    assert!(is_refused(&dir, |t| t.writer = Id16([9; 16])));
    assert!(is_refused(&dir, |t| t.mac[0] ^= 1));
}

#[test]
fn lies_in_the_directory_are_refused() {
    let with = |change: fn(&mut PackRow)| {
        let mut row = good_row();
        change(&mut row);
        is_refused(&directory(&[row]), |_| ())
    };
    assert!(with(|row| row.offset += 1));
    assert!(with(|row| row.offset = u32::MAX));
    assert!(with(|row| row.stored += 1));
    assert!(with(|row| row.stored = u32::MAX));
    assert!(with(|row| row.raw = 4));
    assert!(with(|row| row.raw = u32::MAX));
    assert!(with(|row| row.id = Id::ZERO));
    assert!(is_refused(&directory(&[]), |t| t.frames = 0));
    assert!(is_refused(&directory(&[good_row(), good_row()]), |t| t
        .frames =
        2));
    assert!(is_refused(&directory(&[good_row()]), |t| t.frames = 2));
    assert!(is_refused(
        &[directory(&[good_row()]), vec![0, 1]].concat(),
        |_| ()
    ));
    assert!(is_refused(&[0xa0, 0], |_| ()));
}

#[test]
fn lies_about_a_chunk_are_refused_when_it_is_read() {
    for change in [
        |row: &mut PackRow| row.raw = 6,
        |row: &mut PackRow| row.id.0[0] ^= 1,
    ] {
        let mut row = good_row();
        change(&mut row);
        let bytes = object(&directory(&[row]), |_| ());
        let object = Object::open(&bytes, &KEYS).unwrap();
        assert!(object.chunk(&object.rows[0]).is_err());
        assert!(
            object
                .chunk(&PackRow {
                    offset: u32::MAX,
                    ..row
                })
                .is_err()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_directory_or_trailer_panics(
        plain in proptest::collection::vec(any::<u8>(), 0..120),
        rows in proptest::collection::vec((any::<u32>(), any::<u32>(), any::<u32>()), 0..4),
        at: u64, stored: u32, frames: u32,
    ) {
        let lie = |t: &mut Trailer| (t.directory_offset, t.directory_stored, t.frames) = (at, stored, frames);
        prop_assert!(is_refused(&plain, lie));
        let _ = is_refused(&plain, |_| ());
        let rows: Vec<_> =
            rows.iter().map(|r| PackRow { id: Id([1; 32]), offset: r.0, stored: r.1, raw: r.2 }).collect();
        prop_assert!(is_refused(&directory(&rows), |t| t.frames = rows.len() as u32));
    }

    #[test]
    fn headers_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1300), kind: u8, cipher: u8) {
        let _ = Header::decode(&bytes);
        let forged = [b"corso\0ob\0\x01".as_slice(), &[kind, cipher], &bytes].concat();
        if let Ok(header) = Header::decode(&forged) {
            prop_assert_eq!(header.encode(), &forged[..header.kind.header_len()]);
        }
        let _ = Object::open(&forged, &KEYS);
    }

    #[test]
    fn the_other_decoders_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200), at: usize, to: u8) {
        use crate::format::{index, keyslot::Slot, record, snapshot, tombstone};
        let all = |bytes: &[u8]| {
            let _ = index::decode_frame(bytes, &mut |_| Ok(()));
            let _ = snapshot::decode(bytes);
            let _ = (record::decode(bytes), record::verify(bytes, &KEYS));
            let _ = (tombstone::decode(bytes), tombstone::verify(bytes, &KEYS));
            let _ = Slot::decode(bytes);
        };
        all(&body);
        let rows = vec![PackRow { id: Id([1; 32]), offset: 1152, stored: 21, raw: 5 }];
        let pack = index::IndexPack { pack: Id([2; 32]), size: 1536, kind: 1, rows };
        let change = record::Change::Pin(Id([3; 32]));
        let good = [
            index::encode_frames(&[pack]).unwrap().remove(0).0,
            snapshot::encode(&Default::default()).unwrap(),
            record::encode(&record::Record { change, number: 0, time: Default::default(), nonce: Id16::ZERO }, &KEYS).unwrap(),
            tombstone::encode(&Default::default(), &KEYS).unwrap(),
        ];
        for mut bytes in good {
            let at = at % bytes.len();
            bytes[at] = to;
            all(&bytes);
            all(&bytes[..at]);
            bytes.splice(at..at, body.iter().copied());
            all(&bytes);
        }
    }
}
