//! What a call may do, and how it ends.

use super::response::S3Error;
use super::response::xml::MAX_XML;
use super::transport::Broken;
use crate::error::Error;
use crate::units::Time;
use std::sync::Arc;
use std::time::Duration;

/// An answer of status 2xx.
#[derive(Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    /// Empty for HEAD.
    pub body: Vec<u8>,
    /// The server's clock, where it said.
    pub date: Option<Time>,
    /// How long the last attempt took up to its headers.
    pub took: Duration,
    /// How many attempts were made.
    pub attempts: u32,
}

impl Answer {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}

/// Why there is no answer of status 2xx.
#[derive(Clone, Debug)]
pub enum Cause {
    /// The server refused.
    Service(S3Error),
    /// The network failed.
    Broken(Broken),
    /// The body is longer than the limit that was given.
    TooLong(u64),
    /// There are no keys to sign with any more.
    Keys(Arc<Error>),
    /// The moment after which it must not be sent has passed.
    TooLate,
    /// The answer makes no sense.
    Nonsense(String),
    /// Something on the way changed the answer: what shows that.
    Changed(String),
}

/// A failure after all attempts.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Of the last attempt.
    pub cause: Cause,
    /// How many attempts were made.
    pub attempts: u32,
}

/// What one call may do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest body that is read.
    pub body: u64,
    /// Latest moment at which it may be sent.
    pub not_after: Option<Time>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body: MAX_XML,
            not_after: None,
        }
    }
}
