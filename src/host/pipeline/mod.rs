//! A file's way through the host: archived, converted, recorded, cleared away.

pub(super) mod disposition;
pub(super) mod lines;
pub(super) mod memory;
pub(super) mod queue;
pub(super) mod threads;
pub(super) mod worker;
