//! What comes out.

pub(super) mod read;
pub(super) mod snapshot;
