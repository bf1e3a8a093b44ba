//! What each provider's S3 takes and refuses: [`TABLE`], so that no code asks for names.
//!
//! Correctness never depends on the table: it saves requests that would be refused, and says what to expect. An endpoint
//! that no row names gets [`COMMON`], what every S3-compatible server takes.

mod table;

use super::response::plain_region;

pub use table::{COMMON, TABLE};

/// One provider's dialect of S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provider {
    /// For `--provider`.
    pub id: &'static str,
    /// For messages, logs and the README.
    pub name: &'static str,
    /// Host names of its endpoints; `{region}` and `{account}` stand for one label each. Empty for software that people
    /// run themselves. The first is used where only a region is given.
    pub endpoints: &'static [&'static str],
    /// How a bucket is named in a request, unless `--addressing` says otherwise.
    pub addressing: Addressing,
    /// Which region signatures name.
    pub region: RegionRule,
    /// The checksum that goes with a put.
    pub checksum: Checksum,
    /// When puts carry `content-md5`. DeleteObjects always does.
    pub md5: ContentMd5,
    /// Answers `expect: 100-continue`.
    pub expect_continue: bool,
    /// What it does about `if-none-match: *` on a put.
    pub conditional_put: Conditional,
    /// Most keys in one DeleteObjects; 1 where that action is better not used.
    pub delete_batch: usize,
    /// Does it have S3's object lock?
    pub object_lock: bool,
    /// Which form of listing it is asked for.
    pub list: ListDialect,
    /// Most requests at a time, unless `--connections` says otherwise.
    pub connections: usize,
    /// What the row rests on: documentation, or `tried` with the version.
    pub source: &'static str,
}

/// How a bucket is named in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// `https://HOST/BUCKET/KEY`
    Path,
    /// `https://BUCKET.HOST/KEY`, for buckets whose name is one DNS label; others by path.
    Virtual,
}

impl Addressing {
    /// The value of `--addressing`.
    pub fn parse(text: &str) -> Option<Addressing> {
        match text {
            "path" => Some(Addressing::Path),
            "virtual" => Some(Addressing::Virtual),
            _ => None,
        }
    }

    /// As the flag writes it.
    pub fn name(self) -> &'static str {
        match self {
            Addressing::Path => "path",
            Addressing::Virtual => "virtual",
        }
    }
}

/// Which region signatures name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionRule {
    /// The one in the endpoint's name; else the servers say.
    InEndpoint,
    /// Always this one, whatever is given.
    Always(&'static str),
    /// This one unless another is given; a server that minds says which.
    Default(&'static str),
}

/// The checksum that goes with a put, beside the signed SHA-256 of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// None: `x-amz-checksum-*` is unknown there, or ignored.
    None,
    /// `x-amz-checksum-sha256`, which is kept and can be asked for later.
    Sha256,
}

/// When puts carry `content-md5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentMd5 {
    /// Never needed.
    Never,
    /// On puts that lock an object, where no checksum goes with them.
    WithLock,
}

/// What a provider does about `if-none-match: *` on a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conditional {
    /// Refuses to overwrite, with 412.
    Honoured,
    /// Overwrites all the same.
    Ignored,
    /// Refuses the header, with 501 or 400.
    Refused,
    /// Not known: it is sent, and left out once it is refused.
    Unknown,
}

impl Conditional {
    /// Is the header worth sending?
    pub fn sent(self) -> bool {
        matches!(self, Conditional::Honoured | Conditional::Unknown)
    }

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Conditional::Honoured => "honoured",
            Conditional::Ignored => "ignored",
            Conditional::Refused => "refused",
            Conditional::Unknown => "unknown",
        }
    }
}

/// Which form of listing a provider is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListDialect {
    /// ListObjectsV2 with `encoding-type=url`.
    V2Url,
    /// ListObjectsV2 without: the provider mixes encodings up. Keys of a repository need none.
    V2Plain,
}

/// The provider with this id.
pub fn by_id(id: &str) -> Option<&'static Provider> {
    TABLE
        .iter()
        .chain([&COMMON])
        .find(|provider| provider.id.eq_ignore_ascii_case(id))
}

/// The provider behind an endpoint's host name, and the region that the name says.
pub fn of_host(host: &str) -> (&'static Provider, Option<String>) {
    let host = host.to_ascii_lowercase();
    for provider in TABLE {
        for form in provider.endpoints {
            if let Some(region) = match_form(form, &host) {
                return (provider, region);
            }
        }
    }
    (&COMMON, None)
}

impl Provider {
    /// The endpoint for a region, where the region is all that has to be known.
    pub fn endpoint(&self, region: Option<&str>) -> Option<String> {
        let form = self.endpoints.first()?;
        match (form.contains("{account}"), region) {
            (true, _) => None,
            (_, Some(region)) => Some(form.replace("{region}", region)),
            (_, None) if form.contains("{region}") => None,
            (_, None) => Some((*form).to_owned()),
        }
    }

    /// The endpoint's forms, as people write them.
    pub fn forms(&self) -> String {
        let forms = self.endpoints.join(", ");
        forms
            .replace("{region}", "REGION")
            .replace("{account}", "ACCOUNT")
    }
}

/// Does `host` have this form? Gives the region in it, if the form has one.
#[expect(clippy::option_option, reason = "a form may match and have no region")]
fn match_form(form: &str, host: &str) -> Option<Option<String>> {
    let mut region = None;
    let mut labels = host.split('.');
    for part in form.split('.') {
        let label = labels.next().filter(|label| !label.is_empty())?;
        match part.strip_suffix("{region}") {
            Some(before) => region = Some(plain_region(label.strip_prefix(before)?)?),
            None if part == "{account}" || part == label => {}
            None => return None,
        }
    }
    labels.next().is_none().then_some(region)
}

#[cfg(test)]
mod tests;
