use super::*;
use proptest::prelude::*;

fn skip(bytes: &[u8]) -> Result<()> {
    let mut r = Reader::new(bytes);
    r.skip()?;
    r.finish()
}

#[test]
fn writes_the_shortest_form() {
    let mut w = Writer::new();
    w.map(|m| {
        m.u64(1, 23);
        m.i64(2, -25);
        m.bytes(24, [7; 2]);
        m.key(300).array(2).text("a").bool(true);
    });
    assert_eq!(
        hex::encode(w.into_vec()),
        "a40117023818181842070719012c826161f5"
    );
}

#[test]
fn reads_what_it_writes_and_skips_the_unknown() {
    let mut w = Writer::new();
    w.map(|m| {
        m.u64(1, u64::MAX);
        m.key(2).map(|m| {
            m.key(0).array(1).bool(false);
        });
        m.bytes(3, Id([9; 32]));
    });
    let bytes = w.into_vec();
    let (mut n, mut id) = (0, None);
    let mut r = Reader::new(&bytes);
    r.map(|key, r| {
        match key {
            1 => n = r.u64()?,
            3 => id = Some(r.id()?),
            _ => return Ok(false),
        }
        Ok(true)
    })
    .unwrap();
    r.finish().unwrap();
    assert_eq!((n, id), (u64::MAX, Some(Id([9; 32]))));
}

#[test]
fn refuses_every_other_encoding() {
    for (what, bytes) in [
        ("non-shortest integer", "1817"),
        ("non-shortest length", "580100"),
        ("indefinite array", "9fff"),
        ("indefinite bytes", "5f4100ff"),
        ("tag", "c000"),
        ("float", "f90000"),
        ("undefined", "f7"),
        ("duplicate keys", "a201000100"),
        ("unsorted keys", "a202000100"),
        ("text key", "a1616100"),
        ("negative key", "a12000"),
        ("trailing byte", "0000"),
        ("short", "42ff"),
        ("huge count", "9b00ffffffffffffff"),
        ("huge map", "bb8000000000000000"),
        ("huge bytes", "5bffffffffffffffff"),
        ("empty", ""),
        ("bad UTF-8", "61ff"),
    ] {
        assert!(skip(&hex::decode(bytes).unwrap()).is_err(), "{what}");
    }
}

#[test]
fn nesting_is_limited() {
    let nested = |depth: usize| [vec![0x81; depth], vec![0]].concat();
    skip(&nested(MAX_DEPTH)).unwrap();
    assert!(skip(&nested(MAX_DEPTH + 1)).is_err());
    assert!(skip(&nested(1_000_000)).is_err());
    let maps = [[0xa1, 0].repeat(100_000), vec![0]].concat();
    assert!(skip(&maps).is_err());
}

#[test]
fn limits_are_checked() {
    let mut w = Writer::new();
    w.bytes([0; 10]).array(3).u64(1).u64(2).u64(300);
    let bytes = w.into_vec();
    assert!(Reader::new(&bytes).bytes(9).is_err());
    let mut r = Reader::new(&bytes);
    r.bytes(10).unwrap();
    assert!(r.array(2).is_err());
    assert!(r.array_of(4).is_err());
    assert!(r.list(3, |r| r.u8()).is_err());
}

#[test]
fn integers_at_their_limits() {
    for value in [i64::MIN, -1, 0, i64::MAX] {
        let mut w = Writer::new();
        w.i64(value);
        assert_eq!(Reader::new(&w.into_vec()).i64().unwrap(), value);
    }
    // -2^64 and 2^64 - 1 do not fit.
    assert!(
        Reader::new(&hex::decode("3bffffffffffffffff").unwrap())
            .i64()
            .is_err()
    );
    assert!(
        Reader::new(&hex::decode("1bffffffffffffffff").unwrap())
            .i64()
            .is_err()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = skip(&bytes);
        let _ = Reader::new(&bytes).map(|_, r| r.text(8).map(|_| true));
        let _ = Reader::new(&bytes).list(8, |r| r.i64());
    }

    #[test]
    fn integers_round_trip(value: u64) {
        let mut w = Writer::new();
        w.u64(value);
        let bytes = w.into_vec();
        let mut r = Reader::new(&bytes);
        prop_assert_eq!(r.u64().unwrap(), value);
        r.finish().unwrap();
    }
}
