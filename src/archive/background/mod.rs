//! Work off the acknowledgement path: sealing, packing and compacting.

pub(super) mod compact;
pub(super) mod packing;
pub(super) mod worker;
