//! Every decoder of bytes from outside, as a function that must return: `run` beside this file fuzzes them,
//! `tests/decoders.rs` tries them on damaged objects.
//!
//! Where there is an encoder, what was decoded and encoded must decode to the same: two readers must not read different
//! things from one object.

use corso::codec::{cbor, compress};
use corso::crypto::Keyring;
use corso::error::{Error, Result};
use corso::format::config::Config;
use corso::format::container::{Header, ObjectKey};
use corso::format::pack::Object;
use corso::format::tree::{self, TreeReader};
use corso::format::{Piece, TreePath, index, keyslot, record, snapshot, tombstone};
use corso::fs::filter::Filter;
use corso::fs::path::{Platform, parse_inside};
use corso::id::{Id, Id16};
use corso::s3::response::{
    S3Error, parse_delete, parse_list, parse_location, parse_lock_configuration, parse_retention,
    parse_versioning, parse_versions,
};
use corso::s3::{clock, endpoint::Endpoint};
use corso::{cli, policy, units};
use std::ffi::OsString;
use std::sync::LazyLock;

/// Takes any bytes and returns.
type Decoder = fn(&[u8]);

/// The decoders by name.
pub const ALL: &[(&str, Decoder)] = &[
    ("cbor", cbor),
    ("chunk", chunk),
    ("config", config),
    ("container", container),
    ("entry", entry),
    ("extras", extras),
    ("filter", filter),
    ("index", index_frame),
    ("keyslot", key_slot),
    ("line", line),
    ("list", list),
    ("local", super::local::local),
    ("record", records),
    ("settings", settings),
    ("snapshot", manifest),
    ("texts", texts),
    ("tombstone", stone),
    ("tree", nodes),
    ("xml", xml),
];

static KEYS: LazyLock<Keyring> = LazyLock::new(|| Keyring::generate(Id16([1; 16])).unwrap());

fn cbor(data: &[u8]) {
    let mut reader = cbor::Reader::new(data);
    while !reader.rest().is_empty() && reader.skip().is_ok() {}
}

/// Two bytes say how long the chunk should be.
fn chunk(data: &[u8]) {
    if let Some((len, stored)) = data.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes(*len));
        if let Ok(raw) = compress::unpack(stored, len) {
            assert_eq!(raw.len(), len);
        }
    }
}

fn config(data: &[u8]) {
    if let Ok(config) = Config::decode(data) {
        let again = config.encode().unwrap();
        assert_eq!(Config::decode(&again).unwrap().encode().unwrap(), again);
    }
}

fn container(data: &[u8]) {
    if let Ok(header) = Header::decode(data) {
        assert_eq!(header.encode(), data[..header.encode().len()]);
    }
    if let Ok(key) = ObjectKey::from_header(data, &KEYS) {
        let _ = key.open_trailer(data, data.len() as u64);
    }
    let _ = Object::open(data, &KEYS);
}

fn entry(data: &[u8]) {
    if let Ok((name, entry)) = tree::decode_entry(data) {
        let again = tree::encode_entry(&name, &entry).unwrap();
        assert_eq!(tree::decode_entry(&again).unwrap(), (name, entry));
    }
}

fn extras(data: &[u8]) {
    if let Ok(extents) = tree::decode_extents(data) {
        let again = tree::encode_extents(&extents).unwrap();
        assert_eq!(tree::decode_extents(&again).unwrap(), extents);
    }
    if let Ok(xattrs) = tree::decode_xattrs(data) {
        let again = tree::encode_xattrs(xattrs.clone()).unwrap();
        assert_eq!(tree::decode_xattrs(&again).unwrap(), xattrs);
    }
}

/// Patterns in the first line; the rest is a path that is held against them.
fn filter(data: &[u8]) {
    let (patterns, path) = data.split_at(data.iter().position(|b| *b == 0).unwrap_or(data.len()));
    let mut filter = Filter::new();
    if filter.add_lines(patterns).is_ok() {
        let path: Vec<Vec<u8>> = path.split(|b| *b == b'/').map(<[u8]>::to_vec).collect();
        filter.excludes(&path);
    }
}

fn index_frame(data: &[u8]) {
    let mut packs = Vec::new();
    let whole = index::decode_frame(data, &mut |pack| {
        packs.push(pack);
        Ok(())
    });
    if whole.is_ok() {
        let mut again = Vec::new();
        for (frame, _) in index::encode_frames(&packs).unwrap() {
            index::decode_frame(&frame, &mut |pack| {
                again.push(pack);
                Ok(())
            })
            .unwrap();
        }
        assert_eq!(again, packs);
    }
}

/// Slots as they are, and with the checksum made right.
fn key_slot(data: &[u8]) {
    let _ = keyslot::Slot::decode(data);
    let summed = [data, &Id::sha256(data).0].concat();
    let _ = keyslot::Slot::decode(&summed);
}

/// A command line, one argument a line.
fn line(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let args: Vec<OsString> = text.lines().map(OsString::from).collect();
        let _ = cli::parse::parse(&args);
    }
}

fn list(data: &[u8]) {
    let source = |_: &Id| -> Result<Vec<u8>> { Ok(data.to_vec()) };
    for depth in 0..3 {
        let piece = Piece {
            chunk: Id::ZERO,
            offset: 0,
            len: data.len() as u64,
        };
        let _ = tree::read_list(&source, &piece, depth);
    }
}

fn records(data: &[u8]) {
    let _ = record::decode(data);
    let _ = record::verify(data, &KEYS);
}

/// Corso's own settings, AWS's two files.
fn settings(data: &[u8]) {
    let Ok(file) = tempfile::NamedTempFile::new() else {
        return;
    };
    if std::fs::write(file.path(), data).is_err() {
        return;
    }
    let _ = cli::config::ConfigFile::load(Some(file.path().to_owned()));
    super::local::profiles(file.path());
}

fn manifest(data: &[u8]) {
    if let Ok(manifest) = snapshot::decode(data) {
        let again = snapshot::encode(&manifest).unwrap();
        assert_eq!(snapshot::decode(&again).unwrap(), manifest);
    }
    let _ = snapshot::open(data, &KEYS);
}

fn texts(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let _ = clock::parse_http_date(text);
    let _ = Endpoint::parse(text, false);
    let _ = Endpoint::from_url(text);
    let _ = units::parse_bytes(text);
    let _ = units::parse_duration(text);
    let _ = policy::Span::parse(text);
    let _ = policy::GroupBy::parse(text);
    let _ = policy::parse_count(text);
    for platform in [Platform::Unix, Platform::Windows] {
        let _ = parse_inside(data, platform);
    }
}

fn stone(data: &[u8]) {
    let _ = tombstone::verify(data, &KEYS);
    if let Ok(stone) = tombstone::decode(data) {
        let again = tombstone::encode(&stone, &KEYS).unwrap();
        assert_eq!(tombstone::decode(&again).unwrap(), stone);
    }
}

/// The bytes as the root of a tree; every node below it is missing.
fn nodes(data: &[u8]) {
    let source = |id: &Id| match *id == Id::ZERO {
        true => Ok(data.to_vec()),
        false => Err(Error::damaged("missing")),
    };
    for levels in 1..4 {
        let reader = TreeReader::new(&source, Id::ZERO, levels).unwrap();
        let mut last: Option<TreePath> = None;
        for item in reader.entries().past_damage() {
            let Ok((path, _)) = item else { continue };
            assert!(last.is_none_or(|last| last < path), "out of order");
            last = Some(path);
        }
    }
}

fn xml(data: &[u8]) {
    let _ = parse_list(data);
    let _ = parse_delete(data);
    let _ = parse_versions(data);
    let _ = parse_retention(data);
    let _ = parse_lock_configuration(data);
    let _ = parse_versioning(data);
    let _ = parse_location(data);
    let _ = S3Error::parse(400, data, None, None);
    let _ = S3Error::inside_success(200, data);
}
