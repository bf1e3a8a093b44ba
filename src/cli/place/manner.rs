//! How S3 is spoken to: provider, addressing, storage class, encryption, how much at a time and how fast. As text from
//! flags and configuration file, then as values.

use crate::cli::args::S3Args;
use crate::error::{Error, Result};
use crate::s3::endpoint::Dialect;
use crate::s3::provider::{self, Addressing};
use crate::storage::s3::{StoredAs, Tuning};
use crate::units::{parse_bytes, parse_duration};
use std::time::Duration;

/// Slower than this, requests would time out.
const LEAST_RATE: u64 = 16 * 1024;

/// Keys of the configuration file that `init` and `connect` write where they were given, in this order.
pub const RECORDED_KEYS: [&str; 5] = [
    "s3_provider",
    "addressing",
    "storage_class",
    "sse",
    "sse_kms_key_id",
];
/// Keys that people may add: they are about this host's network, and never written.
pub const READ_KEYS: [&str; 4] = [
    "connections",
    "max_upload_rate",
    "max_download_rate",
    "timeout",
];

/// The texts; `None` is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Of [`RECORDED_KEYS`], in their order.
    pub recorded: [Option<String>; 5],
    /// Of [`READ_KEYS`], in their order.
    pub read: [Option<String>; 4],
}

impl Manner {
    /// What the flags say.
    pub fn of_flags(flags: &S3Args) -> Manner {
        let text = |value: &Option<String>| value.clone().filter(|v| !v.is_empty());
        Manner {
            recorded: [
                text(&flags.provider),
                text(&flags.addressing),
                text(&flags.storage_class),
                text(&flags.sse),
                text(&flags.sse_kms_key_id),
            ],
            read: [
                text(&flags.connections),
                text(&flags.max_upload_rate),
                text(&flags.max_download_rate),
                text(&flags.timeout),
            ],
        }
    }

    /// This, and what it does not say from `base`.
    pub fn or(&self, base: &Manner) -> Manner {
        Manner {
            recorded: std::array::from_fn(|i| pick(&self.recorded, &base.recorded, i)),
            read: std::array::from_fn(|i| pick(&self.read, &base.read, i)),
        }
    }

    /// The values.
    ///
    /// # Errors
    /// `Usage`, with the flag's name, for a text that is none, and for values that do not go together.
    pub fn values(&self) -> Result<(Dialect, StoredAs, Tuning)> {
        let [provider, addressing, class, sse, kms] = &self.recorded;
        let dialect = Dialect {
            provider: parsed("--provider", provider, |id| {
                let known = || {
                    provider::TABLE
                        .iter()
                        .map(|p| p.id)
                        .collect::<Vec<_>>()
                        .join(", ")
                };
                provider::by_id(id).ok_or_else(|| {
                    Error::usage(format!("no provider {id:?} is known"))
                        .hint(format!("one of {}, common", known()))
                })
            })?,
            addressing: parsed("--addressing", addressing, |text| {
                Addressing::parse(text)
                    .ok_or_else(|| Error::usage(format!("{text:?} is neither path nor virtual")))
            })?,
            ..Dialect::default()
        };
        let stored_as = StoredAs {
            storage_class: parsed("--storage-class", class, storage_class)?,
            encryption: parsed("--sse", sse, encryption)?,
            kms_key: parsed("--sse-kms-key-id", kms, header_value)?,
        };
        if stored_as.kms_key.is_some() && stored_as.encryption.as_deref() != Some("aws:kms") {
            return Err(Error::usage("--sse-kms-key-id needs --sse aws:kms"));
        }
        Ok((dialect, stored_as, self.tuning()?))
    }

    fn tuning(&self) -> Result<Tuning> {
        let [connections, up, down, timeout] = &self.read;
        let rate = |text: &str| match parse_bytes(text)? {
            bytes if bytes < LEAST_RATE => {
                Err(Error::usage(format!("{text} a second is too slow"))
                    .hint("requests need at least 16K a second, or they time out"))
            }
            bytes => Ok(bytes),
        };
        Ok(Tuning {
            connections: parsed("--connections", connections, |text| {
                let number = text.parse().ok().filter(|n| (1..=64).contains(n));
                number.ok_or_else(|| Error::usage(format!("{text:?} is not a number from 1 to 64")))
            })?,
            max_upload_rate: parsed("--max-upload-rate", up, rate)?,
            max_download_rate: parsed("--max-download-rate", down, rate)?,
            timeout: parsed("--timeout", timeout, |text| match parse_duration(text)? {
                time if time < Duration::from_secs(1) => {
                    Err(Error::usage("less than a second is too short"))
                }
                time => Ok(time),
            })?,
        })
    }
}

fn pick<const N: usize>(
    first: &[Option<String>; N],
    second: &[Option<String>; N],
    at: usize,
) -> Option<String> {
    first[at].clone().or_else(|| second[at].clone())
}

fn parsed<T>(
    flag: &str,
    text: &Option<String>,
    parse: impl FnOnce(&str) -> Result<T>,
) -> Result<Option<T>> {
    let value = text.as_deref().map(|text| parse(text.trim()));
    value.transpose().map_err(|e| e.context(flag.to_owned()))
}

/// Any class but those whose objects cannot be read at once: a backup must be able to look at the last one.
fn storage_class(text: &str) -> Result<String> {
    match text.to_ascii_uppercase() {
        class if matches!(class.as_str(), "GLACIER" | "DEEP_ARCHIVE") => Err(Error::usage(
            format!("objects of class {class} cannot be read at once"),
        )
        .hint("GLACIER_IR is the coldest class whose objects can")),
        class => header_value(&class),
    }
}

fn encryption(text: &str) -> Result<String> {
    match text {
        "AES256" | "aws:kms" => Ok(text.to_owned()),
        _ => Err(Error::usage(format!(
            "{text:?} is neither AES256 nor aws:kms"
        ))),
    }
}

/// Goes into a header as it is.
fn header_value(text: &str) -> Result<String> {
    if text.len() > 2048 || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::usage(format!(
            "{text:?} has characters that cannot be sent"
        )));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(recorded: [&str; 5], read: [&str; 4]) -> Manner {
        let text = |t: &str| Some(t.to_owned()).filter(|t| !t.is_empty());
        Manner {
            recorded: recorded.map(text),
            read: read.map(text),
        }
    }

    #[test]
    fn values_of_all_kinds() {
        let manner = of(
            [
                "MinIO",
                "virtual",
                "standard_ia",
                "aws:kms",
                "arn:aws:kms:x",
            ],
            ["12", "1M", "64K", "90s"],
        );
        let (dialect, stored_as, tuning) = manner.values().unwrap();
        assert_eq!(dialect.provider.map(|p| p.id), Some("minio"));
        assert_eq!(dialect.addressing, Some(Addressing::Virtual));
        assert_eq!(stored_as.storage_class.as_deref(), Some("STANDARD_IA"));
        assert_eq!(stored_as.kms_key.as_deref(), Some("arn:aws:kms:x"));
        assert_eq!(tuning.connections, Some(12));
        assert_eq!(
            (tuning.max_upload_rate, tuning.max_download_rate),
            (Some(1 << 20), Some(64 << 10))
        );
        assert_eq!(tuning.timeout, Some(Duration::from_secs(90)));
        assert_eq!(Manner::default().values().unwrap(), Default::default());
    }

    #[test]
    fn what_is_wrong_names_its_flag() {
        for (at, bad) in [
            ("--provider", of(["nobody", "", "", "", ""], [""; 4])),
            ("--addressing", of(["", "dns", "", "", ""], [""; 4])),
            (
                "--storage-class",
                of(["", "", "deep_archive", "", ""], [""; 4]),
            ),
            ("--storage-class", of(["", "", "A\r\nB", "", ""], [""; 4])),
            ("--sse", of(["", "", "", "aes", ""], [""; 4])),
            ("--sse-kms-key-id", of(["", "", "", "AES256", "k"], [""; 4])),
            ("--connections", of([""; 5], ["0", "", "", ""])),
            ("--connections", of([""; 5], ["65", "", "", ""])),
            ("--max-upload-rate", of([""; 5], ["", "1K", "", ""])),
            ("--max-download-rate", of([""; 5], ["", "", "fast", ""])),
            ("--timeout", of([""; 5], ["", "", "", "0"])),
        ] {
            let error = bad.values().unwrap_err();
            assert_eq!(error.kind(), crate::error::Kind::Usage);
            assert!(error.to_string().contains(at), "{error}");
        }
    }

    #[test]
    fn what_is_said_first_wins() {
        let first = of(["aws", "", "", "", ""], ["", "", "", "9s"]);
        let second = of(["b2", "path", "", "", ""], ["3", "", "", "8s"]);
        assert_eq!(
            first.or(&second),
            of(["aws", "path", "", "", ""], ["3", "", "", "9s"])
        );
    }
}
