//! What an opened key slot gives: every key of the repository that its holder may have.
//!
//! A **domain** is a writer id in a key epoch. All its keys come from the epoch's root secret by HKDF, so a full
//! key derives any; a writer key is given those of its own domain and the public half of the epoch's key pair.

use super::kem::{self, KeyPair, PublicKey};
use super::{Key, kdf::hkdf_sha256};
use crate::error::{Error, Kind, Result};
use crate::id::{Id, Id16};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Shared secrets remembered; one a run of the repository's history, about 100 bytes each.
const MAX_CACHED_SESSIONS: usize = 1 << 16;
/// Domains remembered.
const MAX_CACHED_DOMAINS: usize = 1 << 12;

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// Everything.
    Full = 1,
    /// Add backups of its own domain; reads nothing that was sealed before this run.
    Writer = 2,
}

impl Role {
    /// From its number in the format.
    pub fn from_number(number: u64) -> Result<Self> {
        match number {
            1 => Ok(Role::Full),
            2 => Ok(Role::Writer),
            other => Err(Error::new(
                Kind::NewerFormat,
                format!("unknown key role {other}"),
            )),
        }
    }

    /// For people and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Role::Full => "full",
            Role::Writer => "writer",
        }
    }
}

/// The keys of one domain.
pub struct DomainKeys {
    /// Whose domain: zero is that of the full keys.
    pub writer: Id16,
    /// Of which key epoch.
    pub epoch: u32,
    /// BLAKE3 key of chunk ids.
    pub chunk_id: Key,
    /// Makes the gear table of the chunker.
    pub chunker: Key,
    /// The secret of index objects.
    pub index: Key,
    /// HMAC key of the trailers of sealed objects.
    pub mac: Key,
    /// BLAKE3 key of the boundaries of tree nodes and bundles.
    pub tree: Key,
}

impl DomainKeys {
    fn derive(root: &Key, repo: &Id16, writer: Id16, epoch: u32) -> Result<Self> {
        let key = |purpose: &str| {
            hkdf_sha256(
                b"",
                root.bytes(),
                &[
                    b"corso/1/domain/",
                    purpose.as_bytes(),
                    &[0],
                    &repo.0,
                    &writer.0,
                ],
            )
        };
        Ok(DomainKeys {
            writer,
            epoch,
            chunk_id: key("chunk-id")?,
            chunker: key("chunker")?,
            index: key("index")?,
            mac: key("mac")?,
            tree: key("tree")?,
        })
    }

    /// The id of a chunk in this domain: BLAKE3 of its raw bytes, keyed.
    pub fn chunk_id(&self, raw: &[u8]) -> Id {
        Id(*blake3::keyed_hash(self.chunk_id.bytes(), raw).as_bytes())
    }

    /// Erased when the copy is dropped, like the original.
    fn copy(&self) -> Self {
        DomainKeys {
            writer: self.writer,
            epoch: self.epoch,
            chunk_id: self.chunk_id.clone(),
            chunker: self.chunker.clone(),
            index: self.index.clone(),
            mac: self.mac.clone(),
            tree: self.tree.clone(),
        }
    }
}

/// One run's sealing secret: a single X-Wing encapsulation, used for all objects that the run writes.
pub struct Session {
    /// The repository.
    pub repo: Id16,
    /// Key epoch of the public key it was sealed to.
    pub epoch: u32,
    /// Random; in the trailer of every object of the run.
    pub run: Id16,
    /// Carries the secret: [`kem::CIPHERTEXT_LEN`] bytes, in the header of every object.
    pub ciphertext: Vec<u8>,
    secret: Key,
}

impl Session {
    /// The shared secret.
    pub fn secret(&self) -> &Key {
        &self.secret
    }
}

/// The keys of one epoch as a full key has them.
struct FullEpoch {
    root: Key,
    /// Expanded on first use.
    pair: OnceLock<KeyPair>,
}

/// The keys of one epoch as a writer key has them.
pub struct WriterEpoch {
    /// Its domain.
    pub domain: Arc<DomainKeys>,
    /// To seal to.
    pub public: PublicKey,
}

enum Epochs {
    Full(BTreeMap<u32, FullEpoch>),
    Writer(BTreeMap<u32, WriterEpoch>),
}

/// All keys of a holder, with what is derived from them remembered. Shared between threads.
pub struct Keyring {
    repo: Id16,
    writer: Id16,
    epochs: Epochs,
    domains: Mutex<HashMap<(Id16, u32), Arc<DomainKeys>>>,
    /// By epoch and hash of the ciphertext. A writer finds only its own run's here.
    sessions: Mutex<HashMap<(u32, Id), Key>>,
}

impl Keyring {
    /// The keyring of a new repository: a fresh root secret in epoch 1.
    pub fn generate(repo: Id16) -> Result<Self> {
        Self::full(repo, vec![(1, Key::random()?)])
    }

    /// A full keyring from its root secrets.
    pub fn full(repo: Id16, roots: Vec<(u32, Key)>) -> Result<Self> {
        let epochs = roots
            .into_iter()
            .map(|(e, root)| {
                (
                    e,
                    FullEpoch {
                        root,
                        pair: OnceLock::new(),
                    },
                )
            })
            .collect();
        Self::new(repo, Id16::ZERO, Epochs::Full(epochs))
    }

    /// A writer keyring: `writer` must not be zero, and every domain must be its own.
    pub fn writer(repo: Id16, writer: Id16, epochs: Vec<WriterEpoch>) -> Result<Self> {
        if writer == Id16::ZERO || epochs.iter().any(|e| e.domain.writer != writer) {
            return Err(Error::damaged(
                "a writer key holds the keys of another domain",
            ));
        }
        let epochs = epochs.into_iter().map(|e| (e.domain.epoch, e)).collect();
        Self::new(repo, writer, Epochs::Writer(epochs))
    }

    fn new(repo: Id16, writer: Id16, epochs: Epochs) -> Result<Self> {
        let ring = Keyring {
            repo,
            writer,
            epochs,
            domains: Mutex::default(),
            sessions: Mutex::default(),
        };
        if ring.epochs().is_empty() {
            return Err(Error::damaged("a key holds no epoch"));
        }
        Ok(ring)
    }

    /// A full keyring with one more epoch and a fresh root for it.
    pub fn with_new_epoch(&self) -> Result<Self> {
        let mut roots: Vec<_> = self
            .roots()?
            .map(|(epoch, root)| (epoch, root.clone()))
            .collect();
        let next = self
            .newest_epoch()
            .checked_add(1)
            .ok_or_else(|| Error::failed("no key epoch is left"))?;
        roots.push((next, Key::random()?));
        Self::full(self.repo, roots)
    }

    /// What the slot of a new writer `writer` holds, for all epochs or the newest few. Full keys only.
    pub fn for_writer(&self, writer: Id16, newest: usize) -> Result<Self> {
        self.full_epochs()?;
        let mut epochs = Vec::new();
        for epoch in self.epochs().into_iter().rev().take(newest) {
            epochs.push(WriterEpoch {
                domain: Arc::new(self.domain(writer, epoch)?.copy()),
                public: self.pair(epoch)?.public(),
            });
        }
        Self::writer(self.repo, writer, epochs)
    }

    /// The repository.
    pub fn repo(&self) -> Id16 {
        self.repo
    }

    /// What this key may do.
    pub fn role(&self) -> Role {
        match self.epochs {
            Epochs::Full(_) => Role::Full,
            Epochs::Writer(_) => Role::Writer,
        }
    }

    /// The writer id: zero for a full key.
    pub fn writer_id(&self) -> Id16 {
        self.writer
    }

    /// Fails with [`Kind::RoleNeeded`] unless this is a full key; `what` says what was wanted ("restoring files").
    pub fn need_full(&self, what: &str) -> Result<()> {
        match self.role() {
            Role::Full => Ok(()),
            Role::Writer => Err(full_needed(what)),
        }
    }

    /// Key epochs, ascending.
    pub fn epochs(&self) -> Vec<u32> {
        match &self.epochs {
            Epochs::Full(epochs) => epochs.keys().copied().collect(),
            Epochs::Writer(epochs) => epochs.keys().copied().collect(),
        }
    }

    /// The epoch that new objects are written in.
    pub fn newest_epoch(&self) -> u32 {
        self.epochs().last().copied().unwrap_or_default()
    }

    /// The root secrets, ascending by epoch. Full keys only.
    pub fn roots(&self) -> Result<impl Iterator<Item = (u32, &Key)>> {
        Ok(self
            .full_epochs()?
            .iter()
            .map(|(epoch, keys)| (*epoch, &keys.root)))
    }

    /// A writer's epochs, ascending; empty for a full key.
    pub fn writer_epochs(&self) -> impl Iterator<Item = &WriterEpoch> {
        match &self.epochs {
            Epochs::Full(_) => None,
            Epochs::Writer(epochs) => Some(epochs.values()),
        }
        .into_iter()
        .flatten()
    }

    /// The keys of a domain. A writer has only its own: [`Kind::RoleNeeded`] otherwise.
    pub fn domain(&self, writer: Id16, epoch: u32) -> Result<Arc<DomainKeys>> {
        match &self.epochs {
            Epochs::Writer(epochs) if writer == self.writer => epochs
                .get(&epoch)
                .map(|e| e.domain.clone())
                .ok_or_else(|| no_epoch(epoch)),
            Epochs::Writer(_) => Err(full_needed("using another writer's domain")),
            Epochs::Full(_) => {
                if let Some(domain) = lock(&self.domains).get(&(writer, epoch)) {
                    return Ok(domain.clone());
                }
                let domain = Arc::new(DomainKeys::derive(
                    self.root(epoch)?,
                    &self.repo,
                    writer,
                    epoch,
                )?);
                let mut domains = lock(&self.domains);
                if domains.len() >= MAX_CACHED_DOMAINS {
                    domains.clear();
                }
                domains.insert((writer, epoch), domain.clone());
                Ok(domain)
            }
        }
    }

    /// The holder's own domain in the newest epoch: what a backup works with.
    pub fn own_domain(&self) -> Result<Arc<DomainKeys>> {
        self.domain(self.writer, self.newest_epoch())
    }

    /// A sealing session in the newest epoch: fresh encapsulation, random run id.
    pub fn session(&self) -> Result<Session> {
        self.session_at(self.newest_epoch())
    }

    /// A session in a given epoch. Copies of chunks are sealed in the epoch of their ids, so that an object's
    /// header tells which domain keys its chunk ids are checked with.
    pub fn session_at(&self, epoch: u32) -> Result<Session> {
        #[cfg(test)]
        {
            let mut eseed = [0; kem::ESEED_LEN];
            if crate::model::plan::fill(&mut eseed) {
                return self.session_deterministic(epoch, Id16::random()?, eseed);
            }
        }
        let (secret, ciphertext) = self.public(epoch)?.encapsulate()?;
        self.new_session(epoch, Id16::random()?, secret, ciphertext)
    }

    /// A session from given randomness: for test vectors only.
    #[doc(hidden)]
    pub fn session_deterministic(
        &self,
        epoch: u32,
        run: Id16,
        eseed: [u8; kem::ESEED_LEN],
    ) -> Result<Session> {
        let (secret, ciphertext) = self.public(epoch)?.encapsulate_deterministic(eseed)?;
        self.new_session(epoch, run, secret, ciphertext)
    }

    fn new_session(
        &self,
        epoch: u32,
        run: Id16,
        secret: Key,
        ciphertext: Vec<u8>,
    ) -> Result<Session> {
        self.remember(epoch, &ciphertext, &secret);
        Ok(Session {
            repo: self.repo,
            epoch,
            run,
            ciphertext,
            secret,
        })
    }

    /// The shared secret in an object's header. A writer key has only those of its own sessions, while this
    /// keyring lives: [`Kind::RoleNeeded`] otherwise.
    pub fn open_session(&self, epoch: u32, ciphertext: &[u8]) -> Result<Key> {
        if let Some(secret) = lock(&self.sessions).get(&(epoch, Id::sha256(ciphertext))) {
            return Ok(secret.clone());
        }
        let secret = self.pair(epoch)?.decapsulate(ciphertext)?;
        self.remember(epoch, ciphertext, &secret);
        Ok(secret)
    }

    fn remember(&self, epoch: u32, ciphertext: &[u8], secret: &Key) {
        let mut sessions = lock(&self.sessions);
        if sessions.len() >= MAX_CACHED_SESSIONS && self.role() == Role::Full {
            sessions.clear();
        }
        sessions.insert((epoch, Id::sha256(ciphertext)), secret.clone());
    }

    /// The MAC key of records and tombstones. Full keys only.
    pub fn control_key(&self, epoch: u32) -> Result<Key> {
        hkdf_sha256(
            b"",
            self.root(epoch)?.bytes(),
            &[b"corso/1/control", &[0], &self.repo.0],
        )
    }

    /// The public key of an epoch.
    pub fn public(&self, epoch: u32) -> Result<PublicKey> {
        match &self.epochs {
            Epochs::Full(_) => Ok(self.pair(epoch)?.public()),
            Epochs::Writer(epochs) => epochs
                .get(&epoch)
                .map(|e| e.public.clone())
                .ok_or_else(|| no_epoch(epoch)),
        }
    }

    fn pair(&self, epoch: u32) -> Result<&KeyPair> {
        let keys = self
            .full_epochs()?
            .get(&epoch)
            .ok_or_else(|| no_epoch(epoch))?;
        if let Some(pair) = keys.pair.get() {
            return Ok(pair);
        }
        let seed = hkdf_sha256(
            b"",
            keys.root.bytes(),
            &[b"corso/1/xwing", &[0], &self.repo.0],
        )?;
        let pair = KeyPair::from_seed(&seed)?;
        Ok(keys.pair.get_or_init(|| pair))
    }

    fn root(&self, epoch: u32) -> Result<&Key> {
        self.full_epochs()?
            .get(&epoch)
            .map(|keys| &keys.root)
            .ok_or_else(|| no_epoch(epoch))
    }

    fn full_epochs(&self) -> Result<&BTreeMap<u32, FullEpoch>> {
        match &self.epochs {
            Epochs::Full(epochs) => Ok(epochs),
            Epochs::Writer(_) => Err(full_needed("reading sealed objects")),
        }
    }
}

/// A thread that panicked while it held a cache left it whole: single inserts only.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn full_needed(what: &str) -> Error {
    Error::new(
        Kind::RoleNeeded,
        format!("{what} needs a full key, and this passphrase opens a writer key"),
    )
    .hint("use the passphrase of a full key")
}

fn no_epoch(epoch: u32) -> Error {
    Error::new(
        Kind::RoleNeeded,
        format!("this key does not hold key epoch {epoch}"),
    )
    .hint("the repository's key was changed after this key was made: use one made since")
}

#[cfg(test)]
mod tests;
