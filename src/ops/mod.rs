//! Operations: plan, then execute; they emit events and never print.

pub mod backup;
pub mod maintenance;
pub mod forget;
pub mod opened;
pub mod reach;
pub mod restore;
pub mod undelete;
