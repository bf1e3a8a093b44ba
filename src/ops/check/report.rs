//! What a check found, and what can be done about it.

use crate::error::Error;
use crate::id::Id;
use crate::storage::Usage;

/// Damaged files that are named; the rest is counted.
const MAX_FILES: usize = 1000;
/// Findings that are named; the rest is counted.
const MAX_FINDINGS: usize = 10_000;
/// Packs that are named in a command line.
const MAX_NAMES: usize = 12;

/// What kind of object or relation is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// The object `config` is not what was opened.
    Config,
    /// A key slot cannot be read.
    KeySlot,
    /// A record cannot be read, or is not this repository's.
    Record,
    /// A tombstone cannot be read.
    Tombstone,
    /// A tombstone is not this repository's.
    ForgedTombstone,
    /// An index object cannot be read.
    Index,
    /// Index objects say different things of one pack.
    IndexConflict,
    /// A pack that the index names is not there.
    PackMissing,
    /// A pack has another length than the index says.
    PackSize,
    /// A pack, or chunks in it, cannot be read, or differ from what the index says.
    Pack,
    /// A snapshot cannot be read.
    Snapshot,
    /// A tree node cannot be read.
    Node,
    /// An object is there, and cannot be read now; whether it is whole is not known.
    Unreadable,
}

impl What {
    /// For `--json`.
    pub fn name(self) -> &'static str {
        match self {
            What::Config => "config",
            What::KeySlot => "key-slot",
            What::Record => "record",
            What::Tombstone => "tombstone",
            What::ForgedTombstone => "forged-tombstone",
            What::Index => "index",
            What::IndexConflict => "index-conflict",
            What::PackMissing => "pack-missing",
            What::PackSize => "pack-size",
            What::Pack => "pack",
            What::Snapshot => "snapshot",
            What::Node => "tree-node",
            What::Unreadable => "unreadable",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which kind of thing.
    pub what: What,
    /// Key of the object, or the id of the chunk.
    pub object: String,
    /// What is wrong with it, in words.
    pub message: String,
}

/// A file that cannot be restored whole, or a range of entries that is lost with a tree node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedFile {
    /// In which snapshot.
    pub snapshot: Id,
    /// Where, as the snapshot's platform writes it.
    pub path: Vec<u8>,
    /// What is lost of it.
    pub why: String,
}

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// What is wrong, in the order in which it was found; the first ten thousand.
    pub findings: Vec<Finding>,
    /// Further findings.
    pub more_findings: u64,
    /// The files that damage touches; the first thousand.
    pub files: Vec<DamagedFile>,
    /// Further files.
    pub more_files: u64,
    /// Of all these, those that may be whole: what describes them cannot be read now.
    pub unreadable_files: u64,
    /// Snapshots with such files.
    pub damaged_snapshots: Vec<Id>,
    /// Snapshots that were walked.
    pub snapshots: u64,
    /// Tree nodes that were read, each once.
    pub nodes: u64,
    /// Entries in them.
    pub entries: u64,
    /// Packs that the index names.
    pub packs: u64,
    /// Their bytes.
    pub pack_bytes: u64,
    /// Packs that were read whole.
    pub packs_read: u64,
    /// Their bytes.
    pub bytes_read: u64,
    /// Packs whose hash the provider holds, and holds right.
    pub checksums: u64,
    /// Packs for which the provider holds none.
    pub no_checksum: u64,
    /// Index objects that were read.
    pub index_objects: u64,
    /// Packs that no index object names: left by runs that were cut off, or on their way.
    pub unindexed_packs: u64,
    /// Their bytes.
    pub unindexed_bytes: u64,
    /// Objects below `packs/` that no pack can be.
    pub strangers: u64,
    /// Chunks that are only in packs which a tombstone names, counted once for each entry that needs them.
    pub dying_chunks: u64,
    /// Requests and bytes.
    pub usage: Usage,
}

impl CheckReport {
    /// Nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.files.is_empty()
    }

    pub(super) fn add(
        &mut self,
        what: What,
        object: impl Into<String>,
        message: impl Into<String>,
    ) {
        if self.findings.len() >= MAX_FINDINGS {
            self.more_findings += 1;
            return;
        }
        self.findings.push(Finding {
            what,
            object: object.into(),
            message: message.into(),
        });
    }

    /// What came of reading an object: `what` if it is damaged, and otherwise that it cannot be read now.
    pub(super) fn add_failure(&mut self, what: What, object: impl Into<String>, error: &Error) {
        let what = match error.is_unreadable() {
            true => What::Unreadable,
            false => what,
        };
        let text = match error.hint_text() {
            Some(hint) if error.is_unreadable() => format!("{}; {hint}", error.message()),
            _ => error.message(),
        };
        self.add(what, object, text);
    }

    pub(super) fn add_file(&mut self, file: DamagedFile) {
        if self.files_full() {
            self.more_files += 1;
        } else {
            self.files.push(file);
        }
    }

    /// No further file will be named.
    pub(super) fn files_full(&self) -> bool {
        self.files.len() >= MAX_FILES
    }

    /// Is there a finding that a change of the repository during the check may explain?
    pub(super) fn something_is_missing(&self) -> bool {
        let may_move = |f: &Finding| matches!(f.what, What::PackMissing | What::Pack | What::Node);
        !self.files.is_empty() || self.findings.iter().any(may_move)
    }

    fn any(&self, kinds: &[What]) -> bool {
        self.findings.iter().any(|f| kinds.contains(&f.what))
    }

    /// What to do now, one step a line, commands in backquotes.
    pub fn next_steps(&self) -> Vec<String> {
        let mut steps = Vec::new();
        if self.any(&[What::Unreadable]) {
            steps.push("see that the objects which cannot be read can be (the credentials' permissions, the disk, the archive class), then run `corso repo check` again: they, and what they describe, may be whole".into());
        }
        if self.any(&[What::Config]) {
            steps.push("put back the object config from a versioned bucket or another copy of the repository, before anything else".into());
        }
        // An index object that was deleted leaves no trace but packs that nothing names.
        let lost = self.files.len() as u64 + self.more_files > self.unreadable_files;
        let nameless = lost && self.unindexed_packs > 0;
        let index = [
            What::Index,
            What::IndexConflict,
            What::Tombstone,
            What::ForgedTombstone,
        ];
        if nameless || self.any(&index) {
            steps.push("`corso repo repair index` rebuilds the index from the packs".into());
        }
        if self.any(&[What::PackMissing, What::PackSize, What::Pack]) {
            steps.push(format!(
                "`corso repo repair packs{}` salvages what is whole and takes the rest out of use, so that the next backup stores it again; if another copy of the repository has these packs, copy them back first",
                self.packs_to_repair()
            ));
        }
        if lost {
            steps.push("make a backup of the same sources: what they still hold is stored again, and the damaged backups are whole again as far as it goes".into());
            steps.push("then `corso repo check`, and for what remains `corso repo repair snapshots`, which shows what it would cut out, and does so with --holes".into());
        }
        if self.any(&[What::Snapshot]) {
            steps.push("put back the damaged snapshots from a versioned bucket or another copy, or delete them with `corso backup delete ID`".into());
        }
        if self.any(&[What::KeySlot]) {
            steps.push("add a new key with `corso repo key add` where a passphrase is concerned, and remove the damaged object below keys/ from the storage".into());
        }
        if self.any(&[What::Record]) {
            steps.push("put back the damaged records from a versioned bucket or another copy, or remove them from the storage: what they said (a deletion, a pin) is lost".into());
        }
        steps
    }

    /// The arguments of `repair packs`: names of damaged packs, or none where it finds them itself.
    fn packs_to_repair(&self) -> String {
        let unseen = self.findings.iter().filter(|f| f.what == What::Pack);
        let names: Vec<&str> = unseen
            .filter_map(|f| f.object.rsplit('/').next())
            .map(|name| name.get(..16).unwrap_or(name))
            .collect();
        match names.len() {
            0 => String::new(),
            1..=MAX_NAMES => format!(" {}", names.join(" ")),
            _ => " --read-data".into(),
        }
    }
}
