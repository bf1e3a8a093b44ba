//! The protocol, model-checked: the engine itself on the memory storage, its requests interleaved in every way.
//!
//! # The claim
//! Time is the storage's, and runs may sleep for longer than the grace period between any two requests, or for ever.
//! On a storage that refuses what was signed more than 15 minutes ago:
//! - at every moment every object in `snapshots/` restores completely from what exists at that moment;
//! - what a run has reported as done is there until it is asked to be deleted;
//! - should all runs die at that moment, maintenance later on succeeds, and the same holds after it.
//!
//! On a storage that takes a put however long ago it was signed, a snapshot that arrives later than that may lack data
//! until its run has looked again and has mended or removed it; if that run dies before, until somebody deletes the
//! snapshot. For all other snapshots the claim is the same.
//!
//! # What is not covered
//! Answers that get lost and errors after which a run goes on; listings of several pages; packs that fill before a
//! pass ends; local caches; several key epochs; a grace period of zero; threads of one run among themselves.
//!
//! # How
//! [`explore`] says what is explored and what is left out; [`tales`] how the engine is run without running it anew for
//! each interleaving; [`world`] what the repository holds; [`actor`] who acts; [`bugs`] which mistakes are planted to see
//! that they are found. The tests that are ignored go further, and are run by hand:
//! ```text
//! cargo test --lib model::tests::exhaustive_pairs -- --ignored --exact --nocapture
//! CORSO_MODEL_PREEMPTIONS=2 cargo test --lib model::tests::bounded_triples -- --ignored --exact --nocapture
//! ```
//! Counts differ a little from process to process: the source lies in a folder of another name each time, so objects
//! have other names, and are read in another order.

mod actor;
pub(crate) mod bugs;
mod dice;
mod explore;
mod invariant;
pub(crate) mod plan;
mod shelf;
mod solo;
mod state;
mod tales;
mod tests;
mod whole;
mod world;
