//! Operations: plan, then execute; they emit events and never print.

pub mod backup;
pub mod check;
pub mod forget;
pub mod maintenance;
pub mod opened;
pub mod reach;
pub mod repair;
pub mod replace;
pub mod restore;
pub mod survey;
#[cfg(test)]
pub(crate) mod testing;
pub mod undelete;
pub mod validate;
