//! Operations: plan, then execute; they emit events and never print.
