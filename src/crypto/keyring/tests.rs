use super::*;

fn repo() -> Id16 {
    Id16([0xaa; 16])
}

#[test]
fn domains_and_epochs_share_no_key() {
    let ring = Keyring::full(repo(), vec![(1, Key::new([1; 32])), (2, Key::new([2; 32]))]).unwrap();
    let mut seen = std::collections::HashSet::new();
    for epoch in ring.epochs() {
        for writer in [Id16::ZERO, Id16([1; 16])] {
            let d = ring.domain(writer, epoch).unwrap();
            for key in [&d.chunk_id, &d.chunker, &d.index, &d.mac, &d.tree] {
                assert!(seen.insert(*key.bytes()));
            }
        }
        assert!(seen.insert(*ring.control_key(epoch).unwrap().bytes()));
    }
    let other = Keyring::full(Id16([0xab; 16]), vec![(1, Key::new([1; 32]))]).unwrap();
    assert!(seen.insert(*other.own_domain().unwrap().mac.bytes()));
    assert_eq!(ring.newest_epoch(), 2);
    assert_eq!(
        ring.domain(Id16::ZERO, 3).err().unwrap().kind(),
        Kind::RoleNeeded
    );
}

#[test]
fn a_writer_has_its_own_domain_and_its_own_sessions_only() {
    let full = Keyring::generate(repo()).unwrap().with_new_epoch().unwrap();
    let id = Id16([7; 16]);
    let writer = full.for_writer(id, 8).unwrap();
    assert_eq!(
        (writer.role(), writer.writer_id(), writer.epochs()),
        (Role::Writer, id, vec![1, 2])
    );
    let (ours, theirs) = (writer.own_domain().unwrap(), full.domain(id, 2).unwrap());
    assert_eq!(ours.chunk_id(b"x"), theirs.chunk_id(b"x"));
    for denied in [
        writer.domain(Id16::ZERO, 2).err(),
        writer.domain(id, 3).err(),
        writer.control_key(2).err(),
        writer.roots().err(),
        writer.for_writer(Id16([8; 16]), 8).err(),
        writer
            .open_session(2, &full.session().unwrap().ciphertext)
            .err(),
    ] {
        assert_eq!(denied.unwrap().kind(), Kind::RoleNeeded);
    }
    let session = writer.session().unwrap();
    assert_eq!(session.epoch, 2);
    assert_eq!(
        writer.open_session(2, &session.ciphertext).unwrap().bytes(),
        session.secret().bytes()
    );
    assert_eq!(
        full.open_session(2, &session.ciphertext).unwrap().bytes(),
        session.secret().bytes()
    );
    assert_ne!(
        full.open_session(1, &session.ciphertext).unwrap().bytes(),
        session.secret().bytes()
    );
    let later = full.for_writer(id, 1).unwrap();
    assert_eq!(later.epochs(), [2]);
    assert!(later.open_session(2, &session.ciphertext).is_err());
}

#[test]
fn nonsense_is_refused() {
    assert!(Keyring::full(repo(), vec![]).is_err());
    let full = Keyring::generate(repo()).unwrap();
    assert!(full.for_writer(Id16::ZERO, 1).is_err());
}
