//! Work off the acknowledgement path: sealing, packing and compacting.

mod again;
mod alike;
pub(super) mod compact;
pub(super) mod family;
pub(super) mod packing;
pub(super) mod rewrite;
pub(super) mod sealing;
pub(super) mod worker;
