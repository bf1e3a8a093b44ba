use super::*;
use proptest::prelude::*;

fn config() -> Vec<u8> {
    Config::new(Id16([9; 16]), Time(0)).encode().unwrap()
}

/// A slot with a cost that tests can afford.
fn cheap(keys: &Keyring) -> Slot {
    let mut slot = Slot::new(keys, "laptop", Time(5)).unwrap();
    slot.kdf = KdfParams {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
        salt: [4; 16],
    };
    slot
}

fn full() -> Keyring {
    Keyring::generate(Id16([9; 16]))
        .unwrap()
        .with_new_epoch()
        .unwrap()
        .with_new_epoch()
        .unwrap()
}

#[test]
fn a_full_slot_gives_every_epoch_back() {
    let (keys, pass) = (full(), Passphrase::new("secret"));
    let slot = cheap(&keys);
    let object = seal(&slot, &keys, &config(), &pass).unwrap();
    let (read, opened) = open(&object, &config(), &pass).unwrap();
    assert_eq!(
        (&read, Slot::decode(&object).unwrap()),
        (&slot, slot.clone())
    );
    assert_eq!(opened.epochs(), [1, 2, 3]);
    for (a, b) in opened.roots().unwrap().zip(keys.roots().unwrap()) {
        assert_eq!((a.0, a.1.bytes()), (b.0, b.1.bytes()));
    }
}

#[test]
fn a_writer_slot_gives_its_domain_and_no_more() {
    let (keys, pass) = (full(), Passphrase::new("secret"));
    let writer = keys.for_writer(Id16([1; 16]), MAX_WRITER_EPOCHS).unwrap();
    let object = seal(&cheap(&writer), &writer, &config(), &pass).unwrap();
    let (slot, opened) = open(&object, &config(), &pass).unwrap();
    assert_eq!((slot.role, slot.writer), (Role::Writer, Id16([1; 16])));
    let session = opened.session().unwrap();
    assert_eq!(
        keys.open_session(3, &session.ciphertext).unwrap().bytes(),
        session.secret().bytes()
    );
    let theirs = keys.domain(Id16([1; 16]), 3).unwrap();
    assert_eq!(
        opened.own_domain().unwrap().chunk_id(b"a"),
        theirs.chunk_id(b"a")
    );
    assert_eq!(opened.roots().err().unwrap().kind(), Kind::RoleNeeded);
    for (role, id) in [(Role::Full, Id16::ZERO), (Role::Writer, Id16([2; 16]))] {
        let other = Slot {
            role,
            writer: id,
            ..slot.clone()
        };
        assert!(seal(&other, &writer, &config(), &pass).is_err());
    }
}

#[test]
fn the_biggest_slots_fit() {
    let mut keys = full();
    while keys.epochs().len() < MAX_FULL_EPOCHS {
        keys = keys.with_new_epoch().unwrap();
    }
    let pass = Passphrase::new("x");
    let object = seal(&cheap(&keys), &keys, &config(), &pass).unwrap();
    assert_eq!(
        open(&object, &config(), &pass).unwrap().1.epochs().len(),
        MAX_FULL_EPOCHS
    );
    let writer = keys.for_writer(Id16([1; 16]), MAX_WRITER_EPOCHS).unwrap();
    let object = seal(&cheap(&writer), &writer, &config(), &pass).unwrap();
    assert_eq!(
        open(&object, &config(), &pass).unwrap().1.newest_epoch(),
        256
    );
}

#[test]
fn each_failure_has_its_kind() {
    let (keys, pass) = (full(), Passphrase::new("secret"));
    let object = seal(&cheap(&keys), &keys, &config(), &pass).unwrap();
    let kind = |object: &[u8], config: &[u8], pass: &str| {
        open(object, config, &Passphrase::new(pass))
            .err()
            .unwrap()
            .kind()
    };
    assert_eq!(kind(&object, &config(), "Secret"), Kind::PassphraseWrong);
    let mut other = Config::new(Id16([9; 16]), Time(0));
    other.retention.last = 1;
    assert_eq!(
        kind(&object, &other.encode().unwrap(), "secret"),
        Kind::Damaged
    );
    let mut newer = object.clone();
    newer[9] = 2;
    assert_eq!(kind(&newer, &config(), "secret"), Kind::NewerFormat);
    for at in (0..object.len()).filter(|at| !(8..10).contains(at)) {
        let mut bad = object.clone();
        bad[at] ^= 0x10;
        assert_eq!(kind(&bad, &config(), "secret"), Kind::Damaged, "byte {at}");
    }
    for len in 0..object.len() {
        assert_eq!(kind(&object[..len], &config(), "secret"), Kind::Damaged);
    }
}

#[test]
fn the_clear_part_is_authenticated() {
    let (keys, pass) = (full(), Passphrase::new("secret"));
    let mut object = seal(&cheap(&keys), &keys, &config(), &pass).unwrap();
    let at = object.windows(6).position(|w| w == b"laptop").unwrap();
    object[at] = b'L';
    let body = object.len() - CHECKSUM_LEN;
    let checksum = Id::sha256(&object[..body]);
    object[body..].copy_from_slice(&checksum.0);
    assert_eq!(
        open(&object, &config(), &pass).err().unwrap().kind(),
        Kind::PassphraseWrong
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn hostile_slots_never_panic(body in proptest::collection::vec(any::<u8>(), 0..120), len: u8) {
        let mut object = [MAGIC.as_slice(), &[0, 1, 0, 0, 0, len], &body].concat();
        let checksum = Id::sha256(&object);
        object.extend_from_slice(&checksum.0);
        let _ = Slot::decode(&object);
        let _ = Slot::decode(&body);
    }
}
