//! What storage and requests cost, so that repacking pays.

use crate::error::{Error, Result};
use serde::Serialize;

/// Bytes of a billing gigabyte.
const GB: f64 = 1e9;

/// A price table, in one currency. The defaults are those of Amazon S3 Standard in us-east-1, read from outside of AWS
/// (<https://aws.amazon.com/s3/pricing/>, US dollars).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Prices {
    /// A gigabyte for a month.
    pub storage: f64,
    /// A thousand PUT requests.
    pub put: f64,
    /// A thousand GET requests.
    pub get: f64,
    /// A thousand LIST requests.
    pub list: f64,
    /// A gigabyte downloaded.
    pub egress: f64,
}

impl Default for Prices {
    fn default() -> Self {
        Prices {
            storage: 0.023,
            put: 0.005,
            get: 0.0004,
            list: 0.005,
            egress: 0.09,
        }
    }
}

impl Prices {
    /// Storage of one's own: bytes and requests cost nothing.
    pub const FREE: Prices = Prices {
        storage: 0.0,
        put: 0.0,
        get: 0.0,
        list: 0.0,
        egress: 0.0,
    };

    /// Reads `storage=0.006,egress=0.01,...`: what is not named keeps its default.
    ///
    /// # Errors
    /// `Usage`.
    pub fn parse(text: &str) -> Result<Prices> {
        let mut prices = Prices::default();
        for part in text.split(',').filter(|p| !p.trim().is_empty()) {
            let bad = || {
                Error::usage(format!("{part:?} is not a price")).hint(
                    "give storage=, egress= (a gigabyte), put=, get=, list= (a thousand requests), parted by commas",
                )
            };
            let (name, price) = part.split_once('=').ok_or_else(bad)?;
            let price: f64 = price.trim().parse().map_err(|_| bad())?;
            if !(0.0..1e9).contains(&price) {
                return Err(bad());
            }
            match name.trim() {
                "storage" => prices.storage = price,
                "put" => prices.put = price,
                "get" => prices.get = price,
                "list" => prices.list = price,
                "egress" => prices.egress = price,
                _ => return Err(bad()),
            }
        }
        Ok(prices)
    }

    /// Is everything free? Then bytes decide alone.
    pub fn is_free(&self) -> bool {
        *self == Prices::FREE
    }

    /// What it costs, once, to download `bytes` with `gets` requests and put them back with `puts`.
    pub fn to_move(&self, bytes: u64, gets: u64, puts: u64) -> f64 {
        self.egress * bytes as f64 / GB
            + self.get * gets as f64 / 1000.0
            + self.put * puts as f64 / 1000.0
    }

    /// What it saves to hold `bytes` less for `months`.
    pub fn to_hold(&self, bytes: u64, months: f64) -> f64 {
        self.storage * bytes as f64 / GB * months
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_refuses() {
        let p = Prices::parse("storage=0.006, egress=0").unwrap();
        assert_eq!((p.storage, p.egress, p.put), (0.006, 0.0, 0.005));
        assert_eq!(Prices::parse("").unwrap(), Prices::default());
        for bad in [
            "storage",
            "storage=x",
            "disk=1",
            "put=-1",
            "put=inf",
            "put=NaN",
        ] {
            assert!(Prices::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sums() {
        let p = Prices::default();
        assert!((p.to_move(10_000_000_000, 1000, 1000) - 0.9054).abs() < 1e-9);
        assert!((p.to_hold(1_000_000_000, 6.0) - 0.138).abs() < 1e-9);
    }
}
