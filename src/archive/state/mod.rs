//! What an open store consists of.

pub(super) mod folders;
pub(super) mod shared;
