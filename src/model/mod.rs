//! The protocol, model-checked: the engine itself on the memory storage, its requests interleaved in every way.

pub(crate) mod plan;
