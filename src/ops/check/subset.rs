//! Which packs to read.

use crate::error::{Error, Result};
use crate::id::{Id, Id16};
use crate::units::{human_bytes, parse_bytes};

/// A choice of packs.
#[derive(Clone, Debug, PartialEq)]
pub enum Subset {
    /// All of them.
    All,
    /// About this many in a hundred, at random, at least one.
    Percent(f64),
    /// Part `.0` of `.1`: the same packs every time, by their names; all parts together are all packs.
    Part(u32, u32),
    /// At random, up to this many bytes, at least one.
    Bytes(u64),
}

impl Subset {
    /// From `10%`, `2/7` or `5G`.
    pub fn parse(text: &str) -> Result<Subset> {
        let bad = || {
            Error::usage(format!(
                "{text:?} does not say which part of the data to read"
            ))
            .hint("give a percentage such as 5%, a part such as 1/7, or a size such as 10G")
        };
        if let Some(number) = text.strip_suffix('%') {
            let percent: f64 = number.trim().parse().map_err(|_| bad())?;
            return match percent > 0.0 && percent <= 100.0 {
                true => Ok(Subset::Percent(percent)),
                false => Err(bad()),
            };
        }
        if let Some((n, m)) = text.split_once('/') {
            let (n, m): (u32, u32) = (n.parse().map_err(|_| bad())?, m.parse().map_err(|_| bad())?);
            return match n >= 1 && n <= m {
                true => Ok(Subset::Part(n, m)),
                false => Err(bad()),
            };
        }
        if text.len() < 4 && text.bytes().all(|b| b.is_ascii_digit()) {
            // What a crontab leaves of "5%".
            return Err(
                Error::usage(format!("{text:?} is a number without a unit")).hint(format!(
                    "write {text}% (in a crontab \"{text}\\%\"), {text}G or 1/{text}"
                )),
            );
        }
        match parse_bytes(text) {
            Ok(bytes) if bytes > 0 => Ok(Subset::Bytes(bytes)),
            _ => Err(bad()),
        }
    }

    /// For people.
    pub fn describe(&self) -> String {
        match self {
            Subset::All => "all data".into(),
            Subset::Percent(p) => format!("{p}% of the packs"),
            Subset::Part(n, m) => format!("part {n} of {m}"),
            Subset::Bytes(b) => format!("up to {}", human_bytes(*b)),
        }
    }

    /// The chosen ones of `packs`, (name, bytes), in order of name.
    pub fn choose(&self, mut packs: Vec<(Id, u64)>) -> Result<Vec<(Id, u64)>> {
        packs.sort_unstable();
        match *self {
            Subset::All => {}
            Subset::Part(n, m) => packs.retain(|(id, _)| {
                let [a, b, c, d, ..] = id.0;
                u32::from_be_bytes([a, b, c, d]) % m == n - 1
            }),
            Subset::Percent(percent) => {
                let count = (packs.len() as f64 * percent / 100.0).ceil() as usize;
                shuffle(&mut packs)?;
                packs.truncate(count.max(1));
            }
            Subset::Bytes(limit) => {
                shuffle(&mut packs)?;
                let mut sum = 0u64;
                let mut first = true;
                packs.retain(|(_, size)| {
                    let fits = sum.saturating_add(*size) <= limit;
                    let take = fits || std::mem::take(&mut first);
                    first = false;
                    sum += if take { *size } else { 0 };
                    take
                });
            }
        }
        packs.sort_unstable();
        Ok(packs)
    }
}

/// A random order: by a hash of the name with a fresh salt.
fn shuffle(packs: &mut [(Id, u64)]) -> Result<()> {
    let salt = Id16::random()?.0;
    packs.sort_by_cached_key(|(id, _)| {
        let mut hasher = blake3::Hasher::new();
        *hasher.update(&salt).update(&id.0).finalize().as_bytes()
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_asked_for() {
        assert_eq!(Subset::parse("5%").unwrap(), Subset::Percent(5.0));
        assert_eq!(Subset::parse("2/7").unwrap(), Subset::Part(2, 7));
        assert_eq!(Subset::parse("3M").unwrap(), Subset::Bytes(3 << 20));
        let cron = Subset::parse("5").unwrap_err().to_string();
        assert!(cron.contains("without a unit"), "{cron}");
        for bad in ["", "0%", "101%", "NaN%", "0/3", "4/3", "1/0", "x", "0"] {
            assert!(Subset::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parts_are_all_and_disjoint_and_sizes_are_kept() {
        let packs: Vec<(Id, u64)> = (0..200u32)
            .map(|n| (Id::sha256(&n.to_be_bytes()), 10))
            .collect();
        let mut all = Vec::new();
        for n in 1..=7 {
            all.extend(Subset::Part(n, 7).choose(packs.clone()).unwrap());
        }
        all.sort_unstable();
        assert_eq!(all, Subset::All.choose(packs.clone()).unwrap());
        assert_eq!(
            Subset::Percent(10.0).choose(packs.clone()).unwrap().len(),
            20
        );
        assert_eq!(Subset::Percent(0.1).choose(packs.clone()).unwrap().len(), 1);
        assert_eq!(Subset::Bytes(105).choose(packs.clone()).unwrap().len(), 10);
        assert_eq!(Subset::Bytes(1).choose(packs).unwrap().len(), 1);
        assert!(Subset::Percent(5.0).choose(Vec::new()).unwrap().is_empty());
    }
}
