//! What was found.

use serde::Serialize;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should be.
    Fine,
    /// Otherwise than S3 has it, and Corso does without.
    NotNeeded,
    /// The keys may not do this; the detail names the permission.
    Denied,
    /// Corso cannot work with this.
    Wrong,
    /// Could not be found out, because something before it did not work.
    Unknown,
}

/// Which part of the report a check belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// What the keys may do.
    Permissions,
    /// Reading, writing, listing, deleting.
    Operations,
    /// What the storage checks and keeps.
    Integrity,
}

impl Group {
    /// Heading.
    pub fn title(self) -> &'static str {
        match self {
            Group::Permissions => "permissions",
            Group::Operations => "operations",
            Group::Integrity => "integrity",
        }
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Part of the report.
    pub group: Group,
    /// What was tried.
    pub name: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// In a few words.
    pub detail: String,
}

/// Something that Corso can do without, and whether it will be used here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Feature {
    /// For people.
    pub name: &'static str,
    /// Will it be used?
    pub used: bool,
    /// Why, or how.
    pub why: String,
}

/// Throughput at a number of connections.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Speed {
    /// Requests at a time.
    pub connections: usize,
    /// Bytes a second sent.
    pub up: u64,
    /// Bytes a second received.
    pub down: u64,
}

/// The whole report.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The place, in words.
    pub place: String,
    /// Whose S3 it is taken for; empty for a folder.
    pub provider: String,
    /// All checks, in order.
    pub findings: Vec<Finding>,
    /// What Corso will use here.
    pub features: Vec<Feature>,
    /// This host's clock against the storage's, in milliseconds; positive: the storage is ahead.
    pub clock_ms: i64,
    /// Median of small requests, in microseconds.
    pub latency_us: u64,
    /// Throughput.
    pub speeds: Vec<Speed>,
    /// Objects of the scratch prefix that could not be removed.
    pub left_behind: Vec<String>,
    /// The bucket keeps old versions, so that what was put and removed stays as such.
    pub keeps_versions: bool,
}

impl Report {
    /// Notes a check.
    pub(super) fn add(
        &mut self,
        group: Group,
        name: &'static str,
        verdict: Verdict,
        detail: impl Into<String>,
    ) {
        self.findings.push(Finding {
            group,
            name,
            verdict,
            detail: detail.into(),
        });
    }

    /// Notes a check that cannot be made without a permission that is missing.
    pub(super) fn unknown(&mut self, group: Group, name: &'static str) {
        let detail = "needs a permission that is missing";
        self.add(group, name, Verdict::Unknown, detail);
    }

    /// Notes what Corso will use here, or not.
    pub(super) fn feature(&mut self, name: &'static str, used: bool, why: impl Into<String>) {
        self.features.push(Feature {
            name,
            used,
            why: why.into(),
        });
    }

    /// The check of that name.
    pub fn finding(&self, name: &str) -> Option<&Finding> {
        self.findings.iter().find(|f| f.name == name)
    }

    /// Permissions that the keys lack.
    pub fn denied(&self) -> Vec<&'static str> {
        self.named(Verdict::Denied)
    }

    /// Checks that Corso cannot do without.
    pub fn wrong(&self) -> Vec<&'static str> {
        self.named(Verdict::Wrong)
    }

    /// Can a host with a full key keep a repository here?
    pub fn is_fit(&self) -> bool {
        self.denied().is_empty() && self.wrong().is_empty()
    }

    fn named(&self, verdict: Verdict) -> Vec<&'static str> {
        let of = |f: &&Finding| f.verdict == verdict;
        self.findings.iter().filter(of).map(|f| f.name).collect()
    }
}
