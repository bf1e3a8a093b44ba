//! The S3 client: a sans-I/O core (build, sign, parse), a thin ureq shell, a request meter.
//!
//! - [`sigv4`], [`canonical`]: signatures; [`request`], [`response`]: one file per action;
//! - [`credentials`], [`region`], [`endpoint`], [`provider`]: who asks, where, and what that place can do;
//! - [`clock`], [`retry`], [`gate`], [`rate`], [`meter`]: the server's time, when to try again, how much at a time, what
//!   it cost;
//! - [`transport`]: HTTP as one trait, so that all of the above is tested without a network;
//! - [`client`]: all of it together; [`explain`]: its failures in plain words.

pub mod canonical;
pub mod client;
pub mod clock;
pub mod credentials;
pub mod download;
pub mod endpoint;
pub mod explain;
pub mod gate;
pub mod meter;
mod outcome;
pub mod provider;
pub mod proxy;
pub mod rate;
pub mod region;
pub mod request;
pub mod response;
pub mod retry;
#[cfg(test)]
pub(crate) mod script;
pub mod sigv4;
pub mod tls;
pub mod transport;
